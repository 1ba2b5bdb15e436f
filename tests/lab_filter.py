"""A tap with a rule file, and what passes it.

    bpf                skips where BPF programs cannot be loaded
    net, shared        a switch for all tests of a file
    TapSide            raw frames on the host's side, VLAN tags as they were
    RuleFile           a rule file, replaced at once
    Filtered           a switch on a tap with rules, and both its sides
    rule_counters      the lines `rule ` and `dropped ` of the statistics
    Capture            a thread that keeps whatever arrives

        host side (TapSide)                  guests' side (lab.Client)
              |                                      |
            tap0 ---- rules ---- ringswitch ---------+
              ---- to-guests ---->
              <---- to-host ------

The switch is a hub here, if not told otherwise, so that no frame's way depends
on earlier ones.
"""

import contextlib
import copy
import ctypes
import os
import pathlib
import re
import signal
import socket
import struct
import threading
import time

import pytest

import lab

TO_HOST, TO_GUESTS = DIRECTIONS = "to-host", "to-guests"

# Accepted by a rule of all these tests: what comes behind the others and tells
# that they have come, or never will.
MARK_TYPE = lab.ETHERTYPE
MARK_RULE = f"accept ethertype {MARK_TYPE:#06x}"

# What fits into the buffers of a client that does not read meanwhile.
BATCH = 50


# Where it can be tested ------------------------------------------------------

BPF_PROG_LOAD = 5
BPF_LINK_CREATE = 28
BPF_PROG_TYPE_SCHED_CLS = 3
BPF_PROG_TYPE_XDP = 6
BPF_TCX_EGRESS = 47
BPF_VLAN_PUSH = 18
SYS_BPF = {"x86_64": 321, "aarch64": 280}


def bpf_call(command, attributes):
    """bpf(2); returns the descriptor, OSError if there is none."""
    number = SYS_BPF.get(os.uname().machine)
    if number is None:
        raise OSError(f"bpf(2) has an unknown number on {os.uname().machine}")
    buffer = ctypes.create_string_buffer(attributes, 128)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(number, command, buffer, len(buffer))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def instruction(code, destination=0, number=0):
    return struct.pack("=BBhi", code, destination, 0, number)


RETURN_2 = instruction(0xb7, 0, 2) + instruction(0x95)


def load_program(kind, instructions):
    program = ctypes.create_string_buffer(instructions)
    text = ctypes.create_string_buffer(b"MIT")
    return bpf_call(BPF_PROG_LOAD, struct.pack(
        "=IIQQ", kind, len(instructions) // 8, ctypes.addressof(program),
        ctypes.addressof(text)))


def tcx_that_tags(device, vlan):
    """A program that gives every frame sent on @device a VLAN tag beside it.

    A descriptor: the program goes when it is closed. Skips where the kernel
    has no such place for programs (before 6.6).
    """
    # bpf_skb_vlan_push(context, htons(ETH_P_8021Q), vlan); return TCX_PASS
    program = load_program(BPF_PROG_TYPE_SCHED_CLS, b"".join((
        instruction(0xb7, 2, socket.htons(0x8100)),
        instruction(0xb7, 3, vlan), instruction(0x85, 0, BPF_VLAN_PUSH),
        instruction(0xb7, 0, 0), instruction(0x95))))
    try:
        return bpf_call(BPF_LINK_CREATE, struct.pack(
            "=III", program, socket.if_nametoindex(device), BPF_TCX_EGRESS))
    except OSError as error:
        pytest.skip(f"no BPF links at a device's egress: {error.strerror}")
    finally:
        os.close(program)


@pytest.fixture(scope="session")
def bpf(tap_device):
    """Skip where BPF programs cannot be loaded, with the reason."""
    try:
        os.close(load_program(BPF_PROG_TYPE_XDP, RETURN_2))
    except OSError as error:
        pytest.skip(f"no BPF programs here: {error}")


# Both sides ------------------------------------------------------------------

SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_AUXDATA = 8
VLAN_VALID, VLAN_TPID_VALID = 1 << 4, 1 << 6
SO_RCVBUFFORCE = 33
CAPTURE_BYTES = 64 << 20


class TapSide(lab.HostSide):
    """lab.HostSide that puts VLAN tags back, which the kernel takes out.

    With @both, recv() gives what goes out to the switch as well.
    """

    def __init__(self, tap, both=False):
        super().__init__(tap)
        self.both = both
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        # A capture must not lose anything, and the limit is root's.
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE,
                                   CAPTURE_BYTES)
        except PermissionError:
            pass

    def recv(self, timeout=lab.STEP_S):
        deadline = time.monotonic() + timeout
        while True:
            self.socket.settimeout(max(0, deadline - time.monotonic()))
            try:
                frame, extras, _, address = self.socket.recvmsg(1 << 17, 64)
            except (socket.timeout, BlockingIOError):
                return None
            if self.both or address[2] != lab.PACKET_OUTGOING:
                return tagged_again(frame, extras)

    def lost(self):
        """Frames that this socket had no room for, since the last call."""
        return struct.unpack("=II", self.socket.getsockopt(
            SOL_PACKET, PACKET_STATISTICS, 8))[1]


def tagged_again(frame, extras):
    for level, kind, data in extras:
        if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
            continue
        status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
        if status & VLAN_VALID:
            if not status & VLAN_TPID_VALID:
                tpid = 0x8100
            tag = struct.pack("!HH", tpid, tci)
            return frame[:12] + tag + frame[12:]
    return frame


class Capture:
    """Keeps all that arrives at @wire, which nobody else may read meanwhile:
    in .kept, complete as far as a frame that is known to be the last."""

    def __init__(self, wire):
        self.wire = wire
        self.kept = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        # The switch gives up frames for who reads too slowly: a busy machine
        # is to hold up others than us, where that is permitted.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -19)
        while not self.ending.is_set():
            frame = self.wire.recv(0.05)
            if frame is not None:
                self.kept.append(frame)

    def close(self):
        self.ending.set()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def mark(dst=lab.BROADCAST, src=lab.mac(0xfefefe)):
    """A frame that no other test and no other call has sent."""
    return lab.frame(dst, src,
                     b"mark" + next(lab.numbers).to_bytes(8, "big"), size=60,
                     ethertype=MARK_TYPE)


def passed(sender, receiver, frames):
    """Those of @frames that get from @sender to @receiver, in their order."""
    frames = list(frames)
    arrived = []
    for start in range(0, len(frames), BATCH):
        for frame in frames[start:start + BATCH]:
            sender.send(frame)
        last = mark()
        sender.send(last)
        arrived += receiver.recv_until(last)
    return arrived


# Rule files and the switch ---------------------------------------------------

class RuleFile:
    """A rule file that is replaced as a whole, as an editor or mv does it."""

    def __init__(self, path, text=None):
        self.path = pathlib.Path(path)
        if text is not None:
            self.write(text)

    def write(self, text):
        beside = self.path.with_name(self.path.name + ".new")
        if isinstance(text, str):
            text = text.encode()
        beside.write_bytes(text)
        beside.rename(self.path)

    def __str__(self):
        return str(self.path)


def rules_text(*lines):
    return "".join(line + "\n" for line in lines)


class Filtered:
    """A switch with @text as the rules of its tap, and raw frames both ways.

    @options are the switch's. The device is the switch's own; .host and
    .guest are the two sides.
    """

    def __init__(self, workdir, text="", *options, tap="tap0", hub=True,
                 keeper=False):
        self.rules = RuleFile(pathlib.Path(workdir) / "rules", text)
        self.tap = tap
        self.before = {}
        self.switch = lab.Switch(*(["--hub"] if hub else []), "--tap",
                                 f"{tap},rules={self.rules}", *options,
                                 workdir=workdir, keeper=keeper)
        try:
            self.host = TapSide(tap)
            self.guest = lab.Client(self.switch.socket)
            self.switch.wait_stats(lambda stats: "uml1" in stats, "the guest")
        except BaseException:
            self.switch.kill()
            raise

    def ends(self, direction):
        """(sender, receiver)"""
        return ((self.guest, self.host) if direction == TO_HOST
                else (self.host, self.guest))

    def passed(self, direction, frames):
        return passed(*self.ends(direction), frames)

    def reload(self, text):
        """@text is in force when this returns."""
        reload_rules(self.switch, self.rules, text)
        # Rules that were there before, and defaults, count on.
        self.before = rule_counters(self.switch, self.tap)[0]

    def refused_reload(self, text):
        """@text is wrong; returns what the switch said of it."""
        return reload_rules(self.switch, self.rules, text, STAY)

    def counters(self):
        """What has been counted since the last reload()."""
        now = rule_counters(self.switch, self.tap)[0]
        since = {key: rule.since(self.before.get(key))
                 for key, rule in now.items()}
        return {key: rule for key, rule in since.items() if rule.frames}

    def dropped(self):
        return rule_counters(self.switch, self.tap)[1]

    def close(self):
        self.guest.close()
        self.host.close()
        self.switch.__exit__()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


@pytest.fixture(scope="module")
def shared(build, bpf, tmp_path_factory):
    """A switch for all tests of a file that only change its rules."""
    with Filtered(tmp_path_factory.mktemp("rules")) as net:
        yield net


@pytest.fixture
def net(shared):
    yield shared
    # What a test did to the switch must not be what ended it.
    assert shared.switch.process.poll() is None, shared.switch.said()


IN_FORCE = "rules in force"
STAY = "the old ones stay in force"


def reload_rules(switch, rules, text, result=IN_FORCE):
    """Replace the file, have it read; returns what the switch said then.

    With @text None the file is as it is. LabError if that did not end as it
    should: @result.
    """
    if text is not None:
        rules.write(text)
    start = switch.log.stat().st_size
    switch.process.send_signal(signal.SIGHUP)

    def said():
        with open(switch.log, errors="replace") as log:
            log.seek(start)
            new = log.read()
        return new if re.search(rf"({IN_FORCE}|{STAY})\n", new) else None

    new = lab.wait_until(said, "the switch to read its rules")
    if f"{result}\n" not in new:
        raise lab.LabError(f"the switch said: {new}")
    return new


def refused_start(tmp_path, rules):
    """What a switch says that must not start with the rule file @rules."""
    ctl = tmp_path / "refused.ctl"
    code, said = lab.run_switch("--unix", ctl, "--tap", f"tap9,rules={rules}")
    assert code == 1, said
    assert not ctl.exists()
    assert "tap9" not in lab.links()
    assert said.endswith("\n") and said.count("\n") == 1, said
    return said


def programs_of(pid):
    """Numbers of the BPF programs that process @pid has open or attached."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            text = pathlib.Path(f"/proc/{pid}/fdinfo/{name}").read_text()
        except FileNotFoundError:
            continue
        found |= {int(number) for number in
                  re.findall(r"^prog_id:\s*(\d+)$", text, re.M)}
    return found


def program_is_loaded(number):
    """Whether the BPF program @number is still there."""
    return "error" not in lab.sh("bpftool", "-j", "prog", "show", "id",
                                 str(number), check=False).lower()


# Statistics ------------------------------------------------------------------

RULE_LINE = re.compile(
    r'rule tap=(\S+) line=(\d+) direction=(\S+) action=(\S+) frames=(\d+) '
    r'bytes=(\d+)(?: over=(\d+))? text="(.*)"')
DROPPED_LINE = re.compile(
    r"dropped tap=(\S+) line=(\d+) direction=(\S+) age_ms=(\d+) bytes=(\d+) "
    r"frame=([0-9a-f]*)")


class Rule:
    """One `rule ` line of the statistics."""

    def __init__(self, found):
        self.tap, line, self.direction, self.action, frames, bytes_, over, \
            self.text = found.groups()
        self.line, self.frames = int(line), int(frames)
        self.bytes = int(bytes_)
        self.over = None if over is None else int(over)

    def since(self, before):
        """What has been counted since @before, which may be None."""
        rule = copy.copy(self)
        if before:
            rule.frames -= before.frames
            rule.bytes -= before.bytes
            if rule.over is not None:
                rule.over -= before.over
        return rule


class Dropped:
    """One `dropped ` line of the statistics."""

    def __init__(self, found):
        self.tap, line, self.direction, age, bytes_, frame = found.groups()
        self.line, self.age_ms = int(line), int(age)
        self.bytes, self.frame = int(bytes_), bytes.fromhex(frame)


def parse_rules(text):
    """({(tap, line, direction): Rule}, [Dropped, the oldest first])."""
    rules, dropped = {}, []
    for line in text.splitlines():
        if line.startswith("rule "):
            found = RULE_LINE.fullmatch(line)
            assert found, line
            rule = Rule(found)
            key = rule.tap, rule.line, rule.direction
            assert key not in rules, line
            rules[key] = rule
        elif line.startswith("dropped "):
            found = DROPPED_LINE.fullmatch(line)
            assert found, line
            dropped.append(Dropped(found))
    return rules, dropped


def rule_counters(switch, tap="tap0"):
    """Ask @switch: ({(line, direction): Rule}, [Dropped]) of @tap."""
    start = switch.out.stat().st_size
    switch.stats()
    with open(switch.out) as out:
        out.seek(start)
        rules, dropped = parse_rules(out.read())
    return ({key[1:]: rule for key, rule in rules.items() if key[0] == tap},
            [one for one in dropped if one.tap == tap])
