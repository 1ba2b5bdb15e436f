"""A mirror: one port gets a copy of what another receives and is sent.

     a (uml1) --+-- mirror=probe
     b (uml2) --+-- ringswitch -- probe (bess), which only listens
     ...      --+

The copies are the probe's: offered to it and counted there, and lost there
if it does not read. The pair never notices.
"""

import pytest

import lab
from lab_capture import counters, introduce
from lab_clients import BessClient, StreamClient, VdeClient, attached, reach
from lab_control import control_of
from lab_mirror import A, B, C, frame_to, received, to_a, to_b
from lab_mirror import net  # noqa: F401


# What it gets ----------------------------------------------------------------

def test_frames_of_both_directions_are_copied_in_order(net):
    probe = net.probe()
    assert net.mirror()["mirror"] == "probe"
    expected = []
    for number in range(20):
        net.there(to_b(number, 60 + number))
        net.back(to_a(number, 1514 - number))
        expected += [to_b(number, 60 + number), to_a(number, 1514 - number)]
    assert received(probe, 40) == expected


def test_copies_are_counted_where_they_go(net):
    probe = net.probe()
    net.mirror()
    before = counters(net.switch)
    net.there(*[to_b(number) for number in range(30)])
    net.back(*[to_a(number) for number in range(12)])
    received(probe, 42)
    after = counters(net.switch)

    def grown(port, key):
        return after[port][key] - before[port][key]
    assert grown("probe", "offered") == grown("probe", "sent") == 42
    assert grown("probe", "sent_bytes") == 42 * 60
    assert grown("probe", "received") == 0
    # At the pair nothing is counted twice.
    assert grown("uml1", "received") == grown("uml1", "forwarded") == 30
    assert grown("uml1", "offered") == grown("uml1", "sent") == 12
    assert grown("uml2", "offered") == 30
    assert grown("uml1", "flooded") == 0


def test_what_others_say_is_not_copied(net):
    probe = net.probe()
    c, d = [net.enter(lab.Client(net.switch.socket)) for _ in range(2)]
    everybody = net.a, net.b, c, d, probe
    introduce(3, c, everybody)
    introduce(4, d, everybody)
    net.mirror()
    for number in range(10):
        c.send(frame_to(lab.mac(4), number, C))
        d.recv_until(frame_to(lab.mac(4), number, C))
    net.there(to_b(1))
    assert received(probe, 1) == [to_b(1)]


def test_a_target_gets_its_own_frames_too(net):
    """It is an ordinary port beside that: it may speak, and be spoken to."""
    probe = net.probe()
    net.mirror()
    reach(probe, net.b, 3)
    net.b.send(frame_to(C, 1, B))
    assert probe.recv_until(frame_to(C, 1, B)) is not None
    probe.send(frame_to(B, 2, C))
    assert net.b.recv_until(frame_to(B, 2, C)) is not None


def test_what_the_target_says_itself_does_not_come_back_to_it(net):
    probe = net.probe()
    reach(probe, net.a, 3)
    net.mirror()
    probe.send(frame_to(A, 1, C))
    net.a.recv_until(frame_to(A, 1, C))
    net.back(to_a(2))
    assert received(probe, 1) == [to_a(2)]


def test_a_frame_between_two_mirrored_ports_is_copied_for_each(net):
    probe = net.probe()
    net.mirror("uml1")
    net.mirror("uml2")
    net.there(to_b(1))
    assert received(probe, 2) == [to_b(1)] * 2


def test_several_ports_may_have_one_target(net):
    probe = net.probe()
    c = net.enter(lab.Client(net.switch.socket))
    net.control.wait_ports(4)
    net.mirror("uml1")
    net.mirror("uml3")
    net.there(to_b(1))
    c.send(frame_to(B, 2, C))
    net.b.recv_until(frame_to(B, 2, C))
    assert received(probe, 2) == [to_b(1), frame_to(B, 2, C)]


def test_big_frames_and_tags_are_copied_as_they_are(tmp_path, cleanup):
    path = tmp_path / "jumbo"
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{path},mtu=9000",
        "--listen", f"stream:{tmp_path}/probe,name=probe,mtu=9000",
        workdir=tmp_path))
    a, b = cleanup.enter_context(attached(switch, BessClient(path),
                                          BessClient(path)))
    reach(a, b, 1)
    reach(b, a, 2)
    probe, = cleanup.enter_context(attached(
        switch, StreamClient(tmp_path / "probe"), besides=2))
    with control_of(switch) as control:
        control.set("bess1", mirror="probe")
    tag = (7).to_bytes(2, "big") + lab.ETHERTYPE.to_bytes(2, "big")
    frames = [to_b(1, 9014), lab.frame(B, A, tag, 9018, ethertype=0x8100),
              lab.frame(B, A)]
    for frame in frames:
        a.send(frame)
        assert b.recv() == frame
    assert received(probe, 3) == frames
    counters(switch)


def test_a_copy_too_long_for_the_target_is_dropped_there(tmp_path, cleanup):
    path = tmp_path / "jumbo"
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{path},mtu=9000",
        "--listen", f"uml:{tmp_path}/short,name=probe", workdir=tmp_path))
    a, b = cleanup.enter_context(attached(switch, BessClient(path),
                                          BessClient(path)))
    reach(a, b, 1)
    reach(b, a, 2)
    probe = cleanup.enter_context(lab.Client(tmp_path / "short"))
    with control_of(switch) as control:
        control.set("bess1", mirror="probe")
    for frame in to_b(1, 9000), to_b(2):
        a.send(frame)
        assert b.recv() == frame
    assert received(probe, 1) == [to_b(2)]
    port, = counters(switch, "probe")
    assert port["drops"]["too_long"] == 1


@pytest.mark.parametrize("kind, client", [
    ("uml", lab.Client), ("vde", VdeClient), ("bess", BessClient),
    ("stream", StreamClient)])
def test_a_port_of_any_kind_may_be_mirrored_and_be_a_target(
        tmp_path, cleanup, kind, client):
    path = tmp_path / "door"
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"{kind}:{path},mirror=copies",
        "--listen", f"{kind}:{path}2,name=copies", workdir=tmp_path))
    other = cleanup.enter_context(lab.Client(switch.socket))
    one, = cleanup.enter_context(attached(switch, client(path), besides=1))
    reach(other, one, 2)
    probe, = cleanup.enter_context(attached(switch, client(f"{path}2"),
                                            besides=2))
    there, back = to_b(1), lab.frame(lab.BROADCAST, B, b"back", 60)
    one.send(there)
    assert other.recv() == there
    other.send(back)
    one.recv_until(back)
    # What is for everybody it gets for itself as well.
    assert received(probe, 3) == [there, back, back]
    counters(switch)


# It is set and unset ---------------------------------------------------------

def test_a_key_of_the_endpoint_mirrors_from_the_start(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/bess,name=probe",
        "--listen", f"uml:{tmp_path}/copied,mirror=probe", workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    a = cleanup.enter_context(lab.Client(tmp_path / "copied"))
    b = cleanup.enter_context(lab.Client(switch.socket))
    reach(b, a, 2)
    # The target that was named need not have been there.
    assert control.port("uml1")["mirror"] == "probe"
    probe = cleanup.enter_context(BessClient(tmp_path / "bess"))
    control.wait_ports(3)
    a.send(to_b(1))
    b.recv_until(to_b(1))
    assert received(probe, 1) == [to_b(1)]
    counters(switch)


def test_no_mirror_any_more_is_none(net):
    probe = net.probe()
    net.mirror()
    net.there(to_b(1))
    assert net.mirror(to=None)["mirror"] is None
    net.there(to_b(2))
    net.back(to_a(3))
    assert received(probe, 1) == [to_b(1)]


def test_another_target_takes_its_place(net):
    probe, other = net.probe(), net.probe()
    assert "probe.2" in net.control.ports()
    net.mirror(to="probe")
    net.there(to_b(1))
    net.mirror(to="probe.2")
    net.there(to_b(2))
    assert received(probe, 1) == [to_b(1)]
    assert received(other, 1) == [to_b(2)]


def test_a_target_that_goes_and_comes_back_is_found_again(net):
    probe = net.probe()
    net.mirror()
    for number in range(5):
        net.there(to_b(number))
        assert received(probe, 1) == [to_b(number)]
        probe.close()
        net.control.wait_ports(2)
        net.there(to_b(100 + number))
        assert net.control.port("uml1")["mirror"] == "probe"
        probe = net.probe()
    net.back(to_a(9))
    assert received(probe, 1) == [to_a(9)]
    # No copy is left anywhere of what was sent while it was away.
    for port in counters(net.switch, "uml1", "uml2"):
        assert port["credits"] == port["credits_max"]


def test_a_mirrored_port_that_goes_and_comes_back_is_mirrored_again(tmp_path,
                                                                    cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/bess,name=web,mirror=uml1",
        workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    probe = cleanup.enter_context(lab.Client(switch.socket))
    b = cleanup.enter_context(lab.Client(switch.socket))
    reach(b, probe, 2)
    for number in range(3):
        with BessClient(tmp_path / "bess") as web:
            control.wait_ports(3)
            web.send(to_b(number))
            b.recv_until(to_b(number))
            assert received(probe, 1) == [to_b(number)]
        control.wait_ports(2)
    counters(switch)
