"""Things done to the switch on purpose, each of which once hurt it.

     a ---+                +--- b       a and b must not notice
          |-- ringswitch --|
     whoever attacks, or started it in a strange way
"""

import array
import contextlib
import os
import shlex
import signal
import socket
import subprocess
import time

import pytest

import lab

A, B, C = map(lab.mac, (1, 2, 3))
SO_PASSRIGHTS = 83


def assert_pair_served(path):
    with lab.Client(path) as a, lab.Client(path) as b:
        frame = lab.frame(lab.BROADCAST, A, size=60)
        a.send(frame)
        b.recv_until(frame)


@contextlib.contextmanager
def started_by_shell(tmp_path, line):
    """start_by_shell() for one in the foreground, which must end well."""
    process, ctl = start_by_shell(tmp_path, line)
    try:
        yield process, ctl
    finally:
        process.terminate()
        assert process.wait(lab.STEP_S) == 0


def start_by_shell(tmp_path, line):
    """Start the switch by a line of sh; $RS is the program with a socket."""
    ctl = tmp_path / "ctl"
    program = f"{shlex.quote(lab.ringswitch())} --unix {shlex.quote(str(ctl))}"
    process = subprocess.Popen(
        ["sh", "-c", line.replace("$RS", program)], cwd=tmp_path,
        stdin=subprocess.DEVNULL, start_new_session=True)
    lab.wait_until(lambda: lab.can_connect(ctl), "the switch to listen")
    return process, str(ctl)


# How it is started -----------------------------------------------------------

@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors_are_never_given_to_anything(tmp_path,
                                                                 closed):
    process, ctl = start_by_shell(
        tmp_path, f"exec $RS --daemon --pidfile pid {closed}")
    try:
        assert process.wait(lab.STEP_S) == 0
        pid = int((tmp_path / "pid").read_text())
        assert_pair_served(ctl)
        os.kill(pid, signal.SIGUSR1)
        before = lab.cpu_seconds(pid)
        time.sleep(0.5)
        assert lab.cpu_seconds(pid) - before < 0.2
        assert (tmp_path / "pid").read_text() == f"{pid}\n"
    finally:
        lab.end_process(int((tmp_path / "pid").read_text()))
    assert not (tmp_path / "pid").exists() and not os.path.exists(ctl)


def test_a_ready_line_on_standard_output_gives_it_to_no_guest(tmp_path):
    line = "exec $RS --ready-fd 1 >said 2>log"
    with started_by_shell(tmp_path, line) as (process, ctl):
        with lab.Client(ctl) as a:
            process.send_signal(signal.SIGUSR1)
            a.control.settimeout(0.3)
            with pytest.raises(socket.timeout):
                a.control.recv(4096)
        assert (tmp_path / "said").read_text().endswith("\n1\n")


def test_nohup_keeps_it_alive(tmp_path):
    line = "trap '' HUP; exec $RS >said 2>log"
    with started_by_shell(tmp_path, line) as (process, ctl):
        process.send_signal(signal.SIGHUP)
        assert_pair_served(ctl)
        assert process.poll() is None


def test_a_daemons_counters_go_to_the_log_that_it_kept(tmp_path):
    process, _ = start_by_shell(
        tmp_path, "exec $RS --daemon --pidfile pid 2>log | cat >/dev/null")
    assert process.wait(lab.STEP_S) == 0
    lab.end_process(int((tmp_path / "pid").read_text()))
    assert "port=total" in (tmp_path / "log").read_text()


def test_outputs_that_nobody_reads_stop_nothing(tmp_path):
    """Both are pipes that are full; every guest would write a line there."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    ctl = tmp_path / "ctl"
    process = subprocess.Popen(
        [lab.ringswitch(), "--unix", ctl], stdin=subprocess.DEVNULL,
        stdout=tmp_path.joinpath("said").open("w"), stderr=writer)
    try:
        lab.wait_until(lambda: lab.can_connect(ctl), "the switch to listen")
        for _ in range(10):
            assert_pair_served(ctl)
    finally:
        process.terminate()
        assert process.wait(lab.STEP_S) == 0
        os.close(reader)
        os.close(writer)


# What guests do ---------------------------------------------------------------

def lingering_socket(cleanup):
    """A socket that takes seconds to close: unsent data, and SO_LINGER."""
    listener = cleanup.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = socket.create_connection(listener.getsockname())
    cleanup.enter_context(listener.accept()[0])
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      array.array("i", [1, 4]).tobytes())
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            client.send(bytes(65536))
    return client


def pass_descriptor(sender, fd, address=()):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
               array.array("i", [fd]).tobytes())]
    sender.sendmsg([b"x" * 60], rights, 0, *address)


def skip_unless_descriptors_can_be_refused(cleanup):
    probe = cleanup.enter_context(socket.socket(socket.AF_UNIX))
    try:
        probe.getsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS)
    except OSError:
        pytest.skip("this kernel cannot refuse descriptors (needs Linux 6.16)")


@pytest.mark.parametrize("over", ["data", "control"])
def test_a_passed_descriptor_cannot_hold_the_switch_up(switch, cleanup, over):
    skip_unless_descriptors_can_be_refused(cleanup)
    attacker = cleanup.enter_context(lab.Client(switch.socket))
    with lingering_socket(cleanup) as passed:
        with pytest.raises(PermissionError):
            if over == "data":
                pass_descriptor(attacker.data, passed.fileno(),
                                (attacker.peer,))
            else:
                pass_descriptor(attacker.control, passed.fileno())
        # Nothing is sent on closing: that would take the linger time here.
        passed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          array.array("i", [1, 0]).tobytes())
    assert_pair_served(switch.socket)


@pytest.mark.parametrize("kind, socket_type", [
    ("uml", socket.SOCK_STREAM), ("bess", socket.SOCK_SEQPACKET),
    ("stream", socket.SOCK_STREAM)])
def test_a_descriptor_passed_before_the_switch_has_accepted_is_refused(
        tmp_path, cleanup, kind, socket_type):
    skip_unless_descriptors_can_be_refused(cleanup)
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"{kind}:{tmp_path}/door", workdir=tmp_path))
    switch.process.send_signal(signal.SIGSTOP)
    cleanup.callback(switch.process.send_signal, signal.SIGCONT)
    attacker = cleanup.enter_context(socket.socket(socket.AF_UNIX, socket_type))
    attacker.connect(str(tmp_path / "door"))
    with pytest.raises(PermissionError):
        pass_descriptor(attacker, attacker.fileno())


def test_a_guest_that_is_connected_elsewhere_is_closed(switch, cleanup):
    """The kernel refuses what we send it (EPERM), frame after frame."""
    other = cleanup.enter_context(
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    other.bind(lab.guest_like_name())
    guest = cleanup.enter_context(lab.Client(switch.socket))
    guest.data.connect(other.getsockname())
    a = cleanup.enter_context(lab.Client(switch.socket))
    a.send(lab.frame(lab.BROADCAST, A, size=60))
    assert guest.closed_by_switch(lab.STEP_S)
    stats = switch.wait_stats(lambda stats: "uml1" not in stats,
                              "the port to be closed")
    assert stats["closed"]["drop.send_error"] == 1


def test_one_who_knocks_and_knocks_pushes_no_guest_out(switch, cleanup):
    """A guest that is slow to speak, between a thousand of one process."""
    slow = cleanup.enter_context(socket.socket(socket.AF_UNIX))
    slow.settimeout(lab.STEP_S)
    slow.connect(switch.socket)
    code = ("import socket, sys\n"
            "held = []\n"
            "for _ in range(1000):\n"
            "    s = socket.socket(socket.AF_UNIX)\n"
            "    s.connect(sys.argv[1])\n"
            "    held.append(s)\n")
    subprocess.run(["/usr/bin/python3", "-c", code, switch.socket],
                   check=True, timeout=lab.STEP_S)
    data = cleanup.enter_context(
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    name = lab.guest_like_name()
    data.bind(name)
    slow.sendall(lab.request_v3(lab.sockaddr_un(name)))
    assert len(slow.recv(4096)) == lab.SOCKADDR_BYTES


def test_a_slow_reader_does_not_take_its_senders_buffers_from_others(switch,
                                                                     cleanup):
    """a sends to b, who reads at once, and to c, who does not read."""
    a, b, c = [cleanup.enter_context(lab.Client(switch.socket))
               for _ in range(3)]
    for client, address in ((b, B), (c, C)):
        client.send(lab.frame(lab.BROADCAST, address, size=60))
        a.recv_until(lab.frame(lab.BROADCAST, address, size=60))
    b.recv_until(lab.frame(lab.BROADCAST, C, size=60))
    for number in range(1000):
        mark = number.to_bytes(4, "big")
        a.send(lab.frame(C, A, mark, 60))
        a.send(lab.frame(B, A, mark, 60))
        assert b.recv(lab.STEP_S) == lab.frame(B, A, mark, 60)
    stats = switch.stats()
    assert stats["uml3"]["drop.queue_full"] + stats["uml3"].get(
        "drop.stalled", 0) > 500
    assert stats["uml2"]["undelivered"] == 0
