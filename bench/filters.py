"""Filters on taps: what a frame costs with no rules, none in the file, 100 and
10,000; and the same rules in nftables and ebtables on a Linux bridge.

    to guests   packet socket -> tap, whose queue is full: ringswitch is stopped
    to host     write to the tap, as ringswitch does, by its own descriptor
    bridge      packet socket -> veth -> bridge -> veth, whose end drops it

All of it happens within the sender's system call, so its time is the frame's,
and what a filter costs is the difference to the same path without one, measured
just before. To guests a frame is dropped in any case, by the filter or for want
of room. To the host and on a bridge it goes on to an IP stack that it is not
for; a filter's drop would save that, so a frame that is dropped is compared with
those that an empty set of rules drops.

    end to end  packet socket on the tap <-> a guest's port on ringswitch

One namespace holds all taps, each bridge has its own; all stay for all rounds.
"""
import collections
import contextlib
import ctypes
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import rulesets
import scenarios
import switches
import tcp

SCENARIO = "filters"
TO_GUESTS, TO_HOST, BRIDGE = "to-guests", "to-host", "bridge"
DIRECTIONS = [TO_GUESTS, TO_HOST]
END_TO_END, IN_BPF = "end-to-end", "in-bpf"
OWN = "ringswitch"
NFT_SETS, NFT_LIST, EBTABLES = "nft, sets", "nft, list", "ebtables"
COUNTS = [100, 10000]
TUN = "/dev/net/tun"
FRAME_BYTES = 60
END_TO_END_BYTES = 1500
END_TO_END_SHAPE = rulesets.MIXED
END_TO_END_MACS = {"src": 0x026200000000, "dst": 0x026200000001}
LOAD_TIMEOUT_S = 60
TIME_IN_BPF = "filters, time in BPF"
CAP_BPF = 39
ALL_UIDS = "0 0 4294967295"
SYS_PIDFD_GETFD = 438
SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_ENABLE_STATS = 32

# What each of the others loads its rules with, and how they are written.
PEERS = {
    NFT_SETS: ("nft -f", rulesets.nft_sets),
    NFT_LIST: ("nft -f", rulesets.nft_list),
    EBTABLES: ("ebtables-restore <", rulesets.ebtables_text),
}
PROGRAMS = ["nft", "ebtables"]


class FilterError(Exception):
    """Says what cannot be measured, or why."""


@dataclasses.dataclass(frozen=True)
class Rules:
    """A set of rules. No verdict: no filter at all."""
    count: int = 0
    shape: str = ""
    verdict: str | None = None

    def made(self):
        return rulesets.rules_of(self.shape, self.count) if self.count else []

    def cases(self):
        return [Case(self, matching) for matching in (True, False)
                if self.count or not matching]


@dataclasses.dataclass(frozen=True)
class Case:
    """Frames that all match one of the rules, or none of them."""
    rules: Rules
    matching: bool

    def name(self):
        return (f"{self.rules.count:,} {self.rules.shape}, "
                f"{'match' if self.matching else 'no match'}, "
                f"{self.rules.verdict}" if self.rules.count
                else f"no rules, {self.rules.verdict}")


NONE = Rules()
EMPTY = Rules(verdict="accept")
EMPTY_DROP = Rules(verdict="drop")
ACCEPTING = [EMPTY, *(Rules(count, shape, "accept")
                      for shape in rulesets.SHAPES for count in COUNTS)]
DROPPING = [EMPTY_DROP, *(Rules(COUNTS[-1], shape, "drop")
                          for shape in rulesets.SHAPES)]
IN_BPF_RULES = [EMPTY, *(Rules(COUNTS[-1], shape, "accept")
                         for shape in rulesets.SHAPES)]
END_TO_END_RULES = [NONE, EMPTY, *(Rules(count, END_TO_END_SHAPE, "accept")
                                   for count in COUNTS)]


@dataclasses.dataclass(frozen=True)
class Length:
    """How long things take. A median of many short runs in turns is steadier
    than one long run: what slows the machine slows neighbours in time."""
    repeats: int
    slice_ms: int
    end_to_end_ms: int


def length(quick):
    return Length(1, 20, 200) if quick else Length(2, 40, 500)


class FrameFiles:
    """The files of frames, each made when it is first asked for."""

    def __init__(self, directory):
        self._directory = directory
        self._made = {}

    def of(self, case, size=FRAME_BYTES, macs=None):
        """Rules that differ in nothing but the verdict have the same frames."""
        rules = case.rules if case.rules.count else ACCEPTING[-1]
        key = (rules.count, rules.shape, case.matching, size)
        if key not in self._made:
            path = self._directory / f"frames{len(self._made)}"
            path.write_bytes(rulesets.frames(rules.made(), case.matching, size,
                                             macs))
            self._made[key] = path
        return self._made[key]


class Bench:
    """What all measurements here share."""

    def __init__(self, peers, switch, ringbench, directory, quick, stack):
        self.peers = peers
        self.lab = peers.lab
        self.switch = switch
        self.ringbench = ringbench
        self.directory = directory
        self.length = length(quick)
        self.frames = FrameFiles(directory)
        self.stack = stack

    def namespace(self, name):
        return self.stack.enter_context(
            self.peers.Namespace(name, self.directory))

    def replay(self, namespace, path, client, frames, *options, pass_fds=(),
               milliseconds=None, size=FRAME_BYTES):
        return scenarios.run_ringbench(namespace.inside(
            self.ringbench, "replay", path, "--client", client,
            "--frames", frames, "--size", size, "--milliseconds",
            milliseconds or self.length.slice_ms, *options), pass_fds)

    def slice(self, place, case):
        """A short run in @place, on one core."""
        with scenarios.on_one_core():
            result = place.send(self.frames.of(case))
        if "error" in result:
            raise FilterError(result["error"])
        return result


# ringswitch ----------------------------------------------------------------------

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


def rules_name(rules):
    if not rules.verdict:
        return "no filter"
    return f"{rules.count:,} rules" if rules.count else "no rules"


def with_extra(result, base_ns):
    return {**result, "extra_ns": result["ns_per_frame"] - base_ns}


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


# The others -----------------------------------------------------------------------

class BridgeFilter:
    """A bridge in a namespace of its own, and rules on what it forwards."""

    def __init__(self, bench, number, load=None, text=""):
        self._bench = bench
        self._namespace = bench.namespace(f"bridge{number}")
        inside = self._namespace.check
        # Where the bridge is made to call iptables, every frame would pay.
        inside("for f in /proc/sys/net/bridge/bridge-nf-call-*; do"
               " [ ! -e $f ] || echo 0 >$f; done")
        inside("ip link add br0 type bridge mcast_snooping 0")
        for end in "0", "1":
            inside(f"ip link add end{end} type veth peer name port{end}")
            inside(f"ip link set port{end} master br0")
        for link in "br0", "end0", "end1", "port0", "port1":
            inside(f"ip link set {link} up")
        if load:
            path = bench.directory / f"bridge{number}.rules"
            path.write_text(text)
            inside(f"{load} {path}", LOAD_TIMEOUT_S)
        bench.lab.wait_until(self._forwards, "the bridge to forward")
        self.sent = 0

    def _forwards(self):
        return self._namespace.check(
            "bridge link show").count("state forwarding") == 2

    def send(self, frames):
        return self._bench.replay(self._namespace, "end0", "packet", frames)

    def matched(self):
        """Frames that any rule, or element of a set, has counted."""
        # ebtables is nftables behind another language.
        listed = self._namespace.check("nft list ruleset", LOAD_TIMEOUT_S)
        return sum(map(int, re.findall(r"counter packets (\d+)", listed)))


class PeerFilters:
    """A bridge for each set of rules and each way to write them."""

    def __init__(self, bench):
        self._bench = bench
        self._count = 0
        self._none = None
        self._bridges = {}
        self.left_out = {}
        for peer in PEERS:
            try:
                self._none = self._none or self._bridge()
                self._bridges.update(self._bridges_of(peer))
            except (bench.lab.LabError, FilterError) as error:
                self.left_out[f"filters, {peer}"] = " ".join(
                    str(error).split())

    def _bridge(self, *rules):
        self._count += 1
        return BridgeFilter(self._bench, self._count, *rules)

    def _bridges_of(self, peer):
        load, write = PEERS[peer]
        program = load.split()[0].removesuffix("-restore")
        if not shutil.which(program):
            raise FilterError(f"{program} is not installed")
        return {(peer, rules): self._bridge(
            load, write(rules.made()) if rules.count else empty_text(peer))
            for rules in ACCEPTING}

    def measure(self, record):
        for (peer, rules), bridge in self._bridges.items():
            cases = rules.cases()
            base_ns = self._bench.slice(self._none, cases[0])["ns_per_frame"]
            for case in cases:
                result = self._bench.slice(bridge, case)
                bridge.sent += case.matching * result["sent"]
                record(f"{BRIDGE}/{case.name()}", peer,
                       with_extra(result, base_ns))

    def check(self):
        """Of what was sent to match, all has."""
        if not shutil.which("nft"):
            return
        for (peer, rules), bridge in self._bridges.items():
            if bridge.matched() != bridge.sent:
                raise FilterError(f"{peer}, {rules.count} rules, "
                                  f"{rules.shape}: counted {bridge.matched()} "
                                  f"of {bridge.sent}")


def empty_text(peer):
    return (rulesets.ebtables_text([]) if peer == EBTABLES
            else rulesets.nft_text([]))


# All of it ------------------------------------------------------------------------

def why_no_bpf():
    """Why ringswitch cannot load filters here, or None. An ordinary user that is
    root in a user namespace may not either."""
    status = pathlib.Path("/proc/self/status").read_text()
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    uids = " ".join(pathlib.Path("/proc/self/uid_map").read_text().split())
    if uids != ALL_UIDS or not effective >> CAP_BPF & 1:
        return "loading BPF needs root"
    if not os.access(TUN, os.R_OK | os.W_OK):
        return f"{TUN} may not be opened"
    return None


def run(switch, ringbench, rounds, quick, record, tell):
    """Measure all rounds; @record is called with (scenario, switch, number,
    result). Returns {what was left out: why}."""
    peers, why = tcp.load_lab("lab_peers", ["ip", "nsenter", "busybox"])
    why = why or why_no_bpf()
    if why:
        return {"filters on taps": why}
    os.environ["RINGSWITCH"] = switch
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="rb-")))
        bench = Bench(peers, switch, ringbench, directory, quick, stack)
        tell("filters: loading every set of rules")
        try:
            own, others = OwnFilters(bench), PeerFilters(bench)
        except (peers.lab.LabError, OSError) as error:
            record(SCENARIO, OWN, 0, {"error": str(error)})
            return {}
        left_out = others.left_out
        if os.uname().machine not in SYS_BPF:
            left_out[TIME_IN_BPF] = "not on this kind of processor"
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}: filters")
            one_round(bench, number, own, others, record, left_out)
        for checked in own, others:
            attempt(numbered(record, 0), checked.check)
    return left_out


def one_round(bench, number, own, others, record, left_out):
    repeats = bench.length.repeats
    for repeat in range(repeats):
        note = numbered(record, number * repeats + repeat)
        attempt(note, own.measure, note)
        attempt(note, others.measure, note)
        attempt(note, own.measure_end_to_end, note)
    if TIME_IN_BPF not in left_out:
        attempt(note, own.measure_in_bpf, note)


def numbered(record, number):
    """@record for what belongs to one run."""
    return lambda name, switch, result: record(f"{SCENARIO}/{name}", switch,
                                               number, result)


def attempt(note, measure, *arguments):
    """What fails is told as ours."""
    try:
        measure(*arguments)
    except Exception as error:      # the rest is still to be seen
        note(measure.__name__, OWN, {"error": str(error)})


def versions():
    return {program: switches.first_line_of([program, "--version"])
            for program in PROGRAMS if shutil.which(program)}
