"""ringbench for tests, and a switch whose faults are known.

    Bench(program)      runs it: bench("rate", "bess:/tmp/ctl", ...)
    Everything(dir)     a switch with every kind of port, and where they are
    BadSwitch(fault)    forwards between bess clients, and counts what it does
                        wrong on the way
"""

import json
import select
import socket
import subprocess
import threading

import lab
import lab_clients

TRAFFIC = 0x88b5


class Bench:
    def __init__(self, program):
        self.program = str(program)

    def run(self, *words, **options):
        """The process, when it has ended; whatever became of it."""
        return subprocess.run([self.program, *map(str, words)],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, **options)

    def __call__(self, *words, **options):
        """What it has measured."""
        done = self.run(*words, "--json", **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def complaint(self, *words, status=1, **options):
        """The one line that it fails with."""
        done = self.run(*words, **options)
        assert done.returncode == status, done.stdout + done.stderr
        assert done.stderr.startswith("ringbench: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr.strip()


class Everything:
    """A switch with every kind of port, and where they are."""

    def __init__(self, directory, *options):
        self.where = {"uml": f"uml:{directory}/ctl",
                      "vde": f"vde:{directory}/vde/ctl",
                      "bess": f"bess:{directory}/bess",
                      "stream": f"stream:{directory}/stream",
                      "dgram": f"dgram:{directory}/d"}
        dgrams = [word for number in (0, 1) for word in (
            "--port",
            f"dgram:{directory}/d.{number},remote={directory}/d.{number}.peer")]
        self.switch = lab.Switch(
            "--listen", f"vde:{directory}/vde", "--listen",
            f"bess:{directory}/bess,mtu=9000", "--listen",
            f"stream:{directory}/stream,mtu=9000", *dgrams, *options,
            workdir=directory)


def ethertype(frame):
    return int.from_bytes(frame[12:14], "big")


class BadSwitch:
    """Sends what comes from one bess client to all others.

    @fault(number, frame) says what becomes of the number-th frame of traffic,
    from 0: a list of the frames to send instead, at best [frame], or None, which
    ends the switch. Frames by which the clients are learned pass as they are.
    """

    def __init__(self, directory, fault=lambda number, frame: [frame]):
        self.path = str(directory / "bad")
        self.fault = fault
        self.seen = 0
        self.forwards = True        # at all
        self._clients = []
        self._listener = lab_clients.listening(socket.SOCK_SEQPACKET, self.path)
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while self._turn():
                pass
        finally:
            for end in (*self._clients, self._listener):
                end.close()

    def _turn(self):
        """False when it is to end."""
        ready, _, _ = select.select(
            [self._stopped, self._listener, *self._clients], [], [])
        if self._stopped in ready:
            return False
        if self._listener in ready:
            self._clients.append(self._listener.accept()[0])
            ready.remove(self._listener)
        return all([self._take(source) for source in ready])

    def _take(self, source):
        try:
            frame = source.recv(1 << 17)
        except ConnectionError:
            frame = b""
        if not frame:
            self._clients.remove(source)
            source.close()
            return True
        frames = [frame]
        if ethertype(frame) == TRAFFIC:
            frames = self.fault(self.seen, frame)
            self.seen += 1
        for client in self._clients:
            if client is not source and self.forwards:
                self._send(client, frames or [])
        return frames is not None

    @staticmethod
    def _send(client, frames):
        try:
            for frame in frames:
                client.send(frame)
        except ConnectionError:
            pass    # it has gone, and that is seen when it is read

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.send(b"x")
        self._thread.join(lab.STEP_S)
        self._stop.close()
        self._stopped.close()
