"""What a port may not do to the others, where that has been switched on.

     a -- uml1 --+
     b -- uml2 --+-- ringswitch -- tap0 -- the host
     c -- uml3 --+

That each setting is exact in any order is tests/test_port_flags_model.c; here
they are set in every way there is, for guests of every kind, and last.
"""

import os

import pytest

import lab
from lab_clients import BessClient, StreamClient, VdeClient, reach
from lab_control import Refused, control_of

A, B, C, D = (lab.mac(number) for number in range(1, 5))
NOBODY = "00:00:00:00:00:00"
GROUPS = [lab.BROADCAST, "01:00:5e:00:00:01", "01:80:c2:00:00:00",
          "33:33:00:00:00:01"]


def packet(dst, src, text=b"hello", size=60):
    return lab.frame(dst, src, text, size=size)


def learn(*clients):
    """Each sends from its own address, and all the others hear it."""
    for number, client in enumerate(clients, 1):
        hello = packet(lab.BROADCAST, lab.mac(number), os.urandom(8))
        client.send(hello)
        for other in clients:
            if other is not client:
                other.recv_until(hello)


@pytest.fixture
def abc(switch, cleanup):
    clients = [cleanup.enter_context(lab.Client(switch.socket))
               for _ in range(3)]
    learn(*clients)
    return clients


@pytest.fixture
def control(switch, cleanup):
    return cleanup.enter_context(control_of(switch))


# No spoofing ----------------------------------------------------------------

@pytest.mark.parametrize("source", [B, NOBODY, *GROUPS])
def test_what_is_not_its_own_is_no_source(abc, control, source):
    a, b, c = abc
    assert control.set("uml1", no_spoof=True)["no_spoof"]
    a.send(packet(lab.BROADCAST, source, b"spoofed"))
    end = packet(lab.BROADCAST, A, b"end")
    a.send(end)
    assert b.recv_until(end) == c.recv_until(end) == []
    counters = control.counters("uml1")
    assert counters["drops"]["spoofed"] == counters["dropped"] == 1
    assert control.macs()[B] == "uml2"
    # As it was.
    control.set("uml1", no_spoof=False)
    a.send(packet(lab.BROADCAST, source, b"allowed"))
    assert c.recv() == packet(lab.BROADCAST, source, b"allowed")


def test_what_lives_on_a_port_without_spoofing_stays_there(abc, control):
    """Neither a neighbour nor a loop can shut its owner out."""
    a, b, c = abc
    control.set("uml1", no_spoof=True)
    for _ in range(10):
        b.send(packet(lab.BROADCAST, A, b"I am a"))
    c.recv_until(packet(lab.BROADCAST, A, b"I am a"))
    assert control.macs()[A] == "uml1"
    c.send(packet(A, C, b"for a"))
    a.recv_until(packet(A, C, b"for a"))
    a.send(packet(C, A, b"for c"))
    c.recv_until(packet(C, A, b"for c"))
    assert control.counters("uml1")["dropped"] == 0


def test_an_address_is_free_when_its_owner_has_gone(abc, control):
    a, b, c = abc
    control.set("uml1", no_spoof=True)
    b.close()
    control.wait_ports(2)
    a.send(packet(lab.BROADCAST, B, b"b's heir"))
    assert c.recv() == packet(lab.BROADCAST, B, b"b's heir")
    assert control.macs()[B] == "uml1"


def kinds_of(directory, switch):
    return [lambda: lab.Client(switch.socket),
            lambda: BessClient(directory / "bess"),
            lambda: StreamClient(directory / "stream"),
            lambda: VdeClient(directory / "vde")]


def test_guests_of_every_kind_are_kept_from_spoofing_from_the_start(
        tmp_path, cleanup):
    (tmp_path / "vde").mkdir()
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"uml:{tmp_path}/ctl,no-spoof=on",
        "--listen", f"bess:{tmp_path}/bess,no-spoof=on",
        "--listen", f"stream:{tmp_path}/stream,no-spoof=on",
        "--listen", f"vde:{tmp_path}/vde,no-spoof=on",
        socket=None, workdir=tmp_path))
    switch.socket = str(tmp_path / "ctl")
    clients = [cleanup.enter_context(make())
               for make in kinds_of(tmp_path, switch)]
    switch.wait_ports(4)
    learn(*clients)
    with control_of(switch) as control:
        for number, client in enumerate(clients):
            before = sum(p["drops"]["spoofed"]
                         for p in control.request("stats.show")["ports"])
            client.send(packet(lab.BROADCAST, lab.mac(1 + (number + 1) % 4)))
            reach(client, clients[number - 1], number + 1)
            stats = control.request("stats.show")["ports"]
            assert sum(p["drops"]["spoofed"] for p in stats) == before + 1


def tap_address(name):
    words = lab.sh("ip", "-o", "link", "show", name).split()
    return words[words.index("link/ether") + 1]


def test_nobody_has_the_address_of_the_host(tap_device, tmp_path, cleanup):
    """Whatever it is at the moment, and before the host has said a word."""
    switch = cleanup.enter_context(lab.Switch("--tap", "tap0",
                                              workdir=tmp_path))
    a, b = [cleanup.enter_context(lab.Client(switch.socket))
            for _ in range(2)]
    control = cleanup.enter_context(control_of(switch))
    control.set("uml1", no_spoof=True)

    def spoofs(address):
        before = control.counters("uml1")["drops"]["spoofed"]
        a.send(packet(lab.BROADCAST, address, b"from the host"))
        end = packet(lab.BROADCAST, A, os.urandom(8))
        a.send(end)
        came = packet(lab.BROADCAST, address,
                      b"from the host") in b.recv_until(end)
        assert control.counters("uml1")["drops"]["spoofed"] == before + (
            not came)
        return not came

    first = tap_address("tap0")
    assert spoofs(first)
    lab.sh("ip", "link", "set", "tap0", "address", D)
    lab.wait_until(lambda: spoofs(D), "the new address to be the host's")
    # What the host has on other devices is known when it speaks.
    host = cleanup.enter_context(lab.HostSide("tap0"))
    hello = packet(lab.BROADCAST, lab.mac(77), b"hello")
    host.send(hello)
    b.recv_until(hello)
    assert spoofs(lab.mac(77))


# Storms ---------------------------------------------------------------------

@pytest.mark.parametrize("key, reason, dst", [
    ("storm_broadcast", "storm_bcast", lab.BROADCAST),
    ("storm_multicast", "storm_mcast", "01:00:5e:00:00:01"),
    ("storm_unknown", "storm_unknown", lab.mac(99))])
def test_a_storm_is_cut_and_all_else_passes(abc, control, key, reason, dst):
    a, b, c = abc
    assert control.set("uml1", **{key: 1})[key] == 1
    for number in range(1, 4):
        control.set(f"uml{number}", queue=4096)
    for number in range(200):
        a.send(packet(dst, A, b"%d" % number))
        a.send(packet(B, A, b"for b %d" % number))
        assert b.recv_until(packet(B, A, b"for b %d" % number)) is not None
    counters = control.counters("uml1")
    # A burst of five, and one in each second that this has taken.
    assert counters["drops"][reason] == counters["dropped"]
    assert counters["flooded"] == 1 + 200 - counters["dropped"]
    assert 5 <= len(c.drain()) == 200 - counters["dropped"] < 100
    c.send(packet(lab.BROADCAST, C, b"not limited"))
    b.recv_until(packet(lab.BROADCAST, C, b"not limited"))


# An address of its own ------------------------------------------------------

def test_a_listeners_address_is_its_guests_alone(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/web,name=web,mac={A},locked=on",
        workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    other = cleanup.enter_context(lab.Client(switch.socket))
    for _ in range(2):                  # and again when it is back
        with BessClient(tmp_path / "web") as web:
            control.wait(lambda c: A in c.macs(), "the port")
            assert control.macs()[A] == "web"
            other.send(packet(lab.BROADCAST, A, b"I am web"))
            web.recv_until(packet(lab.BROADCAST, A, b"I am web"))
            assert control.macs()[A] == "web"
            web.send(packet(lab.BROADCAST, B, b"not mine"))
            web.send(packet(lab.BROADCAST, A, b"mine"))
            assert other.recv_until(packet(lab.BROADCAST, A, b"mine")) == []
        control.wait_ports(1)


def test_of_several_guests_the_first_has_the_address_then_the_next(
        tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/web,mac={A}", workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    first = cleanup.enter_context(BessClient(tmp_path / "web"))
    control.wait_ports(1)
    cleanup.enter_context(BessClient(tmp_path / "web"))
    control.wait_ports(2)
    assert control.macs() == {A: "bess1"}
    first.close()
    control.wait_ports(1)
    assert control.macs() == {A: "bess2"}


# Setting them ---------------------------------------------------------------

def test_what_was_set_is_there_when_its_guest_is_back(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/web,name=web", workdir=tmp_path))
    wanted = {"no_spoof": True, "storm_broadcast": 100,
              "storm_multicast": 200, "storm_unknown": 300}
    with control_of(switch) as control:
        none = {key: 0 for key in wanted if key != "no_spoof"}
        for settings in wanted, none:
            with BessClient(tmp_path / "web"):
                control.wait_ports(1)
                port = control.set("web", **settings)
            control.wait_ports(0)
            with BessClient(tmp_path / "web"):
                control.wait_ports(1)
                again = control.port("web")
                for key in wanted:
                    assert again[key] == port[key], key
            control.wait_ports(0)


def test_what_was_set_is_in_the_configuration(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--ports-per-uid", "100", "--port",
        f"dgram:{tmp_path}/l,remote={tmp_path}/r,name=vm,mac={A}",
        workdir=tmp_path))
    with control_of(switch) as control:
        control.set("vm", no_spoof=True, storm_broadcast=7, storm_unknown=8)
        words = control.request("config.show")["words"]
    [port] = [word for word in words if word.startswith("dgram:")]
    assert f"no-spoof=on,mac={A},storm-broadcast=7,storm-unknown=8" in port
    assert words[words.index("--ports-per-uid") + 1] == "100"


@pytest.mark.parametrize("settings", [
    {"storm_broadcast": -1}, {"storm_unknown": 1000001}, {"no_spoof": 1},
    {"storm_multicast": "10"}])
def test_what_is_out_of_range_is_refused_and_changes_nothing(abc, control,
                                                             settings):
    before = control.port("uml1")
    with pytest.raises(Refused) as refused:
        control.set("uml1", locked=True, **settings)
    assert refused.value.code == "argument"
    assert next(iter(settings)) in refused.value.message
    assert control.port("uml1") == before


def test_two_ports_cannot_have_one_address(tmp_path):
    code, said = lab.run_switch(
        "--listen", f"bess:{tmp_path}/a,mac={A}", "--listen",
        f"bess:{tmp_path}/b,mac={A}")
    assert code == 2
    assert said == f"ringswitch: mac= '{A}' is named twice: once only\n"


# Room for every user --------------------------------------------------------

def test_a_user_has_as_many_ports_as_were_said(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch("--ports-per-uid", "3",
                                              workdir=tmp_path))
    clients = [cleanup.enter_context(lab.Client(switch.socket))
               for _ in range(3)]
    with pytest.raises((OSError, lab.LabError)):
        lab.Client(switch.socket)
    assert (f"uid {os.geteuid()} refused: this user has 3 ports already: "
            "--ports-per-uid") in switch.log.read_text()
    clients.pop().close()
    switch.wait_ports(2)
    clients.append(cleanup.enter_context(lab.Client(switch.socket)))
    reach(clients[0], clients[2])
