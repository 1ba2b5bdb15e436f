"""ringctl's events and frames as they come, and every way in which they end.

     a (uml1) --+-- ringswitch -- ctl.control -- ringctl monitor, capture
     b (uml2) --+                                   |
                                           a test, a file, a terminal

What is in a capture's file is for system_capture_ringctl.py to judge.
"""

import contextlib
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import lab
from lab_capture import Capture, CaptureFile, captures_there, control_counters
from lab_clients import reach
from lab_control import control_of, control_path
from lab_ringctl import Screen, environment, program
from lab_ringctl import ask, pair, tell  # noqa: F401 (fixtures)

A, B = lab.mac(1), lab.mac(2)


@contextlib.contextmanager
def running(switch, *words, **options):
    """ringctl; it is gone at the end."""
    process = subprocess.Popen(
        [program(), "--socket", control_path(switch), *map(str, words)],
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
           "stderr": subprocess.PIPE, "env": environment(), **options})
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def monitoring(switch, *words, **options):
    """ringctl monitor, once the switch has taken its request."""
    with control_of(switch) as control:
        ours = itertools.count(requests(control) + 1)
        with running(switch, *words, **options) as process:
            lab.wait_until(lambda: requests(control) > next(ours),
                           "the request")
            yield process


def requests(control):
    return control.request("stats.show")["control"]["requests"]


@contextlib.contextmanager
def capturing(switch, *words, **options):
    with running(switch, "capture", *words, **options) as process:
        captures_there(switch, 1)
        yield process


def frame(number, size=60, ethertype=lab.ETHERTYPE):
    return lab.frame(B, A, number.to_bytes(4, "big"), size, ethertype)


def pass_on(pair, *frames):
    for one in frames:
        pair[0].send(one)
        pair[1].recv_until(one)


# Events ----------------------------------------------------------------------

def test_events_are_lines_that_are_there_at_once(pair, switch, tell):
    with monitoring(switch, "monitor", "port") as monitor:
        tell("port", "down", "uml1")
        assert re.fullmatch(rb"\d\d:\d\d:\d\d\.\d{6} port-set +port uml1 "
                            rb"admin down\n",
                            monitor.stdout.readline())
        with lab.Client(switch.socket):
            line = monitor.stdout.readline().split()
            assert line[1:4] == [b"port-up", b"port", b"uml3"]


def test_events_are_objects_with_json(pair, switch):
    with monitoring(switch, "-j", "monitor") as monitor, \
            lab.Client(switch.socket) as client:
        first = json.loads(monitor.stdout.readline())
        assert (first["event"], first["port"]) == ("port-up", "uml3")
        reach(client, pair[0], 7)
        assert json.loads(monitor.stdout.readline())["address"] == lab.mac(7)


def test_a_beginning_chooses_all_events_that_have_it(pair, switch, tell):
    with monitoring(switch, "-j", "monitor", "mac", "stall") as monitor:
        tell("port", "set", "uml1", "isolated", "on")
        tell("port", "set", "uml1", "isolated", "off")
        reach(pair[0], pair[1], 9)
        event = json.loads(monitor.stdout.readline())
        assert (event["event"], event["address"]) == ("mac-learned",
                                                      lab.mac(9))


def test_a_monitor_ends_when_nobody_reads_it(switch):
    """Though nothing happens that it could write."""
    with monitoring(switch, "monitor") as monitor:
        monitor.stdout.close()
        assert monitor.wait(lab.STEP_S) == 0
        assert monitor.stderr.read() == b""


def test_a_monitor_says_that_the_switch_has_gone(tmp_path):
    with lab.Switch(workdir=tmp_path) as switch, \
            monitoring(switch, "monitor") as monitor:
        switch.stop()
        assert monitor.wait(lab.STEP_S) == 2
        assert monitor.stderr.read().count(b"\n") == 1


# Frames as lines -------------------------------------------------------------

LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{6} (\S+) +(in|out) +(\S+) > (\S+) "
                  r"(.+?) +(\d+)(?:  dropped: (\S+))?")


def test_frames_are_lines_on_a_terminal(pair, switch):
    with Screen("--socket", control_path(switch), "capture", "all", "-c", "5",
                columns=200) as screen:
        captures_there(switch, 1)
        tagged = lab.frame(B, A, b"\x00\x07\x08\x06", 64, ethertype=0x8100)
        pass_on(pair, frame(1, ethertype=0x0800), tagged)
        pair[0].send(b"short")
        assert screen.wait_end() == 0
    *lines, counts = [line for line in screen.lines() if line]
    assert [LINE.fullmatch(line).groups() for line in lines] == [
        ("uml1", "in", A, B, "ipv4", "60", None),
        ("uml2", "out", A, B, "ipv4", "60", None),
        ("uml1", "in", A, B, "vlan 7 arp", "64", None),
        ("uml2", "out", A, B, "vlan 7 arp", "64", None),
        ("uml1", "in", "?", "?", "cut", "5", "runt")]
    assert counts.startswith("5 frames captured, 0 lost")


def test_a_line_fits_80_columns(pair, switch):
    with Screen("--socket", control_path(switch), "capture", "uml1", "-c",
                "1", columns=80) as screen:
        captures_there(switch, 1)
        pass_on(pair, frame(1, 1514))
        assert screen.wait_end() == 0
        assert max(map(len, screen.text().splitlines())) <= 80


def test_frames_are_objects_with_json(pair, switch):
    with capturing(switch, "all", "-j", "-c", "3") as capture:
        pass_on(pair, frame(1, 100))
        pair[0].send(b"short")
        first, second, short = map(json.loads, capture.stdout)
        assert capture.wait(lab.STEP_S) == 0
    assert first.pop("time") > 1e9 and second.pop("time") > 1e9
    same = {"source": A, "destination": B, "vlan": None,
            "ethertype": "0x88b5", "bytes": 100, "captured": 100, "drop": None}
    assert first == {"port": "uml1", "direction": "in", **same}
    assert second == {"port": "uml2", "direction": "out", **same}
    assert (short["drop"], short["bytes"], short["source"]) == ("runt", 5, None)


# Options ---------------------------------------------------------------------

def test_a_count_ends_it_at_the_very_frame(pair, switch, tmp_path):
    path = tmp_path / "file"
    frames = [frame(number) for number in range(100)]
    with capturing(switch, "uml1", "-Q", "in", "-w", path, "-c", "7"
                   ) as capture:
        pass_on(pair, *frames)
        assert capture.wait(lab.STEP_S) == 0
        assert b"7 frames captured" in capture.stderr.read()
    file = CaptureFile(path.read_bytes())
    assert file.frames() == frames[:7]
    # And the file has its end nevertheless.
    assert file.statistics


def test_what_is_asked_for_is_what_the_switch_is_asked(pair, switch):
    with capturing(switch, "dev", "uml2", "ether", "proto", "0x88b5", "-s",
                   "20", "-B", "64", "-Q", "out", "--no-drops", "-w",
                   "-") as capture:
        pass_on(pair, frame(1, 100))
        pair[1].send(frame(2))
        capture.send_signal(signal.SIGINT)
        file = CaptureFile(capture.communicate(timeout=lab.STEP_S)[0])
    [packet] = file.packets
    assert (packet.port, packet.direction) == ("uml2", "out")
    assert (len(packet.data), packet.bytes) == (20, 100)
    assert file.interfaces[0].snaplen == 20


def test_an_expression_may_have_a_minus(pair, switch):
    with capturing(switch, "uml1", "ether[17]", "-", "1", "=", "4", "-c", "1",
                   "-j") as capture:
        pass_on(pair, frame(4), frame(5), frame(6))
        assert capture.wait(lab.STEP_S) == 0
        [line] = capture.stdout
    assert json.loads(line)["bytes"] == 60


def test_pcapng_is_not_for_a_terminal(switch):
    with Screen("--socket", control_path(switch), "capture", "all", "-w",
                "-") as screen:
        assert screen.wait_end() == 1
        assert "terminal" in screen.text()
    captures_there(switch, 0)


# Ends ------------------------------------------------------------------------

@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order(pair, switch, tmp_path, sig):
    path = tmp_path / "file"
    with capturing(switch, "uml1", "-w", path) as capture:
        pass_on(pair, frame(1))
        capture.send_signal(sig)
        assert capture.wait(lab.STEP_S) == 0
        assert b"1 frame captured, 0 lost" in capture.stderr.read()
    assert CaptureFile(path.read_bytes()).statistics_of("uml1").received == 1


def test_it_ends_when_nobody_reads_it_though_nothing_passes(switch):
    with capturing(switch, "all") as capture:
        capture.stdout.close()
        assert capture.wait(lab.STEP_S) == 0
        assert b"0 frames captured" in capture.stderr.read()
    captures_there(switch, 0)


def test_a_second_signal_ends_it_though_its_reader_stands_still(pair, switch):
    with capturing(switch, "uml1", "-w", "-") as capture:
        # More than the pipe holds: it cannot come to an end.
        for number in range(100):
            pass_on(pair, frame(number, 1514))
        capture.send_signal(signal.SIGTERM)
        lab.wait_until(lambda: not catches(capture.pid, signal.SIGTERM),
                       "the first to be noticed")
        capture.send_signal(signal.SIGTERM)
        assert capture.wait(lab.STEP_S) == -signal.SIGTERM
    captures_there(switch, 0)


def catches(pid, sig):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    mask = int(re.search(r"^SigCgt:\s*(\w+)", status, re.M).group(1), 16)
    return mask >> (sig - 1) & 1


def test_killed_in_the_middle_it_leaves_a_file_that_can_be_read(
        pair, switch, tmp_path):
    path = tmp_path / "file"
    frames = [frame(number, 1514) for number in range(300)]
    with capturing(switch, "uml1", "-w", path) as capture:
        pass_on(pair, *frames)
        lab.wait_until(lambda: path.stat().st_size > 100000, "some frames")
        os.kill(capture.pid, signal.SIGKILL)
        capture.wait(lab.STEP_S)
        # The switch has lost nothing but a reader.
        pass_on(pair, *frames)
    captures_there(switch, 0)
    written = whole_blocks(path.read_bytes())
    got = CaptureFile(written).frames()
    assert got == frames[:len(got)] and len(got) > 50
    with Capture(switch, "uml1") as again:
        pass_on(pair, frames[0])
        assert again.end().frames() == [frames[0]]


def whole_blocks(data):
    """Without a last block that was being written."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4:at + 8], "little")
        if at + size > len(data):
            break
        at += size
    return data[:at]


# Output that goes nowhere ----------------------------------------------------

def test_a_reader_that_has_enough_is_no_reason_to_complain(pair, switch):
    for words in ["-j", "stats"], ["mac"], ["stats", "-w", "0.01"]:
        with running(switch, *words) as process:
            process.stdout.close()
            process.wait(lab.STEP_S)
            assert process.stderr.read() == b""


def test_a_disk_that_is_full_is(switch):
    with open("/dev/full", "wb") as full, \
            running(switch, "config", stdout=full) as process:
        assert process.wait(lab.STEP_S) == 2
        said = process.stderr.read()
        assert b"No space left" in said and said.count(b"\n") == 1
