"""A switch that really dies of a frame, again and again, by its guest's fault.

     poisoner -- frame with the mark --> switch with the injection layer, dies
     healthy A <== checked frames ==> healthy B      go on all the while
                                        |
                              keeper, which names the poisoner

The mark is eight bytes of which the layer (tests/inject.h) dies as of a wild
pointer: when the frame has been read, or when it is about to be sent. What the
keeper makes of each single end is in test_keeper_history.c.
"""

import os
import re
import signal

import pytest

import lab
import lab_inject
from lab_clients import (BessClient, DgramClient, StreamClient, VdeClient,
                         reach)
from lab_control import control_of, control_path
from lab_flows import WINDOW, Flows
from lab_ringctl import ringctl

PROGRAM = lab.ROOT / "build" / "inject" / "ringswitch"
KINDS = "uml", "vde", "bess", "stream", "dgram", "tap"
# The layer's fault is to be seen by the keeper, not by a sanitizer.
QUIETLY = {"ASAN_OPTIONS": "handle_segv=0"}

pytestmark = pytest.mark.usefixtures("tap_device")


class Net:
    """A switch that can be poisoned, a client of each kind, a healthy pair."""

    def __init__(self, workdir, stack):
        enter = stack.enter_context
        self.layer = lab_inject.Layer(workdir / "layer")
        stack.callback(self.layer.close)
        at = {kind: workdir / kind for kind in KINDS}
        self.switch = enter(lab.Switch(
            "--listen", f"vde:{at['vde']}", "--listen", f"bess:{at['bess']}",
            "--listen", f"stream:{at['stream']}", "--tap", "tap0",
            "--port", f"dgram:{at['dgram']},remote={workdir}/peer",
            workdir=workdir, keeper=True, program=str(PROGRAM), ready_fd=True,
            env={**os.environ, **QUIETLY, "INJECT": self.layer.path}))
        self.clients = {
            "uml": enter(lab.Client(self.switch.socket)),
            "vde": enter(VdeClient(at["vde"])),
            "bess": enter(BessClient(at["bess"])),
            "stream": enter(StreamClient(at["stream"])),
            "dgram": enter(DgramClient(workdir / "peer", at["dgram"])),
            "tap": enter(lab.HostSide("tap0")),
        }
        pair = [enter(lab.Client(self.switch.socket)) for _ in range(2)]
        self.switch.wait_ports(len(KINDS) + len(pair))
        self.mark = os.urandom(8)
        self.flows = Flows(dict(zip("ab", pair)))
        self.flows.introduce()
        for client in self.clients.values():
            client.drain()

    def name(self, kind):
        with control_of(self.switch) as control:
            return next(name for name in sorted(control.ports())
                        if name.startswith(kind))

    def state(self, name):
        with control_of(self.switch) as control:
            return control.port(name)["state"]

    def quarantined(self):
        with control_of(self.switch) as control:
            return {name for name, port in control.ports().items()
                    if port["state"] == "quarantined"}

    def poison(self, dst=lab.BROADCAST, number=66):
        return lab.frame(dst, lab.mac(number), self.mark, size=60)

    def crashes(self):
        """Who was blamed for each, "" for nobody, so far."""
        return re.findall(
            r"the switch was killed by signal 11 \([^)]*\)"
            r"(?: while it handled a frame of (\w+))?: starting",
            self.switch.said())

    def after_crash(self, action, meanwhile=lambda: None):
        """Do what kills the switch; the pair goes on meanwhile. Returns who
        was blamed, when there is another switch."""
        said = self.switch.said
        before, back = len(self.crashes()), said().count("is back")
        self.flows.exchange(0.02)
        action()
        while said().count("is back") == back:
            meanwhile()
            self.flows.exchange(0.02)
            assert self.switch.process.poll() is None, said()
        assert len(self.crashes()) == before + 1
        return self.crashes()[-1]

    def assert_pair_loses_nothing(self):
        self.flows.settle()
        lost, sent = self.flows.lost, self.flows.sent
        while self.flows.sent < sent + 50:
            self.flows.exchange(0.02)
        self.flows.settle()
        assert self.flows.lost == lost

    def forget_crashes(self):
        """So that the next ones are not waited for."""
        with control_of(self.switch) as control:
            control.request("restart")
            assert control.ended()


@pytest.fixture
def net(tmp_path, cleanup):
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not there: make inject-build")
    cleanup.enter_context(lab.Tap("tap0"))
    lab.sh("ip", "link", "set", "tap0", "up")
    return Net(tmp_path, cleanup)


def test_the_third_frame_that_kills_quarantines_whoever_sent_it(net):
    net.layer.poison(coming_in=net.mark)
    bad = set()
    for kind, client in net.clients.items():
        name = net.name(kind)
        for _ in range(3):
            assert net.state(name) == "up"
            assert net.after_crash(lambda: client.send(net.poison())) == name
        bad.add(name)
        assert net.quarantined() == bad
        net.assert_pair_loses_nothing()
        net.forget_crashes()
    # At each crash at most what was under way.
    assert net.flows.lost <= len(net.crashes()) * len(net.flows.flows) * WINDOW


def test_one_in_quarantine_is_not_read_until_ringctl_takes_it_out(net):
    net.layer.poison(coming_in=net.mark)
    name, client = net.name("bess"), net.clients["bess"]
    for _ in range(3):
        net.after_crash(lambda: client.send(net.poison()))
    # It goes on with what it does, and hurts nobody.
    client.send(net.poison())
    net.assert_pair_loses_nothing()
    where = "--socket", control_path(net.switch)
    code, shown, _ = ringctl(*where, "port", "show", name)
    assert code == 0 and "quarantined" in shown, shown
    said = net.switch.said()
    assert f"port {name}: in quarantine" in said
    assert f"ringctl port up {name}" in said
    # Whoever has not been mended is back in it after one more.
    assert net.after_crash(
        lambda: ringctl(*where, "port", "up", name)) == name
    assert net.state(name) == "quarantined"
    net.layer.poison()
    assert ringctl(*where, "port", "up", name) == (0, "", "")
    assert net.state(name) == "up"
    reach(client, net.clients["stream"])
    reach(net.clients["stream"], client, 2)


def test_a_frame_that_kills_when_it_is_sent_is_its_senders_fault(net):
    """Not its receiver's, to whom it was just about to go."""
    sender, receiver = net.clients["stream"], net.clients["uml"]
    reach(receiver, sender, number=5)
    net.layer.poison(going_out=net.mark)
    for _ in range(3):
        assert net.after_crash(lambda: sender.send(
            net.poison(lab.mac(5)))) == net.name("stream")
    assert net.quarantined() == {net.name("stream")}
    net.assert_pair_loses_nothing()
    reach(net.clients["bess"], receiver)


def test_nor_that_of_a_receiver_who_lets_it_wait_in_his_queue(net):
    """He takes eleven frames, and the next when he has read some."""
    sender, receiver = net.clients["tap"], net.clients["uml"]
    reach(receiver, sender, number=5)
    net.layer.poison(going_out=net.mark)
    switch = net.switch.switch_pid()

    def send_all_at_once():
        os.kill(switch, signal.SIGSTOP)
        for _ in range(20):
            sender.send(lab.frame(lab.mac(5), lab.mac(66), b"", size=60))
        sender.send(net.poison(lab.mac(5)))
        os.kill(switch, signal.SIGCONT)

    assert net.after_crash(send_all_at_once,
                           meanwhile=receiver.drain) == net.name("tap")


def test_a_flood_that_kills_is_its_senders_fault(net):
    """Whoever of all its receivers comes first."""
    net.flows.settle()
    net.layer.poison(going_out=net.mark)
    name = net.name("dgram")
    for _ in range(3):
        back = net.switch.said().count("is back")
        net.clients["dgram"].send(net.poison())
        lab.wait_until(lambda: net.switch.said().count("is back") > back,
                       "the next switch")
    assert net.crashes() == [name] * 3
    assert net.quarantined() == {name}
    net.assert_pair_loses_nothing()


def test_what_a_stream_had_sent_before_it_had_to_wait_is_its_fault(net):
    """Read long ago, and looked at only when there are buffers again."""
    sender, receiver = net.clients["stream"], net.clients["uml"]
    reach(receiver, sender, number=5)
    with control_of(net.switch) as control:
        control.set(net.name("uml"), queue=4096)
    small = lab.frame(lab.mac(5), lab.mac(66), b"")
    net.layer.poison(coming_in=net.mark)
    assert net.after_crash(lambda: sender.send_bytes(sender.packed(
        *[small] * 1200, net.poison()))) == net.name("stream")
