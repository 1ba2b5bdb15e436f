"""Rules from the first frame to the last: starts, taps made again, ends.

     host side                             guests' side
         |                                      |
       tap1 --- rules=FILE --- ringswitch ------+
"""

import contextlib
import json
import re
import signal
import socket
import subprocess
import threading

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

import lab
import lab_clients
from lab_control import control_of
from lab_filter import (DIRECTIONS, MARK_RULE, Filtered, RuleFile, TapSide,
                        bpf, mark, passed, program_is_loaded, programs_of,
                        reload_rules, rules_text)

assert bpf      # the fixture
pytestmark = pytest.mark.usefixtures("bpf")

A, B = lab.mac(1), lab.mac(2)
INNER, HOST = "10.83.171.5", "192.0.2.1"
ALLOWED, FORBIDDEN = 24, 23


def udp(dport, src=INNER, dst=HOST, number=0):
    return bytes(Ether(src=A, dst=B) / IP(src=src, dst=dst)
                 / UDP(sport=number & 0xffff, dport=dport))


def dport(frame):
    return int.from_bytes(frame[36:38], "big")


# From the first frame --------------------------------------------------------

GUARD = rules_text(MARK_RULE, f"accept dst-port {ALLOWED}",
                   "default to-host drop", "default to-guests drop")


@contextlib.contextmanager
def flood(send, frame):
    """Sends @frame again and again; whether it can be sent does not matter."""
    ending = threading.Event()

    def run():
        while not ending.is_set():
            with contextlib.suppress(OSError):
                send(frame)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def test_nothing_forbidden_passes_while_the_switch_starts(tmp_path, cleanup):
    """The other side is there before the switch is, and both are flooded."""
    tap = cleanup.enter_context(lab.Tap("tap1"))
    tap.set("up")
    rules = RuleFile(tmp_path / "rules", GUARD)
    server = cleanup.enter_context(lab_clients.BessServer(tmp_path / "bess"))
    server.listener.settimeout(lab.STEP_S)
    for number in range(5):
        host = cleanup.enter_context(TapSide("tap1"))
        with flood(host.send, udp(FORBIDDEN, number=number)):
            with lab.Switch("--hub", "--port", f"connect-bess:{server.path}",
                            "--tap", f"tap1,rules={rules}", socket=None,
                            workdir=tmp_path) as switch, \
                    server.accept() as guest, \
                    flood(guest.send, udp(FORBIDDEN, number=number)):
                last = mark()
                host.send(last)
                assert guest.recv_until(last) == []
                assert switch.stop() == 0
        # The device and what listens there outlive the switch.
        assert [frame for frame in host.drain()
                if dport(frame) == FORBIDDEN] == []


def test_a_tap_made_again_is_filtered_from_its_first_frame(tmp_path, cleanup):
    rules = RuleFile(tmp_path / "rules", GUARD)
    tap = cleanup.enter_context(lab.Tap("tap1"))
    switch = cleanup.enter_context(lab.Switch(
        "--hub", "--tap", f"tap1,rules={rules}", workdir=tmp_path))
    guest = cleanup.enter_context(lab.Client(switch.socket))
    # The same port, but a time limit of its own.
    flooder = cleanup.enter_context(guest.data.dup())
    tap.close()
    with flood(lambda frame: flooder.sendto(frame, socket.MSG_DONTWAIT,
                                            guest.peer), udp(FORBIDDEN)):
        for number in range(10):
            assert_filtered_when_made(guest, number)
    # The rules that are in force now, not those of the start.
    reload_rules(switch, rules, rules_text(MARK_RULE, "drop dst-port 53"))
    with lab.Tap("tap1") as again:
        again.set("up")
        with TapSide("tap1") as host:
            lab.wait_until(lambda: switch.stats()["tap1"]["state"] == "up",
                           "the new tap to be taken")
            frames = [udp(53), udp(54)]
            assert passed(host, guest, frames) == frames[1:]
            assert passed(guest, host, frames) == frames[1:]


def assert_filtered_when_made(guest, number):
    """Both sides are flooded while the device is made and taken."""
    allowed = udp(ALLOWED, number=number)
    with lab.Tap("tap1") as tap:
        tap.set("up")
        with TapSide("tap1") as host, TapSide("tap1") as flooder, \
                flood(flooder.send, udp(FORBIDDEN, number=number)):
            for sender, receiver in (host, guest), (guest, host):
                heard = []

                def arrives():
                    sender.send(allowed)
                    heard.append(receiver.recv(0.05))
                    return heard[-1] == allowed

                lab.wait_until(arrives, "the tap to be taken")
                last = mark()
                sender.send(last)
                heard += receiver.recv_until(last)
                assert {dport(frame) for frame in heard if frame} == {ALLOWED}


# What is left behind ---------------------------------------------------------

def attached_here():
    """What `bpftool net` knows in our network namespace."""
    found = json.loads(lab.sh("bpftool", "-j", "net"))
    return [one for kind in found for one in kind.values() if one]


def test_after_exit_nothing_is_left_on_a_persistent_tap(tmp_path, cleanup):
    cleanup.enter_context(lab.Tap("tap1")).set("up")
    assert attached_here() == []
    for sig in signal.SIGTERM, signal.SIGINT:
        with Filtered(tmp_path, "drop\n", tap="tap1") as net:
            programs = programs_of(net.switch.pid)
            assert len(programs) >= 2
            assert all(map(program_is_loaded, programs))
            assert attached_here() != []
            assert net.switch.stop(sig) == 0
        assert attached_here() == []
        lab.wait_until(lambda: not any(map(program_is_loaded, programs)),
                       "the programs to be freed")
        assert_unfiltered(tmp_path)


def assert_unfiltered(tmp_path):
    """A switch without rules on tap1 lets everything through."""
    with lab.Switch("--hub", "--tap", "tap1", workdir=tmp_path) as switch, \
            TapSide("tap1") as host, lab.Client(switch.socket) as guest:
        assert passed(host, guest, [udp(22)]) == [udp(22)]
        assert passed(guest, host, [udp(22)]) == [udp(22)]


def test_a_port_that_is_removed_leaves_nothing_on_a_persistent_tap(tmp_path,
                                                                   cleanup):
    """While the switch runs it is somebody else who may do that."""
    cleanup.enter_context(lab.Tap("tap1")).set("up")
    rules = RuleFile(tmp_path / "rules", GUARD)
    switch = cleanup.enter_context(lab.Switch(
        "--tap", f"tap1,rules={rules}", workdir=tmp_path))
    numbers = programs_of(switch.pid)
    assert len(numbers) == 2
    with control_of(switch) as control:
        control.request("port.del", port="tap1")
    for number in numbers:
        lab.wait_until(lambda: not program_is_loaded(number),
                       "the programs to be gone")
    assert attached_here() == []


def test_after_kill_9_a_new_start_works_and_has_its_own_rules(tmp_path,
                                                              cleanup):
    cleanup.enter_context(lab.Tap("tap1")).set("up")
    for number in range(5):
        with Filtered(tmp_path, rules_text(MARK_RULE, f"drop dst-port {number}"),
                      tap="tap1") as net:
            frames = [udp(port) for port in range(5)]
            for direction in DIRECTIONS:
                assert net.passed(direction, frames) == [
                    frame for frame in frames if dport(frame) != number]
            programs = programs_of(net.switch.pid)
            net.switch.kill()
    assert_unfiltered(tmp_path)
    assert attached_here() == []
    lab.wait_until(lambda: not any(map(program_is_loaded, programs)),
                   "the programs to be freed")


def test_after_kill_9_of_a_switch_its_own_tap_is_gone_with_its_programs(
        tmp_path):
    with Filtered(tmp_path, "drop\n", tap="tap1") as net:
        programs = programs_of(net.switch.pid)
        net.switch.kill()
    lab.wait_until(lambda: "tap1" not in lab.links(), "the tap to go")
    lab.wait_until(lambda: not any(map(program_is_loaded, programs)),
                   "the programs to be freed")


def test_a_start_that_fails_late_leaves_nothing(tmp_path, cleanup):
    """The first tap is ready and filtered when the second is refused."""
    cleanup.enter_context(lab.Tap("tap1")).set("up")
    rules = RuleFile(tmp_path / "rules", "drop\n")
    for arguments in (("--tap", f"tap1,rules={rules}", "--tap", "lo"),
                      ("--tap", f"tap1,rules={rules}", "--tap",
                       f"tap2,rules={tmp_path / 'missing'}"),
                      ("--tap", f"tap1,rules={rules}", "--unix",
                       str(tmp_path / "no" / "ctl"))):
        code, said = lab.run_switch(*arguments)
        assert code == 1, said
        assert attached_here() == []
        assert "tap2" not in lab.links()
    assert_unfiltered(tmp_path)


def test_without_the_right_to_load_programs_the_start_says_what_to_do(
        tmp_path, other_user):
    with lab.Tap("tap1"):
        rules = RuleFile(tmp_path / "rules", "drop\n")
        ctl = tmp_path / "ctl"
        done = subprocess.run(
            ["setpriv", "--bounding-set", "-all,+net_admin", "--inh-caps",
             "-all,+net_admin", lab.ringswitch(), "--unix", str(ctl), "--tap",
             f"tap1,rules={rules}"], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=lab.STEP_S)
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert re.search("root|CAP_BPF", done.stderr), done.stderr
        assert not ctl.exists()
