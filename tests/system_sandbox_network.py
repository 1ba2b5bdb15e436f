"""The networks of a sandbox, beside the machine's own (lab_sandbox_network.py)."""

import contextlib
import os
import signal
import subprocess

import pytest

import lab
from lab_sandbox_network import (  # fixtures among them
    BACK, LAN, PAGE, SECRET, TWO_NETWORKS, WEB, PlugGuest, Sandbox, as_anybody,
    as_root, ask, card_mac, configure, hidden, machine, outside, page, place,
    real_guest, refused, sandbox, state_of_machine, sysctl_in, without,
    wrapper_of)

pytestmark = pytest.mark.usefixtures("tap_device")


# Beside the machine ----------------------------------------------------------

def test_guests_find_their_addresses_each_other_and_the_outside(
        machine, as_anybody, sandbox, initrd, tmp_path, cleanup):
    before = state_of_machine()
    running = sandbox(as_anybody, ["1 guest1 lan", "2 guest2 lan"])
    guest1, guest2 = (cleanup.enter_context(
        real_guest(running, number, initrd, tmp_path)) for number in (1, 2))
    for guest in guest1, guest2:
        configure(guest, "vec0")
        guest.check("mkdir -p /etc; echo nameserver 10.44.0.1 >/etc/resolv.conf")
    assert "10.44.0.11/24" in guest1.check("ip address show vec0")
    assert "10.44.0.12" in guest1.check("nslookup guest2")
    assert guest2.pings("10.44.0.11")
    # By way of a name server that only the machine itself can ask.
    assert WEB in guest1.check("nslookup www.example")
    assert PAGE in page(guest1, WEB)
    # Whose answer comes later than its acknowledgement.
    assert PAGE in page(guest1, WEB, path="cgi-bin/late")
    assert guest2.pings(WEB)
    # And what is only for the machine is not for guests.
    assert SECRET not in guest1.run("".join(
        f"timeout 2 wget -q -O - http://{gateway}:8000/ & "
        for gateway in ("169.254.2.1", "169.254.2.3", "10.44.0.1"))
        + "wait")[1]
    assert state_of_machine() == before


def test_networks_are_apart_and_a_guest_on_both_joins_them(
        machine, as_root, sandbox, tmp_path, cleanup):
    running = sandbox(as_root, ["1 web lan", "2 gate lan,back", "3 db back"],
                      networks=TWO_NETWORKS)
    web, gate, db = (cleanup.enter_context(
        PlugGuest(running, number, networks, tmp_path))
        for number, networks in ((1, [LAN]), (2, [LAN, BACK]), (3, [BACK])))
    assert routes_of(web) == {"default via 10.44.0.1 dev tap0",
                              "10.44.1.0/24 via 10.44.0.12 dev tap0"}
    assert routes_of(gate) == {"default via 10.44.0.1 dev tap0"}
    assert routes_of(db) == {"default via 10.44.1.1 dev tap0",
                             "10.44.0.0/24 via 10.44.1.12 dev tap0"}
    assert_all_can_fetch_at_once(web, gate, db)
    # Not by way of the host, and not before the guest between them forwards.
    by_host = ((web, "10.44.1.13 via 10.44.0.1"), (db, "10.44.0.11 via 10.44.1.1"))
    for guest, route in by_host:
        guest.check(f"ip route add {route}")
    assert not web.pings("10.44.1.13", 1, 1)
    for guest, route in by_host:
        guest.check(f"ip route delete {route}")
    assert not web.pings("10.44.1.13", 1, 1)
    sysctl_in(gate, "net.ipv4.ip_forward", 1)
    assert web.pings("10.44.1.13")
    assert db.pings("10.44.0.11")


def assert_all_can_fetch_at_once(*guests):
    """pasta is made for one guest; to it they have to be one."""
    fetching = [guest.start("wget", "-q", "-O", "got", f"http://{WEB}/file")
                for guest in guests]
    assert [fetch.wait(lab.STEP_S) for fetch in fetching] == [0] * len(guests)
    sent = guests[0].workdir.parent / "www" / "file"
    for guest in guests:
        assert (guest.workdir / "got").read_bytes() == sent.read_bytes()


def routes_of(guest):
    return {line.strip() for line in guest.check("ip route").splitlines()
            if " via " in line}


def test_guests_that_are_added_are_known_at_once(as_root, sandbox):
    """And a router among them to those that were there before."""
    running = sandbox(as_root, ["1 web lan"], networks=TWO_NETWORKS)
    offer = ask(running, "lan", card_mac(1))
    assert offer["address"] == "10.44.0.11"
    assert offer["router"] == offer["name_server"] == ("10.44.0.1",)
    assert "classless_static_routes" not in offer
    running.settings["table"] += "2 gate lan,back\n"
    running.check("network_guest", 2)

    def offered(network, mac):
        return ask(running, network, mac)

    lab.wait_until(lambda: "classless_static_routes" in
                   offered("lan", card_mac(1)), "the new route")
    assert offered("lan", card_mac(2))["address"] == "10.44.0.12"
    second = offered("back", card_mac(2, 1))
    assert second["address"] == "10.44.1.12"
    assert "router" not in second and "classless_static_routes" not in second
    stranger = offered("back", "02:00:00:00:00:99")
    assert "10.44.1.211" <= stranger["address"] <= "10.44.1.250"
    assert stranger["classless_static_routes"]


# What does not last ------------------------------------------------------------

@pytest.mark.parametrize("victim", ["", "ringswitch", "dnsmasq", "passt"])
def test_what_was_killed_comes_back_with_the_next_start(
        victim, machine, as_root, sandbox):
    running = sandbox(as_root, ["1 guest1 lan"])
    pids = running.processes(victim)
    assert pids
    for pid in pids if victim else [running.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    lab.wait_until(lambda: not any(map(lab.is_running, pids)), "their end")
    running.down()
    lab.wait_until(lambda: not running.processes(), "the rest to end")
    running.up()
    assert ask(running, "lan", card_mac(1))["address"] == "10.44.0.11"
    assert running.processes(victim)


def test_nothing_outlives_the_holder(machine, as_anybody, sandbox):
    running = sandbox(as_anybody, ["1 guest1 lan"])
    for program in "ringswitch", "dnsmasq", "passt":
        assert running.processes(program)
    os.kill(running.pid, signal.SIGKILL)
    lab.wait_until(lambda: not running.processes(), "the end of all")


def test_a_dry_run_is_a_script_that_does_it(machine, as_anybody, place):
    planned = Sandbox(place, as_anybody, ["1 web lan", "2 gate lan,back"],
                      TWO_NETWORKS)
    script = planned.check("up", dry="1")
    assert not planned.dir.exists()
    subprocess.run([*planned.wrapper, "sh", "-e", "-c", script], check=True,
                   stdin=subprocess.DEVNULL, timeout=lab.STEP_S,
                   env={"PATH": os.environ["PATH"]})
    try:
        assert ask(planned, "lan", card_mac(1))["classless_static_routes"]
        assert "via 169.254.2.1" in planned.inside("ip", "route")
    finally:
        planned.down()


# What is in the way ------------------------------------------------------------

def test_a_machine_without_tun_is_told_how_to_get_it(place, as_root):
    said = refused(place, hidden(as_root, "mount -t tmpfs none /dev/net"))
    assert "no /dev/net/tun: modprobe tun" in said


def test_a_user_who_may_not_use_tun_is_told_so(place, other_user):
    said = refused(place, wrapper_of(place, "nobody", tun=0o600))
    assert said.startswith("sandbox: cannot open /dev/net/tun: Permission denied: "
                           "chmod 666 /dev/net/tun")


@pytest.mark.parametrize("program, package", [
    ("dnsmasq", "dnsmasq-base"), ("nft", "nftables")])
def test_what_has_to_be_installed_is_named(program, package, place, as_root):
    said = refused(place, hidden(as_root, without(program)))
    assert said == f"sandbox: {program} not found: apt-get install {package}"


def test_a_path_that_no_socket_can_have_is_refused(place, as_root):
    said = refused(place, as_root, name="n" * 100)
    assert "longer than the 107 bytes" in said and "SANDBOX_HOME" in said


@pytest.mark.parametrize("missing, why", [
    ("route", "the machine has no default route"),
    ("pasta", "no pasta: apt-get install passt")])
def test_without_an_outside_guests_have_each_other(
        missing, why, machine, sandbox, as_root):
    if missing == "route":
        lab.sh("ip", "route", "delete", "default")
    else:
        as_root = hidden(as_root, without("pasta"))
    running = sandbox(as_root, ["1 guest1 lan"])
    assert f"Guests will not reach the outside: {why}\n" in running.said
    assert ask(running, "lan", card_mac(1))["address"] == "10.44.0.11"


def test_addresses_that_the_machine_has_are_only_mentioned(
        machine, sandbox, as_root, tmp_path):
    """Guests do not get there, but everywhere else."""
    running = sandbox(as_root, ["1 guest1 lan"], "lan=198.51.100")
    assert ("Guests will not reach the machine's 198.51.100.0/24 dev uplink0"
            in running.said)
    with PlugGuest(running, 1, [LAN], tmp_path) as guest:
        assert PAGE in page(guest, WEB)
        assert WEB in guest.check("busybox nslookup www.example 198.51.100.1")
