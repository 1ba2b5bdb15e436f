"""Clients of every kind of port, without a guest: one class a kind.

    BessClient        SOCK_SEQPACKET, one message is one frame
    StreamClient      SOCK_STREAM, QEMU's four bytes of length before a frame
    DgramClient       SOCK_DGRAM, two paths, no handshake
    VdeClient         the VDE protocol: a port number and a description
    BessServer        the other side of connect-bess
    StreamServer      the other side of connect-stream

All have send(frame), recv(timeout), drain() and recv_until(frame), as
lab.Client has, the client of kind uml.
"""

import contextlib
import os
import select
import socket
import stat
import struct
import time

import lab

MESSAGE_BYTES = 1 << 17


def connected(kind, path, timeout=lab.STEP_S):
    """A UNIX socket of type @kind connected to @path."""
    connection = socket.socket(socket.AF_UNIX, kind)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def listening(kind, path, backlog=16):
    """A listening UNIX socket of type @kind at @path."""
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.settimeout(lab.STEP_S)
    listener.bind(str(path))
    listener.listen(backlog)
    return listener


class Messages(lab.Wire):
    """Frames as messages of self.socket."""

    def send(self, frame):
        """Send one frame; waits while the switch takes none."""
        self.socket.settimeout(lab.STEP_S)
        self._send(frame)

    def _send(self, frame):
        self.socket.send(frame)

    def try_send(self, frame):
        """send(), or False if that would have to wait."""
        self.socket.setblocking(False)
        try:
            self._send(frame)
        except BlockingIOError:
            return False
        return True

    def recv(self, timeout=lab.STEP_S):
        """The next frame, or None if none comes within @timeout."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(MESSAGE_BYTES)
        except (socket.timeout, BlockingIOError):
            return None

    def close(self):
        self.socket.close()


class BessClient(Messages):
    """What UML's vec0:transport=bess is to the switch; @src as there."""

    def __init__(self, path=None, src=None, connection=None):
        if connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            connection.settimeout(lab.STEP_S)
            if src:
                connection.bind(str(src))
            connection.connect(str(path))
        self.socket = connection

    def closed_by_switch(self, timeout):
        return lab.ends(self.socket, timeout)


class DgramClient(Messages):
    """QEMU's -netdev dgram: bound to @local, sends to @remote."""

    def __init__(self, local=None, remote=None, connection=None):
        self.local, self.remote = local, remote
        if connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(local)
            connection.bind(str(local))
        self.socket = connection

    def _send(self, frame):
        if self.remote:
            self.socket.sendto(frame, str(self.remote))
        else:
            self.socket.send(frame)

    def close(self):
        super().close()
        if self.local:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.local)


class StreamClient(lab.Wire):
    """QEMU's -netdev stream: four bytes of length, big-endian, and a frame."""

    def __init__(self, path=None, connection=None):
        self.socket = connection or connected(socket.SOCK_STREAM, path)
        self.received = b""
        self.unsent = b""

    @staticmethod
    def packed(*frames):
        return b"".join(struct.pack(">I", len(frame)) + frame
                        for frame in frames)

    def send(self, frame):
        self.send_bytes(self.packed(frame))

    def send_bytes(self, data):
        """Any bytes: half a length, three frames and a half."""
        self.socket.settimeout(lab.STEP_S)
        self.socket.sendall(self.unsent + data)
        self.unsent = b""

    def try_send(self, frame):
        """send(), or False if that would have to wait."""
        data = self.packed(frame)
        self.socket.setblocking(False)
        try:
            # What was begun before goes first; a frame is taken once any of
            # it is on its way.
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
            self.unsent = data[self.socket.send(data):]
        except BlockingIOError:
            return False
        return True

    def recv(self, timeout=lab.STEP_S):
        """The next whole frame, or None if it does not come in time.

        ConnectionError if the stream ends, and if it ends within a frame.
        """
        deadline = time.monotonic() + timeout
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            left = deadline - time.monotonic()
            if not select.select([self.socket], [], [], max(0, left))[0]:
                return None
            data = self.socket.recv(MESSAGE_BYTES)
            if not data:
                raise ConnectionError(f"the stream ended with "
                                      f"{len(self.received)} bytes of a frame")
            self.received += data

    def _take(self):
        if len(self.received) < 4:
            return None
        end = 4 + int.from_bytes(self.received[:4], "big")
        if len(self.received) < end:
            return None
        frame, self.received = self.received[4:end], self.received[end:]
        return frame

    def closed_by_switch(self, timeout):
        """True if the stream ends within @timeout, whatever comes before."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                if not self.socket.recv(MESSAGE_BYTES):
                    return True
            except socket.timeout:
                return False
            except ConnectionResetError:
                return True
        return False

    def close(self):
        self.socket.close()


VDE_NEW_CONTROL = 0
VDE_NEW_PORT0 = 1


def vde_request(data_path, port=0, description="", kind=VDE_NEW_CONTROL):
    """What libvdeplug writes: no padding, and no NUL after the description."""
    return struct.pack("=III110s", lab.SWITCH_MAGIC, 3, port << 8 | kind,
                       lab.sockaddr_un(os.fsencode(data_path))
                       ) + description.encode()


class VdeClient(Messages):
    """libvdeplug's side of the VDE protocol.

    The data socket is a path in the switch's directory (or @data_dir), which
    goes as soon as both sides are connected.
    """

    def __init__(self, directory, port=0, description="", socket_path=None,
                 data_dir=None, kind=VDE_NEW_CONTROL):
        path = socket_path or os.path.join(directory, "ctl")
        self.control = connected(socket.SOCK_STREAM, path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = os.path.join(
            data_dir or directory, f".{os.getpid():05}-{next(lab.numbers):05}")
        try:
            self.socket.bind(self.path)
            self.control.sendall(vde_request(self.path, port, description,
                                             kind))
            reply = self.control.recv(4096)
            if len(reply) != lab.SOCKADDR_BYTES:
                raise lab.LabError(f"reply of {len(reply)} bytes")
            self._connect(reply[2:])
        except BaseException:
            self.close()
            raise

    def _connect(self, name):
        self.peer = name if name[:1] == b"\0" else name.split(b"\0")[0]
        self.socket.connect(self.peer)
        if self.peer[:1] != b"\0":
            os.chmod(self.peer, 0o700)
        os.unlink(self.path)

    def closed_by_switch(self, timeout):
        return lab.ends(self.control, timeout)

    def close(self):
        self.control.close()
        self.socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class Server:
    """Somebody else's network, to which the switch connects."""

    kind = client = None

    def __init__(self, path):
        self.path = str(path)
        self.listener = listening(self.kind, path)

    def accept(self):
        """The switch's connection, as a client."""
        connection, _ = self.listener.accept()
        return self.client(connection=connection)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        """Gone with its path, as after a clean end."""
        self.listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class BessServer(Server):
    kind, client = socket.SOCK_SEQPACKET, BessClient


class StreamServer(Server):
    kind, client = socket.SOCK_STREAM, StreamClient


@contextlib.contextmanager
def attached(switch, *clients, besides=0):
    """@clients, once @switch has a port for each, and @besides others.

    Where nobody says hello, a client that has connected need not be there yet
    for those that have come through another door.
    """
    with contextlib.ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
        switch.wait_ports(len(clients) + besides)
        yield clients


def reach(sender, receiver, number=1, size=60):
    """A frame from @sender to everybody arrives at @receiver as it was."""
    frame = lab.frame(lab.BROADCAST, lab.mac(number),
                      next(lab.numbers).to_bytes(4, "big"), size=size)
    sender.send(frame)
    receiver.recv_until(frame)
    return frame


def receive_when_full(sender, receiver, frames):
    """Send all @frames, and receive only while none is taken.

    Neither waits for the other: a receiver that waits for a sender that waits
    would be a port that takes nothing. Returns all that has been received,
    when as many as were sent or when no more come.
    """
    received = []
    for frame in frames:
        while not sender.try_send(frame):
            received += receiver.drain()
    while len(received) < len(frames):
        frame = receiver.recv(5)
        if frame is None:
            break
        received.append(frame)
    return received


def mode_of(path):
    """Permission bits of @path, the special ones included."""
    return stat.S_IMODE(os.stat(path).st_mode)
