#!/usr/bin/env python3
"""Measure ringswitch side by side with other switches, in one run.

With uml_switch, vde_switch, the Linux bridge and Open vSwitch, and with what this
machine's kernel costs without any switch (the floor) and with the smallest
program that can stand where a switch does (the relay); its kinds of ports with each
other; the filters on its taps with those of Linux bridges; and a switch that is
watched with one that is not.
Rounds are interleaved: A B C A B C ... Prints Markdown tables and writes them to
bench.md beside the JSON file, which has every single run, with pictures in a
folder bench. A target that is missed is printed as missed; the exit status is 1
only when a run of ringswitch could not be measured.
"""
import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

import bridges
import devices
import filter_report
import filters
import goals
import guests
import machine
import plots
import report
import scenarios
import switches
import tables
import tcp
import watching
import watching_report

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMES = [*scenarios.all_scenarios(True), guests.SCENARIO, *bridges.NAMES,
         filters.SCENARIO, watching.SCENARIO]
# How many seconds a round of each part takes, about: its share of the time.
WEIGHTS = {"kinds": 30, "ports": 40, "crowd": 8, "addresses": 38, "sizes": 38,
           "latency": 23, "load": 38, "roundtrip": 12, "search": 25, "idle": 22,
           "stalled": 2, guests.SCENARIO: 75, bridges.PLUG: 12,
           bridges.QEMU: 25, filters.SCENARIO: 40, watching.SCENARIO: 75}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--switch", metavar="PATH", default=str(
        ROOT / "build/ringswitch"), help="the ringswitch to measure")
    parser.add_argument("--ringbench", metavar="PATH", default=str(
        ROOT / "build/ringbench"), help="the measuring program")
    parser.add_argument("--before", metavar="PATH",
                        help="an earlier ringswitch, for the part "
                        f"{watching.SCENARIO}")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help="rounds of every scenario (5; 1 with --quick)")
    parser.add_argument("--minutes", type=float, metavar="M",
                        help="measure for about that long at most (45; 5 "
                        "with --quick)")
    parser.add_argument("--only", action="append", metavar="NAME",
                        choices=NAMES,
                        help="run this part; may be repeated: "
                        + ", ".join(NAMES))
    parser.add_argument("--no-guests", action="store_true",
                        help="leave out TCP of UML guests")
    parser.add_argument("--quick", action="store_true",
                        help="one short round, to see that everything works")
    parser.add_argument("--json", metavar="PATH", default=str(
        ROOT / "build/bench.json"), help="where every run is written to")
    arguments = parser.parse_args()
    arguments.rounds = default(arguments.rounds, 1 if arguments.quick else 5)
    arguments.minutes = default(arguments.minutes,
                                5 if arguments.quick else 45)
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: at least 1")
    for path in (arguments.switch, arguments.ringbench,
                 *filter(None, [arguments.before])):
        if not os.access(path, os.X_OK):
            parser.error(f"{path}: no such program (make bench builds it)")
    return arguments


def default(value, otherwise):
    return otherwise if value is None else value


def tell(text):
    print(text, file=sys.stderr, flush=True)


class Rounds:
    """So many of each part, within so many minutes for all of them. A part that
    takes longer than its share of what is left gets fewer rounds, but one at
    least, as long as there is any time."""

    def __init__(self, count, minutes, parts, left_out, clock=time.monotonic):
        self.count = count
        self._clock = clock
        self._end = clock() + minutes * 60
        self._to_come = list(parts)
        self._left_out = left_out

    def of(self, part):
        """The numbers of @part's rounds; it is not to come any more."""
        start = self._clock()
        share = WEIGHTS[part] / sum(WEIGHTS[other]
                                    for other in self._to_come)
        self._to_come.remove(part)
        end = start + share * (self._end - start)
        for number in range(self.count):
            now = self._clock()
            # The next is likely to take as long as those before it.
            took = (now - start) / number if number else 0
            if now > self._end or number and now + took > end:
                self._left_out[f"{part}, from round {number + 1} on"] = (
                    "the time was over")
                return
            tell(f"round {number + 1} of {self.count}: {part}")
            yield number

    def text(self):
        return f"{'at most ' if self._left_out else ''}{self.count}"


def why_missing(kind):
    if kind.name == switches.RELAY:
        return f"no {kind.program}; make bench builds it beside ringswitch"
    return f"{kind.program} is not installed"


class Bench:
    """One run of everything that is wanted."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.runs = report.Runs()
        self.left_out = {}
        self.late = {}              # what there was no time for
        self.rounds = Rounds(arguments.rounds, arguments.minutes,
                             filter(self.wants, NAMES), self.late)
        known = switches.known_kinds(arguments.switch)
        self.kinds = [kind for kind in known if kind.is_there()]
        self.left_out |= {kind.name: why_missing(kind)
                          for kind in known if not kind.is_there()}
        self.peers, missing = tcp.load_lab("lab_peers",
                                           ["ip", "nsenter", "busybox"])
        for name in devices.NAMES:
            why = missing or devices.why_not(name)
            if why:
                self.left_out[name] = why
        if devices.why_no_taps():
            self.left_out["ports on taps"] = devices.why_no_taps()

    def versions(self):
        return ({kind.name: kind.version() for kind in self.real_switches()}
                | devices.versions() | bridges.versions()
                | filters.versions())

    def real_switches(self):
        """Without the relay, which nobody uses and has no version."""
        return [kind for kind in self.kinds if kind.name != switches.RELAY]

    def wants(self, name):
        return not self.arguments.only or name in self.arguments.only

    def measure(self, directory):
        found = scenarios.all_scenarios(self.arguments.quick)
        for group in filter(self.wants, found):
            self._group(group, found[group], directory)
        self._guests(directory)
        for name in filter(self.wants, bridges.NAMES):
            self._bridges(name)
        self._filters()
        self._watching()

    def _group(self, group, found, directory):
        with contextlib.ExitStack() as stack:
            field = scenarios.Field(
                self.arguments.ringbench, self.arguments.quick, self.kinds,
                self.peers, directory, stack)
            for number in self.rounds.of(group):
                for scenario in found:
                    self._scenario(field, scenario, number)

    def _scenario(self, field, scenario, number):
        for repeat in range(scenario.repeats):
            for name, way in scenario.who.items():
                if field.has(name, way):
                    self.runs.add(scenario.name, name,
                                  number * scenario.repeats + repeat,
                                  field.run(scenario, name))

    def _guests(self, directory):
        if not self.wants(guests.SCENARIO):
            return
        if self.arguments.no_guests:
            self.left_out["TCP of UML guests"] = "--no-guests"
            return
        tell("booting UML guests on every switch")
        with contextlib.ExitStack() as stack:
            field = guests.Guests(self.real_switches(), self.arguments.quick,
                                  directory, stack, self.runs.add)
            if field.missing:
                self.left_out["TCP of UML guests"] = field.missing
                return
            for number in self.rounds.of(guests.SCENARIO):
                field.round(number, self.runs.add)

    def _bridges(self, name):
        for number in self.rounds.of(name):
            why = bridges.run(
                name, self.real_switches(), 1 if self.arguments.quick else 3,
                lambda scenario, switch, result, number=number:
                self.runs.add(scenario, switch, number, result))
            if why:
                self.left_out[
                    f"TCP between two {bridges.PROGRAMS[name][0]}"] = why
                return

    def _filters(self):
        if self.wants(filters.SCENARIO):
            self.left_out |= filters.run(
                self.arguments.switch, self.arguments.ringbench, self.rounds,
                self.arguments.quick, self.runs.add, tell)

    def _watching(self):
        if self.wants(watching.SCENARIO):
            watching.run(self.arguments.switch, self.arguments.before,
                         self.arguments.ringbench, self.rounds,
                         self.arguments.quick, self.runs.add)


# What is said -------------------------------------------------------------------

RELAY_NOTE = ("The relay is no switch but a program that only passes frames from "
              "one daemon port to another, up to 64 at a time, and looks at none "
              "of them. Of latency, the floor is that of two hops.")


def all_targets(runs, partial):
    found = [*goals.all_goals(runs), *filter_report.targets(runs),
             *watching_report.targets(runs)]
    return [target for target in found if target.found or not partial]


def markdown(bench, facts, drawn):
    """All that a reader wants, but for the single runs."""
    runs = bench.runs
    partial = bool(bench.arguments.only)
    parts = ["# Measured", "", machine.text(facts) + ".", "",
             "; ".join(facts["versions"].values()) + ".", "",
             f"{bench.rounds.text().capitalize()} interleaved rounds; medians "
             "with the smallest and the largest. Ratios are taken round by "
             "round; the best peer is the best of uml_switch, vde_switch and "
             "Open vSwitch in that round.", "", RELAY_NOTE, ""]
    for title, text in tables.all_tables(runs):
        parts += [f"## {title}", "", text, ""]
    for text in [*filter_report.tables(runs), *watching_report.tables(runs)]:
        parts += [text, ""]
    for title, path in drawn:
        parts += [f"![{title}]({path.parent.name}/{path.name})", ""]
    parts += ["## Goals", "", report.targets_table(all_targets(runs, partial)),
              "", *remarks(bench)]
    return "\n".join(parts)


def remarks(bench):
    runs = bench.runs
    for kind in bench.kinds:
        yield f"- {kind.name}: " + ", ".join(
            f"{count} {what}" for what, count in
            report.damage(runs, kind.name).items()) + " frames in all runs"
    others = report.others_cores(runs)
    if others:
        yield (f"- cores kept busy by others during the runs: "
               f"{others.text(2)}. {report.LOADED_NOTE}")
    for what, why in (bench.left_out | bench.late).items():
        yield f"- {what}: not measured ({why})"
    for run in runs.errors():
        yield (f"- {run['switch']}: {run['scenario']}, run "
               f"{run['number'] + 1}: failed: "
               f"{' '.join(run['result']['error'].split())}")


def write(bench, facts):
    """The JSON file, the pictures and the text; the text is printed, too."""
    path = pathlib.Path(bench.arguments.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn, why = plots.draw_all(bench.runs, bench.rounds.text(),
                                path.with_suffix(""))
    if why:
        bench.left_out["pictures"] = why
    text = markdown(bench, facts, drawn)
    path.with_suffix(".md").write_text(text + "\n")
    path.write_text(json.dumps({
        "machine": facts,
        "rounds": bench.rounds.count,
        "quick": bench.arguments.quick,
        "scenarios": [dataclasses.asdict(scenario) for found in
                      scenarios.all_scenarios(bench.arguments.quick).values()
                      for scenario in found],
        "left_out": bench.left_out | bench.late,
        "targets": [dataclasses.asdict(target) for target in
                    all_targets(bench.runs, False)],
        "runs": bench.runs.all,
    }, indent=1) + "\n")
    print(f"\n{text}\n\nevery run: {path}; this text: "
          f"{path.with_suffix('.md')}; pictures: {path.with_suffix('')}/")


def main():
    arguments = parse_arguments()
    # An exception lets every `finally` end what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    machine.raise_descriptor_limit()
    bench = Bench(arguments)
    facts = machine.facts(bench.versions())
    with tempfile.TemporaryDirectory(prefix="rb-") as directory:
        bench.measure(pathlib.Path(directory))
    write(bench, facts)
    return any(run["switch"].startswith(switches.OWN)
               for run in bench.runs.errors())


if __name__ == "__main__":
    sys.exit(main())
