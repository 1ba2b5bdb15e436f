"""Captures of ports of every kind, and of frames of every size.

     uml  vde  bess  stream  dgram  tap  connect-bess  connect-stream  fd
      |    |    |      |       |     |        |              |          |
      +----+----+------+-------+-- ringswitch +--------------+----------+
"""

import contextlib
import socket

import pytest

import lab
from lab_capture import Capture, assert_tshark_agrees, counters
from lab_clients import (BessClient, BessServer, DgramClient, StreamClient,
                         StreamServer, VdeClient, attached, reach)

A, B = lab.mac(1), lab.mac(2)


class EveryKind:
    """A switch with one port of each kind: .ends is {port: its other end}."""

    def __init__(self, path, enter):
        bess = enter(BessServer(path / "bess-server"))
        stream = enter(StreamServer(path / "stream-server"))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.switch = enter(lab.Switch(
                "--listen", f"uml:{path}/uml,name=uml",
                "--listen", f"vde:{path}/vde,name=vde",
                "--listen", f"bess:{path}/bess,name=bess",
                "--listen", f"stream:{path}/stream,name=stream",
                "--port", f"dgram:{path}/sw,remote={path}/vm,name=dgram",
                "--port", f"connect-bess:{bess.path},name=to-bess",
                "--port", f"connect-stream:{stream.path},name=to-stream",
                "--port", f"fd:{theirs.fileno()},name=fd",
                "--tap", "tap0", workdir=path, pass_fds=[theirs.fileno()]))
        self.ends = {
            "dgram": enter(DgramClient(path / "vm", path / "sw")),
            "to-bess": enter(bess.accept()),
            "to-stream": enter(stream.accept()),
            "fd": enter(BessClient(connection=ours)),
            "tap0": enter(lab.HostSide("tap0")),
            "uml": enter(lab.Client(path / "uml")),
            "vde": enter(VdeClient(path / "vde")),
            "bess": enter(BessClient(path / "bess")),
            "stream": enter(StreamClient(path / "stream")),
        }
        self.switch.wait_ports(len(self.ends))

    def say(self, speaker, number):
        """A frame from @speaker to everybody, when everybody has it."""
        frame = lab.frame(lab.BROADCAST, lab.mac(number), b"hello", 60)
        self.ends[speaker].send(frame)
        for port, end in self.ends.items():
            if port != speaker:
                end.recv_until(frame)
        return frame


@pytest.fixture
def every_kind(tap_device, tmp_path):
    with contextlib.ExitStack() as stack:
        yield EveryKind(tmp_path, stack.enter_context)


def test_ports_of_every_kind_are_captured_at_once(every_kind, tmp_path):
    ports = sorted(every_kind.ends)
    with Capture(every_kind.switch, "all",
                 expression=f"ether proto {lab.ETHERTYPE}") as capture:
        said = {port: every_kind.say(port, number)
                for number, port in enumerate(ports, 1)}
        file = capture.end()
    counters(every_kind.switch)
    assert sorted(i.name for i in file.interfaces) == ports
    for port in ports:
        assert file.frames(port, "in") == [said[port]]
        assert file.frames(port, "out") == [said[other] for other in ports
                                            if other != port]
    assert_tshark_agrees(file, file.save(tmp_path / "pcapng"))


def test_a_port_of_every_kind_is_captured_alone(every_kind):
    ports = sorted(every_kind.ends)
    with contextlib.ExitStack() as stack:
        captures = {port: stack.enter_context(Capture(
            every_kind.switch, port,
            expression=f"ether proto {lab.ETHERTYPE}")) for port in ports}
        said = [every_kind.say(port, number)
                for number, port in enumerate(ports, 1)]
        for port, capture in captures.items():
            file = capture.end()
            assert file.frames() == said
            assert {p.port for p in file.packets} == {port}
            assert [p.direction for p in file.packets] == [
                "in" if other == port else "out" for other in ports]


# Sizes -----------------------------------------------------------------------

@pytest.mark.parametrize("kind, client", [("bess", BessClient),
                                          ("stream", StreamClient)])
def test_big_frames_are_captured_whole(tmp_path, kind, client):
    path = tmp_path / kind
    with lab.Switch("--listen", f"{kind}:{path},mtu=65535",
                    workdir=tmp_path) as switch, \
            attached(switch, client(path), client(path)) as (a, b):
        frames = [lab.frame(lab.BROADCAST, A, size=size)
                  for size in (9000, 9014, 65535, 65549)]
        with Capture(switch, f"{kind}1") as capture:
            for frame in frames:
                a.send(frame)
                b.recv_until(frame)
            file = capture.end()
        counters(switch)
    assert file.frames() == frames
    assert_tshark_agrees(file, file.save(tmp_path / "pcapng"))


@pytest.mark.parametrize("buffer", [1 << 16, 1 << 17])
def test_a_buffer_takes_the_biggest_frame_or_counts_it(tmp_path, buffer):
    path = tmp_path / "bess"
    big = lab.frame(lab.BROADCAST, A, size=65549)
    with lab.Switch("--listen", f"bess:{path},mtu=65535",
                    workdir=tmp_path) as switch, \
            attached(switch, BessClient(path), BessClient(path)) as (a, b):
        with Capture(switch, "bess1", buffer=buffer) as capture:
            for _ in range(10):
                a.send(big)
                b.recv_until(big)
                reach(a, b)
            file = capture.end()
    statistics = file.statistics_of("bess1")
    assert statistics.received == 20
    assert len(file.packets) == 20 - statistics.dropped
    assert all(p.data == big for p in file.packets if p.bytes > 60)


def tagged(vlan, payload, size=64):
    tag = vlan.to_bytes(2, "big") + lab.ETHERTYPE.to_bytes(2, "big")
    return lab.frame(lab.BROADCAST, A, tag + payload, size, ethertype=0x8100)


def test_tags_are_captured_and_expressions_see_them(switch, cleanup):
    a, b = [cleanup.enter_context(lab.Client(switch.socket)) for _ in range(2)]
    frames = [tagged(7, b"seven"), lab.frame(lab.BROADCAST, A, b"none", 60),
              tagged(8, b"eight", 1518)]
    with Capture(switch, "uml1") as every, \
            Capture(switch, "uml1", expression="vlan 7") as seven, \
            Capture(switch, "uml1", expression="vlan") as vlans:
        for frame in frames:
            a.send(frame)
            assert b.recv() == frame
        assert every.end().frames() == frames
        assert seven.end().frames() == frames[:1]
        assert vlans.end().frames() == [frames[0], frames[2]]
    counters(switch)
