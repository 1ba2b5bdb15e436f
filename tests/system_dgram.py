"""Ports of kind dgram: QEMU's -netdev dgram, two paths and no handshake.

     kernel -- tap -- QEMU -- PEER <--> LOCAL -- ringswitch
"""

import contextlib
import os
import socket
import time

import pytest

import lab
from lab_clients import DgramClient, reach, receive_when_full
from lab_peers import QemuBridge, dgram_netdev


def dgram(tmp_path, count=1, options="", **more):
    """A switch with @count dgram ports: tmp_path/sw1 for tmp_path/vm1..."""
    words = [word for n in range(1, count + 1) for word in
             ("--port", f"dgram:{tmp_path}/sw{n},remote={tmp_path}/vm{n}"
              + options)]
    return lab.Switch("--listen", f"uml:{tmp_path}/ctl", *words, socket=None,
                      workdir=tmp_path, **more)


def vm(tmp_path, n=1):
    return DgramClient(tmp_path / f"vm{n}", tmp_path / f"sw{n}")


@pytest.fixture
def switch(tmp_path):
    with dgram(tmp_path, options=",name=vm") as running:
        running.socket = str(tmp_path / "ctl")
        yield running
        if running.process.poll() is None:
            lab.assert_books_balance(running.stats())


@pytest.mark.parametrize("size", [14, 60, 1514, 1518])
def test_a_datagram_is_a_frame_to_the_byte(switch, tmp_path, size):
    frame = lab.frame(
        lab.BROADCAST, lab.mac(1), size=size,
        ethertype=0x8100 if size == 1518 else lab.ETHERTYPE)
    with vm(tmp_path) as a, lab.Client(switch.socket) as b:
        a.send(frame)
        assert b.recv() == frame
        b.send(frame)
        assert a.recv() == frame


def test_empty_datagrams_and_runts_are_counted(switch, tmp_path):
    with vm(tmp_path) as a, lab.Client(switch.socket) as b:
        a.send(b"")
        a.send(b"x" * 13)
        last = reach(a, b)
        assert b.drain() == [] and last
        assert switch.stats()["vm"]["drop.runt"] == 2


def test_a_port_whose_other_side_is_not_there_hinders_nobody(switch):
    assert switch.stats()["vm"]["state"] == "detached"
    with lab.Client(switch.socket) as a, lab.Client(switch.socket) as b:
        for _ in range(100):
            reach(a, b)
        stats = switch.stats()
        assert stats["vm"]["state"] == "detached"
        assert stats["vm"]["queued"] == 0
        assert stats["vm"]["sent"] == 0
        lab.assert_books_balance(stats)


def test_the_other_side_may_come_late_go_and_come_back(switch, tmp_path):
    """Its first frame makes it known; the port keeps name and counters."""
    with lab.Client(switch.socket) as b:
        for visit in 1, 2, 3:
            with vm(tmp_path) as a:
                reach(a, b)
                assert switch.stats()["vm"]["state"] == "up"
                reach(b, a, 2)
            reach_nobody(b, switch)
            assert switch.stats()["vm"]["received"] == visit


def reach_nobody(client, switch):
    """Let the switch find out that the other side has gone."""
    def gone():
        client.send(lab.frame(lab.BROADCAST, lab.mac(2), size=60))
        return switch.stats()["vm"]["state"] == "detached"
    lab.wait_until(gone, "the switch to see that the other side has gone")


def test_the_switch_finds_a_side_that_listens_and_says_nothing(switch,
                                                               tmp_path):
    """A guest that only waits to be called must be reachable."""
    with vm(tmp_path) as a, lab.Client(switch.socket) as b:
        def arrives():
            b.send(lab.frame(lab.BROADCAST, lab.mac(2), size=60))
            return a.recv(0.05)
        assert lab.wait_until(arrives, "a frame for the silent side")


def test_a_side_that_was_connected_to_the_last_switch_is_found(switch,
                                                               tmp_path):
    """Nobody may connect to it until it has connected anew."""
    with vm(tmp_path) as a, lab.Client(switch.socket) as b:
        reach(a, b)
        a.socket.connect(str(tmp_path / "sw1"))
        a.remote = None
        switch.kill()
        with dgram(tmp_path, options=",name=vm", name="again") as again, \
                lab.Client(tmp_path / "ctl") as b:
            assert again.stats()["vm"]["state"] == "detached"
            time.sleep(0.1)   # it has looked some times, in vain
            a.socket.connect(str(tmp_path / "sw1"))
            again.wait_stats(lambda stats: stats["vm"]["state"] == "up",
                             "the port to be up")
            reach(b, a, 2)
            reach(a, b)


def test_a_directory_that_was_removed_and_made_again_is_watched(tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    with lab.Switch("--port", f"dgram:{tmp_path}/sw,remote={there}/vm,name=vm",
                    workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as b:
        for _ in range(2):
            with DgramClient(there / "vm", tmp_path / "sw") as a:
                switch.wait_stats(lambda stats: stats["vm"]["state"] == "up",
                                  "the port to be up")
                reach(b, a, 2)
            there.rmdir()
            reach_nobody(b, switch)
            there.mkdir()
            time.sleep(0.1)   # it watches again, and looks no more


@pytest.mark.parametrize("remotes", [("sw1",), ("sw2", "sw1")])
def test_a_port_that_sends_to_the_switch_itself_is_refused(tmp_path, remotes):
    words = [word for n, remote in enumerate(remotes, 1) for word in
             ("--port", f"dgram:{tmp_path}/sw{n},remote={tmp_path}/{remote}")]
    code, said = lab.run_switch(*words)
    assert code == 2 and "loop" in said and said.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_others_may_not_send_to_the_port(switch, tmp_path):
    with vm(tmp_path) as a, lab.Client(switch.socket) as b, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        reach(a, b)
        with contextlib.suppress(PermissionError):
            stranger.sendto(lab.frame(lab.BROADCAST, lab.mac(9), b"spoofed",
                                      size=60), str(tmp_path / "sw1"))
        last = lab.frame(lab.BROADCAST, lab.mac(1), b"last", size=60)
        a.send(last)
        assert b.recv_until(last) == []


def test_frames_are_not_lost_however_fast_they_come(switch, tmp_path):
    frames = [lab.frame(lab.BROADCAST, lab.mac(1), n.to_bytes(4, "big"),
                        size=900) for n in range(2000)]
    with vm(tmp_path) as a, lab.Client(switch.socket) as b:
        reach(b, a, 2)
        assert receive_when_full(a, b, frames) == frames


def test_the_sockets_path_goes_with_the_switch(switch, tmp_path):
    with vm(tmp_path) as a, lab.Client(switch.socket) as b:
        reach(a, b)
        assert switch.stop() == 0
    assert not (tmp_path / "sw1").exists()


def test_a_dead_switchs_path_is_taken_over_and_a_living_ones_is_not(
        switch, tmp_path):
    code, said = lab.run_switch(
        "--port", f"dgram:{tmp_path}/sw1,remote={tmp_path}/other")
    assert code == 1 and f"{tmp_path}/sw1" in said
    switch.kill()
    with dgram(tmp_path, name="again"), vm(tmp_path) as a, \
            lab.Client(tmp_path / "ctl") as b:
        reach(a, b)


def test_a_port_needs_its_remote(tmp_path):
    code, said = lab.run_switch("--port", f"dgram:{tmp_path}/sw1")
    assert code == 2 and "remote" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "sw1").exists()


def test_qemus_reach_each_other_also_after_either_side_was_restarted(
        tmp_path, tap_device):
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(dgram(tmp_path, 2))
        vms = [stack.enter_context(QemuBridge(
            f"q{n}", dgram_netdev(tmp_path / f"vm{n}", tmp_path / f"sw{n}"),
            tmp_path, f"10.0.0.{n}/24")) for n in (1, 2)]
        assert vms[0].pings("10.0.0.2") and vms[1].pings("10.0.0.1")

        vms[0].kill_qemu()
        vms[0].start_qemu()
        assert vms[0].pings("10.0.0.2") and vms[1].pings("10.0.0.1")

        assert switch.stop() == 0
        again = stack.enter_context(dgram(tmp_path, 2, name="again"))
        assert vms[0].pings("10.0.0.2") and vms[1].pings("10.0.0.1")

        (tmp_path / "sent").write_bytes(os.urandom(3 << 20))
        vms[0].serve_files(tmp_path)
        vms[1].check("wget -q -O received http://10.0.0.1:8000/sent")
        assert (vms[1].workdir / "received").read_bytes() \
            == (tmp_path / "sent").read_bytes()
        lab.assert_books_balance(again.stats())
