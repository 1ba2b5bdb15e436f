"""The relay that bench/ measures ringswitch against: whether it is a fair bound,
and what the tables and goals make of it.

    ringbench sender --- uml --- relay --- uml --- ringbench receiver
"""
import subprocess
import types

import pytest

import lab
import lab_bench
import lab_ringbench

import goals
import report
import run as bench_run
import scenarios
import switches
import tables

DAMAGE = ["lost", "reordered", "duplicated", "corrupt", "stale", "stray"]
GOALS = ["switch CPU per 1500-byte frame, daemon ports / relay",
         "frames/s, daemon ports / relay"]


# The program ------------------------------------------------------------------

@pytest.fixture
def relay(build, tmp_path):
    """The process, and where it listens."""
    kind = switches.relay(build / "ringswitch")
    control = kind.control(tmp_path, "uml")
    process = subprocess.Popen(kind.command(tmp_path, "uml"),
                               start_new_session=True)
    try:
        switches.wait_until_listening(kind, process, control)
        yield process, control
    finally:
        switches.end_group(process)


def assert_all_come(build, control, *options):
    result = lab_ringbench.Bench(build / "ringbench")(
        "rate", f"uml:{control}", "--seconds", "0.2", *options)
    assert result["delivered"] == result["expected"] > 100
    assert [result[key] for key in DAMAGE] == [0] * len(DAMAGE)


def test_slow_sender_loses_nothing_and_relay_ends_with_its_guests(build, relay):
    process, control = relay
    assert_all_come(build, control, "--rate", "2000")
    assert process.wait(lab.STEP_S) == 0


def test_sender_without_a_pause_loses_nothing(build, relay):
    """What the receiver has no room for is kept, and nothing more is read."""
    assert_all_come(build, relay[1], "--window", "0")


def said(build, *words):
    done = subprocess.run([build / "relay", *words], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=lab.STEP_S)
    assert done.stderr.count("\n") == 1 and not done.stdout
    return done.returncode, done.stderr


def test_path_that_cannot_be_bound_is_one_line(build, tmp_path):
    missing, taken, long = (tmp_path / "none/ctl", tmp_path / "taken",
                            "/tmp/" + "x" * 200)
    taken.touch()
    for path, why in ((missing, "No such file"), (taken, "in use"),
                      (long, "too long")):
        status, line = said(build, path)
        assert status == 1 and line.startswith(f"relay: {path}: ")
        assert why in line


def test_anything_but_one_path_is_usage(build):
    for words in (), ("a", "b"), ("--version",):
        assert said(build, *words) == (2, "usage: relay PATH\n")


# What is made of it -------------------------------------------------------------

def runs_of(**values):
    """{switch: CPU per frame}; twice the CPU is half the frames."""
    runs = report.Runs()
    for name, cpu_ns in values.items():
        runs.add("kinds/uml", name.replace("_", " "), 0, {
            "switch_cpu_ns_per_frame": cpu_ns, "frames_per_s": 1e9 / cpu_ns})
    return runs


def goals_of(**values):
    found = {goal.label: goal for goal in goals.all_goals(runs_of(**values))}
    return [(round(found[label].found.median, 3), found[label].reached)
            for label in GOALS]


def test_goals_are_ratios_to_the_relay_and_not_to_the_floor():
    assert goals_of(ringswitch=1040, relay=1000, floor=10) == [
        (1.04, True), (0.962, True)]
    assert goals_of(ringswitch=1080, relay=1000, floor=10) == [
        (1.08, True), (0.926, False)]
    assert goals_of(ringswitch=1120, relay=1000, floor=2000) == [
        (1.12, False), (0.893, False)]


def test_relay_has_a_column_beside_the_floor_and_is_no_peer():
    runs = runs_of(ringswitch=1000, relay=500, floor=400)
    (_, text), = tables.all_tables(runs)
    header, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]]
                        for line in text.splitlines()]
    assert header[2:] == ["relay", "floor", "ringswitch / best peer",
                          "ringswitch / floor"]
    assert rows[-1][1:] == ["1.00", "0.50", "0.40", "-", "2.50"]


def test_relay_takes_part_where_two_daemon_ports_are_enough():
    found = {scenario.name for group in scenarios.all_scenarios(False).values()
             for scenario in group if "relay" in scenario.who}
    assert found == {"kinds/uml", "ports/2", "latency/free", "latency/one-core",
                     "roundtrip", *(f"load/{rate}" for rate in
                                    scenarios.RATES)}
    columns = {title: "| relay" in text for title, text in
               tables.all_tables(lab_bench.made_up_runs())}
    assert not columns["Nothing to do, with 1,000 ports"]
    assert columns["Ping-pong"]


def test_relay_that_is_not_built_is_named_as_not_measured(tmp_path):
    bench = bench_run.Bench(types.SimpleNamespace(
        switch=str(tmp_path / "ringswitch"), rounds=1, minutes=1, only=None))
    assert f"no {tmp_path}/relay;" in bench.left_out["relay"]
    assert not [kind for kind in bench.kinds if kind.name == "relay"]


def test_relay_is_measured_and_explained(build, tmp_path):
    """Ping-pong, and neither a version of it nor guests on it."""
    kinds = [kind for kind in switches.known_kinds(str(build / "ringswitch"))
             if kind.name == "relay"]
    field = scenarios.Field(str(build / "ringbench"), True, kinds)
    scenario, = scenarios.roundtrip(True)
    assert field.run(scenario, "relay")["roundtrip_p50_ns"] > 0
    bench = bench_run.Bench(types.SimpleNamespace(
        switch=str(build / "ringswitch"), rounds=1, minutes=1, only=["tcp"]))
    assert "relay" in [kind.name for kind in bench.kinds]
    assert "relay" not in bench.versions()
    assert bench_run.RELAY_NOTE in bench_run.markdown(
        bench, bench_run.machine.facts({}), [])
