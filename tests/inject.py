#!/usr/bin/env python3
"""The sweep: every call that can fail does, one at a time. See lab_inject_scenarios.py.

    inject.py --build build/inject                all places, all faults
    inject.py --build build/inject --quick        each place once
    inject.py --build build/inject --only tap.c   places whose text has that
    inject.py --build build/inject --list         places, and who reaches them

First each scenario is run without a fault, to see which places it reaches and
how often. Then each place is made to fail at its first, its second, a middle
and its last call, with each error that it may return, and in bursts. Places
that only an earlier fault leads to (most that close what is half open) fail
after that one: the second round has two faults.

What goes wrong is run again; what goes wrong only once is said to.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
BURST = 30
STARTS_ANEW = "again", "kept", "sealed_kept"


def arguments():
    parser = argparse.ArgumentParser(
        description="Make every call of the switch fail, one at a time.")
    parser.add_argument("--build", default="build/inject")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="places with this in them")
    parser.add_argument("--scenario", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=7200,
                        help="begin no run after this time")
    parser.add_argument("--sample", type=int, help="no more runs than this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def which_calls(count, quick):
    """Numbers of the calls to fail, of @count."""
    if quick:
        return [1]
    return sorted({1, min(2, count), (count + 1) // 2, count})


def which_starts(scenario, calls):
    """The first of @calls; and that of the second switch of those that come
    one after another, which has more to lose than the first."""
    return [1, 2] if calls > 1 and scenario in STARTS_ANEW else [1]


def faults_at(inject, site, calls, quick):
    """All faults to try at one place, which was called @calls times."""
    errors = inject.faults_at(site)
    if not errors:
        return
    if quick:
        errors = errors[:1]
    for nth in which_calls(calls, quick):
        for error in errors:
            yield inject.Fault(site, nth, error)
    # What goes on failing must not keep the switch busy, or end it.
    if not quick and calls > 3:
        yield inject.Fault(site, min(3, calls), errors[0], BURST)


def is_fair(scenario, fault):
    """Thirty starts in a row that fail keep a keeper waiting, as they should;
    and who has no memory for so long cannot ask for a file to be removed."""
    return fault.times == 1 or ("kept" not in scenario and
                                "opener_ask" not in fault.site.place)


def plan(inject, program, reached, options):
    """[(scenario, fault)], each place in the scenarios that reach it: in the
    first, and with its first fault also in the others (which_starts)."""
    work, done = [], set()
    for scenario, counted in reached.items():
        for address, (calls, _) in sorted(counted.items()):
            site = program.site(address)
            if options.only not in str(site):
                continue
            if address not in done:
                work += [(scenario, (fault,)) for fault in
                         faults_at(inject, site, calls, options.quick)
                         if is_fair(scenario, fault)]
            elif not options.quick:
                work += [(scenario, (inject.Fault(site, nth, error),))
                         for nth in which_starts(scenario, calls)
                         for error in inject.faults_at(site)[:1]]
            done.add(address)
    # So that a sweep that is cut short has seen something of everything.
    random.Random(options.seed).shuffle(work)
    return work


class Sweep:
    """One process's share of the runs, in its own namespaces."""

    def __init__(self, inject, scenarios, options, directory):
        self.inject, self.scenarios, self.options = inject, scenarios, options
        self.program = inject.Program(
            pathlib.Path(options.build) / "ringswitch")
        self.directory = pathlib.Path(directory) / str(options.worker or 0)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self.layer = inject.Layer(self.directory / "layer")
        self.failed = collections.Counter()
        self.also = collections.Counter()
        self.bad = []
        self.known = set()  # places reached so far
        self.usual = collections.defaultdict(frozenset)

    def names(self):
        return self.options.scenario or list(self.scenarios.SCENARIOS)

    def run(self, scenario, *faults):
        outcome = self.scenarios.run(self.program, self.layer, scenario,
                                     faults, self.directory / "run",
                                     self.usual[scenario])
        counted = self.layer.counted()
        for address, (calls, failed) in counted.items():
            self.also[address] += calls
            self.failed[address] += failed
        return outcome, counted

    def without_faults(self):
        """{scenario: {address: (calls, failed)}}"""
        reached = {}
        for name in self.names():
            outcome, reached[name] = self.run(name)
            self.usual[name] = self.scenarios.lines_of(outcome.said)
            self.known.update(reached[name])
            if outcome.complaints:
                raise SystemExit(f"{name}, without any fault: "
                                 f"{outcome.complaints}\n{outcome.said}")
        return reached

    def sweep(self, work):
        end = time.monotonic() + self.options.seconds
        runs = ended = 0
        for scenario, faults in work:
            if time.monotonic() > end:
                break
            outcome, counted = self.run(scenario, *faults)
            runs += 1
            ended += outcome.ended == "refused"
            if len(faults) == 1:
                work += self.after(scenario, faults[0], counted)
            if outcome.complaints:
                self.bad.append(self.look_again(scenario, faults, outcome))
                print(self.bad[-1]["text"], file=sys.stderr, flush=True)
        return {"runs": runs, "refused": ended, "bad": self.bad,
                "failed": dict(self.failed), "also": dict(self.also)}

    def after(self, scenario, fault, counted):
        """What @fault has led to for the first time fails after it."""
        new = [self.program.site(address) for address in counted
               if address not in self.known]
        self.known.update(counted)
        return [(scenario, (fault, self.inject.Fault(site, 1, error)))
                for site in new for error in self.inject.faults_at(site)[:1]]

    def look_again(self, scenario, faults, outcome):
        again, _ = self.run(scenario, *faults)
        text = f"{scenario}: {'; '.join(map(str, faults))}\n  " + "\n  ".join(outcome.complaints)
        if not again.complaints:
            text += "\n  (not when it was tried again)"
        said = outcome.said.strip().splitlines()
        text += "".join(f"\n    | {line}" for line in said[-60:])
        return {"text": text, "again": bool(again.complaints)}


def own_namespace(options, worker, directory):
    """This program again, as worker number @worker of a sweep."""
    become = [] if os.geteuid() == 0 else ["--map-root-user"]
    words = ["unshare", *become, "--net", "--pid", "--fork", "--kill-child",
             "--mount-proc", sys.executable, __file__, *sys.argv[1:],
             "--worker", str(worker)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={
        **os.environ, "INJECT_DIRECTORY": directory, "LAB_STEP_S": "4"})


def work(options):
    """A worker: its share of the plan; prints what came of it."""
    sys.path.insert(0, str(HERE))
    import lab_inject as inject
    import lab_inject_scenarios as scenarios
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    sweep = Sweep(inject, scenarios, options, os.environ["INJECT_DIRECTORY"])
    reached = sweep.without_faults()
    if options.list:
        return print(json.dumps({"reached": reached}))
    todo = plan(inject, sweep.program, reached, options)
    # Two workers need not see the same number of calls everywhere.
    mine = [one for one in todo if options.worker == zlib.crc32(
        f"{one[0]} {one[1][0]}".encode()) % options.workers]
    if options.sample:
        del mine[max(1, options.sample // options.workers):]
    result = sweep.sweep(mine)
    result["planned"] = len(mine)
    print(json.dumps(result))


def report(program, results, seconds):
    """The figures, and what was never reached. Returns the exit status."""
    failed, also = collections.Counter(), collections.Counter()
    for result in results:
        failed.update({int(a): n for a, n in result["failed"].items()})
        also.update({int(a): n for a, n in result["also"].items()})
    for address in also:
        program.site(address)
    sites = program.sites
    done = {a for a in sites if failed[a]}
    seen = {a for a in sites if also[a]}
    for address in sorted(set(sites) - done, key=lambda a: str(sites[a])):
        print(f"never failed{'' if address in seen else ', never reached'}: "
              f"{sites[address]}")
    bad = [b for r in results for b in r["bad"]]
    ring = sum(a >= (1 << 32) for a in sites)
    runs, planned = (sum(r[what] for r in results)
                     for what in ("runs", "planned"))
    print(f"runs {runs} of {planned} in {seconds:.0f} s, of which "
          f"{sum(r['refused'] for r in results)} refused to start")
    print(f"call sites {len(sites) - ring} reached "
          f"{sum(a < (1 << 32) for a in seen)} failed "
          f"{sum(a < (1 << 32) for a in done)}")
    print(f"kinds of requests to the ring {ring} failed "
          f"{sum(a >= (1 << 32) for a in done)}")
    print(f"went wrong {len(bad)}, again {sum(b['again'] for b in bad)}")
    return 1 if any(b["again"] for b in bad) or runs == 0 else 0


def list_places(program, reached):
    by_site = collections.defaultdict(list)
    for scenario, counted in reached.items():
        for address, (calls, _) in counted.items():
            by_site[int(address)].append(f"{scenario} {calls}")
    for address in by_site:
        program.site(address)
    for address, site in sorted(program.sites.items(), key=lambda p: str(p[1])):
        print(f"{site}: {', '.join(by_site[address]) or 'nobody'}")
    return 0


def main():
    options = arguments()
    if options.worker is not None:
        return work(options)
    if options.list:
        options.workers = 1
    began = time.monotonic()
    directory = tempfile.mkdtemp(prefix="inject-")
    os.chmod(directory, 0o755)
    try:
        workers = [own_namespace(options, n, directory)
                   for n in range(options.workers)]
        texts = [worker.communicate()[0] for worker in workers]
        if any(worker.returncode for worker in workers):
            return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    results = [json.loads(text) for text in texts]
    sys.path.insert(0, str(HERE))
    import lab_inject
    program = lab_inject.Program(pathlib.Path(options.build) / "ringswitch")
    if options.list:
        return list_places(program, results[0]["reached"])
    return report(program, results, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
