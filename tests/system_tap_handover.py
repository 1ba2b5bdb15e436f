"""The switch is killed, or started anew, and the host's side does not notice:
the tap is the same device, and what stands before it goes on.

     host                                  guests' side
       |                                        |
     tap0 --- rules, programs --- ringswitch ---+   <- killed here
                                     ||
                                   keeper, which has the device and its filter

Nobody has the right to load a program by then.
"""

import contextlib
import os
import re
import signal
import socket
import threading

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

import lab
from lab_control import control_of
from lab_filter import (DIRECTIONS, MARK_RULE, TO_GUESTS, Filtered, RuleFile,
                        TapSide, bpf, mark, passed, program_is_loaded,
                        programs_of, rule_counters, rules_text)
from lab_object import built
from system_handover import kill_switch

assert bpf      # the fixture
pytestmark = pytest.mark.usefixtures("tap_device")

A, B = lab.mac(1), lab.mac(2)
ALLOWED, FORBIDDEN = 24, 23
GUARD = rules_text(MARK_RULE, f"accept dst-port {ALLOWED}",
                   "default to-host drop", "default to-guests drop")


def udp(dport, number=0):
    return bytes(Ether(src=A, dst=B) / IP(src="10.83.171.5", dst="192.0.2.1")
                 / UDP(sport=number, dport=dport))


def dport(frame):
    return int.from_bytes(frame[36:38], "big")


def start_anew(switch):
    said = switch.said().count("started anew")
    with control_of(switch) as control:
        control.request("restart")
    lab.wait_until(lambda: switch.said().count("started anew") > said,
                   "the next switch")


ENDS = {"killed": kill_switch, "started anew": start_anew}


@pytest.fixture(params=ENDS)
def end(request):
    """Ends the process that switches, one way or the other."""
    return ENDS[request.param]


def assert_passes(host, guest):
    """Both ways, without anything having to be asked of a device first."""
    for sender, receiver in (host, guest), (guest, host):
        last = mark()
        sender.send(last)
        receiver.recv_until(last)


def assert_passes_again(host, guest):
    """The kernel sends nothing to a device that has just been attached to."""
    def arrives():
        host.send(udp(ALLOWED))
        return guest.recv(0.05)

    lab.wait_until(arrives, "the first frame")
    assert_passes(host, guest)


# The device ------------------------------------------------------------------

def test_the_tap_is_the_same_device(end, tmp_path, cleanup):
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", workdir=tmp_path, keeper=True))
    host = cleanup.enter_context(TapSide("tap0"))
    guest = cleanup.enter_context(lab.Client(switch.socket))
    number = socket.if_nametoindex("tap0")
    for _ in range(3):
        assert_passes(host, guest)
        end(switch)
        assert_passes(host, guest)
        assert socket.if_nametoindex("tap0") == number
    # It is the keeper's as well, and goes with that; and with the rings of
    # switches that have ended, which the kernel takes down in its own time.
    assert switch.stop() == 0
    lab.wait_until(lambda: "tap0" not in lab.links(), "the device to go")


def stopped_and_killed(switch, meanwhile):
    """The switch does not hear of what @meanwhile() does."""
    os.kill(switch.switch_pid(), signal.SIGSTOP)
    meanwhile()
    kill_switch(switch)


def test_a_change_that_the_killed_switch_did_not_hear_of_is_found(tmp_path,
                                                                  cleanup):
    tap = cleanup.enter_context(lab.Tap("tap0"))
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", workdir=tmp_path, keeper=True))
    guest = cleanup.enter_context(lab.Client(switch.socket))
    switch.wait_ports(2)
    stopped_and_killed(switch, lambda: tap.set("mtu", "500"))

    def refused():
        guest.send(lab.frame(lab.BROADCAST, A, b"long", size=1000))
        return switch.stats()["tap0"].get("drop.too_long")

    lab.wait_until(refused, "the new MTU to be respected")
    stopped_and_killed(switch, lambda: tap.set("down"))
    lab.wait_until(lambda: switch.stats()["tap0"]["state"] == "down",
                   "the switch to notice")
    stopped_and_killed(switch, lambda: (tap.set("name", "uplink"),
                                        tap.set("up")))
    lab.wait_until(lambda: switch.stats().get("uplink", {}).get("state")
                   == "up", "the new name")


def test_a_device_that_went_meanwhile_is_attached_again(tmp_path, cleanup):
    tap = cleanup.enter_context(lab.Tap("tap0"))
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", workdir=tmp_path, keeper=True))
    guest = cleanup.enter_context(lab.Client(switch.socket))
    switch.wait_ports(2)
    stopped_and_killed(switch, tap.close)
    lab.wait_until(lambda: switch.stats()["tap0"]["state"] == "detached",
                   "the switch to notice")
    # And one that has no device is handed on, too.
    kill_switch(switch)
    assert switch.stats()["tap0"]["state"] == "detached"
    cleanup.enter_context(lab.Tap("tap0")).set("up")
    lab.wait_until(lambda: switch.stats()["tap0"]["state"] == "up",
                   "the tap to be taken")
    kill_switch(switch)
    with TapSide("tap0") as host:
        assert_passes_again(host, guest)


# Filters ---------------------------------------------------------------------

def kept(net):
    """What rules have counted, and the frames they have dropped."""
    rules, dropped = rule_counters(net.switch, net.tap)
    return ({key: (rule.frames, rule.bytes, rule.text)
             for key, rule in rules.items()},
            [(one.direction, one.line, one.frame) for one in dropped])


def test_rules_judge_and_count_on(end, bpf, tmp_path):
    frames = [udp(ALLOWED), udp(FORBIDDEN), udp(53)]
    with Filtered(tmp_path, GUARD, keeper=True) as net:
        for direction in DIRECTIONS:
            assert net.passed(direction, frames) == frames[:1]
        before, programs = kept(net), programs_of(net.switch.switch_pid())
        assert len(before[1]) == 4
        end(net.switch)
        assert kept(net) == before
        assert programs_of(net.switch.switch_pid()) == programs != set()
        for direction in DIRECTIONS:
            assert net.passed(direction, frames) == frames[:1]
        after = kept(net)
        assert {key: rule[0] - before[0][key][0]
                for key, rule in after[0].items()} \
            == {key: rule[0] for key, rule in before[0].items()}
        assert after[1] == before[1] * 2


def test_the_rules_in_force_are_those_loaded_last(end, bpf, tmp_path):
    """Of the two sets in the kernel it may be the one or the other."""
    with Filtered(tmp_path, GUARD, keeper=True) as net:
        for port in 53, 54, 55:
            net.reload(rules_text(MARK_RULE, f"drop dst-port {port}"))
            # The file is not what counts: it may be changed already.
            net.rules.write("nonsense")
            end(net.switch)
            frames = [udp(53), udp(54), udp(55)]
            for direction in DIRECTIONS:
                assert net.passed(direction, frames) \
                    == [frame for frame in frames if dport(frame) != port]
            assert "nonsense" in net.refused_reload(None)


def test_rules_that_stay_count_on_through_kill_and_reload(bpf, tmp_path):
    with Filtered(tmp_path, GUARD, keeper=True) as net:
        assert net.passed(TO_GUESTS, [udp(ALLOWED)]) == [udp(ALLOWED)]
        kill_switch(net.switch)
        net.reload(GUARD + "count dst-port 99\n")
        assert net.passed(TO_GUESTS, [udp(ALLOWED)]) == [udp(ALLOWED)]
        rules, _ = rule_counters(net.switch, net.tap)
        assert rules[(2, TO_GUESTS)].frames == 2


@contextlib.contextmanager
def flood(send, frame):
    """Sends @frame thousands of times a second; whether it can be sent does not
    matter. (More, and who looks at every frame of the device sees no other.)"""
    ending = threading.Event()

    def run():
        while not ending.wait(0.0002):
            with contextlib.suppress(OSError):
                send(frame)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def test_nothing_forbidden_passes_while_switches_come_and_go(end, bpf,
                                                             tmp_path):
    with Filtered(tmp_path, GUARD, keeper=True) as net, \
            TapSide(net.tap) as flooder, \
            net.guest.data.dup() as data:
        with flood(flooder.send, udp(FORBIDDEN)), \
                flood(lambda frame: data.sendto(frame, 0, net.guest.peer),
                      udp(FORBIDDEN)):
            for _ in range(3):
                end(net.switch)
                for direction in DIRECTIONS:
                    sender, receiver = net.ends(direction)
                    last = mark()
                    sender.send(last)
                    assert receiver.recv_until(last) == []


def test_an_expression_goes_on_without_being_compiled_again(end, tmp_path,
                                                            cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--hub", "--tap", f"tap0,accept-to-guests=not dst port {FORBIDDEN}",
        workdir=tmp_path, keeper=True))
    host = cleanup.enter_context(TapSide("tap0"))
    guest = cleanup.enter_context(lab.Client(switch.socket))
    switch.wait_ports(2)
    frames = [udp(FORBIDDEN), udp(ALLOWED)]
    for _ in range(3):
        assert passed(host, guest, frames) == frames[1:]
        end(switch)
    assert passed(host, guest, frames) == frames[1:]


def test_a_users_programs_and_their_maps_go_on(end, bpf, tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--hub", "--tap", f"tap0,filter={built('example_count')}",
        workdir=tmp_path, keeper=True))
    host = cleanup.enter_context(TapSide("tap0"))
    guest = cleanup.enter_context(lab.Client(switch.socket))
    programs = programs_of(switch.switch_pid())
    assert len(programs) == 2
    assert_passes(host, guest)
    end(switch)
    assert programs_of(switch.switch_pid()) == programs
    assert_passes(host, guest)
    # Its maps are where bpftool finds them, with what had been counted.
    shown = lab.sh("bpftool", "prog", "show", "id", str(max(programs)))
    counted = [lab.sh("bpftool", "map", "dump", "id", number) for number in
               re.search(r"map_ids (\S+)", shown).group(1).split(",")]
    assert any(re.search(r'"frames": [1-9]', text) for text in counted), counted


def test_after_the_end_nothing_is_left_on_a_persistent_tap(bpf, tmp_path,
                                                           cleanup):
    tap = cleanup.enter_context(lab.Tap("tap0"))
    tap.set("up")
    with Filtered(tmp_path, GUARD, keeper=True) as net:
        programs = programs_of(net.switch.switch_pid())
        kill_switch(net.switch)
        assert net.switch.stop() == 0
    for number in programs:
        lab.wait_until(lambda: not program_is_loaded(number),
                       "the programs to be gone")


def test_a_tap_made_again_after_a_kill_is_filtered_from_its_first_frame(
        bpf, tmp_path, cleanup):
    tap = cleanup.enter_context(lab.Tap("tap1"))
    rules = RuleFile(tmp_path / "rules", GUARD)
    switch = cleanup.enter_context(lab.Switch(
        "--hub", "--tap", f"tap1,rules={rules}", workdir=tmp_path,
        keeper=True))
    guest = cleanup.enter_context(lab.Client(switch.socket))
    switch.wait_ports(2)
    for _ in range(3):
        kill_switch(switch)
        tap.close()
        tap = cleanup.enter_context(lab.Tap("tap1"))
        tap.set("up")
        with TapSide("tap1") as host, flood(host.send, udp(FORBIDDEN)):
            heard = []

            def arrives():
                host.send(udp(ALLOWED))
                heard.append(guest.recv(0.05))
                return heard[-1]

            lab.wait_until(arrives, "the tap to be taken")
            last = mark()
            host.send(last)
            heard += guest.recv_until(last)
            assert {dport(frame) for frame in heard if frame} == {ALLOWED}
