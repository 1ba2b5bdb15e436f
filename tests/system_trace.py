"""Trace points: what they are, that they fire, and the scripts that use them.

       Trace (bpftrace)
              |
    a --- ringswitch --- tap0 --- host
    b ------+

A frame's number under way is its struct's address: the lines that tell of one
frame have it in common.
"""

import re
import shutil
import time

import pytest

import lab
from lab_control import control_of
from lab_trace import SCRIPTS, Places, Trace, bpftrace, probes  # noqa: F401

# What is promised to users: for each probe the bytes of its arguments' types,
# negative if they have a sign.
PROMISED = {
    "frame__received": [8, 2, 8, 4, 8],
    "frame__forwarded": [8, 2, 8, 8, 4, 8],
    "frame__sent": [8, 2, 8, 4, 8],
    "frame__dropped": [2, 8, 8, 4],
    "port__up": [2, 8, 8],
    "port__down": [2, 8, 8],
    "port__stalled": [2, 8, 4],
    "filter__verdict": [2, 8, -4, 4],
}

# Every probe and every argument, as a line.
EVERYTHING = r"""
struct ether { uint8_t to[6]; uint8_t from[6]; };

usdt::ringswitch:frame__received
{
	printf("received %lx %d %s %d %s\n", arg0, arg1, str(arg2), arg3,
	       macaddr(((struct ether *)arg4)->from));
}
usdt::ringswitch:frame__forwarded
{
	printf("forwarded %lx %d %s %s %d %s\n", arg0, arg1, str(arg2),
	       str(arg3), arg4, macaddr(((struct ether *)arg5)->from));
}
usdt::ringswitch:frame__sent
{
	printf("sent %lx %d %s %d %s\n", arg0, arg1, str(arg2), arg3,
	       macaddr(((struct ether *)arg4)->from));
}
usdt::ringswitch:frame__dropped
{
	printf("dropped %d %s %s %d\n", arg0, str(arg1), str(arg2), arg3);
}
usdt::ringswitch:port__up
{
	printf("up %d %s %s\n", arg0, str(arg1), str(arg2));
}
usdt::ringswitch:port__down
{
	printf("down %d %s %s\n", arg0, str(arg1), str(arg2));
}
usdt::ringswitch:port__stalled
{
	printf("stalled %d %s %d\n", arg0, str(arg1), arg2);
}
usdt::ringswitch:filter__verdict
{
	printf("verdict %d %s %d %d\n", arg0, str(arg1), arg2, arg3);
}
"""

# Without letters: bpftrace writes those large.
A, B, NOBODY = lab.mac(0x10), lab.mac(0x20), lab.mac(0x30)
ALL = lab.BROADCAST.upper()


def unicast(dst, src, size=100):
    return lab.frame(dst, src, next(lab.numbers).to_bytes(4, "big"), size)


class Net:
    """A switch with two clients, whose addresses it knows."""

    def __init__(self, workdir, cleanup, *options):
        self.workdir = workdir
        self.cleanup = cleanup
        self.switch = cleanup.enter_context(
            lab.Switch(*options, workdir=workdir))
        self.a = self.client()
        self.b = self.client()
        self.pass_on(self.a, self.b, unicast(lab.BROADCAST, A))
        self.pass_on(self.b, self.a, unicast(A, B))

    def client(self):
        return self.cleanup.enter_context(lab.Client(self.switch.socket))

    def trace(self, program=EVERYTHING):
        return self.cleanup.enter_context(
            Trace(self.switch, program, self.workdir))

    @staticmethod
    def pass_on(sender, receiver, frame):
        sender.send(frame)
        receiver.recv_until(frame)


@pytest.fixture
def net(tmp_path, cleanup):
    return Net(tmp_path, cleanup)


# What there is ---------------------------------------------------------------

def assert_as_promised(program):
    found = probes(program)
    assert set(found) == set(PROMISED)
    for name, places in found.items():
        assert all(arguments == PROMISED[name]
                   for _, arguments in places), name


def test_the_program_has_the_probes_that_are_promised():
    assert_as_promised(lab.ringswitch())


def test_a_stripped_program_has_them_too(tmp_path):
    """As packages have it."""
    program = shutil.copy(lab.ringswitch(), tmp_path / "stripped")
    lab.sh("strip", program)
    assert_as_promised(program)
    # Names of variables would be gone with the symbols.
    notes = lab.sh("readelf", "-W", "-n", program)
    assert not re.search(r"Arguments:.*@[A-Za-z_.]", notes)


def test_bpftrace_lists_them(bpftrace):
    program = lab.ringswitch()
    listed = lab.sh("bpftrace", "-l", f"usdt:{program}:*")
    assert {f"usdt:{program}:ringswitch:{name}"
            for name in PROMISED} <= set(listed.split())


# That they fire --------------------------------------------------------------

def test_a_frame_is_traced_from_port_to_port(bpftrace, net):
    trace = net.trace()
    net.pass_on(net.a, net.b, unicast(B, A, 123))
    [[frame, port, *rest]] = trace.wait_lines("received", 1)
    assert rest == ["uml1", "123", A]
    assert trace.wait_lines("forwarded", 1) == [
        [frame, port, "uml1", "uml2", "123", A]]
    [[sent, to_port, *rest]] = trace.wait_lines("sent", 1)
    assert sent == frame
    assert to_port != port
    assert rest == ["uml2", "123", A]


def test_a_flood_is_traced_once_and_sent_to_each(bpftrace, net):
    other = net.client()
    trace = net.trace()
    frame = unicast(NOBODY, A, 77)
    net.a.send(frame)
    for receiver in net.b, other:
        receiver.recv_until(frame)
    [[received, port, *_]] = trace.wait_lines("received", 1)
    sent = trace.wait_lines("sent", 2)
    assert {line[0] for line in sent} == {received}
    assert {line[2] for line in sent} == {"uml2", "uml3"}
    assert trace.wait_lines("forwarded", 1) == [
        [received, port, "uml1", "*", "77", A]]
    assert len(trace.lines("forwarded")) == 1


@pytest.mark.parametrize("frame, port, reason", [
    (unicast(A, A, 90), "uml1", "same_port"),
    (b"short", "uml1", "runt"),
    (unicast(B, A, 1527), "uml2", "too_long"),
], ids=["same_port", "runt", "too_long"])
def test_a_drop_is_traced_with_its_reason(bpftrace, net, frame, port, reason):
    trace = net.trace()
    net.a.send(frame)
    [[_, *dropped]] = trace.wait_lines("dropped", 1)
    assert dropped == [port, reason, str(len(frame))]


@pytest.mark.parametrize("settings, frame, reason", [
    ({"isolated": True}, unicast(B, A), "isolated"),
    ({"locked": True}, unicast(B, NOBODY), "locked"),
    ({"mac_limit": 1}, unicast(B, NOBODY), "mac_limit"),
], ids=["isolated", "locked", "mac_limit"])
def test_what_a_setting_drops_is_traced_at_the_sender(bpftrace, net, settings,
                                                      frame, reason):
    with control_of(net.switch) as control:
        for port in "uml1", "uml2":
            control.set(port, **settings)
    trace = net.trace()
    net.a.send(frame)
    [[_, *dropped]] = trace.wait_lines("dropped", 1)
    assert dropped == ["uml1", reason, "100"]


def test_what_comes_in_at_a_port_that_is_down_is_traced(bpftrace, net):
    with control_of(net.switch) as control:
        control.request("port.down", port="uml1")
    trace = net.trace()
    net.a.send(unicast(B, A))
    [[_, *dropped]] = trace.wait_lines("dropped", 1)
    assert dropped == ["uml1", "admin_down", "100"]


def test_ports_that_come_and_go_are_traced(bpftrace, net):
    trace = net.trace()
    with lab.Client(net.switch.socket):
        [[number, *up]] = trace.wait_lines("up", 1)
        assert up == ["uml3", "uml"]
    [[down_number, name, *why]] = trace.wait_lines("down", 1)
    assert (down_number, name) == (number, "uml3")
    assert why


def test_a_stall_is_traced_with_what_it_costs(bpftrace, net):
    """Nobody reads at b; the frames that waited are dropped one by one."""
    trace = net.trace()

    def stalled():
        while net.a.try_send(unicast(B, A)):
            pass
        return trace.lines("stalled")

    [[_, _, name, given_up]] = lab.wait_until(stalled, "the stall")
    assert name == "uml2"
    assert int(given_up) > 0
    net.switch.wait_stats(
        lambda stats: stats["uml2"]["drop.stalled"] == len(
            [line for line in trace.lines("dropped")
             if line[2:4] == ["uml2", "stalled"]]),
        "every drop to be traced")


def test_a_filter_is_traced_with_its_verdict(bpftrace, tap_device, tmp_path,
                                             cleanup):
    net = Net(tmp_path, cleanup, "--tap",
              f"tap0,accept-to-guests=ether proto {lab.ETHERTYPE}")
    host = cleanup.enter_context(lab.HostSide("tap0"))
    trace = net.trace()
    refused = lab.frame(lab.BROADCAST, A, size=61, ethertype=0x88b6)
    host.send(refused)
    net.pass_on(host, net.b, unicast(lab.BROADCAST, NOBODY, 62))
    verdicts = [line[1:] for line in trace.wait_lines("verdict", 2)]
    assert verdicts == [["tap0", "0", "61"], ["tap0", "1", "62"]]
    [dropped] = trace.wait_lines("dropped", 1)
    assert dropped[1:] == ["tap0", "filter", "61"]


def test_nothing_is_left_of_a_tracer_that_has_gone(bpftrace, net):
    places = Places(net.switch.pid, lab.ringswitch(), PROMISED)
    before = places.bytes()
    trace = net.trace()
    assert places.bytes() != before
    trace.finish()
    lab.wait_until(lambda: places.bytes() == before, "the probes to be nops")
    net.pass_on(net.a, net.b, unicast(B, A))


# The scripts -----------------------------------------------------------------

def maps(text, name):
    """{key: [count, average, total]} of a map of statistics."""
    return {key: [int(n) for n in numbers] for key, *numbers in re.findall(
        rf"^@{name}\[(.*)\]: count (\d+), average (\d+), total (\d+)$", text,
        re.M)}


def test_drops_by_port_and_reason_are_those_that_are_counted(bpftrace, net):
    trace = net.trace(SCRIPTS / "trace_drops.bt")
    for frame in [unicast(A, A)] * 3 + [b"short", unicast(B, A, 1600)]:
        net.a.send(frame)
    net.pass_on(net.a, net.b, unicast(B, A))
    counted = {f"{port}, {key[len('drop.'):]}": value
               for port, counters in net.switch.stats().items()
               if port.startswith("uml")
               for key, value in counters.items() if key.startswith("drop.")}
    dropped = maps(trace.finish(), "dropped")
    assert counted == {key: count for key, (count, _, _) in dropped.items()}
    assert dropped == {"uml1, same_port": [3, 100, 300],
                       "uml1, runt": [1, 5, 5],
                       "uml2, too_long": [1, 1600, 1600]}


def test_talkers_are_told_by_port_and_address(bpftrace, net):
    trace = net.trace(SCRIPTS / "trace_talkers.bt")
    for size in 60, 100:
        net.pass_on(net.a, net.b, unicast(B, A, size))
    net.pass_on(net.b, net.a, unicast(A, B, 70))
    net.pass_on(net.b, net.a, unicast(lab.BROADCAST, B, 80))
    net.a.send(unicast(A, A))
    net.pass_on(net.b, net.a, unicast(NOBODY, B, 90))
    assert maps(trace.finish(), "talk") == {
        f"uml1, {A}, uml2, {B}": [2, 80, 160],
        f"uml2, {B}, uml1, {A}": [1, 70, 70],
        f"uml2, {B}, *, {ALL}": [1, 80, 80],
        f"uml2, {B}, *, {NOBODY}": [1, 90, 90]}


def histograms(text):
    """{port: {lower bound in us: frames}}"""
    found = {}
    for name, body in re.findall(r"^@latency_us\[(.*)\]: *\n((?:[\[(].*\n)+)",
                                 text, re.M):
        found[name] = {
            int(lower) * {"": 1, "K": 1 << 10, "M": 1 << 20}[unit]: int(count)
            for lower, unit, count in re.findall(
                r"^\[(\d+)([KM]?)[^\])]*[\])] +(\d+) ", body, re.M)}
    return found


def test_the_histogram_of_a_port_has_every_frame_sent_to_it(bpftrace, net):
    trace = net.trace(SCRIPTS / "trace_latency.bt")
    before = net.switch.stats()
    for _ in range(30):
        net.pass_on(net.a, net.b, unicast(B, A))
    net.pass_on(net.b, net.a, unicast(lab.BROADCAST, B))
    after = net.switch.stats()
    sent = {port: after[port]["sent"] - before[port]["sent"]
            for port in ("uml1", "uml2")}
    assert sent == {"uml1": 1, "uml2": 30}
    told = histograms(trace.finish())
    assert sent == {port: sum(counts.values())
                    for port, counts in told.items()}


def test_what_waits_for_a_slow_receiver_is_in_the_histogram(bpftrace, net):
    """b reads 20 ms later than it could: they are told of, and no more than
    all of it takes."""
    trace = net.trace(SCRIPTS / "trace_latency.bt")
    begin = time.monotonic()
    frames = [unicast(B, A) for _ in range(100)]
    for frame in frames:
        net.a.send(frame)
    stats = net.switch.wait_stats(lambda stats: stats["uml2"]["queued"],
                                  "the queue")
    waiting = stats["uml2"]["queued"]
    seen = time.monotonic()
    lab.wait_until(lambda: time.monotonic() > seen + 0.02, "20 ms to pass")
    net.b.recv_until(frames[-1])
    # b has its last frame a moment before the switch counts, and tells of, it.
    net.switch.wait_stats(lambda stats: stats["uml2"]["sent"] >= 100,
                          "all of them to be counted")
    all_us = (time.monotonic() - begin) * 1e6
    told = histograms(trace.finish())["uml2"]
    assert sum(told.values()) == 100
    assert sum(count for lower, count in told.items()
               if lower >= 16384) >= waiting
    assert max(lower for lower, count in told.items() if count) <= all_us
