"""The networks of a sandbox with --host: tap and address translation are on the
machine itself (lab_sandbox_network.py)."""

import os
import signal
import socket

import pytest

import lab
from lab_sandbox_network import (  # fixtures among them
    LAN, PAGE, WEB, PlugGuest, Sandbox, as_root, machine, outside, page, place,
    refused, state_of_machine, wrapper_of)

pytestmark = pytest.mark.usefixtures("tap_device")


@pytest.mark.parametrize("end", ["down", "crash"])
def test_what_host_changes_is_shown_and_given_back(
        end, machine, outside, as_root, place, tmp_path):
    outside.check("ip route add 10.44.0.0/24 via 198.51.100.2")
    lab.sh("nft", "add", "table", "ip", "somebody")
    before = state_of_machine()
    with Sandbox(place, as_root, ["1 guest1 lan"], host=True) as running, \
            PlugGuest(running, 1, [LAN], tmp_path) as guest:
        assert PAGE in page(guest, WEB)
        assert WEB in guest.check("busybox nslookup www.example 10.44.0.1")
        assert machine.pings("10.44.0.11")
        assert not outside.pings("10.44.0.11", 1, 1)
        assert "sandbox-0" in lab.links()
        assert "ringswitch_sandbox" in state_of_machine()
        for command in ("ip tuntap add sandbox-0 mode tap", "sysctl -q -w "
                        "net.ipv4.ip_forward=1", "nft -f "):
            assert f"\n+ {command}" in running.said
        if end == "crash":
            os.kill(running.pid, signal.SIGKILL)
    assert state_of_machine() == before
    lab.sh("nft", "delete", "table", "ip", "somebody")


def test_the_last_one_with_host_switches_forwarding_off(machine, as_root, place):
    before = state_of_machine()
    with Sandbox(place, as_root, ["1 a lan"], host=True):
        with Sandbox(place, as_root, ["1 a lan"], "lan=10.45.0", host=True,
                     name="a-long-name-of-another"):
            assert len([name for name in lab.links() if name[-2:] == "-0"]) == 2
        assert "net.ipv4.ip_forward = 1\n" in state_of_machine()
    assert state_of_machine() == before


# What is in the way ------------------------------------------------------------

def test_host_is_for_root(machine, place, other_user):
    said = refused(place, wrapper_of(place, "nobody"), host=True)
    assert "--host: only root" in said


@pytest.mark.parametrize("address", ["10.44.0.7/32", "10.44.0.129/28",
                                     "10.40.0.1/13"])
def test_addresses_in_use_are_refused(address, machine, place, as_root):
    lab.sh("ip", "address", "add", address, "dev", "uplink0")
    said = refused(place, as_root, host=True)
    assert "network lan: 10.44.0.0/24 is in use on this machine" in said
    assert "--network lan=" in said


def test_a_device_of_somebody_elses_is_left_alone(machine, place, as_root):
    with lab.Tap("sandbox-0"):
        said = refused(place, as_root, host=True)
        assert "there is a device sandbox-0 already" in said


def test_a_name_server_on_all_addresses_is_named_as_the_reason(
        outside, place, as_root):
    with socket.socket(type=socket.SOCK_DGRAM) as name_server:
        name_server.bind(("", 53))
        said = refused(place, as_root, host=True)
    assert "10.44.0.1: Address already in use; has the machine" in said
    assert "bind-interfaces" in said


def test_a_firewall_in_the_way_is_named_and_so_is_the_remedy(
        machine, as_root, place, tmp_path, cleanup):
    lab.sh("nft", "add table ip wall; add chain ip wall FORWARD "
           "{ type filter hook forward priority 0; policy drop; }")
    cleanup.callback(lab.sh, "nft", "delete", "table", "ip", "wall")
    with Sandbox(place, as_root, ["1 guest1 lan"], host=True) as running, \
            PlugGuest(running, 1, [LAN], tmp_path) as guest:
        line, = (line for line in running.said.splitlines() if "wall" in line)
        assert "keep guests away from the outside (ip wall FORWARD " in line
        assert PAGE not in page(guest, WEB)
        remedy = line.split("): ")[1].split(", and")[0]
        lab.sh("sh", "-c", remedy)
        lab.sh("sh", "-c", remedy.replace("iifname", "oifname"))
        assert PAGE in page(guest, WEB)
