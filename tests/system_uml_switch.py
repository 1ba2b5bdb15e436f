"""The command line and the habits of uml_switch, side by side with it.

     guests, clients         each test runs three times:
          |                    uml_switch      the original
      the program              ringswitch      ours
          |                    as uml_switch   ours, called by the other name
     tap0 (in some)

What the original does is in this file where both must do the same; where ours
does better on purpose, a test says so.
"""

import os
import pathlib
import pty
import shutil
import signal
import subprocess

import pytest

import lab

DEFAULT_SOCKET = "/tmp/uml.ctl"
OURS = ["ringswitch", "as uml_switch"]
ALL = ["uml_switch", *OURS]

# A mount namespace of its own for the command, with an empty /tmp: the default
# socket is a name that belongs to the whole machine. The program is looked up
# before, because the checkout may be in /tmp.
EMPTY_TMP = ["unshare", "--mount", "sh", "-c",
             'exec 9<"$0" && mount -t tmpfs tmpfs /tmp && cd / && '
             'name=$(basename "$0") && mkdir /tmp/bin && '
             'cat <&9 >"/tmp/bin/$name" && chmod +x "/tmp/bin/$name" && '
             'exec "/tmp/bin/$name" "$@" 9<&-']


@pytest.fixture
def which(request):
    return request.param


@pytest.fixture
def program(request, tmp_path):
    """Path of the program a test is run with."""
    if request.param == "ringswitch":
        return lab.ringswitch()
    if request.param == "as uml_switch":
        link = tmp_path / "uml_switch"
        link.symlink_to(os.path.abspath(lab.ringswitch()))
        return str(link)
    return shutil.which("uml_switch")


def of_all(test):
    return pytest.mark.parametrize("program", ALL, indirect=True)(test)


def of_ours(test):
    return pytest.mark.parametrize("program", OURS, indirect=True)(test)


def is_original(program):
    return program == shutil.which("uml_switch")


def assert_serves(path, text=b"hello"):
    """Two clients on the socket @path reach each other."""
    with lab.Client(path) as a, lab.Client(path) as b:
        frame = lab.frame(lab.BROADCAST, lab.mac(1), text, size=60)
        a.send(frame)
        b.recv_until(frame)


# Options ---------------------------------------------------------------------

@of_all
def test_guests_attach_and_ping(program, initrd, tmp_path, cleanup):
    switch = cleanup.enter_context(
        lab.Switch(program=program, workdir=tmp_path))
    web1, web2 = [cleanup.enter_context(lab.Guest(
        f"web{n}", switch.socket, ip=f"10.0.0.{n}", initrd=initrd,
        workdir=tmp_path)) for n in (1, 2)]
    web2.wait_ready()
    assert web1.pings("10.0.0.2")


@of_all
def test_without_hub_unicast_is_not_for_everybody(program, tmp_path, cleanup):
    assert not third_sees_unicast(program, tmp_path, cleanup)


@of_all
def test_with_hub_it_is(program, tmp_path, cleanup):
    assert third_sees_unicast(program, tmp_path, cleanup, "-hub")


def third_sees_unicast(program, tmp_path, cleanup, *options):
    switch = cleanup.enter_context(
        lab.Switch(*options, program=program, workdir=tmp_path))
    a, b, c = [cleanup.enter_context(lab.Client(switch.socket))
               for _ in range(3)]
    b.send(lab.frame(lab.BROADCAST, lab.mac(2), b"b is here", size=60))
    a.recv()
    unicast = lab.frame(lab.mac(2), lab.mac(1), b"for b", size=60)
    a.send(unicast)
    b.recv_until(unicast)
    end = lab.frame(lab.BROADCAST, lab.mac(1), b"end", size=60)
    a.send(end)
    return unicast in c.recv_until(end)


@of_all
def test_the_tap_of_a_lab_script_is_the_hosts_port(program, tmp_path, cleanup,
                                                   tap_device):
    """tunctl -t tap0; ifconfig tap0 up; uml_switch -tap tap0"""
    tap = cleanup.enter_context(lab.Tap("tap0"))
    tap.set("up")
    switch = cleanup.enter_context(
        lab.Switch("-tap", "tap0", program=program, workdir=tmp_path))
    host = cleanup.enter_context(lab.HostSide("tap0"))
    client = cleanup.enter_context(lab.Client(switch.socket))
    for sender, receiver in (host, client), (client, host):
        frame = lab.frame(lab.BROADCAST, lab.mac(1), size=60)
        sender.send(frame)
        receiver.recv_until(frame)


@of_all
@pytest.mark.parametrize("options", [["-tap", "tap0", "-hub"],
                                     ["-hub", "-tap", "tap0"]], ids=str)
def test_options_come_in_any_order(program, options, tmp_path, tap_device):
    with lab.Switch(*options, program=program, workdir=tmp_path) as switch:
        assert "tap0" in lab.links()
        assert_serves(switch.socket)


@of_all
def test_without_options_the_socket_is_tmp_uml_ctl(program, tmp_path):
    switch = start_in_empty_tmp(program)
    try:
        assert_serves(seen_from_outside(switch.pid))
    finally:
        switch.kill()
        switch.wait()


def seen_from_outside(pid):
    return f"/proc/{pid}/root{DEFAULT_SOCKET}"


def start_in_empty_tmp(program, *options):
    switch = subprocess.Popen([*EMPTY_TMP, program, *options],
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL)
    lab.wait_until(lambda: has_own_tmp(switch.pid)
                   and lab.can_connect(seen_from_outside(switch.pid)),
                   "the switch to listen on the default socket")
    return switch


def has_own_tmp(pid):
    """Not to be taken in by somebody else's socket in the real /tmp."""
    return os.stat(f"/proc/{pid}/root/tmp").st_dev != os.stat("/tmp").st_dev


@of_all
def test_an_unknown_option_is_refused(program, tmp_path):
    done = subprocess.run([program, "-nonsense"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=lab.STEP_S)
    assert done.returncode == (1 if is_original(program) else 2)
    assert done.stderr


@of_all
def test_a_second_switch_on_the_same_socket_is_refused(program, tmp_path):
    with lab.Switch(program=program, workdir=tmp_path) as switch:
        second = subprocess.run([program, "-unix", switch.socket],
                                stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=lab.STEP_S)
        assert second.returncode == 1
        assert_serves(switch.socket)


@of_all
def test_a_socket_left_behind_is_replaced(program, tmp_path):
    with lab.Switch(program=program, workdir=tmp_path) as first:
        first.kill()
        assert os.path.exists(first.socket)
        # The kernel takes its ring down a little later; until then one would
        # connect to nobody, and take that for the second switch's readiness.
        lab.wait_until(lambda: not lab.can_connect(first.socket),
                       "the first to be gone")
    with lab.Switch(program=program, workdir=tmp_path) as switch:
        assert_serves(switch.socket)


# Foreground: standard input and signals --------------------------------------

@pytest.fixture
def terminal():
    """(master, slave) of a pseudo terminal."""
    master, slave = pty.openpty()
    yield master, slave
    for fd in master, slave:
        try:
            os.close(fd)
        except OSError:
            pass  # the test has closed it


def start_on_terminal(program, tmp_path, terminal):
    """A switch with the slave for its standard input, which we let go of."""
    switch = lab.Switch(program=program, workdir=tmp_path, stdin=terminal[1])
    os.close(terminal[1])
    return switch


@of_all
def test_end_of_file_on_the_terminal_ends_it(program, tmp_path, terminal):
    with start_on_terminal(program, tmp_path, terminal) as switch:
        assert_serves(switch.socket)
        os.write(terminal[0], b"\x04")
        assert switch.process.wait(lab.STEP_S) == 0
        assert not os.path.exists(switch.socket)


@of_all
def test_closing_the_terminal_ends_it(program, tmp_path, terminal):
    with start_on_terminal(program, tmp_path, terminal) as switch:
        assert_serves(switch.socket)
        os.close(terminal[0])
        assert switch.process.wait(lab.STEP_S) == 0
        assert not os.path.exists(switch.socket)


@of_all
def test_what_is_typed_is_not_the_end(program, tmp_path, terminal):
    with start_on_terminal(program, tmp_path, terminal) as switch:
        os.write(terminal[0], b"help\n\n")
        assert_goes_on(switch)


def assert_goes_on(switch):
    """It would have ended by the time so many clients have come and gone."""
    for _ in range(20):
        assert_serves(switch.socket)
    assert switch.process.poll() is None


@of_all
@pytest.mark.parametrize("stdin", ["/dev/null", "file", "pipe"])
def test_input_that_is_no_terminal_is_not_looked_at(program, stdin, tmp_path):
    """Scripts start it with all kinds of input; only a terminal's end ends."""
    if stdin == "pipe":
        reader, writer = os.pipe()
        os.close(writer)
        source = os.fdopen(reader)
    else:
        path = "/dev/null" if stdin == "/dev/null" else tmp_path / "input"
        pathlib.Path(path).touch()
        source = open(path)
    with source, lab.Switch(program=program, workdir=tmp_path,
                            stdin=source) as switch:
        assert_goes_on(switch)


@of_ours
def test_no_input_at_all_is_no_problem(program, tmp_path):
    """The original takes its first socket for the terminal and hangs."""
    with lab.Switch(program=program, workdir=tmp_path,
                    wrapper=["sh", "-c", 'exec "$0" "$@" <&-']) as switch:
        assert_goes_on(switch)


@of_all
def test_an_interrupt_ends_it_and_leaves_no_socket(program, tmp_path):
    with lab.Switch(program=program, workdir=tmp_path) as switch:
        code = switch.stop(signal.SIGINT)
        # The original dies of the signal, which a shell reports as a failure.
        assert code == (-signal.SIGINT if is_original(program) else 0)
        assert not os.path.exists(switch.socket)


@of_all
def test_it_says_what_it_is_attached_to(program, tmp_path, terminal,
                                        tap_device):
    with lab.Switch("-tap", "tap0", program=program, workdir=tmp_path,
                    stdin=terminal[1]) as switch:
        os.close(terminal[1])
        os.close(terminal[0])
        switch.process.wait(lab.STEP_S)
        assert (f" attached to unix socket '{switch.socket}' "
                "tap device 'tap0'\n") in switch.out.read_text()


# Daemon ----------------------------------------------------------------------

def run_daemon(program, path, *options):
    """Start a daemon; return (exit code, its process id)."""
    done = subprocess.run([program, "-unix", str(path), *options, "-daemon"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          timeout=lab.STEP_S)
    return done.returncode, lab.find_process(str(path))


@of_all
def test_the_command_of_an_old_lab_script_runs_unchanged(
        program, initrd, tmp_path, cleanup, tap_device):
    """uml_switch -unix CTL -tap tap0 -daemon, then guests."""
    tap = cleanup.enter_context(lab.Tap("tap0", ip="10.0.0.254/24"))
    tap.set("up")
    path = tmp_path / "ctl"
    code, pid = run_daemon(program, path, "-tap", "tap0")
    cleanup.callback(lab.end_process, pid, signal.SIGKILL)
    assert code == 0
    web1 = cleanup.enter_context(lab.Guest(
        "web1", path, ip="10.0.0.1", initrd=initrd, workdir=tmp_path))
    assert web1.pings("10.0.0.254")


@of_all
def test_a_daemon_takes_no_part_in_the_terminal(program, tmp_path, terminal):
    path = tmp_path / "ctl"
    done = subprocess.run([program, "-unix", str(path), "-daemon"],
                          stdin=terminal[1], stdout=subprocess.DEVNULL,
                          timeout=lab.STEP_S)
    assert done.returncode == 0
    pid = lab.find_process(str(path))
    try:
        # A session of its own, so that no hang-up reaches it. The original
        # returns a little before it has one.
        lab.wait_until(lambda: int(lab.process_stat(pid)[3]) != os.getsid(0),
                       "a session of its own")
        lab.wait_until(lambda: os.readlink(f"/proc/{pid}/cwd") == "/",
                       "the root directory as working directory")
        assert_serves(path)
    finally:
        lab.end_process(pid, signal.SIGKILL)


@of_ours
def test_a_daemon_outlives_the_terminal_it_was_started_from(program, tmp_path,
                                                            terminal):
    """The original reads the end of its terminal here as well, and ends."""
    path = tmp_path / "ctl"
    subprocess.run([program, "-unix", str(path), "-daemon"], check=True,
                   stdin=terminal[1], stdout=subprocess.DEVNULL,
                   timeout=lab.STEP_S)
    pid = lab.find_process(str(path))
    try:
        os.close(terminal[1])
        os.close(terminal[0])
        for _ in range(20):
            assert_serves(path)
        assert lab.is_running(pid)
    finally:
        lab.end_process(pid)


# Better on purpose -----------------------------------------------------------

@of_ours
def test_sigterm_leaves_no_socket_behind(program, tmp_path):
    with lab.Switch(program=program, workdir=tmp_path) as switch:
        assert switch.stop(signal.SIGTERM) == 0
        assert not os.path.exists(switch.socket)


@of_ours
def test_a_file_at_the_sockets_place_is_left_alone(program, tmp_path):
    """The original deletes it."""
    path = tmp_path / "precious"
    path.write_text("data")
    done = subprocess.run([program, "-unix", str(path)],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=lab.STEP_S)
    assert done.returncode == 1
    assert path.read_text() == "data"


@of_ours
def test_a_tap_it_cannot_have_keeps_it_from_starting(program, tmp_path):
    """The original goes on without a word of it in its exit code."""
    done = subprocess.run([program, "-unix", str(tmp_path / "ctl"),
                           "-tap", "lo"],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=lab.STEP_S)
    assert done.returncode == 1
    assert "lo" in done.stderr
