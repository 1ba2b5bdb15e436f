"""Captures that live long, end badly, or are many: nobody else notices.

     a (uml1) --+
     b (uml2) --+-- ringswitch -- captures, read and not read
     ...      --+

What a capture has no room for is dropped and counted, and nothing else is:
neither the frame itself, nor its sender's time. All by counting.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

import lab
from lab_capture import (Capture, CaptureFile, acquainted, capinfos,
                         captures_there, control_counters, counters)
from lab_clients import BessClient, reach
from lab_control import control_of, control_path, request_line, send_counted

A, B, C, D = (lab.mac(number) for number in range(1, 5))

FRAMES = 3000
SMALLEST_BUFFER = 1 << 16


def frames_to(dst, count, src=A, size=1514):
    return [lab.frame(dst, src, number.to_bytes(4, "big"), size)
            for number in range(count)]


@pytest.fixture
def four(switch, cleanup):
    """Two pairs of clients, each of which knows its other: uml1 to uml4."""
    yield acquainted(switch, cleanup, 4)
    counters(switch)


def assert_all_arrive(sender, receiver, frames):
    assert send_counted(sender, receiver, frames) == len(frames)


# Nobody reads it -------------------------------------------------------------

def test_a_capture_that_nobody_reads_loses_copies_and_no_frame(switch, four,
                                                               tmp_path):
    a, b, c, d = four
    frames = frames_to(B, FRAMES)
    with Capture(switch, "uml1", buffer=SMALLEST_BUFFER) as capture:
        assert_all_arrive(a, b, frames)
        assert_all_arrive(c, d, frames_to(D, 1000, C))
        port, = counters(switch, "uml1")
        assert port["dropped"] == 0
        counted = control_counters(switch)
        file = capture.end()
    statistics = file.statistics_of("uml1")
    assert statistics.dropped > 0
    assert statistics.received == FRAMES
    assert len(file.packets) == FRAMES - statistics.dropped
    assert counted["capture_frames"] == FRAMES
    assert counted["capture_dropped"] == statistics.dropped
    # In order, and nothing but them; the socket's own buffer may have taken
    # some more when others had been missed already.
    rest = iter(frames)
    assert all(frame in rest for frame in file.frames())
    found = capinfos(file.save(tmp_path / "pcapng"))
    assert found["Number of packets"] == str(len(file.packets))


def test_a_capture_is_filled_again_when_it_is_read_again(switch, four):
    a, b, _, _ = four
    frames = frames_to(B, FRAMES)
    last = lab.frame(B, A, b"last", 60)
    with Capture(switch, "uml2", buffer=SMALLEST_BUFFER) as capture:
        assert_all_arrive(a, b, frames)
        data = capture.read_bytes()
        # More than it holds has been missed; there is room again when what
        # it held has been read.
        while len(data) < SMALLEST_BUFFER:
            data += capture.read_bytes()

        def captured():
            before = control_counters(switch)["capture_dropped"]
            assert_all_arrive(a, b, [last])
            return control_counters(switch)["capture_dropped"] == before
        lab.wait_until(captured, "room in the capture's buffer")
        capture.finish()
        file = CaptureFile(data + capture.rest())
    statistics = file.statistics_of("uml2")
    assert file.frames()[-1] == last
    assert statistics.received == len(file.packets) + statistics.dropped


def test_a_reader_that_is_always_a_bit_too_slow_gets_a_whole_file(switch,
                                                                  four):
    """However the buffer fills and empties: frames of all sizes, in order.

    It holds more than the socket does, so that it is never quite empty.
    """
    a, b, _, _ = four
    chance = random.Random(7)
    sent, data = [], b""
    with Capture(switch, "uml1", buffer=512 << 10) as capture:
        for _ in range(400):
            some = [lab.frame(B, A, (len(sent) + n).to_bytes(4, "big"),
                              chance.choice((60, 61, 333, 1514)))
                    for n in range(32)]
            assert_all_arrive(a, b, some)
            sent += some
            data += capture.read_some(chance.choice((1000, 8000, 30000)))
        capture.finish()
        file = CaptureFile(data + capture.rest())
    statistics = file.statistics_of("uml1")
    assert statistics.received == len(sent)
    assert 0 < statistics.dropped == len(sent) - len(file.packets)
    rest = iter(sent)
    assert all(frame in rest for frame in file.frames())


@pytest.mark.parametrize("buffer", [SMALLEST_BUFFER, 1 << 20, None])
def test_the_buffer_is_as_big_as_was_said(switch, four, buffer):
    """And what it holds comes when it is read, however late."""
    a, b, _, _ = four
    held = buffer or 4 << 20
    with Capture(switch, "uml1", **({"buffer": buffer} if buffer else {})
                 ) as capture:
        assert_all_arrive(a, b, frames_to(B, (held + (1 << 20)) // 1514))
        file = capture.end()
    # The kernel's socket buffer holds something, too.
    assert held * 3 / 4 < len(file.data) < held + (1 << 20)


def test_big_buffers_are_had_only_when_they_are_used(switch, four):
    before = lab.resident_bytes(switch.pid)
    captures = [Capture(switch, "uml1", buffer=64 << 20) for _ in range(8)]
    assert lab.resident_bytes(switch.pid) - before < 64 << 20
    # All together have a limit as well.
    with control_of(switch) as control:
        error = control.refusal("capture", port="uml1")
        assert error.code == "refused" and "536870912" in error.message
    for capture in captures:
        capture.close()
    captures_there(switch, 0)


def test_ninety_captures_that_nobody_reads_cost_no_frame(switch, four,
                                                         cleanup):
    a, b, c, d = four
    for _ in range(90):
        cleanup.enter_context(Capture(switch, "all", buffer=SMALLEST_BUFFER))
    assert_all_arrive(a, b, frames_to(B, 500))
    assert_all_arrive(d, c, frames_to(C, 500, D))
    assert all(port["dropped"] == port["undelivered"] == 0
               for port in counters(switch).values())
    assert control_counters(switch)["captures"] == 90


@pytest.mark.parametrize("end", [False, True], ids=["open", "half closed"])
def test_a_switch_sleeps_beside_a_capture_that_nobody_reads(switch, four, end):
    """For as long as it takes, with more to be sent than the socket holds."""
    a, b, _, _ = four
    with Capture(switch, "uml1") as capture:
        assert_all_arrive(a, b, frames_to(B, 1000))
        if end:
            capture.finish()
        before = lab.cpu_seconds(switch.pid)
        time.sleep(0.5)
        assert lab.cpu_seconds(switch.pid) - before < 0.1
        assert len(capture.end().frames()) == 1000


# Several ---------------------------------------------------------------------

def test_twenty_captures_at_once_have_everything_each(switch, four, cleanup):
    a, b, _, _ = four
    frames = frames_to(B, 200)
    captures = [cleanup.enter_context(Capture(
        switch, "all" if number % 2 else "uml1", snaplen=100 + number))
        for number in range(20)]
    captures_there(switch, 20)
    assert_all_arrive(a, b, frames)
    for number, capture in enumerate(captures):
        file = capture.end()
        assert file.frames("uml1") == [f[:100 + number] for f in frames]
        assert len(file.packets) == (400 if number % 2 else 200)
    captures_there(switch, 0)


def test_one_capture_that_is_not_read_takes_nothing_from_another(switch, four,
                                                                 cleanup):
    a, b, _, _ = four
    frames = frames_to(B, FRAMES)
    cleanup.enter_context(Capture(switch, "uml1", buffer=SMALLEST_BUFFER))
    with Capture(switch, "uml1", buffer=16 << 20) as capture:
        assert_all_arrive(a, b, frames)
        assert capture.end().frames() == frames


def test_a_port_says_how_many_captures_it_is_in(switch, four, cleanup):
    control = cleanup.enter_context(control_of(switch))
    one = cleanup.enter_context(Capture(switch, "uml1"))
    cleanup.enter_context(Capture(switch, "all"))
    assert control.port("uml1")["captures"] == 2
    assert control.port("uml2")["captures"] == 1
    one.close()
    control.wait(lambda c: c.port("uml1")["captures"] == 1,
                 "the capture to be gone")


# Ports that come and go ------------------------------------------------------

@pytest.mark.parametrize("captured", ["web", "all"])
def test_a_port_that_goes_and_comes_back_is_captured_on(tmp_path, cleanup,
                                                        captured):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/bess,name=web", workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    a = cleanup.enter_context(lab.Client(switch.socket))
    web = cleanup.enter_context(BessClient(tmp_path / "bess"))
    control.wait_ports(2)
    frames = [lab.frame(lab.BROADCAST, B, bytes([n]), 60) for n in range(3)]
    with Capture(switch, captured) as capture:
        for frame in frames:
            web.send(frame)
            a.recv_until(frame)
            web.close()
            control.wait_ports(1)
            web = cleanup.enter_context(BessClient(tmp_path / "bess"))
            control.wait_ports(2)
        file = capture.end()
    assert file.frames("web", "in") == frames
    assert [i.name for i in file.interfaces].count("web") == 1
    counters(switch)


def test_a_capture_of_all_has_ports_that_come_later(switch, cleanup, tmp_path):
    a = cleanup.enter_context(lab.Client(switch.socket))
    with Capture(switch, "all") as capture:
        frames = []
        for _ in range(5):
            with lab.Client(switch.socket) as late:
                frames.append(reach(late, a, 9))
            with control_of(switch) as control:
                control.wait_ports(1)
        b = cleanup.enter_context(lab.Client(switch.socket))
        c = cleanup.enter_context(lab.Client(switch.socket))
        from_b, from_c = reach(b, a, 2), reach(c, b, 3)
        file = capture.end()
    assert file.frames("uml2", "in") == [*frames, from_b]
    assert file.frames("uml3", "in") == [from_c]
    assert {s.port for s in file.statistics} == {"uml1", "uml2", "uml3"}
    # Whoever comes a hundred times does not fill the file with interfaces.
    assert [i.name for i in file.interfaces].count("uml2") == 1
    assert capinfos(file.save(tmp_path / "pcapng"))[
        "Number of interfaces in file"] == str(len(file.interfaces))


def test_a_port_that_is_switched_off_and_on_is_captured_on(switch, four):
    a, b, _, _ = four
    with control_of(switch) as control, Capture(switch, "uml1") as capture:
        assert_all_arrive(a, b, frames_to(B, 1))
        control.request("port.down", port="uml1")
        control.request("port.up", port="uml1")
        # Its address has been forgotten; so has nothing else.
        reach(a, b, 1)
        assert len(capture.end().frames("uml1", "in")) == 2


# The end ---------------------------------------------------------------------

def test_what_is_buffered_comes_before_the_end(switch, four):
    a, b, _, _ = four
    frames = frames_to(B, 1000)
    with Capture(switch, "uml1") as capture:
        assert_all_arrive(a, b, frames)
        capture.finish()
        captures_there(switch, 0)
        assert_all_arrive(a, b, frames[:10])
        file = CaptureFile(capture.rest())
    assert file.frames() == frames
    assert file.statistics_of("uml1").received == 1000


READER = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.readline())
print(s.recv(5), flush=True)
while s.recv(65536): pass
"""


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP])
def test_a_reader_that_dies_or_stops_hurts_nobody(switch, four, cleanup, sig):
    a, b, _, _ = four
    files = lab.open_files(switch.pid)
    reader = cleanup.enter_context(subprocess.Popen(
        [sys.executable, "-c", READER, control_path(switch)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    cleanup.callback(reader.kill)
    reader.stdin.write(request_line("capture", {
        "port": "uml1", "buffer": SMALLEST_BUFFER}))
    reader.stdin.flush()
    assert reader.stdout.readline()
    captures_there(switch, 1)
    assert_all_arrive(a, b, frames_to(B, 100))
    os.kill(reader.pid, sig)
    assert_all_arrive(a, b, frames_to(B, 1000))
    reader.kill()
    reader.wait()
    captures_there(switch, 0)
    lab.wait_until(lambda: lab.open_files(switch.pid) == files,
                   "the connection to be closed")
    assert_all_arrive(a, b, frames_to(B, 100))


def test_captures_that_begin_and_end_in_full_traffic_leave_nothing(switch,
                                                                   four):
    a, b, _, _ = four
    frames = frames_to(B, 10)
    files = lab.open_files(switch.pid)
    for number in range(100):
        capture = Capture(switch, "all" if number % 2 else "uml2")
        assert_all_arrive(a, b, frames)
        if number % 3:
            capture.close()
        else:
            assert capture.end().frames("uml2") == frames
            capture.close()
    captures_there(switch, 0)
    lab.wait_until(lambda: lab.open_files(switch.pid) == files,
                   "the descriptors to be closed")


def test_what_a_reader_says_is_not_listened_to(switch, four):
    """It has been told that the connection carries a file now."""
    a, b, _, _ = four
    frames = frames_to(B, 5)
    with Capture(switch, "uml1") as capture:
        capture.send_bytes(request_line("version") + b"nonsense\n" * 1000)
        assert_all_arrive(a, b, frames)
        assert capture.end().frames() == frames
    captures_there(switch, 0)


def test_a_switch_that_ends_leaves_a_whole_file(tmp_path):
    frames = frames_to(lab.BROADCAST, 50)
    with lab.Switch(workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b, \
            Capture(switch, "uml1") as capture:
        assert_all_arrive(a, b, frames)
        assert switch.stop() == 0
        file = CaptureFile(capture.rest())
    assert file.frames() == frames
    assert file.statistics_of("uml1").received == 50
    capinfos(file.save(tmp_path / "pcapng"))
