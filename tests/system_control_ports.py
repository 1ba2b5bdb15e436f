"""Ports that come, go and are shown: port.show, add, del, up, down.

     uml1    uml2    uml3        tap, dgram, connect-...: added while it runs
       \\       |      /                 |
        +-- ringswitch -----------------+
                |
            ctl.control
"""

import os

import pytest

import lab
from lab_clients import (BessClient, BessServer, DgramClient, StreamClient,
                         StreamServer, VdeClient, reach)
from lab_control import control_of


@pytest.fixture
def control(switch):
    with control_of(switch) as control:
        yield control


@pytest.fixture
def uml(switch, cleanup):
    """@n more clients."""
    return lambda n: [cleanup.enter_context(lab.Client(switch.socket))
                      for _ in range(n)]


# Showing ---------------------------------------------------------------------

def test_a_guests_port_is_shown_with_who_it_is(switch, control, uml):
    uml(1)
    port = control.port("uml1")
    assert port["endpoint"] == f"uml:{switch.socket}"
    assert (port["kind"], port["state"], port["admin"]) == ("uml", "up", "up")
    assert (port["pid"], port["uid"]) == (os.getpid(), os.getuid())
    assert (port["queue"], port["queued"], port["frame_max"]) == (512, 0, 1526)
    assert [port[key] for key in ("isolated", "learning", "flood", "locked",
                                  "mac_limit", "mirror", "filter")] == [
        False, True, True, False, 0, None, False]
    assert (port["macs"], port["captures"]) == (0, 0)


def test_every_port_has_an_id_of_its_own_and_keeps_it(control, uml):
    first, second, third = uml(3)
    ids = {name: port["id"] for name, port in control.ports().items()}
    assert len(set(ids.values())) == 3
    second.close()
    control.wait_ports(2)
    assert {name: port["id"] for name, port in control.ports().items()} == {
        name: ids[name] for name in ("uml1", "uml3")}


def test_the_addresses_of_a_port_are_counted(control, uml):
    a, b = uml(2)
    for number in range(5):
        reach(a, b, number)
    assert control.port("uml1")["macs"] == 5
    assert control.port("uml2")["macs"] == 0


def test_every_kind_of_guest_is_shown_as_what_it_is(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"vde:{tmp_path}/vde", "--listen",
        f"bess:{tmp_path}/bess,mtu=9000,name=web", "--listen",
        f"stream:{tmp_path}/stream,queue=64", workdir=tmp_path))
    for client in (lab.Client(switch.socket),
                   VdeClient(tmp_path / "vde", description="plug of alice"),
                   BessClient(tmp_path / "bess"),
                   StreamClient(tmp_path / "stream")):
        cleanup.enter_context(client)
    control = cleanup.enter_context(control_of(switch))
    control.wait_ports(4)
    ports = {port["kind"]: port for port in control.ports().values()}
    assert set(ports) == {"uml", "vde", "bess", "stream"}
    assert ports["vde"]["description"] == "plug of alice"
    assert ports["bess"]["name"] == "web"
    assert ports["bess"]["frame_max"] >= 9014
    assert ports["stream"]["queue"] == 64
    assert {port["pid"] for port in ports.values()} == {os.getpid()}


# Adding ----------------------------------------------------------------------

@pytest.mark.parametrize("kind, server_of", [
    ("connect-bess", BessServer), ("connect-stream", StreamServer)])
def test_a_connection_is_added_and_deleted(kind, server_of, switch, control,
                                           uml, tmp_path):
    with server_of(tmp_path / "up") as server:
        guest, = uml(1)
        port = control.request("port.add",
                               endpoint=f"{kind}:{tmp_path}/up,name=uplink")
        assert (port["name"], port["state"]) == ("uplink", "up")
        assert port["endpoint"].startswith(f"{kind}:{tmp_path}/up")
        with server.accept() as up:
            reach(guest, up)
            reach(up, guest, 2)
            control.request("port.del", port="uplink")
            assert lab.ends(up.socket, lab.STEP_S)
        assert set(control.ports()) == {"uml1"}
    assert "uplink" not in str(control.request("config.show"))
    assert switch.process.poll() is None


def test_a_dgram_port_is_added_and_deleted(control, uml, tmp_path):
    guest, = uml(1)
    endpoint = f"dgram:{tmp_path}/sw,remote={tmp_path}/vm,name=vm"
    assert control.request("port.add", endpoint=endpoint)["kind"] == "dgram"
    with DgramClient(tmp_path / "vm", tmp_path / "sw") as vm:
        reach(vm, guest)
        reach(guest, vm, 2)
        control.request("port.del", port="vm")
        assert not (tmp_path / "sw").exists()
        # And again, at once.
        control.request("port.add", endpoint=endpoint)
        reach(vm, guest)


def test_a_tap_is_added_and_deleted(tap_device, control, uml):
    guest, = uml(1)
    with lab.Tap("tap7") as tap:
        tap.set("up")
        port = control.request("port.add", endpoint="tap:tap7,name=host")
        assert (port["name"], port["kind"]) == ("host", "tap")
        with lab.HostSide("tap7") as host:
            reach(guest, host)
            reach(host, guest, 2)
        # Answered by itself, not with what wakes a quiet switch every ten
        # seconds.
        control.request("port.del", port="host", timeout=5)
        assert "host" not in control.ports()


def test_a_device_is_no_longer_made_by_a_switch_that_runs(tap_device, control):
    """That takes a capability, which it has given up; it says how to go on."""
    error = control.refusal("port.add", endpoint="tap:tap7")
    assert error.code == "refused", error
    assert "ip tuntap add tap7" in error.message
    assert "tap7" not in lab.links()


def test_a_persistent_tap_stays_when_its_port_is_deleted(tap_device, control,
                                                         uml):
    guest, = uml(1)
    with lab.Tap("tap7") as tap:
        tap.set("up")
        for _ in range(3):
            assert control.request("port.add",
                                   endpoint="tap:tap7")["name"] == "tap7"
            with lab.HostSide("tap7") as host:
                reach(host, guest)
            control.request("port.del", port="tap7")
            assert "tap7" in lab.links()


def test_settings_come_with_the_endpoint(control, tmp_path):
    port = control.request(
        "port.add", endpoint=f"dgram:{tmp_path}/sw,remote={tmp_path}/vm,"
        "name=vm,isolated=on,learning=off,flood=off,locked=on,mac-limit=7,"
        "mirror=other,queue=33")
    assert [port[key] for key in ("isolated", "learning", "flood", "locked",
                                  "mac_limit", "mirror", "queue")] == [
        True, False, False, True, 7, "other", 33]


@pytest.mark.parametrize("endpoint", [
    "", "tap", "tap:", "bogus:x", "tap:tap0,bogus=1", "tap:tap0,mtu=0",
    "tap:a-name-of-16-byt", "dgram:/tmp/x", "connect-stream:", "uml:/tmp/x",
    "tap:tap0,isolated=maybe", "tap:tap0,mac-limit=65536",
    "tap:tap0,mac-limit=-1", "tap:tap0,name=a b", "tap:tap0,queue=0",
    "connect-bess:/" + "x" * 200])
def test_an_endpoint_that_is_none_is_refused(control, endpoint):
    error = control.refusal("port.add", endpoint=endpoint)
    assert error.code == "argument", error
    assert control.request("port.show") == []


@pytest.mark.parametrize("kind", ["connect-bess", "connect-stream"])
def test_a_connection_to_nobody_is_refused(control, kind, tmp_path):
    error = control.refusal("port.add", endpoint=f"{kind}:{tmp_path}/nobody")
    assert error.code == "refused" and f"{tmp_path}/nobody" in error.message
    assert control.request("port.show") == []


def test_a_tap_that_cannot_be_had_is_refused(tap_device, control):
    error = control.refusal("port.add", endpoint="tap:lo")
    assert error.code == "refused" and "lo" in error.message
    with lab.Tap("tap7"):
        control.request("port.add", endpoint="tap:tap7")
        assert control.refusal("port.add", endpoint="tap:tap7").code in (
            "refused", "exists")
        assert set(control.ports()) == {"tap7"}


def test_a_name_that_is_in_use_is_refused(control, uml, tmp_path):
    uml(1)
    error = control.refusal(
        "port.add",
        endpoint=f"dgram:{tmp_path}/a,remote={tmp_path}/b,name=uml1")
    assert error.code == "exists" and "uml1" in error.message
    assert not (tmp_path / "a").exists()


def test_descriptors_cannot_be_named_later(control):
    """They would be the switch's own."""
    for fd in 0, 3, 5, 7:
        error = control.refusal("port.add", endpoint=f"fd:{fd}")
        assert error.code in ("argument", "refused")
    assert control.request("version")


# Deleting --------------------------------------------------------------------

def test_a_guests_port_is_deleted_and_its_connection_closed(control, uml):
    a, b, c = uml(3)
    control.request("port.del", port="uml2")
    assert b.closed_by_switch(lab.STEP_S)
    assert set(control.ports()) == {"uml1", "uml3"}
    reach(a, c)
    assert control.refusal("port.del", port="uml2").code == "not-found"


def test_ports_added_and_deleted_many_times_leave_nothing(switch, control,
                                                          uml, tmp_path):
    guest, = uml(1)
    endpoint = f"dgram:{tmp_path}/sw,remote={tmp_path}/vm"

    def once():
        port = control.request("port.add", endpoint=endpoint)
        control.request("port.del", port=port["name"])

    once()
    files = lab.open_files(switch.pid)
    for _ in range(300):
        once()
    lab.wait_until(lambda: lab.open_files(switch.pid) <= files,
                   "all descriptors to be closed")
    assert set(control.ports()) == {"uml1"}


def test_what_a_deleted_port_has_counted_is_not_lost(control, uml):
    a, b, c = uml(3)
    reach(a, b)
    reach(b, a, 2)
    before = control.request("stats.show")["total"]
    control.request("port.del", port="uml1")
    stats = control.request("stats.show")
    assert stats["closed"]["received"] == 1
    assert stats["total"]["received"] == before["received"]


# Down and up -----------------------------------------------------------------

def test_a_port_that_is_down_is_as_if_it_were_not_there(control, uml):
    a, b, c = uml(3)
    for number, (one, other) in enumerate([(a, b), (b, c), (c, a)], 1):
        reach(one, other, number)
    port = control.request("port.down", port="uml2")
    assert (port["admin"], port["state"]) == ("down", "admin-down")
    assert lab.mac(2) not in control.macs()

    b.drain()
    reach(a, c)                         # to all, but b does not get it
    for n in range(10):
        b.send(lab.frame(lab.BROADCAST, lab.mac(2), b"%d" % n, size=60))
    control.wait(lambda c: c.counters("uml2")["drops"]["admin_down"] == 10,
                 "the frames of a port that is down to be dropped")
    assert lab.mac(2) not in control.macs()
    assert b.drain() == []

    port = control.request("port.up", port="uml2")
    assert (port["admin"], port["state"]) == ("up", "up")
    reach(a, b, 4)
    # Nothing of what it had sent was kept for later: what c has got is what
    # a had sent to all.
    reach(a, c, 5)
    assert not [frame for frame in c.drain()
                if frame[6:12] == b"\x02\0\0\0\0\2"]
    reach(b, a, 2)


def test_down_and_up_may_be_said_twice(control, uml):
    uml(1)
    for command, state in (("port.down", "admin-down"), ("port.up", "up")):
        for _ in range(2):
            assert control.request(command, port="uml1")["state"] == state


def test_what_waits_for_a_port_is_dropped_when_it_goes_down(control, uml):
    a, b, _ = uml(3)
    reach(b, a, 2)
    for n in range(60):
        a.send(lab.frame(lab.mac(2), lab.mac(1), b"%03d" % n, size=60))
    queued = control.wait(
        lambda c: c.counters("uml1")["received"] >= 60
        and c.counters("uml2")["queued"], "a queue")
    control.request("port.down", port="uml2")
    counters = control.counters("uml2")
    assert counters["queued"] == 0
    assert 0 < counters["drops"]["port_closed"] <= queued


def test_a_sender_to_a_port_that_is_down_goes_on(control, uml):
    a, b, c = uml(3)
    reach(b, a, 2)
    control.request("port.down", port="uml2")
    for n in range(500):
        a.send(lab.frame(lab.mac(2), lab.mac(1), b"%03d" % n, size=60))
        c.drain()                       # unknown now: flooded
    reach(a, c)
    assert control.counters("uml2")["offered"] <= 1


def test_a_guest_that_goes_while_its_port_is_down_takes_it_along(control, uml):
    a, b = uml(2)
    control.request("port.down", port="uml2")
    b.close()
    control.wait_ports(1)
    c, = uml(1)
    reach(a, c)
