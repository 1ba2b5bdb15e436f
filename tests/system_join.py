"""Joining: what guests say on the control socket, and what others may.

     a good client     anything at all
            \\               |
             +- ringswitch --+

Whatever is said, at the end of each test two good clients join and reach each
other: see still_serves().
"""

import contextlib
import errno
import os
import socket
import struct
import threading

import pytest

import lab

JOIN_TIMEOUT_S = 5
# How much later than at once, or than the time-out, a busy machine may be.
GRACE_S = 4


@pytest.fixture(autouse=True)
def still_serves(switch):
    """After every test: the switch still takes guests and serves them."""
    yield
    assert switch.process.poll() is None, switch.said()
    with lab.Client(switch.socket) as a, lab.Client(switch.socket) as b:
        frame = lab.frame(lab.BROADCAST, lab.mac(1), b"still here?", size=60)
        a.send(frame)
        b.recv_until(frame)


@pytest.fixture
def connection(switch, cleanup):
    """A connection to the control socket on which nothing was said yet."""
    return connect(switch, cleanup)


def connect(switch, cleanup):
    plain = cleanup.enter_context(
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    plain.settimeout(lab.STEP_S)
    plain.connect(switch.socket)
    return plain


@contextlib.contextmanager
def brief_connection(switch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(lab.STEP_S)
        connection.connect(switch.socket)
        yield connection


def lines_logged(switch):
    return len(switch.log.read_text().splitlines())


def refused(switch, connection, timeout=GRACE_S):
    """True if the connection ends within @timeout, with a line in the log."""
    return lab.ends(connection, timeout) and logs_reason(switch)


def logs_reason(switch):
    # The first line tells what the kernel can do; it was there before.
    lab.wait_until(lambda: lines_logged(switch) >= 2,
                   "a line in the log about the refused request")
    return True


def abstract_request():
    return lab.request_v3(lab.sockaddr_un(lab.guest_like_name()))


@pytest.mark.parametrize("request_of", [lab.request_v3, lab.request_v1],
                         ids=["v3", "v1"])
def test_a_request_gets_one_reply_of_110_bytes(switch, request_of):
    with lab.Client(switch.socket, request_of) as client:
        client.control.settimeout(0.2)
        with pytest.raises(socket.timeout):
            client.control.recv(1)
        with lab.Client(switch.socket) as other:
            frame = lab.frame(lab.BROADCAST, lab.mac(1), size=60)
            client.send(frame)
            assert other.recv() == frame


def test_a_request_that_comes_in_single_bytes_is_taken(switch, cleanup,
                                                       connection):
    data = cleanup.enter_context(
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    name = lab.guest_like_name()
    data.bind(name)
    for byte in lab.request_v3(lab.sockaddr_un(name)):
        connection.send(bytes([byte]))
    assert len(connection.recv(4096)) == lab.SOCKADDR_BYTES


def test_bytes_in_a_guests_name_beyond_pid_and_time_do_not_matter(switch,
                                                                  cleanup):
    """The guest's kernel leaves what it finds in memory there."""
    name = b"\0" + os.urandom(107)
    data = cleanup.enter_context(
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    data.bind(name)
    plain = connect(switch, cleanup)
    plain.send(lab.request_v3(lab.sockaddr_un(name)))
    assert len(plain.recv(4096)) == lab.SOCKADDR_BYTES
    with lab.Client(switch.socket) as other:
        frame = lab.frame(lab.BROADCAST, lab.mac(1), size=60)
        other.send(frame)
        data.settimeout(lab.STEP_S)
        assert data.recv(4096) == frame


V0 = struct.pack("=I6s110s", 0, bytes(6),
                 lab.sockaddr_un(lab.guest_like_name()))


def versioned(version):
    return struct.pack("=III110s2x", lab.SWITCH_MAGIC, version, 0,
                       lab.sockaddr_un(lab.guest_like_name()))


REFUSED_AT_ONCE = {
    "v0": V0,
    "v2": versioned(2),
    "v4": versioned(4),
    "v4 billion": versioned(0xffffffff),
    "another type": struct.pack("=III110s2x", lab.SWITCH_MAGIC, 3, 1,
                                lab.sockaddr_un(lab.guest_like_name())),
    "the wrong byte order": struct.pack(
        ">III110s2x", lab.SWITCH_MAGIC, 3, 0,
        lab.sockaddr_un(lab.guest_like_name())),
    "zeros": bytes(lab.REQUEST_BYTES),
    "random bytes": bytes(os.urandom(lab.REQUEST_BYTES)),
    "text": b"GET / HTTP/1.1\r\n" * 8,
    "one byte too many": abstract_request() + b"x",
    "far too long": abstract_request() * 100,
    "a megabyte": bytes(1 << 20),
}


@pytest.mark.parametrize("what", REFUSED_AT_ONCE)
def test_a_request_no_guest_makes_is_refused_at_once(switch, connection, what):
    # Refused so early that the rest may find nobody to take it.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(REFUSED_AT_ONCE[what])
    assert refused(switch, connection)


ADDRESSES = {
    "AF_INET": struct.pack("=HH4s100x", socket.AF_INET, 1234, b"\x7f\0\0\1"),
    "AF_UNSPEC": bytes(lab.SOCKADDR_BYTES),
    "family 65535": struct.pack("=H108s", 65535, lab.guest_like_name()),
    "unnamed": struct.pack("=H108x", socket.AF_UNIX),
    "nobody there, abstract": lab.sockaddr_un(lab.guest_like_name()),
    "nobody there, path": lab.sockaddr_un(b"/nonexistent/socket"),
    "a path without end": lab.sockaddr_un(b"/" + b"x" * 107),
    "a directory": lab.sockaddr_un(b"/"),
    "a device": lab.sockaddr_un(b"/dev/null"),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_cannot_be_reached_is_refused(switch, connection,
                                                      address):
    connection.sendall(lab.request_v3(ADDRESSES[address]))
    assert refused(switch, connection)


def test_the_control_socket_is_not_taken_for_a_guest(switch, connection):
    path = os.fsencode(switch.socket)
    connection.sendall(lab.request_v3(lab.sockaddr_un(path)))
    assert refused(switch, connection)


def test_a_port_of_the_switch_is_not_taken_for_a_guest(switch, connection):
    """Or the switch would send its frames to itself, round and round."""
    with lab.Client(switch.socket) as client:
        peer = client.peer
        connection.sendall(lab.request_v3(lab.sockaddr_un(peer)))
        assert refused(switch, connection)


def test_short_and_silent_connections_end_after_the_time_out(switch, cleanup):
    """All at once, because each takes its five seconds."""
    waiting = [connect(switch, cleanup) for _ in range(6)]
    request = abstract_request()
    for connection, size in zip(waiting, [0, 1, 4, 12, 119, 123]):
        if size:
            connection.sendall(request[:size])
    ended = [lab.ends(connection, JOIN_TIMEOUT_S + GRACE_S)
             for connection in waiting]
    assert all(ended)
    assert logs_reason(switch)


def test_two_hundred_silent_connections_do_not_keep_a_guest_out(
        switch, cleanup, initrd, tmp_path):
    silent = [connect(switch, cleanup) for _ in range(200)]
    with lab.Client(switch.socket) as client:
        frame = lab.frame(lab.BROADCAST, lab.mac(1), b"in", size=60)
        with lab.Client(switch.socket) as other:
            client.send(frame)
            other.recv_until(frame)
        guest = cleanup.enter_context(lab.Guest(
            "web1", switch.socket, ip="10.0.0.1", initrd=initrd,
            workdir=tmp_path))
        guest.check("ip link show eth0")
    for connection in silent:
        assert lab.ends(connection, JOIN_TIMEOUT_S + GRACE_S)


def test_clients_that_close_before_the_reply_hurt_nobody(switch):
    """A switch that writes to them without care dies of SIGPIPE."""
    for _ in range(200):
        with brief_connection(switch) as connection:
            connection.sendall(abstract_request())
        with brief_connection(switch):
            pass
    for _ in range(50):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data:
            name = lab.guest_like_name()
            data.bind(name)
            with brief_connection(switch) as connection:
                connection.sendall(lab.request_v3(lab.sockaddr_un(name)))
    # Everything they had is given back.
    stats = switch.wait_stats(lambda stats: set(stats) <= {"closed", "total",
                                                           "mac"},
                              "the ports of the gone clients to close")
    assert stats["mac"]["entries"] == 0


def test_what_is_said_after_joining_does_not_matter_to_others(switch):
    with lab.Client(switch.socket) as client, \
            contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client.control.sendall(os.urandom(100000))


def test_a_guest_that_hangs_up_only_its_writing_side_is_gone(switch):
    with lab.Client(switch.socket) as client:
        client.control.shutdown(socket.SHUT_WR)
        switch.wait_stats(lambda stats: "uml1" not in stats,
                          "the port to close")


def test_a_guest_whose_data_socket_is_gone_leaves_the_others_alone(switch):
    """Its control connection still stands, but frames have no place to go."""
    with lab.Client(switch.socket) as dead, lab.Client(switch.socket) as a, \
            lab.Client(switch.socket) as b:
        dead.data.close()
        for n in range(50):
            frame = lab.frame(lab.BROADCAST, lab.mac(1), b"%d" % n, size=60)
            a.send(frame)
            assert b.recv() == frame


def test_a_stranger_cannot_send_into_a_port(switch):
    """The kernel refuses everybody but the guest the port belongs to."""
    with lab.Client(switch.socket) as client, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        with pytest.raises(OSError) as refusal:
            stranger.sendto(lab.frame(lab.BROADCAST, lab.mac(1), size=60),
                            client.peer)
        assert refusal.value.errno == errno.EPERM
        # Nor may another guest of the same switch.
        with lab.Client(switch.socket) as other:
            with pytest.raises(PermissionError):
                other.data.sendto(bytes(60), client.peer)


def test_hundreds_of_clients_come_and_go_at_once(switch):
    errors = []

    def come_and_go():
        try:
            for _ in range(25):
                with lab.Client(switch.socket) as client:
                    client.send(lab.frame(lab.BROADCAST, lab.mac(1), size=60))
        except Exception as error:  # seen by the thread that asserts
            errors.append(error)

    crowd = [threading.Thread(target=come_and_go) for _ in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert errors == []
    switch.wait_stats(lambda stats: set(stats) == {"closed", "total", "mac"},
                      "all ports to close")
