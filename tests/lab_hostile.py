"""Everything that one who may reach the switch's sockets can think of.

    attack(place, spared, seed, tried, stop)   a process of its own, until stop

Each kind of attack is a function that makes one attempt and forgets it; what
the switch answers is of no interest here. @place has the switch's sockets:

    uml, vde, bess, stream    what --listen has
    control, monitor          the control sockets, metrics: HTTP

Whoever is being protected must not be spoken for: attackers send from
addresses that begin with 06, the flows of lab_flows.py with 02. And the data
address of a UML guest, whose socket is not connected, is open to everybody
without any switch: @spared are those that are left alone.
"""

import array
import contextlib
import json
import os
import random
import signal
import socket
import struct
import time

import lab
from lab_clients import vde_request

LONGEST = 70_000
KEPT_MOST = 60      # connections that an attacker holds open
BYTES = random.Random(1).randbytes(2 * LONGEST)
LENGTHS = (0, 1, 5, 13, 14, 15, 17, 18, 59, 60, 1514, 1515, 1518, 1519, 1526,
           1527, 2048, 2049, 4096, 65535, 65536, 65549, 65553, 69632, LONGEST)


class Attacker:
    """One who attacks: what is chosen, and what is held open."""

    def __init__(self, place, spared, seed):
        self.place = place
        self.spared = spared
        self.random = random.Random(seed)
        self.kept = []

    def connect(self, kind, path, keep=0.1):
        """A connection that does not wait; now and then it stays open."""
        connection = socket.socket(socket.AF_UNIX, kind)
        self.hold(connection, keep)
        connection.setblocking(False)
        connection.connect(str(path))
        return connection

    def hold(self, what, keep=0.0):
        if self.random.random() < keep or len(self.kept) < 4:
            self.kept.append(what)
        if len(self.kept) > KEPT_MOST:
            self.kept.pop(self.random.randrange(KEPT_MOST)).close()

    def length(self):
        choose = self.random.random()
        if choose < 0.3:
            return self.random.choice(LENGTHS)
        return self.random.randint(0, LONGEST if choose < 0.4 else 1600)

    def some(self, length):
        at = self.random.randrange(len(BYTES) - LONGEST)
        return BYTES[at:at + length]

    def frame(self, length=None):
        """A frame of any length; the addresses are right in most."""
        r = self.random
        src = r.choice((bytes([6]) + r.randbytes(5), bytes([6, 0, 0, 0, 0, 1]),
                        bytes(6), bytes([255] * 6), b"\x01\x80\xc2\0\0\0"))
        dst = r.choice((bytes([255] * 6), bytes([6]) + r.randbytes(5),
                        b"\x02\xf1\0\0\0" + bytes([r.randint(1, 4)]),
                        b"\x33\x33" + r.randbytes(4), b"\x01\x80\xc2\0\0\x0e"))
        ether = r.choice((b"\x08\0", b"\x81\0\0\1\x08\0", b"\x88\xa8\0\1\x81\0",
                          b"\0\x20", b"\x88\xb5"))
        length = self.length() if length is None else length
        return (dst + src + ether + self.some(length))[:length]

    def mutated(self, data):
        """@data with some of it changed, cut off, or behind it."""
        data = bytearray(data)
        for _ in range(self.random.choice((0, 1, 1, 3, 10))):
            if data:
                data[self.random.randrange(len(data))] = \
                    self.random.randrange(256)
        if self.random.random() < 0.3:
            del data[self.random.randrange(len(data) + 1):]
        if self.random.random() < 0.2:
            data += self.some(self.random.randrange(300))
        return bytes(data)

    def send_pieces(self, connection, data):
        """@data in one piece or in many."""
        step = self.random.choice((len(data) or 1, 1, 3, 50, 4096))
        for at in range(0, min(len(data), 200 * step), step):
            connection.send(data[at:at + step])

    def data_names(self):
        """Sockets of all who are there, as everybody can see them."""
        with open("/proc/net/unix", "rb") as table:
            names = [line.split()[-1] for line in table]
        names = [name.replace(b"@", b"\0")[:108] for name in names
                 if name[:1] in (b"@", b"/")]
        return [name for name in names if name not in self.spared] or [b"\0x"]

    def half_close(self, connection):
        if self.random.random() < 0.2:
            connection.shutdown(self.random.choice(
                (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR)))


# Guests of each kind ----------------------------------------------------------

def any_name(a, own):
    """What a join request calls its data socket: its own, or anything."""
    names = [own] * 6 + [
        b"\0", a.some(108), os.fsencode(a.place["uml"]),
        os.fsencode(a.place["control"]), b"/etc/passwd", b"/" * 108,
        b"../" * 30, b"\0" + b"x" * 107]
    if a.random.random() < 0.2:
        names += a.data_names()
    return lab.sockaddr_un(a.random.choice(names)[:108])


def join_uml(a):
    data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    a.hold(data, 0.1)
    own = lab.guest_like_name()
    data.bind(own)
    data.setblocking(False)
    request = a.random.choice((lab.request_v3, lab.request_v1))(
        any_name(a, own))
    if a.random.random() < 0.2:
        request = struct.pack("=II", lab.SWITCH_MAGIC,
                              a.random.randint(0, 5)) + request[8:]
    if a.random.random() < 0.4:
        request = a.mutated(request)
    connection = a.connect(socket.SOCK_STREAM, a.place["uml"])
    a.send_pieces(connection, request)
    a.half_close(connection)
    if a.random.random() < 0.5:
        speak(a, connection, data)


def speak(a, connection, data):
    """Frames to where the reply says, if there is one."""
    connection.settimeout(0.05)
    reply = connection.recv(4096)
    if len(reply) != lab.SOCKADDR_BYTES:
        return
    peer = reply[2:] if reply[2:3] == b"\0" else reply[2:].split(b"\0")[0]
    for _ in range(a.random.choice((1, 20))):
        data.sendto(a.frame(), peer)
    if a.random.random() < 0.3:
        a.random.choice((connection, data)).close()


def join_vde(a):
    directory = a.place["vde"]
    path = os.path.join(directory, f".{os.getpid():05}-{next(lab.numbers):05}")
    data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    a.hold(data, 0.1)
    data.bind(path)
    data.setblocking(False)
    try:
        request = vde_request(
            a.random.choice((path, path, path, "/etc/passwd", a.place["uml"],
                             directory, a.some(107))),
            a.random.choice((0, 0, 1, 7, 0xffffff)),
            a.random.choice(("", "qemu", "\n\"\\" * 20, "x" * 200)),
            a.random.choice((0, 0, 0, 1, 77)))
        if a.random.random() < 0.3:
            request = a.mutated(request)
        connection = a.connect(socket.SOCK_STREAM,
                               os.path.join(directory, "ctl"))
        a.send_pieces(connection, request)
        a.half_close(connection)
        if a.random.random() < 0.5:
            speak(a, connection, data)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def be_bess(a):
    connection = a.connect(socket.SOCK_SEQPACKET, a.place["bess"])
    for _ in range(a.random.choice((0, 1, 30))):
        connection.send(a.frame())
    a.half_close(connection)


def be_stream(a):
    connection = a.connect(socket.SOCK_STREAM, a.place["stream"])
    data = b""
    for _ in range(a.random.choice((1, 3, 20))):
        frame = a.frame()
        announced = a.random.choice(
            (len(frame),) * 8 + (0, 1, 13, 69632, 69633, 2**31, 2**32 - 1))
        data += struct.pack(">I", announced) + frame
    a.send_pieces(connection, a.mutated(data) if a.random.random() < .2
                  else data)
    a.half_close(connection)


# Those who are no guests ------------------------------------------------------

def be_stranger(a):
    """Datagrams to other people's data addresses, from nobody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data:
        data.setblocking(False)
        name = a.random.choice(a.data_names())
        for _ in range(5):
            data.sendto(a.frame(), name)


def knock(a):
    """Connect to the wrong or the right door, say nothing or nonsense."""
    kind = a.random.choice((socket.SOCK_STREAM, socket.SOCK_SEQPACKET,
                            socket.SOCK_DGRAM))
    door = a.random.choice([*a.place.values()])
    connection = a.connect(kind, door, keep=0.3)
    if a.random.random() < 0.5:
        connection.send(a.some(a.random.randint(0, 300)))


def hand_over(a):
    """Descriptors that nobody has asked for."""
    kind, door = a.random.choice((
        (socket.SOCK_STREAM, "uml"), (socket.SOCK_SEQPACKET, "bess"),
        (socket.SOCK_STREAM, "stream"), (socket.SOCK_STREAM, "monitor")))
    connection = a.connect(kind, a.place[door])
    rights = array.array("i", [connection.fileno()] * a.random.randint(1, 250))
    connection.sendmsg([a.frame(60)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                        rights.tobytes())])


COMMANDS = ("help", "stats.show", "port.show", "mac.show", "listener.show",
            "mirror.show", "filter.show", "config.show", "version",
            "capture.start", "monitor", "mac.flush")
VALUES = (0, -1, 1e308, 2**63, True, None, "", "uml1", "x" * 5000, [], {},
          [[[[]]]], {"a": {"b": []}}, "\0", "\u20ac", "no.such.command")


def anything(a):
    return a.random.choice(VALUES)


def request(a):
    """A request as it should be, almost, or not at all."""
    words = {"execute": a.random.choice(COMMANDS)}
    if a.random.random() < 0.7:
        words["arguments"] = {
            a.random.choice(("port", "name", "snaplen", "since", "x", "mac",
                             "vlan", "events", "buffer")): anything(a)
            for _ in range(a.random.randint(0, 4))}
    if a.random.random() < 0.3:
        words["id"] = anything(a)
    if a.random.random() < 0.1:
        words[a.random.choice(("execute", "arguments", "id"))] = anything(a)
    text = json.dumps(words).encode()
    if a.random.random() < 0.3:
        text = a.mutated(text)
    return a.random.choice((text,) * 12 + (
        b"[" * 60000, b'{"a":' * 10000, b"x" * 70000, b"\0" * 50,
        a.some(3000)))


def ask(a):
    """Requests; the answers are read, left, or not waited for."""
    door = a.random.choice(("control", "monitor", "monitor"))
    connection = a.connect(socket.SOCK_STREAM, a.place[door], keep=0.2)
    for _ in range(a.random.choice((1, 5, 50))):
        a.send_pieces(connection, request(a) + b"\n" * a.random.randint(0, 2))
    if a.random.random() < 0.3:
        connection.settimeout(0.05)
        connection.recv(1 << 16)
    a.half_close(connection)


def browse(a):
    if "metrics" not in a.place:
        return
    lines = a.random.choice((b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                             b"GET /words/uml1 HTTP/1.0\r\n\r\n",
                             b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n",
                             b"GET /" + b"a" * 9000, b"\r\n" * 50))
    connection = a.connect(socket.SOCK_STREAM, a.place["metrics"])
    a.send_pieces(connection, a.mutated(lines) if a.random.random() < .5
                  else lines)
    a.half_close(connection)


ATTACKS = (join_uml, join_vde, be_bess, be_stream, be_stranger, knock,
           hand_over, ask, browse)


def attack(place, spared, seed, tried, stop):
    """Until @stop is set; @tried[i] counts the attempts at ATTACKS[i].

    Attempts that fail are as good as others: the switch refuses, is not ready
    to take more, or has closed the connection.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    a = Attacker(place, spared, seed)
    while not stop.is_set():
        kind = a.random.randrange(len(ATTACKS))
        with contextlib.suppress(OSError):
            ATTACKS[kind](a)
        tried[kind] += 1
        # A pause now and then lets those that are protected be measured,
        # rather than the scheduler of a machine with few processors.
        if a.random.random() < 0.05:
            time.sleep(a.random.random() * 0.005)
        if a.random.random() < 0.01:
            while a.kept:
                a.kept.pop().close()
