"""ringctl capture: a file, a pipe into Wireshark's programs, and ends of it.

     a (uml1) --+                                           +-- -w FILE
     b (uml2) --+-- ringswitch -- ctl.control -- ringctl ---+-- -w - | tshark

What is written must be what a capture of the tests' own has.
"""

import contextlib
import os
import pathlib
import signal
import subprocess

import pytest

import lab
from lab_capture import (ROW, Capture, CaptureFile, acquainted,
                         assert_tshark_agrees, capinfos, captures_there,
                         counters, tshark_rows)
from lab_clients import reach
from lab_control import control_path, send_counted

A, B = lab.mac(1), lab.mac(2)


def to_b(number, size=60):
    return lab.frame(B, A, number.to_bytes(4, "big"), size)


@pytest.fixture
def pair(switch, cleanup):
    yield acquainted(switch, cleanup, 2)
    counters(switch)


def ringctl(switch, *words):
    """Its command line."""
    program = pathlib.Path(lab.ringswitch()).with_name("ringctl")
    return [str(program), "--socket", control_path(switch), *words]


@contextlib.contextmanager
def running(switch, *words, captures=1, **options):
    """ringctl, once the switch has its capture; it is gone at the end."""
    process = subprocess.Popen(
        ringctl(switch, "capture", *words), stdin=subprocess.DEVNULL,
        **{"stderr": subprocess.PIPE, **options})
    try:
        captures_there(switch, captures)
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(process, sig=signal.SIGINT):
    """End it as a user does; (what it wrote, what it said)."""
    process.send_signal(sig)
    out, said = process.communicate(timeout=lab.STEP_S)
    assert process.returncode == 0, said
    return out, said


def refused(switch, *words):
    """(exit code, the line it said) of a capture that cannot be."""
    done = subprocess.run(ringctl(switch, "capture", *words),
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=lab.STEP_S)
    said = done.stderr.decode()
    assert done.stdout == b""
    assert said.count("\n") == 1 and said.endswith("\n"), said
    captures_there(switch, 0)
    return done.returncode, said


# A file ----------------------------------------------------------------------

@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_a_file_is_whole_when_it_is_ended(switch, pair, tmp_path, sig):
    a, b = pair
    path = tmp_path / "pcapng"
    frames = [to_b(number, 1514) for number in range(1000)]
    with running(switch, "uml1", "-w", path) as process:
        assert send_counted(a, b, frames) == 1000
        finish(process, sig)
    file = CaptureFile(path.read_bytes())
    assert file.frames("uml1", "in") == frames
    assert file.statistics_of("uml1").received == 1000
    assert_tshark_agrees(file, path)
    assert capinfos(path)["Number of packets"] == "1000"


def test_the_file_is_what_any_capture_has(switch, pair, tmp_path):
    a, b = pair
    path = tmp_path / "pcapng"
    with running(switch, "all", "-w", path) as process, \
            Capture(switch, "all") as capture:
        assert send_counted(a, b, [to_b(n) for n in range(100)]) == 100
        a.send(b"short")
        lab.wait_until(lambda: counters(switch, "uml1")[0]["drops"]["runt"],
                       "a dropped frame")
        finish(process)
        other = capture.end()
    file = CaptureFile(path.read_bytes())
    assert [(p.port, p.direction, p.comment, p.data) for p in file.packets] \
        == [(p.port, p.direction, p.comment, p.data) for p in other.packets]
    assert file.dropped("runt")


def test_words_behind_the_port_are_an_expression(switch, pair, tmp_path):
    a, b = pair
    path = tmp_path / "pcapng"
    with running(switch, "uml1", "ether[17]", "=", "7", "or", "ether[17] = 8",
                 "-w", path) as process:
        assert send_counted(a, b, [to_b(n) for n in range(20)]) == 20
        finish(process)
    assert CaptureFile(path.read_bytes()).frames() == [to_b(7), to_b(8)]


def test_what_is_in_the_file_can_be_read_while_it_grows(switch, pair,
                                                        tmp_path):
    """Nobody has to wait for a buffer to be full to look at a file."""
    a, b = pair
    path = tmp_path / "pcapng"
    with running(switch, "uml1", "-w", path):
        for number in range(1, 4):
            assert send_counted(a, b, [to_b(number)]) == 1
            lab.wait_until(lambda: len(tshark_rows(path)) == number,
                           "the frame in the file")


# A pipe ----------------------------------------------------------------------

@contextlib.contextmanager
def tshark(source, *words):
    """tshark that reads from @source and prints ROW of each frame at once."""
    fields = [word for name in ROW.values() for word in ("-e", name)]
    process = subprocess.Popen(
        ["tshark", "-n", "-l", *words, "-T", "fields", *fields],
        stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # Who reads is the only one who has it open, so that its end is noticed.
    source.close()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("words", [("-i", "-"), ("-r", "-")])
def test_a_pipe_into_tshark_shows_frames_as_they_come(switch, pair, words):
    a, b = pair
    with running(switch, "uml2", "-w", "-", stdout=subprocess.PIPE) as ctl, \
            tshark(ctl.stdout, *words) as reader:
        for number in range(1, 6):
            assert send_counted(a, b, [to_b(number, 60 + number)]) == 1
            row = dict(zip(ROW, reader.stdout.readline().decode().split("\t")))
            assert row["port"] == "uml2"
            assert row["bytes"] == row["captured"] == str(60 + number)
        ctl.send_signal(signal.SIGINT)
        assert ctl.wait(lab.STEP_S) == 0
        rest, _ = reader.communicate(timeout=lab.STEP_S)
        assert (rest, reader.returncode) == (b"", 0)


def test_a_reader_that_has_seen_enough_ends_it(switch, pair):
    a, b = pair
    with running(switch, "uml1", "-w", "-", stdout=subprocess.PIPE) as ctl, \
            tshark(ctl.stdout, "-i", "-", "-c", "5"):
        def ended():
            assert send_counted(a, b, [to_b(1)]) == 1
            return ctl.poll() is not None
        lab.wait_until(ended, "ringctl to notice")
        captures_there(switch, 0)


def test_a_pipe_has_the_same_bytes_as_a_file(switch, pair):
    a, b = pair
    frames = [to_b(number) for number in range(50)]
    with running(switch, "uml1", "-w", "-", stdout=subprocess.PIPE) as ctl:
        assert send_counted(a, b, frames) == 50
        out, _ = finish(ctl)
    assert CaptureFile(out).frames() == frames


# Ends ------------------------------------------------------------------------

def test_killed_in_full_traffic_it_takes_nothing_along(switch, pair, tmp_path):
    a, b = pair
    files = lab.open_files(switch.pid)
    for number in range(5):
        path = tmp_path / f"pcapng{number}"
        with running(switch, "all", "-w", path) as process:
            assert send_counted(a, b, [to_b(n, 1514) for n in range(300)]
                                ) == 300
            os.kill(process.pid, signal.SIGKILL)
            assert send_counted(a, b, [to_b(n, 1514) for n in range(300)]
                                ) == 300
        captures_there(switch, 0)
    lab.wait_until(lambda: lab.open_files(switch.pid) == files,
                   "the connections to be closed")


def test_a_stopped_one_costs_no_frame_and_says_what_it_missed(switch, pair,
                                                              tmp_path):
    a, b = pair
    path = tmp_path / "pcapng"
    with running(switch, "uml1", "-w", path) as process:
        os.kill(process.pid, signal.SIGSTOP)
        assert send_counted(a, b, [to_b(n, 1514) for n in range(6000)]) == 6000
        os.kill(process.pid, signal.SIGCONT)
        _, said = finish(process)
    file = CaptureFile(path.read_bytes())
    statistics = file.statistics_of("uml1")
    assert statistics.received == 6000
    assert len(file.packets) == 6000 - statistics.dropped
    assert statistics.dropped > 0
    assert str(statistics.dropped) in said.decode()


def test_the_end_of_the_switch_is_its_end(tmp_path):
    path = tmp_path / "pcapng"
    with lab.Switch(workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b, \
            running(switch, "uml1", "-w", path) as process:
        frame = reach(a, b)
        assert switch.stop() == 0
        process.communicate(timeout=lab.STEP_S)
    assert CaptureFile(path.read_bytes()).frames() == [frame]


# What cannot be --------------------------------------------------------------

@pytest.mark.parametrize("words, said", [
    (("nobody",), "nobody"), (("uml1", "icmpp"), "expression"),
    (("uml1", "ip", "and"), "expression")])
def test_what_the_switch_refuses_is_said_and_no_file_is_touched(
        switch, pair, tmp_path, words, said):
    path = tmp_path / "pcapng"
    code, line = refused(switch, *words, "-w", path)
    assert code == 2 and said in line
    assert not path.exists()
    path.write_text("precious")
    refused(switch, *words, "-w", path)
    assert path.read_text() == "precious"


def test_a_file_that_cannot_be_written_is_named_with_the_reason(switch, pair,
                                                                tmp_path):
    code, line = refused(switch, "uml1", "-w", tmp_path / "no" / "such" / "x")
    assert code != 0
    assert "/no/such/x" in line and "No such file" in line


def test_a_disk_that_is_full_ends_it_with_the_reason(switch, pair):
    code, line = refused(switch, "uml1", "-w", "/dev/full")
    assert code != 0
    assert "/dev/full" in line and "No space left" in line
