"""Guests with nothing but harm in mind, each a process of its own.

    Net          a switch with a door for every kind of guest
    Flooder      sends frames as fast as the switch takes them
    SCALE        how much of everything: 1, or RELIABILITY of the environment

A flooder counts what the switch has taken, so that the books can be compared.
"""

import contextlib
import itertools
import multiprocessing
import os
import random
import signal

import lab
from lab_clients import BessClient, StreamClient, VdeClient

SCALE = int(os.environ.get("RELIABILITY", "1"))

KINDS = "uml", "vde", "bess", "stream"


class Net:
    """A switch in @directory and its guests; gone with the stack @cleanup."""

    def __init__(self, directory, cleanup, *arguments, keys="", **switch):
        self.directory, self.cleanup = directory, cleanup
        (directory / "vde").mkdir()
        doors = [f"uml:{directory}/ctl", f"vde:{directory}/vde",
                 f"bess:{directory}/bess", f"stream:{directory}/stream"]
        self.switch = cleanup.enter_context(lab.Switch(
            *itertools.chain(*(("--listen", door + keys) for door in doors)),
            *arguments, socket=None, workdir=directory, **switch))
        self.switch.socket = f"{directory}/ctl"
        self.ports = 0

    def client(self, kind):
        """A guest that has its port when this returns, called client.port as
        long as nobody has left."""
        make = {"uml": lambda: lab.Client(self.directory / "ctl"),
                "vde": lambda: VdeClient(self.directory / "vde"),
                "bess": lambda: BessClient(self.directory / "bess"),
                "stream": lambda: StreamClient(self.directory / "stream")}
        client = self.cleanup.enter_context(make[kind]())
        self.ports += 1
        client.port = f"{kind}{self.ports}"
        # Those that say nothing when they connect are there a moment later.
        if kind in ("bess", "stream"):
            self.switch.wait_ports(self.ports)
        return client

    def clients(self, *kinds):
        return [self.client(kind) for kind in kinds]


def forever(*frames):
    return itertools.cycle(frames)


def random_sources(dst, count, seed=1):
    """@count frames to @dst (bytes), each from a station nobody knows."""
    rest = b"\x88\xb5" + bytes(46)
    sources = random.Random(seed)
    for _ in range(count):
        yield dst + b"\x06" + sources.randbytes(5) + rest


class Flooder:
    """Sends @frames, an iterator, through @client until it is stopped or has
    sent all of them."""

    def __init__(self, client, frames):
        fork = multiprocessing.get_context("fork")
        self.client, self.frames = client, frames
        self.count = fork.RawValue("Q", 0)
        self.enough = fork.RawValue("b", 0)
        self.process = fork.Process(target=self._run, daemon=True)
        self.process.start()

    def _run(self):
        signal.alarm(0)
        connection = getattr(self.client, "data", None) or self.client.socket
        connection.setblocking(True)
        is_stream = isinstance(self.client, StreamClient)
        peer = getattr(self.client, "peer", None)
        unconnected = isinstance(self.client, lab.Client)
        for frame in self.frames:
            if self.enough.value:
                break
            if is_stream:
                connection.sendall(StreamClient.packed(frame))
            elif unconnected:
                connection.sendto(frame, peer)
            else:
                connection.send(frame)
            self.count.value += 1

    def wait(self):
        """Until all has been sent; how many frames that were."""
        self.process.join()
        assert self.process.exitcode == 0
        return self.count.value

    def stop(self):
        """How many frames the switch has taken."""
        self.enough.value = 1
        return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.enough.value = 1
        self.process.join(lab.STEP_S)
        with contextlib.suppress(AttributeError):
            self.process.kill()


