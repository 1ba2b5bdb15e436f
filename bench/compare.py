#!/usr/bin/env python3
"""Tell what got slower, or faster, from one commit of ringswitch to another.

Both are built, and measured in turns with this tree's ringbench; what is said goes
beyond the noise of this machine (interval.py says how that is known). Without
--head it is this tree as it stands, with what is not committed.
The exit status is 1 if something got slower by more than 25 %, or cannot be
measured any more; 2 if the command line is wrong or a commit cannot be built.
"""
import argparse
import collections
import contextlib
import dataclasses
import json
import pathlib
import random
import signal
import sys

import interval
import machine
import report
import revisions
import scenarios
import switches
import tables
from scenarios import Scenario

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASE, HEAD = SIDES = ["base", "head"]
# Many short runs tell more than few long ones. With so many, a tenth of them may be
# disturbed, and two fifths slower is still found (tests/system_bench_interval.py).
ROUNDS = 24


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A scenario through both, and what is looked at."""
    scenario: Scenario
    measures: list
    is_short: bool = False


def comparison(name, way, measures, *arguments, is_short=False,
               one_core=False):
    scenario = Scenario(name, list(arguments),
                        dict.fromkeys(SIDES, way), one_core=one_core)
    return Comparison(scenario, measures, is_short)


def comparisons(is_short):
    rate = ["rate", "--seconds", "0.15" if is_short else "0.3"]
    both = [tables.RATE, tables.CPU]
    found = [
        comparison("daemon ports", "uml", both, *rate, is_short=True),
        comparison("daemon ports, 64 bytes", "uml", [tables.CPU], *rate,
                   "--size", "64"),
        *(comparison(f"{client} ports", client, [tables.CPU], *rate)
          for client in scenarios.CLIENTS[1:]),
        comparison("guest to host", "to-host", both, *rate, is_short=True),
        comparison("host to guest", "to-guests", both, *rate),
        comparison("500 silent ports", "uml", [tables.CPU], *rate,
                   "--idle-ports", "500", is_short=True),
        comparison("1 % broadcasts, 200 ports", "uml", both, *rate,
                   "--broadcast-every", "100", "--idle-ports", "200"),
        comparison("10,000 addresses", "uml", [tables.CPU], *rate,
                   "--addresses", "10000"),
        comparison("a lone frame, one core", "uml", [tables.P50], "latency",
                   "--count", "300", is_short=True, one_core=True),
        comparison("50,000 frames/s", "uml", [tables.P50, tables.P99], "rate",
                   "--rate", "50000", "--seconds", "0.3"),
    ]
    return [c for c in found if c.is_short] if is_short else found


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", metavar="REV", required=True,
                        help="the commit to compare with")
    parser.add_argument("--head", metavar="REV",
                        help="the commit that is compared; this tree as it "
                        "stands if not said")
    parser.add_argument("--short", action="store_true",
                        help="the most important only: about a minute")
    parser.add_argument("--rounds", type=int, metavar="N", default=ROUNDS,
                        help=f"rounds of every scenario ({ROUNDS})")
    parser.add_argument("--ringbench", metavar="PATH", default=str(
        ROOT / "build/ringbench"), help="the measuring program")
    parser.add_argument("--json", metavar="PATH", default=str(
        ROOT / "build/bench-compare.json"),
                        help="where every run is written to")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: at least 1")
    return arguments


def all_measures(found):
    return [(comparison, measure) for comparison in found
            for measure in comparison.measures]


def tell(text):
    print(text, file=sys.stderr, flush=True)


def measure(arguments, programs, found, seed):
    """All rounds of all scenarios: Runs."""
    runs = report.Runs()
    # The order within a round is what makes equal programs interchangeable.
    coin = random.Random(seed)
    fields = {side: scenarios.Field(
        arguments.ringbench, arguments.short,
        [switches.ringswitch(program, side)])
        for side, program in programs.items()}
    for number in range(arguments.rounds):
        tell(f"round {number + 1} of {arguments.rounds}")
        for one in found:
            for side in coin.sample(SIDES, 2):
                runs.add(one.scenario.name, side, number,
                         fields[side].run(one.scenario, side))
    return runs


# What is said -------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Row:
    """One measure of one scenario, on both sides."""
    label: str
    cells: dict             # {side: text}
    found: interval.Interval | None
    verdict: str
    is_loaded: bool

    def change(self):
        if self.found is None:
            return "-"
        return (f"{percent(self.found.middle)} "
                f"({percent(self.found.low)}..{percent(self.found.high)})")

    def text(self):
        return f"{self.label}: {self.change()}"


def percent(ratio):
    return f"{100 * (ratio - 1):+.0f} %"


def slowdowns(runs, scenario, measure):
    """Round by round, above 1 where head is the slower."""
    base, head = (runs.values(scenario, side, measure.field) for side in SIDES)
    above, below = ((base, head) if measure.best is tables.HIGH
                    else (head, base))
    return [above[number] / below[number] for number in above
            if above[number] and below.get(number)]


def all_rows(runs, found):
    measures = all_measures(found)
    rows = []
    for one, measure in measures:
        name = one.scenario.name
        ratios = slowdowns(runs, name, measure)
        rows.append(Row(
            f"{name}: {measure.label}",
            {side: cell(runs, name, side, measure) for side in SIDES},
            interval.interval(ratios, interval.SHOWN),
            interval.verdict(ratios, len(measures)),
            any(runs.is_loaded(name, side) for side in SIDES)))
    return rows


def cell(runs, scenario, side, measure):
    found = report.spread(runs.values(scenario, side, measure.field).values())
    return (f"{found.median * measure.scale:,.{measure.digits}f}" if found
            else "-")


def table(rows):
    return report.table(
        ["median", *SIDES, "head is slower by (95 %)", "verdict"],
        [[row.label, *(row.cells[side] for side in SIDES), row.change(),
          row.verdict + (report.LOADED_MARK if row.is_loaded else "")]
         for row in rows])


def broken(runs):
    """{scenario: why} of those that only head cannot do any more, most of the time:
    once may be the machine's doing."""
    errors = {side: [run for run in runs.errors() if run["switch"] == side]
              for side in SIDES}
    rounds = 1 + max((run["number"] for run in runs.all), default=0)
    failures = collections.Counter(run["scenario"] for run in errors[HEAD])
    before = {run["scenario"] for run in errors[BASE]}
    return {run["scenario"]: run["result"]["error"] for run in errors[HEAD]
            if 2 * failures[run["scenario"]] > rounds
            and run["scenario"] not in before}


def statement(rows, runs):
    """Plain sentences, the worst first."""
    lines = [f"CANNOT BE MEASURED ANY MORE: {name}: {' '.join(why.split())}"
             for name, why in broken(runs).items()]
    words = {interval.MUCH_SLOWER: "SLOWER BY MORE THAN 25 %",
             interval.SLOWER: "slower", interval.FASTER: "faster"}
    for verdict, word in words.items():
        lines += [f"{word}: {row.text()}" for row in rows
                  if row.verdict == verdict]
    if not lines:
        lines = ["Nothing got slower or faster beyond the noise."]
    same = [row for row in rows if row.verdict == interval.SAME]
    if same:
        hidden = max(same, key=lambda row: row.found.high)
        lines.append("Of what is not told from noise, the least sure is "
                     + hidden.text() + ".")
    return lines + untold(rows, runs)


def untold(rows, runs):
    """What nothing can be said of, and why."""
    few = [row.label for row in rows
           if row.verdict == interval.UNKNOWN and row.found]
    errors = {run["scenario"]: run["result"]["error"] for run in runs.errors()
              if run["scenario"] not in broken(runs)}
    return ([f"Not known, for want of rounds: {', '.join(few)}"] if few
            else []) + [f"Not measured, at least once: {name}: "
                        f"{' '.join(why.split())}"
                        for name, why in errors.items()]


def failed(rows, runs):
    return bool(broken(runs)) or any(
        row.verdict == interval.MUCH_SLOWER for row in rows)


def say(names, rows, runs, rounds):
    print(f"base: {names[BASE]}\nhead: {names[HEAD]}\n"
          f"{rounds} rounds, each side once in each, the first by a coin\n")
    print(table(rows) + "\n")
    others = report.others_cores(runs)
    if others:
        print(f"cores kept busy by others: {others.text(2)}. "
              f"{report.LOADED_NOTE}\n")
    print("\n".join(statement(rows, runs)))


def write_json(path, names, facts, seed, rows, runs):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({
        "machine": facts, "sides": names, "seed": seed,
        "verdicts": [dataclasses.asdict(row) for row in rows],
        "runs": runs.all}, indent=1) + "\n")
    print(f"\nevery run: {path}")


@contextlib.contextmanager
def both_programs(arguments):
    """({side: path of ringswitch}, {side: what it is})."""
    commits = {BASE: revisions.commit_of(ROOT, arguments.base)}
    if arguments.head:
        commits[HEAD] = revisions.commit_of(ROOT, arguments.head)
    names = {HEAD: "this tree, as it stands"} | {
        side: revisions.subject(ROOT, commit)
        for side, commit in commits.items()}
    programs = {HEAD: str(ROOT / revisions.PROGRAM)}
    with contextlib.ExitStack() as stack:
        for side, commit in commits.items():
            tell(f"building {side}: {names[side]}")
            programs[side] = stack.enter_context(revisions.built(
                ROOT, commit, ROOT / "build/compare" / side))
        yield programs, names


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    machine.raise_descriptor_limit()
    found = comparisons(arguments.short)
    seed = random.SystemRandom().randrange(1 << 32)
    try:
        with both_programs(arguments) as (programs, names):
            facts = machine.facts(names)
            runs = measure(arguments, programs, found, seed)
    except revisions.RevisionError as error:
        tell(f"bench-compare: {error}")
        return 2
    rows = all_rows(runs, found)
    say(names, rows, runs, arguments.rounds)
    write_json(arguments.json, names, facts, seed, rows, runs)
    return int(failed(rows, runs))


if __name__ == "__main__":
    sys.exit(main())
