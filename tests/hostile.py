#!/usr/bin/python3
"""Attackers at every socket of a switch, while four guests exchange frames.

    hostile.py [--seconds N] [--attackers N] [--seed N] [--leaks]

     uml --- vde --- bess --- stream ---(uml)     flows that are checked
        \\      \\     /        /
               ringswitch          RINGSWITCH, best one with sanitizers
        /      /     \\        \\
     processes that do what lab_hostile.py says

Fails if the switch ends or a sanitizer speaks, if a checked frame comes twice,
late, cut or changed, if one is lost (but see judge_losses()), or if anything is
left of the attackers when they have gone. Prints what has been tried; the
same seed is the same attempts, in an order that the machine decides. --leaks
looks for memory that was not freed as well, which the sanitizers cannot do in
a process that has been shut in.
"""

import argparse
import contextlib
import multiprocessing
import os
import pathlib
import random
import re
import sys
import tempfile

import lab
import lab_hostile
from lab_clients import BessClient, StreamClient, VdeClient
from lab_flows import Flows

# What attackers may have inside the switch must fit into a queue of those who
# are measured, or a frame dropped says nothing.
QUEUE = 4096

SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error|Assertion .* failed")


def start_switch(workdir, leaks):
    doors = {"uml": workdir / "ctl", "vde": workdir / "vde",
             "bess": workdir / "bess", "stream": workdir / "stream",
             "control": workdir / "ctl.control",
             "monitor": workdir / "ctl.monitor",
             "metrics": workdir / "metrics"}
    words = ["--metrics", f"unix:{doors['metrics']}"]
    for kind in "vde", "bess", "stream":
        words += ["--listen", f"{kind}:{doors[kind]}"]
    for kind in "uml", "vde", "bess", "stream":
        words += ["--listen", f"{kind}:{workdir}/good.{kind},queue={QUEUE}"]
    env = {**os.environ, "RINGSWITCH_LEAK_CHECK": "1"}
    if not leaks:
        del env["RINGSWITCH_LEAK_CHECK"]
    return lab.Switch(*words, workdir=workdir, env=env), doors


def good_guests(stack, workdir):
    kinds = {"uml": lab.Client, "vde": VdeClient, "bess": BessClient,
             "stream": StreamClient}
    return {kind: stack.enter_context(client(workdir / f"good.{kind}"))
            for kind, client in kinds.items()}


@contextlib.contextmanager
def attackers(count, doors, spared, seed):
    """@count processes that attack; a list of what each has tried."""
    with contextlib.ExitStack() as stack:
        stop = multiprocessing.Event()
        tried = [multiprocessing.Array("Q", len(lab_hostile.ATTACKS),
                                       lock=False) for _ in range(count)]
        processes = [multiprocessing.Process(
            target=lab_hostile.attack, daemon=True,
            args=(doors, spared, seed * 1000 + n, tried[n], stop))
            for n in range(count)]
        for process in processes:
            process.start()
            stack.callback(process.join)
            stack.callback(process.kill)
        yield tried
        stop.set()
        for process in processes:
            process.join(lab.STEP_S)


@contextlib.contextmanager
def telling(switch):
    """What goes wrong is told with what the switch had to say."""
    try:
        yield
    except BaseException:
        print(switch.said()[-3000:], file=sys.stderr)
        raise


def alone(switch, count):
    """The statistics once only those @count ports are there that stay."""
    try:
        return switch.wait_ports(count)
    except lab.LabError as error:
        left = {name: port for name, port in switch.stats().items()
                if port.get("kind")}
        raise lab.LabError(f"{error}: {left}") from None


def judge_losses(lost, stats, names):
    """Frames may be missing only where the switch says that it has dropped
    them, for an end that took nothing for long: a busy machine did not let us
    run. Ports @names are the ends'."""
    ports = [stats[name] for name in names]
    dropped = sum(port["undelivered"] for port in ports)
    assert lost <= dropped, f"{lost} frames lost, {dropped} counted as dropped"
    assert not lost or any(port["stalls"] for port in ports), \
        f"{lost} frames dropped though nobody was slow: {ports}"


def run(workdir, seconds, count=4, seed=0, leaks=False):
    """Attack for @seconds; a dict of figures, or an exception."""
    with contextlib.ExitStack() as stack:
        switch, doors = start_switch(workdir, leaks)
        stack.enter_context(switch)
        stack.enter_context(telling(switch))
        good = good_guests(stack, workdir)
        switch.wait_ports(len(good))
        names = set(switch.stats()) - {"closed", "total", "mac"}
        flows = Flows(good, seed)
        flows.introduce()
        flows.exchange(0.2)
        files = lab.open_files(switch.pid)
        with attackers(count, doors, [good["uml"].name], seed) as tried:
            flows.exchange(seconds)
        flows.settle()
        stats = alone(switch, len(good))
        lab.assert_books_balance(stats)
        lab.wait_until(lambda: lab.open_files(switch.pid) <= files,
                       "the attackers' descriptors to be closed")
        judge_losses(flows.lost, stats, names)
        assert switch.stop() == 0
        assert not SANITIZER.search(switch.said())
        return figures(flows, tried, stats)


def figures(flows, tried, stats):
    by_kind = {attack.__name__: sum(one[n] for one in tried)
               for n, attack in enumerate(lab_hostile.ATTACKS)}
    return {"attempts": sum(by_kind.values()), "by_kind": by_kind,
            "attackers_frames": stats["total"]["received"] - flows.sent,
            "checked_frames": flows.received, "lost": 0,
            "dropped_for_slow_ends": flows.lost,
            "foreign": flows.foreign,
            "longest_pause_s": round(flows.longest_pause_s, 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--attackers", type=int, default=4)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 20))
    parser.add_argument("--leaks", action="store_true")
    arguments = parser.parse_args()
    print(f"hostile: seed {arguments.seed}, {arguments.seconds:g} s, "
          f"{lab.ringswitch()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ringswitch-") as workdir:
        result = run(pathlib.Path(workdir), arguments.seconds,
                     arguments.attackers, arguments.seed, arguments.leaks)
    for name, count in result.pop("by_kind").items():
        print(f"  {name:12} {count:10}")
    for name, value in result.items():
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
