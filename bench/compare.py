#!/usr/bin/env python3
"""Compare ringswitch with uml_switch and vde_switch in one run.

And its kinds of ports with each other, switches with none in between, the
filters on its taps with those of Linux bridges, and a switch that is watched with
one that is not.
Rounds are interleaved: A B C A B C ..., each run on a switch started for it.
Prints Markdown tables and writes every single run to a JSON file. A target
that is missed is printed as missed; the exit status is 1 only when a run of
ringswitch could not be measured.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import platform
import resource
import signal
import sys
import time

import bridges
import filter_report
import filters
import guests
import report
import scenarios
import switches
import watching
import watching_report

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMES = [*scenarios.NAMES, *bridges.NAMES, filters.SCENARIO,
         watching.SCENARIO, guests.SCENARIO]


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
    parser.add_argument("--only", action="append", metavar="NAME",
                        choices=NAMES,
                        help="run this scenario; may be repeated: "
                        + ", ".join(NAMES))
    parser.add_argument("--no-guests", action="store_true",
                        help="leave out TCP between UML guests")
    parser.add_argument("--quick", action="store_true",
                        help="one short round, to see that everything works")
    parser.add_argument("--json", metavar="PATH", default=str(
        ROOT / "build/bench.json"), help="where every run is written to")
    arguments = parser.parse_args()
    if arguments.rounds is None:
        arguments.rounds = 1 if arguments.quick else 5
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: at least 1")
    for path in (arguments.switch, arguments.ringbench,
                 *filter(None, [arguments.before])):
        if not os.access(path, os.X_OK):
            parser.error(f"{path}: no such program (make bench builds it)")
    return arguments


def machine_facts(kinds):
    def read(path):
        try:
            return pathlib.Path(path).read_text().strip()
        except OSError:
            return "unknown"

    models = [line.split(":", 1)[1].strip()
              for line in read("/proc/cpuinfo").splitlines()
              if line.startswith("model name")]
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernel": platform.release(),
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "load_average": read("/proc/loadavg").split()[0],
        "max_dgram_qlen": read("/proc/sys/net/unix/max_dgram_qlen"),
        "versions": {kind.name: kind.version() for kind in kinds}
        | bridges.versions() | filters.versions(),
    }


def raise_descriptor_limit():
    """The switches inherit it; a thousand ports need two thousand."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tell(text):
    print(text, file=sys.stderr, flush=True)


def is_wanted(arguments, name):
    """@name of a scenario, or GROUP/ONE: then all or none of the group."""
    return not arguments.only or name.split("/")[0] in arguments.only


def measure_scenarios(arguments, kinds, runs):
    wanted = {name: scenario for name, scenario in
              scenarios.all_scenarios(arguments.quick).items()
              if is_wanted(arguments, name)}
    for number in range(arguments.rounds):
        for name, scenario in wanted.items():
            tell(f"round {number + 1} of {arguments.rounds}: {name}")
            for repeat in range(scenario.repeats):
                for kind in filter(scenario.is_for, kinds):
                    runs.add(name, kind.name,
                             number * scenario.repeats + repeat,
                             scenarios.run(arguments.ringbench, kind, scenario))


def measure_bridges(arguments, kinds, runs):
    """Returns {what was left out: why}."""
    left_out = {}
    wanted = [name for name in bridges.NAMES if is_wanted(arguments, name)]
    for number in range(arguments.rounds):
        for name in wanted:
            tell(f"round {number + 1} of {arguments.rounds}: {name}")
            why = bridges.run(
                name, kinds, 1 if arguments.quick else 3,
                lambda scenario, switch, result, number=number:
                runs.add(scenario, switch, number, result))
            if why:
                left_out[f"TCP between two {bridges.PROGRAMS[name][0]}"] = why
    return left_out


def measure_filters(arguments, runs):
    """Returns {what was left out: why}."""
    if not is_wanted(arguments, filters.SCENARIO):
        return {}
    return filters.run(arguments.switch, arguments.ringbench, arguments.rounds,
                       arguments.quick, runs.add, tell)


def measure_watching(arguments, runs):
    if is_wanted(arguments, watching.SCENARIO):
        watching.run(arguments.switch, arguments.before, arguments.ringbench,
                     arguments.rounds, arguments.quick, runs.add, tell)


def measure_guests(arguments, kinds, runs):
    """Returns why it was left out, or None."""
    if arguments.no_guests:
        return "--no-guests"
    if not is_wanted(arguments, guests.SCENARIO):
        return None
    tell("booting two UML guests for each switch")

    def record(scenario, switch, number, result):
        tell(f"round {number + 1} of {arguments.rounds}: {scenario} {switch}")
        runs.add(scenario, switch, number, result)

    workdir = pathlib.Path(arguments.json).parent / "bench-guests"
    return guests.run(kinds, arguments.rounds, 2 if arguments.quick else 4,
                      workdir, record)


def all_targets(runs):
    return [*report.targets(runs), *filter_report.targets(runs),
            *watching_report.targets(runs)]


def print_report(facts, runs, kinds, left_out, partial):
    names = [kind.name for kind in kinds]
    print(f"\n{facts['cores']} cores of {facts['cpu']}, Linux {facts['kernel']}, "
          f"max_dgram_qlen {facts['max_dgram_qlen']}, "
          f"load {facts['load_average']} at the start")
    print("; ".join(facts["versions"].values()) + "\n")
    for table in [*report.measured_tables(runs, names),
                  *filter_report.tables(runs), *watching_report.tables(runs)]:
        print(table + "\n")
    print(report.table(["target", "wanted", "median (min..max)", "verdict"],
                       [target.row() for target in all_targets(runs)
                        if target.found or not partial]))
    print()
    for name in names:
        print(f"{name}: " + ", ".join(
            f"{count} {kind}" for kind, count in
            report.damage(runs, name).items()) + " frames in all runs")
    others = report.others_cores(runs)
    if others:
        print(f"cores kept busy by others during the runs: {others.text(2)}")
    for what, why in left_out.items():
        print(f"{what}: not measured ({why})")
    for run in runs.errors():
        print(f"{run['switch']}: {run['scenario']}, run {run['number'] + 1}: "
              f"failed: {' '.join(run['result']['error'].split())}")


def write_json(path, facts, arguments, runs, left_out):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({
        "machine": facts,
        "rounds": arguments.rounds,
        "quick": arguments.quick,
        "scenarios": {name: dataclasses.asdict(scenario) for name, scenario in
                      scenarios.all_scenarios(arguments.quick).items()},
        "left_out": left_out,
        "targets": [dataclasses.asdict(target)
                    for target in all_targets(runs)],
        "runs": runs.all,
    }, indent=1) + "\n")
    print(f"every run: {path}")


def main():
    arguments = parse_arguments()
    # An exception lets every `finally` end what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    known = switches.known_kinds(arguments.switch)
    kinds = [kind for kind in known if kind.is_there()]
    left_out = {kind.name: f"{kind.program} is not installed"
                for kind in known if not kind.is_there()}
    raise_descriptor_limit()
    facts = machine_facts(kinds)
    runs = report.Runs()
    measure_scenarios(arguments, kinds, runs)
    left_out |= measure_bridges(arguments, kinds, runs)
    left_out |= measure_filters(arguments, runs)
    measure_watching(arguments, runs)
    no_guests = measure_guests(arguments, kinds, runs)
    if no_guests:
        left_out["TCP between UML guests"] = no_guests
    print_report(facts, runs, kinds, left_out, arguments.only)
    write_json(arguments.json, facts, arguments, runs, left_out)
    return any(run["switch"] == "ringswitch" for run in runs.errors())


if __name__ == "__main__":
    sys.exit(main())
