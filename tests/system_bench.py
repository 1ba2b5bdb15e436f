"""What bench/ makes of its runs: ratios, tables, goals and pictures; what it
says of two commits; and two very short real runs.
"""
import json
import shutil
import subprocess
import sys
import types
import xml.etree.ElementTree

import pytest

import lab
import lab_bench

import compare
import goals
import interval
import plots
import report
import revisions
import run as bench_run
import scenarios
import tables

BENCH = lab.ROOT / "bench"


def runs_of(scenario, field, **values):
    """Of some switches: the values of their rounds."""
    runs = report.Runs()
    for name, found in values.items():
        for number, value in enumerate(found):
            runs.add(scenario, name, number, {field: value})
    return runs


# Numbers --------------------------------------------------------------------

def test_ratio_is_taken_round_by_round():
    found = report.ratios({0: 10, 1: 40, 2: 30}, {0: 5, 1: 10, 2: 30})
    assert (found.median, found.low, found.high) == (2, 1, 4)


def test_round_without_a_base_has_no_ratio():
    assert report.ratios({0: 10, 1: 3}, {0: 0}) is None
    assert report.ratios({}, {0: 1}) is None


def test_best_peer_is_the_best_of_each_round():
    runs = runs_of("ports/2", "frames_per_s", uml_switch=[1, 5],
                   vde_switch=[2, 3])
    assert tables.best_peer(runs, "ports/2", "frames_per_s", max) == {0: 2,
                                                                      1: 5}


def test_rows_beside_others_are_marked_and_quiet_ones_are_not():
    runs = report.Runs()
    for name, busy in ("ringswitch", 1.0), ("uml_switch", 0.0):
        for number in range(3):
            runs.add("roundtrip", name, number,
                     {"roundtrip_p50_ns": 5000, "others_cores": busy})
    cells = tables.row(runs, "roundtrip", tables.TRIP50,
                       ["ringswitch", "uml_switch"])
    assert cells[1].endswith(report.LOADED_MARK)
    assert not cells[2].endswith(report.LOADED_MARK)


def test_tables_have_a_cell_for_each_column():
    found = tables.all_tables(lab_bench.made_up_runs())
    assert len(found) == len(scenarios.all_scenarios(False)) + 1
    for title, text in found:
        widths = {line.count("|") for line in text.splitlines()}
        assert len(widths) == 1, title


# Goals ----------------------------------------------------------------------

def verdicts(runs):
    return {row[0]: row[-1] for row in
            (goal.row() for goal in goals.all_goals(runs))}


def test_goals_are_reached_by_who_is_fast_enough():
    fast = {"ringswitch": 100, "ringswitch, bess": 100}
    found = verdicts(lab_bench.made_up_runs(fast))
    missed = [label for label, verdict in found.items()
              if verdict != "reached"]
    assert not missed


def test_goals_are_missed_by_who_is_slow():
    found = verdicts(lab_bench.made_up_runs({"ringswitch": 0.1}))
    for label, verdict in found.items():
        if " / " in label and "bess" not in label and "ports" in label:
            assert verdict == ("reached" if "1,000 ports" in label
                               else "missed"), label


def test_lost_frames_keep_no_latency():
    found = scenarios.with_derived({"loss": 0.005, "latency_p50_ns": 5,
                                    "latency_p99_ns": 9,
                                    "latency_p999_ns": 20})
    assert found == {"loss": 0.005, "latency_p50_ns": 5, "latency_p99_ns": 9}


def test_tail_is_compared_where_a_peer_loses_nothing():
    runs = report.Runs()
    for rate, tail in (20000, 8), (50000, None):
        runs.add(f"load/{rate}", "ringswitch", 0, {"latency_p999_ns": 2})
        runs.add(f"load/{rate}", "uml_switch", 0, {"latency_p999_ns": tail})
    goal, = goals.tails(runs, "uml_switch", ["uml_switch"])
    assert "20,000" in goal.label
    assert goal.found.median == 0.25 and goal.reached


def test_goal_without_runs_is_not_measured():
    assert set(verdicts(report.Runs()).values()) == {"not measured"}


# Pictures -------------------------------------------------------------------

@pytest.fixture(scope="module")
def gnuplot():
    if not shutil.which("gnuplot"):
        pytest.skip("gnuplot is not installed (gnuplot-nox)")


@pytest.fixture(scope="module")
def pictures(gnuplot, tmp_path_factory):
    return draw(tmp_path_factory.mktemp("pictures"))


def draw(directory):
    drawn, why = plots.draw_all(lab_bench.made_up_runs(), "5", directory)
    assert why is None
    return {path.stem: path.read_text() for _, path in drawn}


def words_in(svg):
    root = xml.etree.ElementTree.fromstring(svg)
    return " ".join("".join(text.itertext()) for text in
                    root.iter("{http://www.w3.org/2000/svg}text"))


def test_pictures_name_axes_units_and_every_switch(pictures):
    assert set(pictures) == {"ports", "addresses", "sizes", "load", "kinds",
                             "cpu", "latency", "tcp", "search"}
    for name, svg in pictures.items():
        words = words_in(svg)
        assert "Rounds: 5." in words, name
        assert any(unit in words for unit in
                   ("a second", "Gbit/s", "microseconds")), name
        for switch in "ringswitch", "uml_switch", "vde_switch":
            assert switch in words, (name, switch)
    for name in "ports", "addresses", "kinds", "cpu", "latency":
        assert plots.FLOOR_TEXT in words_in(pictures[name]), name
    assert {name for name, svg in pictures.items() if plots.RELAY_TEXT in
            words_in(svg)} == {"load", "kinds", "cpu", "latency"}


def test_pictures_of_the_same_runs_are_the_same_small_files(pictures, tmp_path):
    assert pictures == draw(tmp_path)
    assert max(map(len, pictures.values())) < 40000


def test_pictures_do_without_a_switch_that_delivered_nothing(gnuplot, tmp_path):
    runs = lab_bench.made_up_runs()
    for one in runs.all:
        if one["switch"] == "uml_switch":
            one["result"]["frames_per_s"] = 0
    drawn, _ = plots.draw_all(runs, "5", tmp_path)
    ports = next(path for _, path in drawn if path.stem == "ports")
    assert "uml_switch" not in words_in(ports.read_text())


def test_points_are_drawn_from_the_smallest_to_the_largest():
    assert plots.block("d0", [("2", report.Spread(20, 10, 40))]) == [
        "$d0 << EOD", "2 20 10 40", "EOD"]
    assert "1:3:(0):($4-$3) with vectors" in plots.WHISKER


def test_names_beside_lines_do_not_touch():
    heights = plots.spaced([0.5, 0.5, 0.51, 1.0, 1.0, 0.0, 0.0])
    ordered = sorted(heights)
    assert all(b - a > 0.99 * plots.LABEL_STEP
               for a, b in zip(ordered, ordered[1:]))
    assert 0 <= ordered[0] and ordered[-1] <= 1


# Rounds ---------------------------------------------------------------------

class Clock:
    def __init__(self):
        self.now_s = 0

    def __call__(self):
        return self.now_s


def rounds_run(seconds_a_round, minutes=10):
    """{part: rounds}, where each round takes so long; and what was late."""
    clock, late, found = Clock(), {}, {}
    rounds = bench_run.Rounds(5, minutes, seconds_a_round, late, clock)
    for part, seconds in seconds_a_round.items():
        found[part] = 0
        for _ in rounds.of(part):
            clock.now_s += seconds
            found[part] += 1
    return found, late, clock.now_s


def test_all_rounds_are_run_where_there_is_time():
    found, late, _ = rounds_run({"kinds": 10, "ports": 10, "tcp": 10})
    assert set(found.values()) == {5} and not late


def test_slow_part_leaves_time_for_the_others_and_is_named():
    found, late, took_s = rounds_run({"kinds": 200, "load": 20, "search": 20})
    assert found == {"kinds": 1, "load": 5, "search": 5}
    assert list(late) == ["kinds, from round 2 on"]
    assert took_s < 600


def test_no_round_begins_after_the_time_is_over():
    found, late, _ = rounds_run({"kinds": 700, "load": 1})
    assert found == {"kinds": 1, "load": 0}
    assert "load, from round 1 on" in late


# Two commits ----------------------------------------------------------------

MEASURE = tables.CPU
ONE = [compare.comparison("daemon ports", "uml", [MEASURE])]


def compared(**values):
    runs = runs_of("daemon ports", MEASURE.field, **values)
    return compare.all_rows(runs, ONE), runs


def test_more_time_a_frame_is_slower_and_more_frames_are_faster():
    runs = runs_of("x", "switch_cpu_ns_per_frame", base=[100], head=[150])
    assert compare.slowdowns(runs, "x", tables.CPU) == [1.5]
    runs = runs_of("x", "frames_per_s", base=[100], head=[200])
    assert compare.slowdowns(runs, "x", tables.RATE) == [0.5]


def test_large_regression_is_said_and_fails():
    rows, runs = compared(base=[100.0] * 12, head=[150.0 + i for i in
                                                  range(12)])
    assert compare.failed(rows, runs)
    assert compare.statement(rows, runs)[0].startswith("SLOWER BY MORE")


def test_small_regression_is_said_and_does_not_fail():
    rows, runs = compared(base=[100.0] * 12, head=[110.0 + i / 10 for i in
                                                  range(12)])
    assert not compare.failed(rows, runs)
    assert compare.statement(rows, runs)[0].startswith("slower: daemon ports")


def test_no_difference_says_what_it_may_hide():
    rows, runs = compared(base=[100.0] * 12,
                          head=[100.0 + (-1) ** i * i for i in range(12)])
    text = compare.statement(rows, runs)
    assert text[0] == "Nothing got slower or faster beyond the noise."
    assert "the least sure is daemon ports" in text[1]


def test_what_head_cannot_do_any_more_fails():
    runs = report.Runs()
    runs.add("daemon ports", "base", 0, {MEASURE.field: 1})
    runs.add("daemon ports", "head", 0, {"error": "it ended"})
    rows = compare.all_rows(runs, ONE)
    assert compare.failed(rows, runs)
    assert "it ended" in compare.statement(rows, runs)[0]


def test_what_base_could_not_do_either_does_not_fail():
    runs = report.Runs()
    for side in compare.SIDES:
        runs.add("daemon ports", side, 0, {"error": "no such option"})
    rows = compare.all_rows(runs, ONE)
    assert not compare.failed(rows, runs)
    assert rows[0].verdict == interval.UNKNOWN
    assert compare.statement(rows, runs)[1:] == [
        "Not measured, at least once: daemon ports: no such option"]


def test_too_few_rounds_are_said_to_be():
    rows, runs = compared(base=[100.0] * 3, head=[200.0] * 3)
    assert "for want of rounds: daemon ports" in compare.statement(rows,
                                                                   runs)[1]


def git(repository, *words):
    return lab.sh("git", "-C", str(repository), "-c", "user.name=x", "-c",
                  "user.email=x@x", *words)


@pytest.fixture
def repository(tmp_path):
    """A project of two commits, whose programs say which they are of."""
    path = tmp_path / "project"
    path.mkdir()
    git(path, "init", "-q")
    for version in "old", "new":
        (path / "Makefile").write_text(
            f"build/ringswitch:\n\tmkdir build\n\techo {version} >$@\n")
        git(path, "add", "Makefile")
        git(path, "commit", "-q", "-m", version)
    return path


def test_commit_is_built_beside_the_tree_and_nothing_is_left(repository):
    commit = revisions.commit_of(repository, "HEAD~1")
    directory = repository / "build/compare/base"
    with revisions.built(repository, commit, directory) as program:
        assert open(program).read() == "old\n"
    assert not directory.exists()
    assert git(repository, "worktree", "list").count("\n") == 1
    assert revisions.subject(repository, commit).endswith(" old")


def test_what_a_killed_run_has_left_is_no_obstacle(repository):
    directory = repository / "build/compare/base"
    git(repository, "worktree", "add", "--detach", str(directory), "HEAD")
    (directory / "more").write_text("left")
    commit = revisions.commit_of(repository, "HEAD")
    with revisions.built(repository, commit, directory) as program:
        assert open(program).read() == "new\n"


def test_unknown_commit_is_one_line_and_usage():
    done = subprocess.run(
        ["/usr/bin/python3", str(BENCH / "compare.py"), "--base", "no-such"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=lab.STEP_S)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "no-such" in done.stderr


@pytest.mark.parametrize("failures, is_broken", [(1, False), (3, True)])
def test_one_run_that_fails_is_not_yet_the_commits_doing(failures, is_broken):
    runs = report.Runs()
    for number in range(4):
        runs.add("ports", compare.BASE, number, {"frames_per_s": 1.0})
        runs.add("ports", compare.HEAD, number, {"error": "not listening"}
                 if number < failures else {"frames_per_s": 1.0})
    assert compare.failed([], runs) == is_broken
    assert ("ANY MORE" in "".join(compare.statement([], runs))) == is_broken


@pytest.mark.parametrize("there, is_given", [(3, True), (2, False)])
def test_what_most_runs_do_not_have_has_no_median(there, is_given):
    runs = report.Runs()
    for number in range(4):
        runs.add("load", "a", number, {"latency_p999_ns": 1.0}
                 if number < there else {})
    assert bool(runs.values("load", "a", "latency_p999_ns")) == is_given


def test_frames_that_were_never_taken_are_missing_too():
    result = {"rate_wanted": 1000, "sent": 600, "unsent": 400, "loss": 0.0,
              "delivered": 600, "latency_p50_ns": 1.0}
    found = scenarios.with_derived(result)
    assert found["missing"] == pytest.approx(0.4)
    assert "latency_p999_ns" not in found and "latency_p50_ns" in found


# Real runs ------------------------------------------------------------------

def test_two_real_sides_are_measured_in_turns(build):
    arguments = types.SimpleNamespace(ringbench=str(build / "ringbench"),
                                      rounds=1, short=True)
    one = compare.comparison("daemon ports", "uml", [tables.CPU], "rate",
                             "--seconds", "0.1")
    runs = compare.measure(
        arguments, dict.fromkeys(compare.SIDES, lab.ringswitch()), [one], 1)
    assert not runs.errors()
    assert {each["switch"] for each in runs.all} == set(compare.SIDES)
    assert all(each["result"]["switch_cpu_ns_per_frame"] for each in runs.all)


def test_real_run_writes_everything(build, tmp_path):
    """All switches that are here, ping-pong; bounded by --quick."""
    done = subprocess.run(
        [sys.executable, str(BENCH / "run.py"), "--quick", "--only",
         "roundtrip", "--json", str(tmp_path / "bench.json"), "--ringbench",
         str(build / "ringbench"), "--switch", lab.ringswitch()],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=3 * lab.STEP_S)
    assert done.returncode == 0, done.stdout
    written = json.loads((tmp_path / "bench.json").read_text())
    measured = {each["switch"] for each in written["runs"]
                if "roundtrip_p50_ns" in each["result"]}
    assert {"ringswitch", "uml_switch", "vde_switch"} <= measured
    text = (tmp_path / "bench.md").read_text()
    assert "## Ping-pong" in text and text.strip() in done.stdout
    for name in set(bench_run.devices.NAMES) - measured:
        assert f"- {name}: not measured (" in text
