"""Captures: what is in the file, judged by tshark, capinfos and a strict eye.

     a (uml1) --+
     b (uml2) --+-- ringswitch -- ctl.control -- `capture` --> a pcapng file
     ...      --+

"in" is what the switch receives from a port, "out" what it sends to it. Every
test ends with books that balance.
"""

import time

import pytest

import lab
from lab_capture import (Capture, Interface, acquainted,
                         assert_tshark_agrees, capinfos, counters)
from lab_clients import VdeClient
from lab_control import Refused, control_of, monitor_of

A, B, C = lab.mac(1), lab.mac(2), lab.mac(3)


@pytest.fixture
def pair(switch, cleanup):
    """Two clients that know each other, as uml1 and uml2."""
    a, b = acquainted(switch, cleanup, 2)
    yield a, b
    counters(switch)


def to_b(number, size=60, **more):
    return lab.frame(B, A, number.to_bytes(4, "big"), size, **more)


def to_a(number, size=60, **more):
    return lab.frame(A, B, number.to_bytes(4, "big"), size, **more)


def pass_on(sender, receiver, *frames):
    """Each has arrived before the next is sent."""
    for frame in frames:
        sender.send(frame)
        assert receiver.recv() == frame


# Both ways -------------------------------------------------------------------

def test_frames_are_there_both_ways_byte_for_byte(switch, pair, tmp_path):
    a, b = pair
    expected = []
    with Capture(switch, "uml1") as capture:
        for size in (18, 19, 20, 21, 60, 61, 62, 63, 1514):
            pass_on(a, b, to_b(size, size))
            pass_on(b, a, to_a(size, size))
            expected += [("in", to_b(size, size)), ("out", to_a(size, size))]
        file = capture.end()
    assert [(p.direction, p.data) for p in file.packets] == expected
    assert {p.port for p in file.packets} == {"uml1"}
    assert all(p.bytes == len(p.data) and not p.comment for p in file.packets)
    assert_tshark_agrees(file, file.save(tmp_path / "pcapng"))


def test_the_shortest_frame_is_captured(switch, pair):
    a, b = pair
    with Capture(switch, "uml2") as capture:
        pass_on(a, b, lab.frame(B, A))
        assert capture.end().frames("uml2", "out") == [lab.frame(B, A)]


def test_times_are_those_of_the_calendar_and_never_go_back(switch, pair):
    a, b = pair
    marks = [time.time_ns()]
    with Capture(switch, "all") as capture:
        for number in range(20):
            pass_on(a, b, to_b(number))
            marks.append(time.time_ns())
        file = capture.end()
    times = [p.time_ns for p in file.packets]
    assert times == sorted(times)
    # The switch may look at its clock once for all that a round brings.
    slack_ns = 100_000_000
    for sent, done, packet in zip(marks, marks[1:],
                                  [p for p in file.packets
                                   if p.direction == "in"]):
        assert sent - slack_ns < packet.time_ns < done + slack_ns
    assert len(set(times)) > 1


def test_all_ports_are_interfaces_with_their_names(switch, pair, cleanup):
    a, b = pair
    c = cleanup.enter_context(lab.Client(switch.socket))
    hello = lab.frame(lab.BROADCAST, A, b"hello", 60)
    with Capture(switch, "all") as capture:
        a.send(hello)
        b.recv_until(hello)
        c.recv_until(hello)
        file = capture.end()
    assert sorted(i.name for i in file.interfaces) == ["uml1", "uml2", "uml3"]
    assert file.frames("uml1", "in") == [hello]
    assert file.frames("uml2", "out") == [hello]
    assert file.frames("uml3", "out") == [hello]
    assert len(file.packets) == 3


def test_an_interface_says_what_its_guest_says_of_itself(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"vde:{tmp_path}/vde", workdir=tmp_path))
    cleanup.enter_context(VdeClient(tmp_path / "vde", description="plug"))
    with Capture(switch, "vde1") as capture:
        interface, = capture.end().interfaces
    assert interface == Interface("vde1", "plug", 262144)


@pytest.mark.parametrize("direction, wanted", [
    ("in", ["in"]), ("out", ["out"]), ("both", ["in", "out"])])
def test_one_direction_can_be_had_alone(switch, pair, direction, wanted):
    a, b = pair
    with Capture(switch, "uml1", direction=direction) as capture:
        pass_on(a, b, to_b(1))
        pass_on(b, a, to_a(2))
        file = capture.end()
    assert [p.direction for p in file.packets] == wanted


def test_what_others_say_to_each_other_is_not_in_it(switch, cleanup):
    a, b, c, d = acquainted(switch, cleanup, 4)
    with Capture(switch, "uml1") as capture:
        for number in range(50):
            pass_on(c, d, lab.frame(lab.mac(4), C, bytes([number]), 60))
        pass_on(a, b, to_b(1))
        assert [p.data for p in capture.end().packets] == [to_b(1)]


def test_what_was_before_it_and_what_comes_after_it_are_not_in_it(switch,
                                                                  pair):
    a, b = pair
    pass_on(a, b, to_b(1))
    with Capture(switch, "uml1") as capture:
        pass_on(a, b, to_b(2))
        file = capture.end()
    pass_on(a, b, to_b(3))
    assert file.frames() == [to_b(2)]


# Less than everything --------------------------------------------------------

@pytest.mark.parametrize("snaplen", [1, 14, 61, 1514, 262144])
def test_frames_are_cut_to_the_snaplen_and_their_length_is_kept(
        switch, pair, snaplen, tmp_path):
    a, b = pair
    with Capture(switch, "uml1", snaplen=snaplen) as capture:
        pass_on(a, b, to_b(1, 1514), to_b(2, 60))
        file = capture.end()
    assert [p.data for p in file.packets] == [to_b(1, 1514)[:snaplen],
                                              to_b(2, 60)[:snaplen]]
    assert [p.bytes for p in file.packets] == [1514, 60]
    assert file.interfaces[0].snaplen == snaplen
    assert_tshark_agrees(file, file.save(tmp_path / "pcapng"))


def test_an_expression_chooses_the_frames(switch, pair):
    a, b = pair
    with Capture(switch, "all", expression="ether[17] = 7") as capture, \
            Capture(switch, "all", expression=f"ether src {B}") as from_b:
        pass_on(a, b, *[to_b(number) for number in range(10)])
        pass_on(b, a, to_a(11))
        assert capture.end().frames() == [to_b(7), to_b(7)]
        assert from_b.end().frames() == [to_a(11), to_a(11)]


def test_an_expression_sees_more_than_the_snaplen(switch, pair):
    a, b = pair
    with Capture(switch, "uml1", expression="ether[1000] = (1000 - 18) & 255",
                 snaplen=20) as capture:
        pass_on(a, b, to_b(1, 900), to_b(2, 1200))
        assert capture.end().frames() == [to_b(2, 1200)[:20]]


def test_the_length_in_an_expression_is_the_whole_frames(switch, pair):
    a, b = pair
    with Capture(switch, "uml1", expression="greater 100",
                 snaplen=20) as capture:
        pass_on(a, b, to_b(1, 99), to_b(2, 100))
        assert capture.end().frames() == [to_b(2, 100)[:20]]


def test_an_empty_expression_takes_everything(switch, pair):
    a, b = pair
    with Capture(switch, "uml1", expression="") as capture:
        pass_on(a, b, to_b(1))
        assert capture.end().frames() == [to_b(1)]


@pytest.mark.parametrize("expression", [
    "icmpp", "host", "(tcp", "port 99999", "wlan type mgt", "ip and"])
def test_a_wrong_expression_is_refused_with_what_is_wrong_in_it(switch, pair,
                                                                expression):
    with control_of(switch) as control:
        error = control.refusal("capture", port="uml1", expression=expression)
        assert error.code == "argument"
        assert "expression" in error.message
        # What libpcap says of it comes along, and the connection stays.
        assert len(error.message) > len("expression") + len(expression)
        assert control.port("uml1")["captures"] == 0


@pytest.mark.parametrize("arguments, code", [
    ({"port": "nobody"}, "not-found"),
    ({"port": 7}, "argument"), ({"port": ""}, "not-found"),
    ({"port": "uml1", "expression": 7}, "argument"),
    ({"port": "uml1", "expression": "ip " * 5000}, "argument"),
    ({"port": "uml1", "snaplen": 0}, "argument"),
    ({"port": "uml1", "snaplen": -1}, "argument"),
    ({"port": "uml1", "snaplen": "64"}, "argument"),
    ({"port": "uml1", "snaplen": 1 << 32}, "argument"),
    ({"port": "uml1", "direction": "sideways"}, "argument"),
    ({"port": "uml1", "drops": "no"}, "argument"),
    ({"port": "uml1", "buffer": 65535}, "argument"),
    ({"port": "uml1", "buffer": (64 << 20) + 1}, "argument"),
    ({"port": "uml1", "colour": "red"}, "argument")])
def test_a_capture_that_cannot_be_is_refused(switch, pair, arguments, code):
    with control_of(switch) as control:
        error = control.refusal("capture", **arguments)
        assert error.code == code
        # The argument that is wrong comes last.
        assert list(arguments)[-1] in error.message
        assert control.request("stats.show")["control"]["captures"] == 0


def test_who_may_only_look_may_not_capture(switch, pair):
    with monitor_of(switch) as monitor:
        assert monitor.refusal("capture", port="uml1").code == "read-only"


def test_an_argument_that_is_missing_is_named(switch):
    with control_of(switch) as control, pytest.raises(Refused, match="port"):
        control.request("capture")


# Other people's opinion ------------------------------------------------------

def test_capinfos_finds_everything_in_order(switch, pair, tmp_path):
    a, b = pair
    with Capture(switch, "uml1") as capture:
        pass_on(a, b, *[to_b(number) for number in range(100)])
        pass_on(b, a, *[to_a(number) for number in range(23)])
        file = capture.end()
    found = capinfos(file.save(tmp_path / "pcapng"))
    assert found["Number of packets"] == "123"
    assert found["File encapsulation"] == "ether"
    assert found["Number of interfaces in file"] == "1"
    assert found["Name"] == "uml1"
    assert found["Number of stat entries"] == "1"
    assert found["Strict time order"] == "True"
    assert found["Capture application"].startswith("ringswitch")


def test_statistics_of_every_interface_end_the_file(switch, pair):
    a, b = pair
    with Capture(switch, "all") as capture:
        pass_on(a, b, *[to_b(number) for number in range(10)])
        file = capture.end()
    assert sorted(s.port for s in file.statistics) == ["uml1", "uml2"]
    for port in "uml1", "uml2":
        statistics = file.statistics_of(port)
        assert (statistics.received, statistics.dropped) == (10, 0)
        assert statistics.time_ns >= file.packets[-1].time_ns


def test_a_capture_of_nothing_is_a_file(switch, pair, tmp_path):
    with Capture(switch, "uml1") as capture:
        file = capture.end()
    assert file.packets == []
    found = capinfos(file.save(tmp_path / "pcapng"))
    assert found["Number of packets"] == "0"
