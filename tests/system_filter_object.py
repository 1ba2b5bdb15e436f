"""Objects of the user's own on a tap: --tap tap0,filter=FILE.o.

The picture is in lab_object.py. A frame that passes and was sent last shows
what has not arrived: nothing is waited for in vain.
"""

import json
import re
import shutil
import signal

import pytest

import lab
import lab_clients
from lab_filter import bpf  # noqa: F401 (a fixture)
from lab_object import (SOCKET, TC, TC_ACT_OK, TC_ACT_SHOT, XDP, XDP_ABORTED,
                        XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX, assert_bare,
                        assert_gone, assert_judged, built, filtered,
                        foreign_program, needs_tcx, order, program_ids, refused,
                        renamed, send)

pytestmark = pytest.mark.usefixtures("bpf")

# Verdicts ---------------------------------------------------------------------

@pytest.mark.parametrize("name, said, to_guests, to_host", [
    ("bpf_socket", "'obey_to_guests' to-guests (socket)", SOCKET, None),
    ("bpf_xdp", "'obey_to_host' to-host (xdp)", None, XDP),
    ("bpf_both", "'both_to_guests' to-guests (socket), "
     "'both_to_host' to-host (xdp)", SOCKET, XDP),
    ("bpf_sections", "'named_to_guests' to-guests (socket), "
     "'named_to_host' to-host (xdp)", SOCKET, XDP),
    pytest.param("bpf_tc", "'obey_tc' to-guests (tc)", TC, None,
                 marks=needs_tcx)])
def test_programs_judge_their_direction_and_only_that(name, said, to_guests,
                                                      to_host, tmp_path):
    path = built(name)
    with filtered(path, tmp_path) as (switch, host, client):
        assert_judged(host, client, to_guests, to_host)
        assert f"tap tap0: filter: {path}: {said}\n" in switch.said()
        lab.assert_books_balance(switch.stats())


def tx_dropped(tap):
    link, = json.loads(lab.sh("ip", "-j", "-s", "link", "show", tap))
    return link["stats64"]["tx"]["dropped"]


def test_what_is_dropped_before_the_switch_is_counted_by_the_device(tmp_path):
    with filtered(built("bpf_both"), tmp_path) as (switch, host, client):
        before = tx_dropped("tap0")
        passed = order(-1, "passed")
        send(host, *[order(0, "dropped")] * 5, passed)
        client.recv_until(passed)
        assert tx_dropped("tap0") == before + 5
        assert switch.stats()["tap0"]["received"] == 1


def test_what_is_dropped_behind_the_switch_counts_as_sent(tmp_path):
    with filtered(built("bpf_both"), tmp_path) as (switch, host, client):
        passed = order(XDP_PASS, "passed")
        send(client, *[order(XDP_DROP, "dropped")] * 5, passed)
        host.recv_until(passed)
        stats = switch.stats()
        assert stats["tap0"]["sent"] == stats["uml1"]["received"] == 6
        lab.assert_books_balance(stats)


def test_a_socket_program_says_how_much_of_a_frame_goes_on(tmp_path):
    with filtered(built("bpf_socket"), tmp_path) as (_, host, client):
        for keep in 14, 15, 64, 1513:
            frame = order(keep, "cut", 1514)
            send(host, frame)
            client.recv_until(frame[:keep])
        for enough in 1514, 1515, 0x7fffffff, 0xffffffff:
            frame = order(enough, "whole", 1514)
            send(host, frame)
            client.recv_until(frame)


def test_a_frame_that_is_cut_below_its_header_is_a_runt(tmp_path):
    with filtered(built("bpf_socket"), tmp_path) as (switch, host, client):
        passed = order(-1, "passed")
        send(host, order(13, "runt"), order(1, "runt"), passed)
        assert client.recv_until(passed) == []
        stats = switch.stats()
        assert stats["tap0"]["drop.runt"] == 2
        lab.assert_books_balance(stats)


@pytest.mark.parametrize("verdict", [
    XDP_ABORTED, XDP_DROP, XDP_REDIRECT, 99, -1])
def test_no_verdict_of_xdp_but_pass_lets_a_frame_through(verdict, tmp_path):
    with filtered(built("bpf_xdp"), tmp_path) as (switch, host, client):
        passed = order(XDP_PASS, "passed")
        send(client, *[order(verdict, "dropped")] * 3, passed)
        assert host.recv_until(passed) == []
        lab.assert_books_balance(switch.stats())


def test_a_frame_that_xdp_sends_back_comes_back(tmp_path):
    with filtered(built("bpf_xdp"), tmp_path) as (switch, host, client):
        back, passed = order(XDP_TX, "back"), order(XDP_PASS, "passed")
        send(client, back, passed)
        assert client.recv() == back
        assert host.recv_until(passed) == []
        lab.assert_books_balance(switch.stats())


@needs_tcx
@pytest.mark.parametrize("verdict, passes", [
    (TC_ACT_OK, True), (-1, True), (99, True), (TC_ACT_SHOT, False)])
def test_verdicts_of_tc(verdict, passes, tmp_path):
    with filtered(built("bpf_tc"), tmp_path) as (_, host, client):
        frame, last = order(verdict, "frame"), order(TC_ACT_OK, "last")
        send(host, frame, last)
        assert client.recv_until(last) == ([frame] if passes else [])


@pytest.mark.parametrize("size", [18, 60, 1514, 4096, 9014])
def test_frames_of_every_length_are_judged(size, tmp_path):
    """The kernel takes those that fill more than a page another way."""
    with filtered(built("bpf_both"), tmp_path, "--listen",
                  f"bess:{tmp_path}/bess,mtu=9000") as (switch, host, _):
        lab.sh("ip", "link", "set", "tap0", "mtu", "9000")
        with lab_clients.attached(
                switch, lab_clients.BessClient(tmp_path / "bess"),
                besides=2) as (client,):
            lab.wait_until(lambda: passes(client, host, size),
                           "the new MTU to be respected")
            for sender, receiver, (drop, accept) in ((host, client, SOCKET),
                                                     (client, host, XDP)):
                passed = order(accept, "", size)
                send(sender, order(drop, "", size), passed)
                assert order(drop, "", size) not in receiver.recv_until(passed)


def passes(sender, receiver, size):
    frame = order(XDP_PASS, "", size)
    send(sender, frame)
    return frame in iter(lambda: receiver.recv(0.05), None)


# On the command line ----------------------------------------------------------

def test_filter_works_with_port_tap_and_on_each_of_two_taps(tmp_path):
    arguments = ("--port", f"tap:tap1,name=two,filter={built('bpf_xdp')}")
    with filtered(built("bpf_socket"), tmp_path, *arguments) as (
            switch, host, client), lab.HostSide("tap1") as other:
        assert_judged(host, client, to_guests=SOCKET)
        assert_judged(other, client, to_host=XDP)
        assert "two" in switch.stats()
        assert "tap tap1: filter: " in switch.said() or \
            "tap two: filter: " in switch.said()


def test_a_comma_in_the_file_s_name_is_written_twice(tmp_path):
    path = tmp_path / "one,two.o"
    shutil.copy(built("bpf_both"), path)
    with filtered(str(path).replace(",", ",,"), tmp_path) as (_, *sides):
        assert_judged(*sides, SOCKET, XDP)


def test_a_relative_path_is_from_where_the_switch_was_started(tmp_path):
    shutil.copy(built("bpf_both"), tmp_path / "mine.o")
    with filtered("mine.o", tmp_path, cwd=tmp_path) as (switch, *sides):
        assert_judged(*sides, SOCKET, XDP)
        assert "filter: mine.o: " in switch.said()


# Who else is there ------------------------------------------------------------

@pytest.fixture
def mine(tmp_path):
    """(object, prefix): bpf_both, and how the names of its programs begin."""
    path = tmp_path / "mine.o"
    prefix, = renamed("bpf_both", path, "both_to")
    return path, prefix


@pytest.mark.parametrize("persistent", [True, False],
                         ids=["persistent tap", "own tap"])
def test_nothing_is_left_attached_after_the_end(persistent, mine, tmp_path,
                                                cleanup):
    path, prefix = mine
    tap = cleanup.enter_context(lab.Tap("tap0")) if persistent else None
    with filtered(path, tmp_path) as (switch, *sides):
        ids = program_ids(prefix)
        assert len(ids) == 2
        assert_judged(*sides, SOCKET, XDP)
        assert switch.stop() == 0
    assert_gone(ids, prefix)
    if persistent:
        assert_bare(tap)
    else:
        assert "tap0" not in lab.links()


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGHUP])
def test_every_orderly_end_is_one(sig, mine, tmp_path):
    path, prefix = mine
    with lab.Tap("tap0") as tap:
        with filtered(path, tmp_path) as (switch, *_):
            ids = program_ids(prefix)
            assert len(ids) == 2
            assert switch.stop(sig) == 0
        assert_gone(ids, prefix)
        assert_bare(tap)


@pytest.mark.parametrize("name", ["bpf_socket", "bpf_xdp", pytest.param(
    "bpf_tc", marks=needs_tcx)])
def test_after_kill_9_a_new_start_replaces_what_is_there(name, tmp_path,
                                                         cleanup):
    verdicts = {"bpf_socket": (SOCKET, None), "bpf_xdp": (None, XDP),
                "bpf_tc": (TC, None)}
    cleanup.enter_context(lab.Tap("tap0"))
    for n in range(5):
        with filtered(built(name), tmp_path) as (switch, *sides):
            assert_judged(*sides, *verdicts[name])
            switch.kill()


def test_after_kill_9_and_a_new_start_the_old_programs_are_gone(mine, tmp_path,
                                                                cleanup):
    path, prefix = mine
    tap = cleanup.enter_context(lab.Tap("tap0"))
    with filtered(path, tmp_path) as (switch, *_):
        old = program_ids(prefix)
        switch.kill()
    with filtered(path, tmp_path) as (switch, *sides):
        assert_gone(old, prefix)
        assert len(program_ids(prefix)) == 2
        assert_judged(*sides, SOCKET, XDP)
        new = program_ids(prefix)
    assert_gone(new, prefix)
    assert_bare(tap)


def test_after_kill_9_a_start_without_a_filter_has_none(mine, tmp_path,
                                                        cleanup):
    """A persistent device keeps a socket program when its switch dies."""
    path, prefix = mine
    cleanup.enter_context(lab.Tap("tap0"))
    with filtered(path, tmp_path) as (switch, *_):
        old = program_ids(prefix)
        switch.kill()
    with lab.Switch("--hub", "--tap", "tap0", workdir=tmp_path) as switch, \
            lab.HostSide("tap0") as host, lab.Client(switch.socket) as client:
        assert_gone(old, prefix)
        assert_judged(host, client)


@pytest.mark.parametrize("mode", ["xdp", "xdpgeneric"])
def test_somebody_else_s_program_is_named_and_left_alone(mode, tmp_path):
    with lab.Tap("tap0") as tap:
        tap.set("up")
        number = foreign_program("tap0", mode)
        code, said = refused(tmp_path, "--tap",
                             f"tap0,filter={built('bpf_both')}")
        assert code == 1
        assert "tap0" in said and str(number) in said
        # And how to get rid of it.
        assert "xdp" in said and "off" in said
        assert f"prog/xdp id {number}" in lab.sh("ip", "link", "show", "tap0")
        lab.sh("ip", "link", "set", "dev", "tap0", mode, "off")
        # Nothing of ours was left either, in the direction that was free.
        assert_bare(tap)


def test_somebody_else_s_program_is_named_where_it_is_not_in_the_way(tmp_path):
    """It judges our guests' frames, which nobody would guess."""
    with lab.Tap("tap0") as tap:
        tap.set("up")
        number = foreign_program("tap0")
        for words in "tap0", f"tap0,filter={built('bpf_socket')}":
            with lab.Switch("--tap", words, workdir=tmp_path) as switch:
                assert re.search(rf"tap tap0: .*\b{number}\b", switch.said())
        assert f"prog/xdp id {number}" in lab.sh("ip", "link", "show", "tap0")


def test_a_tap_in_use_keeps_its_filter_when_another_is_refused(mine, tmp_path):
    path, prefix = mine
    with filtered(path, tmp_path) as (_, *sides):
        ids = program_ids(prefix)
        code, said = refused(tmp_path, "--tap",
                             f"tap0,filter={built('bpf_socket')}")
        assert code == 1
        assert "tap0" in said and "busy" in said.lower()
        assert program_ids(prefix) == ids
        assert_judged(*sides, SOCKET, XDP)


# What may happen to a tap while the switch runs ------------------------------

def test_a_tap_that_is_renamed_is_filtered_on(tmp_path, cleanup):
    tap = cleanup.enter_context(lab.Tap("tap0"))
    with filtered(built("bpf_both"), tmp_path) as (switch, _, client):
        tap.set("down")
        tap.set("name", "uplink")
        tap.set("up")
        with lab.HostSide("uplink") as host:
            assert_filters_again(host, client)


def assert_filters_again(host, client):
    """From the first frame that passes, what is to be dropped is dropped."""
    passed = order(0xffffffff, "first")

    def first_passes():
        send(host, order(0, "dropped"), passed)
        got = client.recv(0.05)
        assert got in (None, passed)
        return got

    lab.wait_until(first_passes, "the tap to be taken")
    client.drain()
    assert_judged(host, client, SOCKET, XDP)


def test_a_tap_that_is_made_again_is_filtered_from_the_first_frame(tmp_path,
                                                                   cleanup):
    """Without a look at the file, which may have changed or gone."""
    path = tmp_path / "once.o"
    shutil.copy(built("bpf_both"), path)
    tap = cleanup.enter_context(lab.Tap("tap0"))
    with filtered(path, tmp_path) as (switch, _, client):
        path.unlink()
        for _ in range(5):
            tap.close()
            lab.Tap("tap0").set("up")
            with lab.HostSide("tap0") as host:
                assert_filters_again(host, client)
        tap.close()
        files = lab.open_files(switch.pid)
        for _ in range(5):
            lab.Tap("tap0").set("up")
            with lab.HostSide("tap0") as host:
                assert_filters_again(host, client)
            tap.close()
        lab.wait_until(lambda: lab.open_files(switch.pid) <= files,
                       "the descriptors of the deleted taps to be closed")


def test_a_tap_that_cannot_be_filtered_again_is_not_taken_again(tmp_path,
                                                                cleanup):
    """Rather no network than one without the filter."""
    tap = cleanup.enter_context(lab.Tap("tap0"))
    with filtered(built("bpf_both"), tmp_path) as (switch, _, client):
        tap.close()
        other = cleanup.enter_context(lab.Tap("other"))
        number = foreign_program("other")
        other.set("name", "tap0")
        other.set("up")
        lab.wait_until(lambda: f"{number}" in switch.log.read_text(),
                       "the switch to name the program that is in the way")
        assert switch.stats()["tap0"]["state"] == "detached"
