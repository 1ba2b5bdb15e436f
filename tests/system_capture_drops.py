"""Captures of frames that the switch has dropped: where, whole, and why.

     a (uml1) --+
     b (uml2) --+-- ringswitch -- a capture of "all"
     tap0 ------+

A frame that is dropped as its sender's is an "in" of the sender's port, a copy
that its receiver does not get an "out" of the receiver's. The comment is the
reason. One test a reason; what all have in common is in Dropped.
"""

import pytest

import lab
from lab_capture import (Capture, acquainted, assert_tshark_agrees,
                         counters)
from lab_clients import BessClient, attached, reach
from lab_control import control_of
from lab_schema import RECEIVER_DROPS, SENDER_DROPS

A, B, C = lab.mac(1), lab.mac(2), lab.mac(3)


def hello(payload, size=60, src=A, dst=lab.BROADCAST):
    return lab.frame(dst, src, payload, size)


class Dropped:
    """A switch, a control connection to it, and a capture of all its ports.

    assert_dropped() ends the capture: every frame that was dropped at @port
    for @reason is in it, and in the port's counters.
    """

    def __init__(self, switch, cleanup, tmp_path):
        self.switch, self.cleanup, self.tmp_path = switch, cleanup, tmp_path
        self.enter = cleanup.enter_context
        self.control = self.enter(control_of(switch))

    def clients(self, count):
        """Clients that know each other, with the addresses 1 to @count."""
        return acquainted(self.switch, self.cleanup, count)

    def capture(self, **arguments):
        self.before = self.drops()
        self.captured = self.enter(Capture(self.switch, "all", **arguments))

    def drops(self):
        return {name: port["drops"]
                for name, port in counters(self.switch).items()}

    def counted(self, port, reason):
        """Frames dropped at @port for @reason since the capture began."""
        return self.drops()[port][reason] - self.before[port][reason]

    def wait_dropped(self, port, reason, frames=1):
        lab.wait_until(lambda: self.counted(port, reason) >= frames,
                       f"{port} to drop {frames} frames as {reason}")

    def assert_dropped(self, port, reason, *frames):
        """@frames, and nothing else, were dropped."""
        self.wait_dropped(port, reason, len(frames))
        assert self.counted(port, reason) == len(frames)
        file = self.captured.end()
        direction = "in" if reason in SENDER_DROPS else "out"
        assert [(p.port, p.direction, p.comment, p.data)
                for p in file.dropped()] == [
            (port, direction, f"dropped: {reason}", f) for f in frames]
        assert_tshark_agrees(file, file.save(self.tmp_path / "pcapng"))
        return file


@pytest.fixture
def dropped(switch, cleanup, tmp_path):
    yield Dropped(switch, cleanup, tmp_path)
    counters(switch)


# The sender's ----------------------------------------------------------------

def test_runt(dropped):
    a, _ = dropped.clients(2)
    dropped.capture()
    a.send(b"short")
    a.send(hello(b"")[:13])
    dropped.assert_dropped("uml1", "runt", b"short", hello(b"")[:13])


def test_rx_too_long(dropped):
    """What did not fit into the switch's buffer is not there, but the frame's
    length is."""
    a, b = dropped.clients(2)
    long, last = hello(b"long", 9000), hello(b"last")
    dropped.capture()
    a.send(long)
    a.send(last)
    b.recv_until(last)
    file = dropped.captured.end()
    packet, = file.dropped()
    assert (packet.port, packet.direction, packet.reason) == (
        "uml1", "in", "rx_too_long")
    assert packet.bytes == 9000
    assert 1500 < len(packet.data) < 9000
    assert long.startswith(packet.data)
    assert_tshark_agrees(file, file.save(dropped.tmp_path / "pcapng"))


def test_same_port(dropped):
    a, _ = dropped.clients(2)
    frame = hello(b"to myself", dst=A, src=C)
    dropped.capture()
    a.send(frame)
    dropped.assert_dropped("uml1", "same_port", frame)


def test_no_port(dropped):
    a, = dropped.clients(1)
    dropped.capture()
    a.send(hello(b"anybody?"))
    dropped.assert_dropped("uml1", "no_port", hello(b"anybody?"))


def test_isolated(dropped):
    a, b = dropped.clients(2)
    for port in "uml1", "uml2":
        dropped.control.set(port, isolated=True)
    dropped.capture()
    a.send(hello(b"hello?", dst=B))
    b.send(hello(b"hello?", src=B))
    dropped.wait_dropped("uml2", "isolated")
    dropped.wait_dropped("uml1", "isolated")
    file = dropped.captured.end()
    assert sorted((p.port, p.direction, p.comment) for p in file.packets) == [
        ("uml1", "in", "dropped: isolated"),
        ("uml2", "in", "dropped: isolated")]


def test_locked(dropped):
    a, b = dropped.clients(2)
    dropped.control.request("mac.flush")
    dropped.control.set("uml1", locked=True)
    dropped.control.request("mac.add", address=A, port="uml1")
    dropped.capture()
    a.send(hello(b"wrong", src=C))
    a.send(hello(b"right"))
    b.recv_until(hello(b"right"))
    dropped.assert_dropped("uml1", "locked", hello(b"wrong", src=C))


def test_mac_limit(dropped):
    a, b = dropped.clients(2)
    dropped.control.set("uml1", mac_limit=1)
    dropped.capture()
    a.send(hello(b"second", src=C))
    a.send(hello(b"first"))
    b.recv_until(hello(b"first"))
    dropped.assert_dropped("uml1", "mac_limit", hello(b"second", src=C))


def test_spoofed(dropped):
    a, b = dropped.clients(2)
    dropped.control.set("uml1", no_spoof=True)
    dropped.capture()
    a.send(hello(b"spoofed", src=lab.BROADCAST))
    a.send(hello(b"first"))
    b.recv_until(hello(b"first"))
    dropped.assert_dropped("uml1", "spoofed",
                           hello(b"spoofed", src=lab.BROADCAST))


def storm(dropped, kind, reason, dst):
    """The sixth frame at once is one too many."""
    a, _ = dropped.clients(2)
    dropped.control.set("uml1", **{f"storm_{kind}": 1})
    before = dropped.control.counters("uml1")["received"]
    for _ in range(5):
        a.send(lab.frame(dst, A, b"allowed", size=60))
    dropped.control.wait(lambda control: control.counters("uml1")["received"]
                         == before + 5, "five frames")
    dropped.capture()
    frame = lab.frame(dst, A, b"one too many", size=60)
    a.send(frame)
    dropped.assert_dropped("uml1", reason, frame)


def test_storm_bcast(dropped):
    storm(dropped, "broadcast", "storm_bcast", lab.BROADCAST)


def test_storm_mcast(dropped):
    storm(dropped, "multicast", "storm_mcast", "01:00:5e:00:00:01")


def test_storm_unknown(dropped):
    storm(dropped, "unknown", "storm_unknown", lab.mac(99))


def test_admin_down(dropped):
    a, _ = dropped.clients(2)
    dropped.capture()
    dropped.control.request("port.down", port="uml1")
    a.send(hello(b"hello?"))
    dropped.assert_dropped("uml1", "admin_down", hello(b"hello?"))


def test_filter(tap_device, tmp_path, cleanup):
    rules = tmp_path / "rules"
    rules.write_text("drop to-guests dst-port 80\n")
    switch = cleanup.enter_context(lab.Switch(
        "--tap", f"tap0,accept-to-guests=ether proto {lab.ETHERTYPE},"
        f"rules={rules}", workdir=tmp_path))
    dropped = Dropped(switch, cleanup, tmp_path)
    host = cleanup.enter_context(lab.HostSide("tap0"))
    client, = dropped.clients(1)
    reach(host, client, 2)
    refused = lab.frame(lab.BROADCAST, B, b"other", 60, ethertype=0x9000)
    dropped.capture(expression="ether proto 0x9000")
    host.send(refused)
    dropped.assert_dropped("tap0", "filter", refused)


# The receiver's --------------------------------------------------------------

def test_queue_full(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"uml:{tmp_path}/short,name=short,queue=16",
        workdir=tmp_path))
    dropped = Dropped(switch, cleanup, tmp_path)
    a, _ = dropped.clients(2)
    cleanup.enter_context(lab.Client(tmp_path / "short"))
    dropped.capture()
    frames = [hello(b"%03d" % number) for number in range(60)]
    for frame in frames:
        a.send(frame)
    dropped.wait_dropped("short", "queue_full", 60 - 16 - 20)
    lab.wait_until(lambda: counters(switch, "uml1")[0]["received"] >= 60,
                   "all frames")
    expected = dropped.counted("short", "queue_full")
    file = dropped.captured.end()
    full = [p for p in file.dropped("queue_full") if p.port == "short"]
    assert len(full) == expected
    assert all(p.direction == "out" and p.data in frames for p in full)
    # Which of them: the last to come.
    assert full[-1].data == frames[-1]


def test_stalled(dropped):
    """Its queue, when it is given up, and what is sent to it from then on."""
    a, b, dead = dropped.clients(3)
    dropped.capture()
    sent = 0
    while not dropped.counted("uml3", "stalled"):
        for _ in range(32):
            sent += 1
            frame = hello(b"%06d" % sent)
            a.send(frame)
            b.recv_until(frame)
    to_dead = hello(b"to the dead", dst=C)
    a.send(to_dead)
    a.send(hello(b"last"))
    b.recv_until(hello(b"last"))
    file = dropped.captured.end()
    stalled = file.dropped("stalled")
    assert {(p.port, p.direction) for p in stalled} == {("uml3", "out")}
    assert to_dead in [p.data for p in stalled]
    # Floods pass a stalled port by without touching it: counted only.
    assert 0 < len(stalled) <= dropped.counted("uml3", "stalled")
    assert len(file.frames("uml2", "out")) == sent + 1


def test_too_long(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/jumbo,mtu=9000", workdir=tmp_path))
    dropped = Dropped(switch, cleanup, tmp_path)
    dropped.clients(1)
    big, = cleanup.enter_context(attached(
        switch, BessClient(tmp_path / "jumbo"), besides=1))
    dropped.capture()
    big.send(hello(b"big", 9000))
    dropped.assert_dropped("uml1", "too_long", hello(b"big", 9000))


def test_link_down(tap_device, tmp_path, cleanup):
    tap = cleanup.enter_context(lab.Tap("tap0"))
    switch = cleanup.enter_context(lab.Switch("--tap", "tap0",
                                              workdir=tmp_path))
    dropped = Dropped(switch, cleanup, tmp_path)
    a, = dropped.clients(1)
    dropped.capture(expression=f"ether proto {lab.ETHERTYPE}")
    tap.set("down")
    dropped.control.wait(lambda c: c.port("tap0")["state"] == "down",
                         "the switch to notice")
    a.send(hello(b"hello?"))
    dropped.assert_dropped("tap0", "link_down", hello(b"hello?"))


def test_send_error(switch, cleanup, tmp_path):
    """A guest that has connected its socket to somebody else takes nothing."""
    dropped = Dropped(switch, cleanup, tmp_path)
    a, elsewhere, other = dropped.clients(3)
    dropped.capture()
    elsewhere.data.connect(other.name)
    frame = hello(b"are you there?", dst=B)
    a.send(frame)
    assert elsewhere.closed_by_switch(lab.STEP_S)
    file = dropped.captured.end()
    assert [(p.port, p.direction, p.comment, p.data)
            for p in file.dropped()] == [
        ("uml2", "out", "dropped: send_error", frame)]


def test_port_closed(dropped):
    """What waits for a guest when it goes."""
    a, b = dropped.clients(2)
    dropped.capture()
    frames = [hello(b"%03d" % number, dst=B) for number in range(40)]
    for frame in frames:
        a.send(frame)
    lab.wait_until(lambda: counters(dropped.switch, "uml2")[0]["queued"],
                   "a queue")
    b.control.close()
    dropped.control.wait_ports(1)
    file = dropped.captured.end()
    gone = file.dropped()
    assert gone
    assert {(p.port, p.direction, p.reason) for p in gone} == {
        ("uml2", "out", "port_closed")}
    # Every frame was either sent or is among those that waited, in order.
    assert file.frames("uml2", "out") + [p.data for p in gone] == frames


def test_there_is_a_test_for_every_reason():
    # Whoever captured went with the switch that crashed.
    for reason in set(SENDER_DROPS + RECEIVER_DROPS) - {"crash",
                                                        "crash_queued"}:
        assert f"test_{reason}" in globals()


# Without them ----------------------------------------------------------------

def test_who_does_not_want_dropped_frames_does_not_get_them(dropped):
    a, b = dropped.clients(2)
    dropped.capture(drops=False)
    a.send(b"short")
    a.send(hello(b"last"))
    b.recv_until(hello(b"last"))
    file = dropped.captured.end()
    assert dropped.counted("uml1", "runt") == 1
    assert file.dropped() == []
    assert file.frames() == [hello(b"last")] * 2


def test_expressions_and_directions_hold_for_dropped_frames_too(dropped):
    a, b = dropped.clients(2)
    dropped.capture(expression="ether[14] = 0x77", direction="out")
    dropped.control.set("uml1", mac_limit=1)
    a.send(hello(b"w", src=C))
    a.send(hello(b"w"))
    a.send(hello(b"x"))
    b.recv_until(hello(b"x"))
    assert [(p.direction, p.data) for p in dropped.captured.end().packets] == [
        ("out", hello(b"w"))]
