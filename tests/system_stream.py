"""Ports of kind stream: QEMU's framing, four bytes of length and a frame.

     kernel -- tap -- QEMU --\\
     kernel -- tap -- QEMU ---+-- stream:PATH -- ringswitch
     a PC that netboots ------+
     clients -----------------/
"""

import contextlib
import os
import random
import socket
import struct

import pytest

import lab
from lab_clients import (StreamClient, attached, connected, reach,
                         receive_when_full)
from lab_peers import (Passt, QemuBridge, QemuNetboot, socket_netdev,
                       stream_netdev)

HEADER_BYTES = 4


@pytest.fixture
def switch(tmp_path):
    """A switch with a stream listener at .path, and a uml one."""
    with listening(tmp_path) as running:
        yield running
        if running.process.poll() is None:
            lab.assert_books_balance(running.stats())


def listening(tmp_path, options="", *words, **more):
    path = tmp_path / "stream"
    running = lab.Switch("--listen", f"stream:{path}{options}", *words,
                         workdir=tmp_path, **more)
    running.path = path
    return running


@pytest.fixture
def pair(switch, cleanup):
    """A stream client, and a guest's client that sees what it sends."""
    return cleanup.enter_context(attached(
        switch, StreamClient(switch.path), lab.Client(switch.socket)))


def two(switch):
    """Two stream clients."""
    return attached(switch, StreamClient(switch.path),
                    StreamClient(switch.path))


def numbered(count, sizes=lambda n: 60, first=0):
    return [lab.frame(lab.BROADCAST, lab.mac(1), n.to_bytes(4, "big"),
                      size=sizes(n)) for n in range(first, first + count)]


# Reading ---------------------------------------------------------------------

@pytest.mark.parametrize("size", [14, 60, 1514, 1518])
def test_frames_arrive_as_they_were_sent(switch, pair, size):
    a, _ = pair
    frame = lab.frame(
        lab.BROADCAST, lab.mac(1), size=size,
        ethertype=0x8100 if size == 1518 else lab.ETHERTYPE)
    with StreamClient(switch.path) as b:
        switch.wait_ports(3)
        for sender, receiver in ((a, b), (b, a)):
            sender.send(frame)
            assert receiver.recv() == frame


def test_frames_cut_at_any_byte_are_put_together(switch, pair):
    """Two writes, with a round trip in between that proves the first read."""
    a, b = pair
    with lab.Client(switch.socket) as c:
        for cut in range(1, HEADER_BYTES + 60):
            frame = numbered(1, first=cut)[0]
            data = a.packed(frame)
            a.send_bytes(data[:cut])
            reach(c, b, 3)
            a.send_bytes(data[cut:])
            assert b.recv() == frame


def test_a_frame_in_single_bytes_is_put_together(switch, pair):
    a, b = pair
    frame = numbered(1)[0]
    for byte in a.packed(frame):
        a.send_bytes(bytes([byte]))
    assert b.recv() == frame


def test_frames_written_together_are_told_apart_at_any_byte(switch, pair):
    """Three frames in two writes that meet anywhere."""
    a, b = pair
    for cut in range(0, 3 * 64, 5):
        frames = numbered(3, first=cut * 3)
        data = a.packed(*frames)
        a.send_bytes(data[:cut])
        a.send_bytes(data[cut:])
        assert [b.recv() for _ in frames] == frames


def test_random_pieces_of_random_frames_arrive_whole(switch):
    pieces = random.Random(3)
    frames = numbered(4000, lambda n: pieces.randint(18, 1514))
    data = memoryview(StreamClient.packed(*frames))
    with two(switch) as (a, b):
        reach(b, a)
        a.socket.setblocking(False)
        received = []
        while data:
            size = pieces.choice((1, 3, 4, 100, 1518, 9000, 60000))
            try:
                data = data[a.socket.send(data[:size]):]
            except BlockingIOError:
                received += b.drain()
        while len(received) < len(frames):
            received.append(b.recv())
        assert received == frames


@pytest.mark.parametrize("length", [70000, 0x7fffffff, 0x80000000,
                                    0xffffffff])
def test_a_bad_length_closes_that_port_only(switch, pair, length):
    a, b = pair
    with StreamClient(switch.path) as bad:
        bad.send_bytes(struct.pack(">I", length) + bytes(60))
        assert bad.closed_by_switch(lab.STEP_S)
    reach(a, b)
    assert "a frame longer than" in switch.log.read_text()


@pytest.mark.parametrize("length", [0, 1, 13])
def test_a_runt_is_counted_and_the_stream_goes_on(switch, pair, length):
    a, b = pair
    a.send(bytes(length))
    reach(a, b)
    assert switch.stats()["stream1"]["drop.runt"] == 1


def test_a_frame_too_long_to_take_is_skipped_and_counted(switch, pair):
    """QEMU may send up to 68 KiB; the stream goes on behind it."""
    a, b = pair
    for size in 3000, 20000, 65000:
        a.send(bytes(size))
        reach(a, b)
    assert switch.stats()["stream1"]["drop.rx_too_long"] == 3
    assert switch.stats()["uml2"]["sent"] == 3


def test_a_stream_that_ends_within_a_frame_leaves_nothing(switch, pair):
    a, b = pair
    before = lab.open_files(switch.pid)
    for cut in 1, 3, 4, 30:
        with StreamClient(switch.path) as brief:
            reach(brief, b)
            brief.send_bytes(brief.packed(numbered(1)[0])[:cut])
    lab.wait_until(lambda: lab.open_files(switch.pid) == before,
                   "the descriptors to close")
    last = reach(a, b)
    assert b.drain() == [] and last


# Writing ---------------------------------------------------------------------

@pytest.mark.parametrize("mtu", [1500, 9000])
def test_a_client_that_does_not_read_gets_whole_frames_when_it_does(mtu,
                                                                    tmp_path):
    """Whatever was dropped meanwhile: what was begun is finished first.

    The kernel takes up to 36 KiB whole or not at all; of a batch of long
    frames it takes a part.
    """
    sizes = random.Random(4)
    with listening(tmp_path, f",mtu={mtu}") as switch, two(switch) as (a, b):
        reach(b, a)
        frames = numbered(1500, lambda n: sizes.randint(60, mtu + 14))
        for frame in frames:
            a.send(frame)
        switch.wait_stats(
            lambda stats: stats["stream1"]["received"] == len(frames)
            and stats["stream2"]["undelivered"] > 0,
            "the switch to take everything and drop some")
        last = lab.frame(lab.BROADCAST, lab.mac(1), b"last", size=60)
        received = b.drain()
        a.send(last)
        received += b.recv_until(last)
        places = [frames.index(frame) for frame in received]
        assert places == sorted(set(places)) and len(places) > 10
        lab.assert_books_balance(switch.stats())


def test_a_client_that_reads_byte_by_byte_gets_every_frame(switch):
    with two(switch) as (a, b):
        frames = numbered(20)
        for frame in frames:
            a.send(frame)
        want = b.packed(*frames)
        got = b"".join(b.socket.recv(1) for _ in range(len(want)))
        assert got == want


def test_frames_stay_in_order_and_none_is_lost_however_fast_they_come(switch):
    with two(switch) as (a, b):
        reach(b, a)
        frames = numbered(4000, lambda n: 1514)
        assert receive_when_full(a, b, frames) == frames
        assert switch.stats()["stream2"]["undelivered"] == 0


def test_jumbo_frames_pass_where_the_mtu_says_so(tmp_path):
    """And are counted where it does not, of the same kind or another."""
    path = tmp_path / "plain"
    with listening(tmp_path, ",mtu=9000,name=jumbo", "--listen",
                   f"stream:{path},name=plain") as switch, \
            attached(switch, StreamClient(switch.path),
                     StreamClient(switch.path), StreamClient(path),
                     lab.Client(switch.socket)) as (a, b, c, d):
        long = lab.frame(lab.BROADCAST, lab.mac(1), size=9014)
        a.send(long)
        assert b.recv() == long
        last = reach(a, b)
        assert c.recv_until(last) == d.recv_until(last) == []
        stats = switch.stats()
        assert stats["jumbo"]["dropped"] == 0
        assert stats["plain"]["drop.too_long"] == 1
        assert [port["drop.too_long"] for port in stats.values()
                if port.get("kind") == "uml"] == [1]
        lab.assert_books_balance(stats)


# Names, and what is left behind ----------------------------------------------

def test_a_named_port_gets_its_counters_back(tmp_path):
    with listening(tmp_path, ",name=vm") as switch, \
            lab.Client(switch.socket) as b:
        with StreamClient(switch.path) as a:
            reach(a, b)
            assert switch.stats()["vm"]["received"] == 1
        switch.wait_stats(lambda stats: "vm" not in stats, "the port to go")
        with StreamClient(switch.path) as a:
            reach(a, b)
            assert switch.stats()["vm"]["received"] == 2
            lab.assert_books_balance(switch.stats())


def test_the_socket_goes_with_the_switch_and_a_dead_one_is_replaced(tmp_path):
    with listening(tmp_path) as switch:
        switch.kill()
        assert switch.path.exists()
    with listening(tmp_path, name="again") as switch:
        with two(switch) as (a, b):
            reach(a, b)
        assert switch.stop() == 0
        assert not switch.path.exists()


# QEMU ------------------------------------------------------------------------

def test_two_qemus_reach_each_other_also_after_the_switch_was_restarted(
        tmp_path, tap_device):
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(listening(tmp_path))
        vms = [stack.enter_context(QemuBridge(
            f"vm{n}", stream_netdev(switch.path), tmp_path, f"10.0.0.{n}/24"))
            for n in (1, 2)]
        wait_for_streams(switch, 2)
        assert vms[0].pings("10.0.0.2") and vms[1].pings("10.0.0.1")

        assert switch.stop() == 0
        again = stack.enter_context(listening(tmp_path, name="again"))
        for vm in vms:
            vm.attach_again()
        wait_for_streams(again, 2)
        assert vms[0].pings("10.0.0.2") and vms[1].pings("10.0.0.1")

        (tmp_path / "sent").write_bytes(os.urandom(3 << 20))
        vms[0].serve_files(tmp_path)
        vms[1].check("wget -q -O received http://10.0.0.1:8000/sent")
        assert (vms[1].workdir / "received").read_bytes() \
            == (tmp_path / "sent").read_bytes()
        lab.assert_books_balance(again.stats())


def test_a_qemu_that_was_given_a_connection_is_served(switch, tmp_path,
                                                      tap_device):
    """Its older way, -netdev socket, in which others connect for it."""
    with connected(socket.SOCK_STREAM, switch.path) as connection, \
            lab.Client(switch.socket) as guest, \
            QemuBridge("vm1", socket_netdev(connection), tmp_path,
                       "10.0.0.1/24", pass_fds=[connection.fileno()]) as vm:
        switch.wait_ports(2)
        vm.run("ping -c 1 -W 1 10.0.0.9")
        arp = guest.recv()
        assert arp[12:14] == b"\x08\x06"


def wait_for_streams(switch, count):
    switch.wait_stats(lambda stats: sum(name.startswith("stream")
                                        for name in stats) == count,
                      f"{count} stream ports")


DHCP_COOKIE = bytes.fromhex("63825363")
DHCP_TYPE, DHCP_ADDRESS = 53, 50
DHCP_REQUEST = b"\3"


def dhcp_options(frame):
    """{number: bytes} of a frame with DHCP in it, else {}."""
    _, _, rest = frame.partition(DHCP_COOKIE)
    options = {}
    while len(rest) > 1 and rest[0] != 255:
        options[rest[0]] = rest[2:2 + rest[1]]
        rest = rest[2 + rest[1]:]
    return options


def test_a_machine_that_netboots_gets_an_address_from_passt(tmp_path):
    """QEMU's ROM and passt talk DHCP by way of the switch; a third port sees
    what is broadcast."""
    with contextlib.ExitStack() as stack:
        passt = stack.enter_context(Passt(tmp_path / "passt.socket", tmp_path,
                                          "10.0.0.77", "10.0.0.254"))
        switch = stack.enter_context(listening(
            tmp_path, "", "--port", f"connect-stream:{passt.path}"))
        witness = stack.enter_context(lab.Client(switch.socket))
        stack.enter_context(QemuNetboot(stream_netdev(switch.path),
                                        lab.mac(7), tmp_path))

        def told():
            options = dhcp_options(witness.recv(0) or b"")
            if options.get(DHCP_TYPE) == DHCP_REQUEST:
                return options
            return None

        request = lab.wait_until(told, "the ROM to ask for its address")
        assert request[DHCP_ADDRESS] == socket.inet_aton("10.0.0.77")
