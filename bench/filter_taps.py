"""Filters on taps: a ringswitch, and a tap with a set of rules, for each set."""
import collections
import contextlib
import ctypes
import os
import pathlib
import re
import signal

import rulesets
from filter_cases import (ACCEPTING, DIRECTIONS, DROPPING, EMPTY, EMPTY_DROP,
                          END_TO_END, END_TO_END_RULES, IN_BPF, IN_BPF_RULES,
                          NONE, OWN, TO_GUESTS, TO_HOST, Case, FilterError,
                          rules_name, with_extra)

TUN = "/dev/net/tun"
END_TO_END_BYTES = 1500
END_TO_END_MACS = {"src": 0x026200000000, "dst": 0x026200000001}
SYS_PIDFD_GETFD = 438
SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_ENABLE_STATS = 32


class Tap:
    """A tap with @rules in a namespace, and ringswitch on it."""

    def __init__(self, bench, namespace, name, rules):
        self.bench = bench
        self.namespace = namespace
        self.name = name
        option = name
        workdir = bench.directory / name
        workdir.mkdir()
        if rules.verdict:
            path = workdir / "rules"
            path.write_text(rulesets.own_text(rules.made(), rules.verdict))
            option += f",rules={path}"
        self.switch = bench.stack.enter_context(bench.lab.Switch(
            "--tap", option, workdir=workdir, wrapper=namespace.inside()))

    def stop(self):
        """Let it stand still, and see that it ends all the same."""
        os.kill(self.switch.pid, signal.SIGSTOP)
        self.bench.stack.callback(self.end)

    def end(self):
        """End it, if it has not been; its last counters are there then."""
        if self.switch.process.poll() is None:
            os.kill(self.switch.pid, signal.SIGCONT)
            self.switch.stop()

    def counted(self):
        """{(direction, by a rule and not the default): frames}"""
        self.end()
        found = collections.Counter()
        for line in self.switch.out.read_text().splitlines():
            rule = re.match(r'rule tap=.* direction=(\S+) .*frames=(\d+)'
                            r'.* text="(.*)"', line)
            if rule:
                direction, frames, text = rule.groups()
                found[direction, text != "default"] += int(frames)
        return found


class SendToGuests:
    def __init__(self, tap):
        self._tap = tap

    def send(self, frames):
        return self._tap.bench.replay(self._tap.namespace, self._tap.name,
                                      "packet", frames)


class SendToHost:
    def __init__(self, tap):
        self._tap = tap

    def send(self, frames):
        with descriptor_of(self._tap.switch.pid, TUN) as fd:
            return self._tap.bench.replay(self._tap.namespace, fd, "tap",
                                          frames, pass_fds=[fd])


WAYS = {TO_GUESTS: SendToGuests, TO_HOST: SendToHost}


@contextlib.contextmanager
def descriptor_of(pid, path):
    """Our own copy of the descriptor that process @pid has of @path."""
    numbers = [int(link.name) for link in pathlib.Path(
        f"/proc/{pid}/fd").iterdir() if os.readlink(link) == path]
    pidfd = os.pidfd_open(pid)
    fd = system_call(SYS_PIDFD_GETFD, pidfd, numbers[0], 0)
    os.close(pidfd)
    try:
        yield fd
    finally:
        os.close(fd)


def system_call(number, *arguments):
    """One that Python has no function for."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class OwnFilters:
    """A tap for each set of rules. Theirs are stopped, and their queues full,
    except for those that are measured end to end."""

    def __init__(self, bench):
        self.bench = bench
        self._namespace = bench.namespace("taps")
        self._stopped = {rules: self._tap(f"tap{number}", rules)
                         for number, rules in
                         enumerate([NONE, *ACCEPTING, *DROPPING])}
        self._running = {rules: self._tap(f"run{number}", rules)
                         for number, rules in enumerate(END_TO_END_RULES)}
        for tap in self._stopped.values():
            tap.stop()
        self._sent = {rules: collections.Counter() for rules in self._stopped}

    def _tap(self, name, rules):
        return Tap(self.bench, self._namespace, name, rules)

    def _send(self, direction, case):
        place = WAYS[direction](self._stopped[case.rules])
        result = self.bench.slice(place, case)
        self._sent[case.rules][direction, case.matching] += result["sent"]
        return result

    def measure(self, record):
        for direction in DIRECTIONS:
            fixed_ns = None
            for rules in ACCEPTING:
                found = self._extra(direction, rules, NONE, 0)
                for case, result in found.items():
                    record(f"{direction}/{case.name()}", OWN, result)
                    if rules is EMPTY:
                        fixed_ns = result["extra_ns"]
            base, above = ((NONE, 0) if direction == TO_GUESTS
                           else (EMPTY_DROP, fixed_ns))
            for rules in DROPPING[1:]:
                found = self._extra(direction, rules, base, above)
                for case, result in found.items():
                    record(f"{direction}/{case.name()}", OWN, result)

    def _extra(self, direction, rules, base, above_ns):
        """{case: result}, with what it takes more than @base, which takes
        @above_ns more than no filter at all."""
        base_ns = self._send(direction, Case(base, False))["ns_per_frame"]
        return {case: with_extra(self._send(direction, case),
                                 base_ns - above_ns)
                for case in rules.cases()}

    def measure_in_bpf(self, record):
        """By the kernel's own count of what BPF programs take. It reads the
        clock twice for each frame, and that is counted too, in part."""
        with counted_bpf():
            for direction in DIRECTIONS:
                for rules in IN_BPF_RULES:
                    for case in rules.cases():
                        pid = self._stopped[rules].switch.pid
                        before = bpf_times(pid)
                        self._send(direction, case)
                        record(f"{IN_BPF}/{direction}/{case.name()}", OWN,
                               {"run_ns": ns_per_run(before, bpf_times(pid))})

    def check(self):
        """Every frame was judged, and as it was meant to be. Ends them."""
        for rules, tap in self._stopped.items():
            if rules.verdict and tap.counted() != self._sent[rules]:
                raise FilterError(
                    f"{rules.count} rules, {rules.shape}: counted "
                    f"{dict(tap.counted())} of {dict(self._sent[rules])}")

    def measure_end_to_end(self, record):
        for direction in DIRECTIONS:
            for rules, tap in self._running.items():
                record(f"{END_TO_END}/{direction}/{rules_name(rules)}", OWN,
                       self._end_to_end(direction, rules, tap))

    def _end_to_end(self, direction, rules, tap):
        frames = self.bench.frames.of(Case(rules, True), END_TO_END_BYTES,
                                      END_TO_END_MACS)
        host, guest = ("packet", tap.name), ("uml", tap.switch.socket)
        sender, receiver = ((host, guest) if direction == TO_GUESTS
                            else (guest, host))
        return self.bench.replay(
            self._namespace, sender[1], sender[0], frames,
            "--receiver", ":".join(receiver), "--pid", tap.switch.pid,
            milliseconds=self.bench.length.end_to_end_ms,
            size=END_TO_END_BYTES)


@contextlib.contextmanager
def counted_bpf():
    """The kernel counts the time that BPF takes, as long as this lasts."""
    attributes = ctypes.create_string_buffer(4)     # BPF_STATS_RUN_TIME
    fd = system_call(SYS_BPF[os.uname().machine], BPF_ENABLE_STATS, attributes, len(attributes))
    try:
        yield
    finally:
        os.close(fd)


def bpf_times(pid):
    """{descriptor: (runs, ns they took)} of the programs that @pid holds."""
    found = {}
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(link) == "anon_inode:bpf-prog":
            said = dict(line.split(":\t", 1) for line in pathlib.Path(
                f"/proc/{pid}/fdinfo/{link.name}").read_text().splitlines())
            found[link.name] = int(said["run_cnt"]), int(said["run_time_ns"])
    return found


def ns_per_run(before, after):
    """Of all programs together; only one of them has run."""
    runs, took_ns = (sum(after[key][i] - before[key][i] for key in before)
                     for i in range(2))
    return took_ns / runs if runs else None
