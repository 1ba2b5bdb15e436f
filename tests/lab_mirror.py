"""What tests of mirrors share: two clients, and a port that listens to them.

     a (uml1) --+-- mirror=probe
     b (uml2) --+-- ringswitch -- probe (bess)
"""

import pytest

import lab
from lab_capture import acquainted, counters
from lab_clients import BessClient
from lab_control import control_of

A, B, C = lab.mac(1), lab.mac(2), lab.mac(3)


def frame_to(dst, number, src, size=60):
    return lab.frame(dst, src, number.to_bytes(4, "big"), size)


def to_b(number, size=60):
    return frame_to(B, number, A, size)


def to_a(number, size=60):
    return frame_to(A, number, B, size)


class Net:
    """a and b know each other; probe is a port that says nothing."""

    def __init__(self, switch, cleanup, tmp_path):
        self.switch, self.path = switch, tmp_path / "bess"
        self.enter = cleanup.enter_context
        self.control = self.enter(control_of(switch))
        self.a, self.b = acquainted(switch, cleanup, 2)

    def probe(self):
        """It attaches; nothing of before is in its socket."""
        ports = len(self.control.ports())
        probe = self.enter(BessClient(self.path))
        self.control.wait_ports(ports + 1)
        return probe

    def mirror(self, port="uml1", to="probe"):
        return self.control.set(port, mirror=to)

    def there(self, *frames):
        """From a to b, each having arrived before the next."""
        for frame in frames:
            self.a.send(frame)
            assert self.b.recv() == frame

    def back(self, *frames):
        for frame in frames:
            self.b.send(frame)
            assert self.a.recv() == frame


@pytest.fixture
def net(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/bess,name=probe,mtu=9000",
        workdir=tmp_path))
    net = Net(switch, cleanup, tmp_path)
    yield net
    counters(switch)


def received(probe, count):
    """The next @count frames at @probe, and nothing comes behind them."""
    frames = [probe.recv() for _ in range(count)]
    assert probe.drain() == []
    return frames
