"""Mirrors that cannot be, targets that do not read, and mirrors captured.

     a (uml1) --+-- mirror=probe
     b (uml2) --+-- ringswitch -- probe (bess): reads late, or never

Whatever the target does, the pair never notices.
"""

import pytest

import lab
from lab_capture import Capture, counters
from lab_clients import BessClient, attached, reach
from lab_control import Refused, send_counted
from lab_mirror import received, to_a, to_b
from lab_mirror import net  # noqa: F401


# What cannot be --------------------------------------------------------------

def refusal(net, port, to):
    """The refusal names both, and nothing has changed."""
    before = net.control.ports()
    error = net.control.refusal("port.set", port=port, mirror=to)
    assert to in error.message
    assert net.control.ports() == before
    return error


def test_a_port_is_not_its_own_mirror(net):
    assert refusal(net, "uml1", "uml1").code in ("argument", "refused")


def test_a_mirrored_port_is_no_target(net):
    """A chain, and with one link more a ring."""
    net.probe()
    net.mirror()
    assert refusal(net, "uml2", "uml1").code in ("argument", "refused")


def test_a_target_is_not_mirrored_itself(net):
    net.probe()
    net.mirror()
    assert refusal(net, "probe", "uml2").code in ("argument", "refused")
    net.mirror(to=None)
    net.mirror("probe", "uml2")
    with pytest.raises(Refused):
        net.mirror("uml1", "probe")


def test_a_ring_of_names_copies_nothing_for_ever(tmp_path, cleanup):
    """Names may be said before there are ports, so also such nonsense."""
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/x,name=x,mirror=y",
        "--listen", f"bess:{tmp_path}/y,name=y,mirror=x", workdir=tmp_path))
    with attached(switch, BessClient(tmp_path / "x"),
                  BessClient(tmp_path / "y"), lab.Client(switch.socket)
                  ) as (x, y, c):
        reach(c, x, 3)
        reach(x, y, 1)
        reach(y, c, 2)
        rounds = counters(switch)
        assert sum(port["sent"] for port in rounds.values()) <= 12


# A target that does not read -------------------------------------------------

def test_a_target_that_does_not_read_costs_the_pair_no_frame(net):
    net.probe()
    net.mirror()
    there = [to_b(number, 1514) for number in range(3000)]
    assert send_counted(net.a, net.b, there) == 3000
    back = [to_a(number, 1514) for number in range(3000)]
    assert send_counted(net.b, net.a, back) == 3000
    ports = counters(net.switch)
    assert ports["uml1"]["dropped"] == ports["uml2"]["dropped"] == 0
    assert ports["uml1"]["undelivered"] == ports["uml2"]["undelivered"] == 0
    probe = ports["probe"]
    assert probe["offered"] == 6000
    assert probe["undelivered"] + probe["queued"] + probe["sent"] == 6000
    assert probe["undelivered"] > 3000


def test_a_target_that_does_not_read_does_not_hold_its_senders_buffers(net):
    """Without them the sender is not read, until the target is given up."""
    net.probe()
    net.mirror()
    for start in range(0, 640, 32):
        net.there(*[to_b(start + number) for number in range(32)])
        # Everything has arrived: only the target can hold anything.
        sender, = counters(net.switch, "uml1")
        assert sender["credits"] >= sender["credits_max"] / 4


def test_a_target_that_reads_again_gets_copies_again(net):
    probe = net.probe()
    net.mirror()
    assert send_counted(net.a, net.b,
                        [to_b(n, 1514) for n in range(3000)]) == 3000
    probe.drain()
    last = to_b(7777)

    def gets_it():
        net.there(last)
        return last in probe.drain()
    lab.wait_until(gets_it, "a copy after the sleep")


def test_a_target_that_is_switched_off_gets_nothing(net):
    probe = net.probe()
    net.mirror()
    net.control.request("port.down", port="probe")
    net.there(to_b(1))
    net.control.request("port.up", port="probe")
    net.there(to_b(2))
    assert received(probe, 1) == [to_b(2)]


# With captures ---------------------------------------------------------------

def test_a_capture_of_the_target_has_the_copies(net):
    probe = net.probe()
    net.mirror()
    with Capture(net.switch, "probe") as capture:
        net.there(to_b(1))
        net.back(to_a(2))
        assert received(probe, 2) == [to_b(1), to_a(2)]
        file = capture.end()
    assert file.frames("probe", "out") == [to_b(1), to_a(2)]
    assert len(file.packets) == 2


def test_a_capture_of_the_mirrored_port_has_every_frame_once(net):
    probe = net.probe()
    net.mirror()
    with Capture(net.switch, "uml1") as capture:
        net.there(to_b(1))
        net.back(to_a(2))
        received(probe, 2)
        assert [(p.direction, p.data) for p in capture.end().packets] == [
            ("in", to_b(1)), ("out", to_a(2))]


def test_copies_that_the_target_does_not_take_are_captured_as_dropped(net):
    net.probe()
    net.mirror()
    with Capture(net.switch, "probe", buffer=16 << 20) as capture:
        assert send_counted(net.a, net.b,
                            [to_b(n, 600) for n in range(3000)]) == 3000
        port, = counters(net.switch, "probe")
        file = capture.end()
    assert {p.reason for p in file.dropped()} <= {"queue_full", "stalled"}
    assert len(file.dropped()) == port["undelivered"]
    assert len(file.frames("probe", "out")) == port["sent"]
