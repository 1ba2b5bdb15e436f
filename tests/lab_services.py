"""A machine (lab_systemd.py) where `make install` has put ringswitch, and the
service ringswitch@lab on it: the fixtures of the tests of both.
"""

import contextlib
import os
import pathlib
import re

import pytest

import lab
import lab_install
from lab_systemd import boot, why_not

SOCKETS = "/run/ringswitch/lab"
UNIT = "ringswitch@lab.service"

# Frames from one client to the other and back, of the kind and at the path said.
FRAMES = """
import lab, lab_clients
def arrives(one, other, n):
    # Some kinds are connected before the switch has let them in.
    frame = lab.frame(lab.BROADCAST, lab.mac(n), size=60)
    one.send(frame)
    return other.recv(0.1) == frame
def passes(a, b):
    for one, other, n in (a, b, 1), (b, a, 2):
        lab.wait_until(lambda: arrives(one, other, n), "a frame")
def client():
    kinds = {"uml": lab.Client, "stream": lab_clients.StreamClient,
             "bess": lab_clients.BessClient, "vde": lab_clients.VdeClient}
    return kinds[sys.argv[1]](sys.argv[2])
with client() as a:
    if sys.argv[3:]:
        with lab.HostSide(sys.argv[3]) as b:
            passes(a, b)
    else:
        with client() as b:
            passes(a, b)
print("passed")
"""


@pytest.fixture(scope="module")
def machine(request, build):
    """A machine with ringswitch installed, for all these tests."""
    lab_install.only_first(request, build)
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with boot() as running:
        lab_install.install(build, running.root, "PREFIX=/usr")
        running.run("systemd-sysusers", "ringswitch.conf")
        running.run("systemd-tmpfiles", "--create", "ringswitch.conf")
        # There is no journal there.
        running.write("/etc/systemd/system/ringswitch@.service.d/said.conf",
                      "[Service]\nStandardOutput=append:/run/said\n"
                      "StandardError=append:/run/said\n")
        running.run("systemctl", "daemon-reload")
        yield running


class Service:
    """ringswitch@lab on the machine; the test says with which options."""

    def __init__(self, machine, unit=UNIT):
        self.machine = machine
        self.unit = unit

    def configure(self, text, drop_in=None):
        self.machine.write("/etc/ringswitch/lab.conf", text)
        if drop_in:
            self.machine.write(f"/etc/systemd/system/{self.unit}.d/test.conf",
                               drop_in)
            self.machine.run("systemctl", "daemon-reload")

    def start(self, text="", drop_in=None):
        self.configure(text, drop_in)
        code, said = self.machine.run("systemctl", "start", self.unit,
                                      check=False)
        assert code == 0, said + self.said()

    def fails_to_start(self, text):
        self.configure(text)
        code, _ = self.machine.run("systemctl", "start", self.unit, check=False)
        assert code != 0
        return self.said()

    def said(self):
        path = self.machine.root / "run/said"
        return path.read_text() if path.exists() else ""

    def show(self, name):
        return self.machine.show(self.unit, name)

    @property
    def pid(self):
        """As a number that we can use: of the machine's processes it is one
        of ours that has this number there."""
        inside = self.show("MainPID")
        for path in pathlib.Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                found = re.search(r"^NSpid:.*\t(\d+)$", path.read_text(), re.M)
                if found and found[1] == inside and os.readlink(
                        path.with_name("exe")).endswith("/ringswitch"):
                    return int(path.parent.name)
        raise lab.LabError(f"no process {inside}: {self.said()}")

    def status(self, name):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return re.search(rf"^{name}:\t(.*)$", text, re.M)[1]

    def assert_passes(self, kind="uml", name="uml.ctl", tap=()):
        user = "root" if tap else "ringswitch"
        assert "passed" in self.machine.python(
            FRAMES, kind, f"{SOCKETS}/{name}", *tap, user=user)

    def clear(self):
        self.machine.run("systemctl", "stop", self.unit, check=False)
        self.machine.run("systemctl", "reset-failed", self.unit, check=False)
        self.machine.run("rm", "-rf", "/run/said", "/etc/ringswitch",
                         f"/etc/systemd/system/{self.unit}.d")
        self.machine.run("systemctl", "daemon-reload")


@pytest.fixture
def service(machine):
    made = Service(machine)
    yield made
    made.clear()


@pytest.fixture
def sealed(machine):
    made = Service(machine, "ringswitch-sealed@lab.service")
    yield made
    made.clear()
