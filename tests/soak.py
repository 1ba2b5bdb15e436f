#!/usr/bin/python3
"""A switch under everyday hardship, for as long as you like.

    soak.py [--minutes N] [--seed N]

     uml  vde  bess  stream  dgram  tap     ends that stay: checked flows
       \\    \\    |     |     /     /          (lab_flows.py)
                ringswitch
       /     /    |     |     \\     \\
     eight guests of every kind, of which one is killed (SIGKILL) every 50 ms,
     and another takes its place

In the second half the switch itself is killed as well, or asked to start anew,
every ten seconds in turns; the ends that stay must not notice, but for the
frames that were inside a switch that was killed.

Fails if a frame comes twice, late, cut or changed, if one is lost that was not
inside a switch when that was killed (but see judge_losses()), or if the switch
has more descriptors or more memory at the end than when all had been there
once.
"""

import argparse
import contextlib
import multiprocessing
import os
import pathlib
import random
import signal
import socket
import sys
import tempfile
import time

import lab
from lab_clients import BessClient, DgramClient, StreamClient, VdeClient
from lab_control import Control, control_path
from lab_flows import WINDOW, Flows
from hostile import SANITIZER, alone, judge_losses, telling

VICTIMS = 8
KILL_EVERY_S = 0.05
STEP_S = 10          # between two looks, and two ends of the switch
# A process that lives on has some pages more or less, as ports come and go.
GROWTH_BYTES = 128 << 10
SANITIZED_BYTES = 64 << 20   # a sanitizer keeps freed memory, on purpose

SO_RCVBUFFORCE = 33

CLIENTS = {"uml": lab.Client, "vde": VdeClient, "bess": BessClient,
           "stream": StreamClient}


# Guests that die ---------------------------------------------------------------

def victim(doors, seed):
    """A guest that sends to everybody, reads now and then, and is killed."""
    choose = random.Random(seed)
    kind = choose.choice(list(CLIENTS))
    guest = CLIENTS[kind](doors[kind])
    mac = bytes([6, 0, 0, 0, 0, choose.randrange(VICTIMS)])
    while True:
        dst = choose.choice((bytes(6 * [255]),
                             bytes([6, 0, 0, 0, 0, choose.randrange(VICTIMS)]),
                             b"\x02\xf1\0\0\0" + bytes([choose.randint(1, 6)])))
        frame = dst + mac + b"\x88\xb5" + bytes(choose.randint(46, 1500))
        guest.try_send(frame)
        if choose.random() < 0.5:
            guest.drain()
        time.sleep(choose.random() * 0.002)


def fork_victim(doors, seed):
    pid = os.fork()
    if pid:
        return pid
    with contextlib.suppress(BaseException):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        victim(doors, seed)
    os._exit(1)


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def be_cruel(doors, seed, killed, run, stop):
    """A process: while @run is set, there are victims, and one is killed now
    and then. It is forked before there are ends that stay, so that no victim
    has one of their sockets."""
    choose = random.Random(seed)
    victims = []
    while not stop.is_set():
        time.sleep(KILL_EVERY_S)
        if not run.is_set():
            while victims:
                kill(victims.pop())
            continue
        if len(victims) == VICTIMS:
            kill(victims.pop(choose.randrange(VICTIMS)))
            killed.value += 1
        victims.append(fork_victim(doors, choose.randrange(1 << 30)))
    for pid in victims:
        kill(pid)


class Cruelty:
    def __init__(self, doors, seed):
        self.killed = multiprocessing.Value("Q", 0, lock=False)
        self.run, self.stop = multiprocessing.Event(), multiprocessing.Event()
        self.process = multiprocessing.Process(
            target=be_cruel, daemon=True,
            args=(doors, seed, self.killed, self.run, self.stop))
        self.process.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.process.join(lab.STEP_S)
        self.process.kill()


# The switch --------------------------------------------------------------------

class TapEnd(lab.HostSide):
    """What the kernel throws away here would look as if the switch had."""

    def __init__(self, tap):
        super().__init__(tap)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)

    def try_send(self, frame):
        self.send(frame)
        return True


class Soak:
    """The switch, the ends that stay, and what has been seen so far."""

    def __init__(self, stack, workdir, seed):
        self.workdir = workdir
        self.keeper = lab.knows_keepers(lab.ringswitch())
        doors = {kind: workdir / f"door.{kind}" for kind in CLIENTS}
        self.cruelty = stack.enter_context(Cruelty(doors, seed))
        self._start(stack, doors)
        ends = {kind: stack.enter_context(client(workdir / f"good.{kind}"))
                for kind, client in CLIENTS.items()}
        ends["dgram"] = stack.enter_context(
            DgramClient(workdir / "far", workdir / "near"))
        if self.tap:
            ends["tap"] = stack.enter_context(TapEnd("tap0"))
        self.flows = Flows(ends, seed)
        self.flows.introduce()
        self.ends = len(ends)
        self.names = set(self.switch.wait_ports(self.ends)) - {
            "closed", "total", "mac"}
        self.crashes = self.planned = self.lost_by_crash = 0
        self.pauses = {"crash": 0.0, "planned": 0.0}

    def _start(self, stack, doors):
        self.tap = os.access("/dev/net/tun", os.R_OK | os.W_OK)
        words = ["--port",
                 f"dgram:{self.workdir}/near,remote={self.workdir}/far"]
        if self.tap:
            stack.enter_context(lab.Tap("tap0"))
            words += ["--tap", "tap0"]
        for kind in CLIENTS:
            words += ["--listen", f"{kind}:{doors[kind]}",
                      "--listen", f"{kind}:{self.workdir}/good.{kind}"]
        self.switch = stack.enter_context(lab.Switch(
            *words, workdir=self.workdir, keeper=self.keeper))
        stack.enter_context(telling(self.switch))

    def pid(self):
        """The process that switches; with a keeper another after a crash."""
        if not self.keeper:
            return self.switch.pid
        return lab.wait_until(lambda: (lab.children_of(self.switch.pid)
                                       or [None])[0], "a switch")

    def measure(self):
        """(descriptors, bytes) of the switch when only those that stay are
        there."""
        self.cruelty.run.clear()
        alone(self.switch, self.ends)
        self.flows.exchange(1)
        self.flows.settle()
        return lab.open_files(self.pid()), lab.resident_bytes(self.pid())

    def crash(self):
        """Kill the switch while frames flow; those inside it are lost."""
        self.flows.settle()
        before = self.flows.lost
        self.flows.exchange(0.1)
        os.kill(self.pid(), signal.SIGKILL)
        self._after("crash")
        self.lost_by_crash += self.flows.lost - before
        self.crashes += 1

    def restart(self):
        """Ask the switch to start anew; nothing is lost."""
        with Control(control_path(self.switch)) as control:
            control.request("restart")
        self._after("planned")
        self.planned += 1

    def _after(self, what):
        longest, self.flows.longest_pause_s = self.flows.longest_pause_s, 0
        self.flows.exchange(1)
        self.pauses[what] = max(self.pauses[what], self.flows.longest_pause_s)
        self.flows.longest_pause_s = max(longest, self.flows.longest_pause_s)
        self.flows.settle()

    def allowed_by_crashes(self):
        return self.crashes * len(self.flows.flows) * WINDOW

    def say(self, seconds):
        print(f"{seconds:7.0f} s  {self.flows.received:12} frames  lost "
              f"{self.flows.lost}  guests killed {self.cruelty.killed.value}  "
              f"switches killed {self.crashes}, started anew {self.planned}  "
              f"descriptors {lab.open_files(self.pid())}  "
              f"KiB {lab.resident_bytes(self.pid()) >> 10}", flush=True)


def run(workdir, seconds, seed=0):
    """Soak for @seconds; a dict of figures, or an exception.

    In the first half one switch lives through all of it, so that its memory
    can be compared; in the second it is killed and started anew.
    """
    with contextlib.ExitStack() as stack:
        soak = Soak(stack, workdir, seed)
        # All of them have been there once.
        suffer(soak, min(STEP_S, seconds / 4), [])
        before = soak.measure()
        suffer(soak, seconds / 2, [])
        after = soak.measure()
        allowed = SANITIZED_BYTES if sanitized() else GROWTH_BYTES
        assert after[1] - before[1] <= allowed, f"bytes: {before} {after}"
        keeper = lab.open_files(soak.switch.pid)
        suffer(soak, seconds / 2,
               [soak.crash, soak.restart] if soak.keeper else [])
        last = soak.measure()
        lost = soak.flows.lost - soak.lost_by_crash
        assert soak.lost_by_crash <= soak.allowed_by_crashes()
        judge_losses(lost, soak.switch.stats(), soak.names)
        for files in after[0], last[0]:
            assert files <= before[0], f"{files} descriptors of {before[0]}"
        assert not soak.keeper or lab.open_files(soak.switch.pid) <= keeper
        assert soak.switch.stop() == 0
        assert not SANITIZER.search(soak.switch.said())
        return {"checked_frames": soak.flows.received, "lost": 0,
                "dropped_for_slow_ends": lost,
                "guests_killed": soak.cruelty.killed.value,
                "switches_killed": soak.crashes,
                "lost_with_them": soak.lost_by_crash,
                "started_anew": soak.planned,
                "longest_pause_s": round(soak.flows.longest_pause_s, 3),
                "pause_of_a_crash_s": round(soak.pauses["crash"], 3),
                "pause_of_a_restart_s": round(soak.pauses["planned"], 3),
                "descriptors_more": last[0] - before[0],
                "bytes_more": after[1] - before[1]}


def suffer(soak, seconds, ends):
    """Guests die for @seconds; and every STEP_S one of @ends is called."""
    soak.cruelty.run.set()
    start = time.monotonic()
    while (left := start + seconds - time.monotonic()) > 0:
        soak.flows.exchange(min(STEP_S, left))
        if ends:
            ends.append(ends.pop(0))
            ends[-1]()
        soak.say(time.monotonic() - start)


def sanitized():
    with open(lab.ringswitch(), "rb") as program:
        return b"__asan_init" in program.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 20))
    arguments = parser.parse_args()
    print(f"soak: seed {arguments.seed}, {arguments.minutes:g} min, "
          f"{lab.ringswitch()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ringswitch-") as workdir:
        result = run(pathlib.Path(workdir), arguments.minutes * 60,
                     arguments.seed)
    for name, value in result.items():
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
