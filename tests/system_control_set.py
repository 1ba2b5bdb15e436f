"""port.set, each setting with frames that pass or do not.

     uml1 (a)   uml2 (b)   uml3 (c)
        \\          |          /
         +---- ringswitch ----+

A frame that must arrive comes behind those that must not: nothing is waited
for. The books balance in every test.
"""

import pytest

import lab
from lab_clients import BessClient, DgramClient, reach
from lab_control import control_of, send_counted

A, B, C, D = map(lab.mac, range(1, 5))


@pytest.fixture
def control(switch):
    with control_of(switch) as control:
        yield control


@pytest.fixture
def clients(switch, cleanup):
    return [cleanup.enter_context(lab.Client(switch.socket))
            for _ in range(3)]


@pytest.fixture
def abc(control, clients):
    """Three clients, all known to the switch, with nothing unread."""
    for number, client in enumerate(clients, 1):
        hello = packet(lab.BROADCAST, lab.mac(number), "hello")
        client.send(hello)
        for other in clients:
            if other is not client:
                assert other.recv() == hello
    return clients


def packet(dst, src, text, size=60):
    return lab.frame(dst, src, text.encode(), size=size)


def arrived_before(receiver, sender, src):
    """What @receiver has when a frame to all from @sender arrives there."""
    mark = packet(lab.BROADCAST, src, f"mark {next(lab.numbers)}")
    sender.send(mark)
    return receiver.recv_until(mark)


# isolated --------------------------------------------------------------------

def test_isolated_ports_do_not_see_each_other_but_all_others(control, abc):
    a, b, c = abc
    for port in "uml1", "uml2":
        assert control.set(port, isolated=True)["isolated"]
    unicast = packet(B, A, "to b")
    everybody = packet(lab.BROADCAST, A, "to all")
    a.send(unicast)
    a.send(everybody)
    assert c.recv() == everybody
    assert arrived_before(b, c, C) == []
    assert control.counters("uml1")["drops"]["isolated"] == 1
    for one, other in ((a, c), (c, a), (b, c), (c, b)):
        reach(one, other, 4)

    control.set("uml2", isolated=False)
    reach(a, b)
    a.send(unicast)
    assert b.recv() == unicast


def test_with_nobody_but_isolated_ones_a_broadcast_goes_nowhere(control, abc):
    a, b, c = abc
    control.request("port.del", port="uml3")
    for port in "uml1", "uml2":
        control.set(port, isolated=True)
    a.send(packet(lab.BROADCAST, A, "to all"))
    counters = control.wait(
        lambda ctl: (n := ctl.counters("uml1"))["dropped"] and n, "a drop")
    assert counters["drops"]["isolated"] + counters["drops"]["no_port"] == 1


# learning and flood ----------------------------------------------------------

def test_a_port_that_does_not_learn_is_flooded(control, clients):
    a, b, c = clients
    assert not control.set("uml1", learning=False)["learning"]
    reach(a, b)
    reach(a, c)
    assert A not in control.macs()
    frame = packet(A, B, "flooded")
    b.send(frame)
    assert a.recv_until(frame) == [] and c.recv_until(frame) is not None
    control.set("uml1", learning=True)
    reach(a, b)
    assert control.macs()[A] == "uml1"


def test_a_port_without_flood_gets_no_unknown_unicast(control, abc):
    a, b, c = abc
    assert not control.set("uml2", flood=False)["flood"]
    unknown = packet(D, A, "for somebody")
    a.send(unknown)
    assert c.recv() == unknown
    group = packet("01:00:5e:00:00:01", A, "for a group")
    a.send(group)
    assert b.recv() == group            # and not the one before
    known = packet(B, A, "for b")
    a.send(known)
    assert b.recv() == known
    control.set("uml2", flood=True)
    a.send(unknown)
    assert b.recv() == unknown


# locked and mac_limit --------------------------------------------------------

def test_a_locked_port_lets_in_who_is_in_the_table(control, abc):
    a, b, c = abc
    control.request("mac.flush")
    assert control.set("uml1", locked=True)["locked"]
    control.request("mac.add", address=A, port="uml1")
    control.request("mac.add", address=D, port="uml3")
    for src in B, D, lab.mac(9):        # nobody's, and another port's
        a.send(packet(lab.BROADCAST, src, "not mine"))
    reach(a, b, 1)
    counters = control.counters("uml1")
    assert counters["drops"]["locked"] == 3
    assert counters["dropped"] == 3
    assert control.macs() == {A: "uml1", D: "uml3"}


def test_a_locked_port_that_is_unlocked_learns_again(control, abc):
    a, b, _ = abc
    control.request("mac.flush")
    control.set("uml1", locked=True)
    a.send(packet(lab.BROADCAST, A, "locked out"))
    control.wait(lambda ctl: ctl.counters("uml1")["drops"]["locked"] == 1,
                 "a drop")
    control.set("uml1", locked=False)
    reach(a, b, 1)
    assert control.macs()[A] == "uml1"


def test_a_port_has_no_more_addresses_than_its_limit(control, clients):
    a, b, _ = clients
    assert control.set("uml1", mac_limit=2)["mac_limit"] == 2
    reach(a, b, 1)
    reach(a, b, 2)
    for _ in range(5):
        a.send(packet(lab.BROADCAST, C, "one too many"))
    reach(a, b, 2)
    reach(a, b, 1)
    assert control.counters("uml1")["drops"]["mac_limit"] == 5
    assert control.macs() == {A: "uml1", B: "uml1"}
    assert control.port("uml1")["macs"] == 2
    # The others are not limited, and none is when the limit is taken away.
    for number in range(10, 20):
        reach(b, a, number)
    assert control.set("uml1", mac_limit=0)["mac_limit"] == 0
    reach(a, b, 3)
    assert control.macs()[C] == "uml1"


def test_room_under_the_limit_is_used_again(control, clients):
    a, b, _ = clients
    control.set("uml1", mac_limit=1)
    reach(a, b, 1)
    control.request("mac.del", address=A)
    reach(a, b, 2)
    assert control.macs() == {B: "uml1"}


def test_room_that_an_aged_address_leaves_is_used_again(tmp_path):
    """Nobody has to count the table's addresses for it."""
    with lab.Switch("--ageing", "1", workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b, \
            control_of(switch) as control:
        control.set("uml1", mac_limit=1)
        reach(a, b, 1)
        control.wait(lambda c: A not in c.macs(), "the address to age")
        reach(a, b, 2)


# mirror ----------------------------------------------------------------------

def test_a_mirror_gets_what_a_port_receives_and_is_sent(control, abc):
    a, b, c = abc
    assert control.set("uml1", mirror="uml3")["mirror"] == "uml3"
    there, back = packet(B, A, "there"), packet(A, B, "back")
    a.send(there)
    assert b.recv() == there
    b.send(back)
    assert a.recv() == back
    assert [c.recv(), c.recv()] == [there, back]
    assert control.set("uml1", mirror=None)["mirror"] is None
    a.send(there)
    assert b.recv() == there
    assert arrived_before(c, a, A) == []


def test_a_mirror_shows_what_is_sent_to_it_as_to_any_port(control, abc):
    a, b, c = abc
    control.set("uml1", mirror="uml3")
    direct = packet(C, B, "for c itself")
    b.send(direct)
    assert c.recv() == direct


def test_a_mirror_that_comes_later_and_comes_back_is_used(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"uml:{tmp_path}/m,mirror=probe", workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    a = cleanup.enter_context(lab.Client(tmp_path / "m"))
    b = cleanup.enter_context(lab.Client(switch.socket))
    reach(b, a, 2)
    assert control.port("uml1")["mirror"] == "probe"
    there = packet(B, A, "there")
    for _ in range(2):
        a.send(there)
        assert b.recv() == there
        control.request("port.add", endpoint=f"dgram:{tmp_path}/sw,"
                        f"remote={tmp_path}/vm,name=probe")
        with DgramClient(tmp_path / "vm", tmp_path / "sw") as probe:
            reach(probe, b, 4)
            a.send(there)
            probe.recv_until(there)
            control.request("port.del", port="probe")
            b.drain()


def test_a_mirror_that_is_not_there_is_a_mistake(control, abc):
    error = control.refusal("port.set", port="uml1", mirror="prode")
    assert error.code == "not-found" and "prode" in error.message


def test_a_mirror_that_does_not_read_holds_nobody_up(control, abc):
    a, b, _ = abc
    control.set("uml1", mirror="uml3")
    frames = [packet(B, A, f"{n:06}", 1514) for n in range(3000)]
    assert send_counted(a, b, frames) == 3000
    mirror = control.counters("uml3")
    assert mirror["undelivered"] > 0
    assert control.counters("uml1")["dropped"] == 0


def test_mirrors_of_mirrors_are_refused(control, abc):
    assert control.refusal("port.set", port="uml1",
                           mirror="uml1").code in ("argument", "refused")
    control.set("uml1", mirror="uml3")
    for port, mirror in ("uml3", "uml2"), ("uml2", "uml1"):
        error = control.refusal("port.set", port=port, mirror=mirror)
        assert error.code in ("argument", "refused"), error
        assert "mirror" in error.message
    assert control.port("uml3")["mirror"] is None
    assert control.set("uml2", mirror="uml3")["mirror"] == "uml3"


# queue and name --------------------------------------------------------------

def test_a_queue_has_the_room_it_is_given(control, abc):
    a, b, c = abc
    assert control.set("uml2", queue=4)["queue"] == 4
    for n in range(60):
        a.send(packet(B, A, f"{n:03}"))
    counters = control.wait(
        lambda ctl: ctl.counters("uml1")["received"] >= 61
        and ctl.counters("uml2"), "all frames to be received")
    assert counters["queue_limit"] == 4 and counters["queue_high"] <= 4
    assert counters["drops"]["queue_full"] > 0
    arrived = len(b.drain())
    assert 0 < arrived < 60
    assert control.set("uml2", queue=4096)["queue"] == 4096
    frames = [packet(B, A, f"again {n:03}") for n in range(100)]
    lab.wait_until(lambda: control.counters("uml2")["queued"] == 0
                   and not b.drain(), "the queue to be empty")
    for frame in frames:
        a.send(frame)
    assert [b.recv() for _ in frames] == frames


def test_a_full_queue_that_is_made_smaller_loses_no_count(control, abc):
    a, b, _ = abc
    for n in range(100):
        a.send(packet(B, A, f"{n:03}"))
    control.wait(lambda ctl: ctl.counters("uml2")["queued"] > 50, "a queue")
    control.set("uml2", queue=1)
    control.counters("uml2")            # they balance
    b.drain()
    control.wait(lambda ctl: not b.drain()
                 and ctl.counters("uml2")["queued"] == 0, "it to empty")


def test_a_port_gets_another_name_and_keeps_all_else(control, abc):
    a, b, c = abc
    before = control.counters("uml1")
    port = control.set("uml1", name="web1")
    assert port["name"] == "web1"
    assert control.refusal("port.show", port="uml1").code == "not-found"
    assert control.macs()[A] == "web1"
    assert control.counters("web1")["received"] == before["received"]
    reach(a, b)
    error = control.refusal("port.set", port="web1", name="uml2")
    assert error.code == "exists" and "uml2" in error.message
    assert control.set("web1", name="web1")["name"] == "web1"


# Wrong -----------------------------------------------------------------------

@pytest.mark.parametrize("name, value", [
    ("queue", 0), ("queue", 4097), ("queue", -1), ("queue", "64"),
    ("queue", 64.5), ("queue", None), ("queue", 2 ** 32 + 64),
    ("mac_limit", -1), ("mac_limit", 65536), ("mac_limit", "none"),
    ("mac_limit", True), ("isolated", 1), ("isolated", "on"),
    ("learning", None), ("flood", "off"), ("locked", []), ("mirror", 5),
    ("name", ""), ("name", "x" * 32),
    ("name", "a b"), ("name", "a\nb"), ("name", 5), ("name", None),
    ("name", "\u00e4"), ("name", "a/b"), ("name", "all")])
def test_a_wrong_value_is_refused_and_nothing_is_changed(control, clients,
                                                         name, value):
    before = control.port("uml1")
    error = control.refusal("port.set", port="uml1", **{
        "isolated": True, name: value})
    assert error.code == "argument" and name in error.message
    assert control.port("uml1") == before


def test_nothing_to_set_is_refused(control, clients):
    assert control.refusal("port.set", port="uml1").code == "argument"


def test_all_settings_at_once(control, clients):
    wanted = dict(isolated=True, learning=False, flood=False, locked=True,
                  mac_limit=3, mirror="uml2", queue=77)
    port = control.set("uml1", name="web", **wanted)
    assert {key: port[key] for key in wanted} == wanted
    assert port["name"] == "web"
    back = dict(isolated=False, learning=True, flood=True, locked=False,
                mac_limit=0, mirror=None, queue=512)
    port = control.set("web", **back)
    assert {key: port[key] for key in back} == back


def test_what_asks_for_its_name_has_its_settings_when_it_is_back(tmp_path):
    """A guest must not shed them by attaching anew."""
    with lab.Switch("--listen", f"bess:{tmp_path}/b", workdir=tmp_path) as switch, \
            control_of(switch) as control, lab.Client(switch.socket):
        with BessClient(tmp_path / "b", src=tmp_path / "web1"):
            control.wait_ports(2)
            control.set("web1", isolated=True, mac_limit=3, queue=7,
                        mirror="uml1")
            control.request("port.down", port="web1")
        control.wait_ports(1)
        (tmp_path / "web1").unlink(missing_ok=True)
        with BessClient(tmp_path / "b", src=tmp_path / "web1"):
            control.wait_ports(2)
            port = control.port("web1")
            assert port["isolated"] and port["admin"] == "down"
            assert (port["mac_limit"], port["queue"], port["mirror"]) == (
                3, 7, "uml1")
            port = control.request("port.up", port="web1")
            assert port["state"] == "up"


def test_what_is_configured_anew_is_as_it_is_configured(tmp_path):
    """Not as the port of that name was set before it was deleted."""
    with lab.Switch("--listen", f"bess:{tmp_path}/b", workdir=tmp_path) as switch, \
            control_of(switch) as control:
        for setting in ("queue=5,isolated=on", "queue=9,locked=on"):
            control.request("port.add", endpoint=f"connect-bess:{tmp_path}/b,"
                                                 f"name=web,{setting}")
            port = control.port("web")
            control.set("web", mac_limit=3)
            control.request("port.del", port="web")
        assert (port["queue"], port["mac_limit"]) == (9, 0)
        assert port["locked"] and not port["isolated"]
