"""Rules that change while the switch runs.

     host side                             guests' side
         |                                      |
       tap0 --- rules=FILE --- ringswitch ------+
                  ^
                  +--- SIGHUP: replaced as a whole
"""

import functools
import itertools
import os
import queue
import signal
import socket
import subprocess
import threading

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

import lab
from lab_filter import (DIRECTIONS, IN_FORCE, MARK_RULE, STAY,
                        TO_GUESTS, TO_HOST, Filtered, RuleFile, TapSide, bpf,
                        mark, passed, reload_rules, rule_counters, rules_text)

assert bpf      # the fixture
pytestmark = pytest.mark.usefixtures("bpf")

A, B = lab.mac(1), lab.mac(2)
INNER, OTHER_INNER, OUTER = "10.83.171.5", "10.83.171.6", "192.0.2.5"
HOST = "192.0.2.1"


@functools.cache
def udp_frame(dport, src, dst):
    return bytes(Ether(src=A, dst=B) / IP(src=src, dst=dst)
                 / UDP(dport=dport, chksum=0))


def udp(dport, src=INNER, dst=HOST, number=0):
    """Made fast: the more frames come while rules change, the better."""
    frame = udp_frame(dport, src, dst)
    return frame[:34] + (number & 0xffff).to_bytes(2, "big") + frame[36:]


def addresses(frame):
    """(source, destination) of an IPv4 frame."""
    return socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])


def dport(frame):
    return int.from_bytes(frame[36:38], "big")


# One reload ------------------------------------------------------------------

@pytest.fixture
def net(tmp_path):
    with Filtered(tmp_path, rules_text(MARK_RULE, "drop dst-port 22")) as net:
        yield net
        assert net.switch.process.poll() is None, net.switch.said()


def assert_in_force(net, dropped):
    frames = [udp(port) for port in (22, 23, 24)]
    for direction in DIRECTIONS:
        assert net.passed(direction, frames) == [
            frame for frame in frames if dport(frame) not in dropped]


def test_rules_are_in_force_at_the_start_and_that_is_said(net):
    assert f"tap tap0: rules: {net.rules}: 2 rules in force\n" in (
        net.switch.said())
    assert_in_force(net, [22])


def test_a_reload_puts_the_new_rules_in_force_and_says_so(net):
    said = reload_rules(net.switch, net.rules, rules_text(
        MARK_RULE, "drop dst-port 23", "drop dst-port 24",
        "default to-host accept"))
    assert said.endswith(f"tap tap0: rules: {net.rules}: 3 rules in force\n")
    assert said.count("\n") == 1
    assert_in_force(net, [23, 24])


def test_a_file_edited_in_place_is_read_as_well(net):
    net.rules.path.write_text(rules_text(MARK_RULE, "drop dst-port 24"))
    reload_rules(net.switch, net.rules, None)
    assert_in_force(net, [24])


def make_huge(path):
    path.touch()
    os.truncate(path, 1 << 40)


WRONG = {
    "missing": lambda path: None,
    "a directory": os.mkdir,
    "a pipe": os.mkfifo,
    "huge": make_huge,
    "with an error": lambda path: path.write_text("drop dst-port 70000\n"),
    "too long": lambda path: path.write_text("accept\n" * 16385),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_with_a_wrong_file_the_old_rules_and_counters_stay(net, wrong):
    net.passed(TO_HOST, [udp(22)] * 3)
    path = net.rules.path
    path.unlink()
    WRONG[wrong](path)
    said = reload_rules(net.switch, net.rules, None, STAY).splitlines()
    assert str(path) in said[0]
    assert said[1:] == [f"ringswitch: tap tap0: rules: {STAY}"]
    counters, _ = rule_counters(net.switch)
    assert counters[2, TO_HOST].frames == 3
    assert_in_force(net, [22])
    # And it is put right again.
    if wrong == "a directory":
        path.rmdir()
    reload_rules(net.switch, net.rules,
                 rules_text(MARK_RULE, "drop dst-port 24"))
    assert_in_force(net, [24])


def test_a_rule_that_stays_keeps_its_count_and_others_begin_at_0(net):
    net.reload(rules_text("# a comment", "count dst-port 22", MARK_RULE,
                          "drop to-host dst-port 23", "drop dst-port 24",
                          "default to-host accept"))
    frames = [udp(port) for port in (22, 23, 24)] * 5
    for direction in DIRECTIONS:
        net.passed(direction, frames)
    # The first goes, two change places, one is for another direction now.
    reload_rules(net.switch, net.rules, rules_text(
        MARK_RULE, "drop dst-port 24", "drop to-guests dst-port 23",
        "drop   dst-port\t22 # new"))
    counters, _ = rule_counters(net.switch)
    del counters[1, TO_HOST], counters[1, TO_GUESTS]
    assert {key: rule.frames for key, rule in counters.items()
            if key[0]} == {(2, TO_HOST): 5, (2, TO_GUESTS): 5}
    net.passed(TO_GUESTS, frames)
    counters, _ = rule_counters(net.switch)
    assert counters[2, TO_GUESTS].frames == 10
    assert counters[2, TO_GUESTS].bytes == 10 * len(frames[0])
    assert counters[3, TO_GUESTS].frames == 5
    assert counters[4, TO_GUESTS].frames == 5


def test_equal_rules_keep_a_count_each(net):
    """Only the first of them decides, and that stays so."""
    text = rules_text(MARK_RULE, "count dst-port 22", "drop dst-port 22",
                      "drop dst-port 22")
    net.reload(text)
    net.passed(TO_HOST, [udp(22)] * 2)
    net.reload(text + "count\n")
    counters, _ = rule_counters(net.switch)
    assert counters[2, TO_HOST].frames == counters[3, TO_HOST].frames == 2
    assert (4, TO_HOST) not in counters


def test_a_default_that_says_something_else_begins_at_0(net):
    net.reload(rules_text(MARK_RULE, "default to-host accept"))
    net.passed(TO_HOST, [udp(22)] * 2)
    reload_rules(net.switch, net.rules,
                 rules_text(MARK_RULE, "default to-host drop"))
    counters, _ = rule_counters(net.switch)
    assert (2, TO_HOST) not in counters


def test_a_storm_of_sighup_ends_with_the_last_file_in_force(net):
    for number in range(500):
        net.rules.write(rules_text(MARK_RULE, f"drop dst-port {22 + number % 2}"))
        net.switch.process.send_signal(signal.SIGHUP)
    net.rules.write(rules_text(MARK_RULE, "drop dst-port 24"))
    net.switch.process.send_signal(signal.SIGHUP)
    lab.wait_until(lambda: net.passed(TO_HOST, [udp(24)]) == [],
                   "the last file to be in force")
    assert_in_force(net, [24])
    assert STAY not in net.switch.said()


def test_many_reloads_leak_nothing(net):
    def one():
        reload_rules(net.switch, net.rules, rules_text(
            MARK_RULE, *(f"drop dst-port {port}" for port in range(2000))))

    one()
    files = lab.open_files(net.switch.pid)
    # Memory that is given back and taken again settles within some rounds.
    for _ in range(10):
        one()
    resident = lab.resident_bytes(net.switch.pid)
    for _ in range(50):
        one()
    assert lab.open_files(net.switch.pid) == files
    if "asan" not in lab.ringswitch():      # keeps what is freed
        assert lab.resident_bytes(net.switch.pid) - resident < 1 << 20


def test_rules_can_grow_to_10000_and_shrink_again(net):
    """Whatever they were at the start."""
    grown = [f"drop src 10.{n >> 8}.{n & 255}.0/24 dst-port {n}-{n + 9}"
             for n in range(10000)]
    reload_rules(net.switch, net.rules, rules_text(MARK_RULE, *grown))
    frames = [udp(5009, src=f"10.{5000 >> 8}.{5000 & 255}.9"),
              udp(5010, src=f"10.{5000 >> 8}.{5000 & 255}.9")]
    assert net.passed(TO_HOST, frames) == frames[1:]
    reload_rules(net.switch, net.rules, rules_text(MARK_RULE, "drop"))
    assert net.passed(TO_HOST, frames) == []


def test_two_taps_are_reloaded_each_for_itself(tmp_path, cleanup):
    """One file is wrong, which does not keep the other from being read."""
    one = RuleFile(tmp_path / "one", rules_text(MARK_RULE, "drop dst-port 22"))
    two = RuleFile(tmp_path / "two", rules_text(MARK_RULE, "drop dst-port 22"))
    switch = cleanup.enter_context(lab.Switch(
        "--hub", "--tap", f"tap1,rules={one}", "--tap", f"tap2,rules={two}",
        workdir=tmp_path))
    sides = [cleanup.enter_context(TapSide(tap)) for tap in ("tap1", "tap2")]
    guest = cleanup.enter_context(lab.Client(switch.socket))
    one.write("drop dst-port 70000")
    two.write(rules_text(MARK_RULE, "drop dst-port 23"))
    switch.process.send_signal(signal.SIGHUP)
    lab.wait_until(lambda: switch.said().count(IN_FORCE) == 3, "the reload")
    assert f"tap tap1: rules: {STAY}\n" in switch.said()
    frames = [udp(22), udp(23)]
    # Only to the guest, which is alone in hearing both.
    for side, passing in zip(sides, (frames[1:], frames[:1])):
        assert passed(side, guest, frames) == passing


# SIGHUP ----------------------------------------------------------------------

def test_sighup_ends_only_a_switch_without_rules(tmp_path):
    with lab.Switch("--tap", "tap1", workdir=tmp_path) as switch:
        assert switch.stop(signal.SIGHUP) == 0
    with Filtered(tmp_path, "") as net:
        for _ in range(3):
            reload_rules(net.switch, net.rules, None)
        assert net.switch.process.poll() is None


def test_a_daemon_finds_a_relative_rule_file_again(tmp_path, cleanup):
    rules = RuleFile(tmp_path / "rules", rules_text(MARK_RULE, "drop"))
    with open(tmp_path / "said", "wb") as said:
        switch = subprocess.Popen(
            [lab.ringswitch(), "--unix", "ctl", "--pidfile", "pid", "--daemon",
             "--tap", "tap1,rules=rules"], cwd=tmp_path, stdout=said,
            stderr=said, stdin=subprocess.DEVNULL)
        assert switch.wait(lab.STEP_S) == 0, (tmp_path / "said").read_text()
    pid = int((tmp_path / "pid").read_text())
    cleanup.callback(lab.end_process, pid)
    host = cleanup.enter_context(TapSide("tap1"))
    guest = cleanup.enter_context(lab.Client(tmp_path / "ctl"))
    frames = [udp(22), udp(23)]
    assert passed(host, guest, frames) == []
    rules.write(rules_text(MARK_RULE, "drop dst-port 23"))
    os.kill(pid, signal.SIGHUP)
    lab.wait_until(lambda: passed(host, guest, frames) == frames[:1],
                   "the new rules")


# Reload under traffic --------------------------------------------------------
#
# A sender and a receiver for each direction. What is sent are rounds: a handful
# of frames of each kind, then one that both rule sets let through, up to which
# the receiver reads. The sender does not wait for it, or it would stand still
# while rules are read, which is when frames have to come. No more rounds are on
# the way than fit into a tap's queue, and into a TapSide's buffer. So the guests'
# side is a tap, too: a guest's socket holds eleven frames, and a guest that a
# busy machine does not let read for a quarter of a second loses what waits for
# it. Here nothing is lost but by the rules. Meanwhile the two files take turns.

GUESTS_TAP = "tap1"
RELOADS = 100
ROUNDS_ON_THE_WAY = 200
TAP_QUEUE = 100 * ROUNDS_ON_THE_WAY


def turned(frame):
    """The other way round, for Ethernet."""
    return frame[6:12] + frame[:6] + frame[12:]


class Traffic:
    """Sends rounds of frames in one direction until told to stop.

    @frames makes a round's frames of a number, from A to B, @check gets the
    number and what arrived of them, and asserts what it has to be. B is the
    host: to the guests, all are turned.
    """

    def __init__(self, net, direction, frames, check):
        self.sender, self.receiver = net.ends(direction)
        self.turn = turned if direction == TO_GUESTS else bytes
        self.frames, self.check = frames, check
        self.sent = queue.Queue(ROUNDS_ON_THE_WAY)
        self.rounds = 0
        self.error = None
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        try:
            for number in itertools.count():
                if self.ending.is_set():
                    break
                last = mark(B, A)
                for frame in *self.frames(number), last:
                    self.sender.send(self.turn(frame))
                self.sent.put((number, last))
        finally:
            self.sent.put(None)

    def _receive(self):
        for number, last in iter(self.sent.get, None):
            # After an error the sender still has to get rid of its rounds.
            if not self.error:
                self._receive_round(number, last)

    def _receive_round(self, number, last):
        try:
            self.check(number, [
                self.turn(frame) for frame in
                self.receiver.recv_until(self.turn(last))])
            self.rounds += 1
        except BaseException as error:      # for stop() to raise
            self.error = error
            self.ending.set()

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(2 * lab.STEP_S)
            assert not thread.is_alive(), "a sender or a receiver hangs"
        if self.error:
            raise self.error


def crowded(tmp_path, text):
    """A switch that knows where A and B are, and whose taps have much room."""
    net = Filtered(tmp_path, text, "--tap", GUESTS_TAP, hub=False)
    net.guest.close()
    net.guest = TapSide(GUESTS_TAP)
    for tap in net.tap, GUESTS_TAP:
        lab.sh("ip", "link", "set", tap, "txqueuelen", str(TAP_QUEUE))
    for sender, receiver, src in ((net.guest, net.host, A),
                                  (net.host, net.guest, B)):
        hello = mark(src=src)
        sender.send(hello)
        receiver.recv_until(hello)
    return net


def alternate(net, texts, traffics, enough):
    """Put @texts in force in turns, at least RELOADS times, and until
    enough() says that the traffic has seen all of it."""
    try:
        texts = itertools.cycle(texts)

        def more():
            net.rules.write(next(texts))
            reload_rules(net.switch, net.rules, None)
            return (any(traffic.error for traffic in traffics) or enough())

        for _ in range(RELOADS):
            more()
        lab.wait_until(more, "all kinds of frames")
    finally:
        for traffic in traffics:
            traffic.stop()


def filler(count, first):
    """Rules that make a set large, and that match nothing here."""
    return [f"drop src {first}.{n >> 8 & 255}.{n & 255}.0/24 dst-port {n}"
            for n in range(count)]


ONLY_OLD, ONLY_NEW, NEITHER, BOTH = 21, 22, 23, 24

# What both forbid is forbidden by other rules, in other places and with other
# defaults: half of the one and half of the other would let it through.
OLD = rules_text(
    MARK_RULE, f"accept dst-port {ONLY_OLD}", *filler(2000, 11),
    f"drop dst {HOST} dst-port {NEITHER}", *filler(500, 13),
    f"drop protocol udp dst-port {ONLY_NEW}", "default to-host accept",
    "default to-guests accept")
NEW = rules_text(
    "default to-host drop", "default to-guests drop", f"drop src {HOST}",
    *filler(4000, 12), MARK_RULE, f"accept protocol udp dst-port {BOTH}",
    f"accept src {INNER} dst-port 22", "drop")


def test_no_frame_is_judged_by_half_of_each_rule_set(tmp_path):
    seen = {direction: {port: [0, 0] for port in (ONLY_OLD, ONLY_NEW)}
            for direction in DIRECTIONS}

    def frames(number):
        return [udp(port, number=8 * number + n) for n in range(8)
                for port in (ONLY_OLD, ONLY_NEW, NEITHER, BOTH)]

    def checker(direction):
        def check(number, arrived):
            ports = [dport(frame) for frame in arrived]
            assert NEITHER not in ports, f"round {number}"
            assert ports.count(BOTH) == 8, f"round {number}"
            # Each frame whole and in its place, whatever was left out.
            sent = iter(frames(number))
            assert all(frame in sent for frame in arrived)
            for port, (there, not_there) in seen[direction].items():
                came = ports.count(port)
                seen[direction][port] = [there + came, not_there + 8 - came]
        return check

    with crowded(tmp_path, OLD) as net:
        traffics = [Traffic(net, direction, frames, checker(direction))
                    for direction in DIRECTIONS]
        alternate(net, (NEW, OLD), traffics,
                  lambda: all(all(counts) for kinds in seen.values()
                              for counts in kinds.values()))
        counters, _ = rule_counters(net.switch)
        lab.assert_books_balance(net.switch.stats())
        assert STAY not in net.switch.said()


# Under each, one inner address is the outer one for the host, and nothing but
# that one may be reached or be heard.
def naming(inner):
    return rules_text(
        MARK_RULE, *filler(1500, 11), f"accept to-guests dst {inner} dst-port 53",
        f"accept to-host src {inner} dst-port 53",
        f"translate {inner} <-> {OUTER}",
        "default to-host drop", "default to-guests drop")


def test_no_frame_is_judged_by_one_set_and_translated_by_the_other(tmp_path):
    """To guests: what comes for the outer address is always for one of the two
    inner ones. To the host: the outer address is all that it ever sees."""
    inners = INNER, OTHER_INNER
    seen = {direction: {inner: 0 for inner in inners}
            for direction in DIRECTIONS}

    def to_guests(number):
        return [udp(port, HOST, OUTER, 8 * number + n) for n in range(8)
                for port in (53, 54)]

    def check_to_guests(number, arrived):
        # All of those that both let through, and no other.
        assert len(arrived) == 8, f"round {number}"
        for frame in arrived:
            assert dport(frame) == 53
            src, dst = addresses(frame)
            assert src == HOST and dst in inners, f"round {number}: {dst}"
            seen[TO_GUESTS][dst] += 1

    def to_host(number):
        return [udp(port, inner, HOST, 2 * (4 * number + n) + which)
                for n in range(4) for which, inner in enumerate(inners)
                for port in (53, 54)]

    def check_to_host(number, arrived):
        # The low bit of the source port says who has sent it.
        for frame in arrived:
            assert dport(frame) == 53
            assert addresses(frame) == (OUTER, HOST), f"round {number}"
            seen[TO_HOST][inners[frame[35] & 1]] += 1

    texts = [naming(inner) for inner in inners]
    with crowded(tmp_path, texts[0]) as net:
        traffics = [Traffic(net, TO_GUESTS, to_guests, check_to_guests),
                    Traffic(net, TO_HOST, to_host, check_to_host)]
        alternate(net, texts[::-1], traffics,
                  lambda: all(all(kinds.values()) for kinds in seen.values()))


@pytest.mark.parametrize("waits", [False, True],
                         ids=["in traffic", "while frames wait to be read"])
def test_a_frame_judged_by_the_old_rules_is_not_translated_past_the_new(
        tmp_path, waits):
    """Under the first, the outer address is nobody's, and harmless. Under the
    second it is that of a guest who may not be reached. A frame that was let
    through to nobody must not get to the guest."""
    harmless = rules_text(MARK_RULE)
    guarded = rules_text(MARK_RULE, f"translate {INNER} <-> {OUTER}",
                         f"drop to-guests dst {INNER}")
    seen = {OUTER: 0}

    def frames(number):
        return [udp(53, HOST, OUTER, 16 * number + n) for n in range(16)]

    def check(number, arrived):
        for frame in arrived:
            _, dst = addresses(frame)
            assert dst == OUTER, f"round {number}: {dst}"
            seen[dst] += 1

    with crowded(tmp_path, harmless) as net:
        if not waits:
            traffic = Traffic(net, TO_GUESTS, frames, check)
            alternate(net, (guarded, harmless), [traffic],
                      lambda: seen[OUTER] and traffic.rounds > 100)
            return
        for number in range(20):
            net.reload(harmless)
            os.kill(net.switch.pid, signal.SIGSTOP)
            lab.wait_until(
                lambda: lab.process_stat(net.switch.pid)[0] in "Tt", "a stop")
            # In this order: the switch is to be told of the signal first, and
            # of frames that the kernel has judged by the old rules then.
            net.rules.write(guarded)
            net.switch.process.send_signal(signal.SIGHUP)
            for frame in frames(number):
                net.host.send(frame)
            os.kill(net.switch.pid, signal.SIGCONT)
            last = mark()
            net.host.send(last)
            check(number, net.guest.recv_until(last))


def test_reloads_with_wrong_files_in_between_never_let_anything_through(
        tmp_path):
    def frames(number):
        return [udp(port, number=8 * number + n) for n in range(8)
                for port in (NEITHER, BOTH)]

    def check(number, arrived):
        ports = [dport(frame) for frame in arrived]
        assert ports == [BOTH] * 8, f"round {number}"

    with crowded(tmp_path, OLD) as net:
        traffics = [Traffic(net, direction, frames, check)
                    for direction in DIRECTIONS]
        try:
            for number in range(RELOADS // 2):
                net.refused_reload((OLD, NEW)[number % 2] + "drop src\n")
        finally:
            for traffic in traffics:
                traffic.stop()
        assert all(traffic.rounds for traffic in traffics)
