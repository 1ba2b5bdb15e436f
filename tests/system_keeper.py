"""The keeper, as scripts and service managers see it: one process, which has a
switch that may die.

     script -- pid, signals, files, exit status -- keeper
                                                     |
     guests --------------------------------- switch, the next, ...

What guests see of it is in system_handover.py, every single step of it in
test_keeper.c.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess

import pytest

import lab
from lab_clients import BessClient, reach


@pytest.fixture
def kept(tmp_path):
    with lab.Switch(workdir=tmp_path, keeper=True) as switch:
        yield switch


def kill_switch(switch, sig=signal.SIGKILL):
    """Kill the switch, and wait for the next."""
    before = switch.switch_pid()
    said = switch.said().count("the switch is back")
    os.kill(before, sig)
    lab.wait_until(lambda: switch.said().count("the switch is back") > said,
                   "the next switch")
    assert switch.switch_pid() != before


def assert_serves(path):
    with lab.Client(path) as a, lab.Client(path) as b:
        reach(a, b)


# Who is who -------------------------------------------------------------------

def test_the_keeper_is_the_process_that_was_started(kept):
    assert lab.children_of(kept.pid) == [kept.switch_pid()]
    kill_switch(kept)
    assert lab.is_running(kept.pid)
    assert_serves(kept.socket)


def test_without_a_keeper_the_process_is_the_switch(tmp_path):
    with lab.Switch(workdir=tmp_path, keeper=False) as switch:
        os.kill(switch.pid, signal.SIGUSR1)
        lab.wait_until(lambda: "\nmac " in switch.said(), "the counters")
        assert not os.path.exists(f"{switch.socket}.state")
        switch.process.send_signal(signal.SIGKILL)
        assert switch.process.wait(lab.STEP_S) == -signal.SIGKILL


def test_it_uses_no_time_and_hears_no_guest(kept):
    with lab.Client(kept.socket) as a, lab.Client(kept.socket) as b:
        before = lab.cpu_seconds(kept.pid)
        for _ in range(200):
            reach(a, b)
        assert lab.cpu_seconds(kept.pid) - before < 0.05


def test_a_stopped_keeper_holds_up_nobody(kept):
    os.kill(kept.pid, signal.SIGSTOP)
    try:
        for _ in range(20):
            assert_serves(kept.socket)
    finally:
        os.kill(kept.pid, signal.SIGCONT)
    kill_switch(kept)
    assert_serves(kept.socket)


def test_when_the_keeper_dies_the_switch_says_so_once_and_goes_on(kept):
    with lab.Client(kept.socket) as a, lab.Client(kept.socket) as b:
        alone = kept.switch_pid()
        kept.process.kill()
        kept.process.wait()
        line = "the keeper has ended"
        lab.wait_until(lambda: line in kept.log.read_text(), line)
        for _ in range(10):
            reach(a, b)
            assert_serves(kept.socket)
        assert kept.log.read_text().count(line) == 1
        lab.end_process(alone)
    assert not os.path.exists(kept.socket)


def test_it_stops_when_the_switch_is_asked_to_stop(kept):
    os.kill(kept.switch_pid(), signal.SIGTERM)
    assert kept.process.wait(lab.STEP_S) == 0
    assert not os.path.exists(kept.socket)
    assert not os.path.exists(f"{kept.socket}.state")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_ended_after_a_crash_it_leaves_nothing_behind(sig, tmp_path):
    with lab.Switch("--pidfile", f"{tmp_path}/pid", workdir=tmp_path,
                    keeper=True) as switch:
        kill_switch(switch)
        children = lab.descendants_of(switch.pid)
        assert switch.stop(sig) == 0
        assert not any(map(lab.is_running, children))
    assert sorted(os.listdir(tmp_path)) == ["switch.log", "switch.out"]


def test_one_that_is_ended_while_no_switch_runs_ends(kept):
    """In the pause after many crashes."""
    def paused():
        with contextlib.suppress(IndexError, ProcessLookupError):
            os.kill(kept.switch_pid(), signal.SIGKILL)
        return kept.said().count("in a moment") == 4

    lab.wait_until(paused, "a pause of two seconds")
    assert kept.stop() == 0


def test_a_hung_switch_does_not_keep_it_from_ending(kept):
    os.kill(kept.switch_pid(), signal.SIGSTOP)
    assert kept.stop() != 0
    assert "does not end" in kept.said()


# What has been given to it ----------------------------------------------------

def test_the_pid_file_is_the_keepers(tmp_path):
    with lab.Switch("--pidfile", f"{tmp_path}/pid", workdir=tmp_path,
                    keeper=True) as switch:
        kill_switch(switch)
        assert int((tmp_path / "pid").read_text()) == switch.pid
        code, said = lab.run_switch("--unix", tmp_path / "other", "--pidfile",
                                    tmp_path / "pid")
        assert code == 1 and str(switch.pid) in said
        # Nobody but the keeper holds the lock.
        switch.process.kill()
        switch.process.wait()
        with lab.Switch("--pidfile", f"{tmp_path}/pid", workdir=tmp_path,
                        socket=str(tmp_path / "other"), name="other"):
            pass
        lab.end_process(lab.find_process(switch.socket))


def test_a_configuration_that_is_spoilt_meanwhile_is_none_of_the_next(tmp_path):
    conf = tmp_path / "conf"
    conf.write_text(f"listen bess:{tmp_path}/b\n")
    with lab.Switch("--config", str(conf), workdir=tmp_path,
                    keeper=True) as switch:
        for spoilt in "nonsense\n", None:
            if spoilt:
                conf.write_text(spoilt)
            else:
                conf.unlink()
            kill_switch(switch)
            with BessClient(tmp_path / "b") as a, \
                    lab.Client(switch.socket) as b:
                reach(b, a)


def test_inherited_descriptors_are_the_switchs_alone(tmp_path):
    """Its guest sees the end of its port, and comes back after a crash."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    number = its.fileno()
    with lab.Switch("--port", f"fd:{number},name=given", workdir=tmp_path,
                    pass_fds=[number], keeper=True) as switch:
        its.close()
        with BessClient(connection=ours) as a:
            kill_switch(switch)
            with lab.Client(switch.socket) as b:
                reach(b, a)
            assert switch.stop() == 0
            assert a.closed_by_switch(lab.STEP_S)


@contextlib.contextmanager
def activated(tmp_path, names):
    """A switch with @names as systemd would pass sockets to it; their ends."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
             for _ in names]
    script = ("import os, sys; os.environ['LISTEN_PID'] = str(os.getpid());"
              + "".join(f"os.dup2({its.fileno()}, {100 + i});"
                        for i, (_, its) in enumerate(pairs))
              + "".join(f"os.dup2({100 + i}, {3 + i}); os.close({100 + i});"
                        for i in range(len(pairs)))
              + "os.execv(sys.argv[1], sys.argv[1:])")
    env = {**os.environ, "LISTEN_FDS": str(len(names)),
           "LISTEN_FDNAMES": ":".join(names)}
    with lab.Switch(workdir=tmp_path, env=env, keeper=True,
                    pass_fds=[its.fileno() for _, its in pairs],
                    wrapper=["/usr/bin/python3", "-c", script]) as switch:
        for _, its in pairs:
            its.close()
        yield switch, [BessClient(connection=ours) for ours, _ in pairs]


@pytest.mark.parametrize("names", [["left", "right"], ["same", "same"]])
def test_passed_sockets_come_back_after_a_crash(names, tmp_path):
    with activated(tmp_path, names) as (switch, (a, b)):
        before = set(switch.stats())
        for _ in range(2):
            reach(a, b)
            kill_switch(switch)
        reach(a, b)
        assert set(switch.stats()) == before


# The state file ---------------------------------------------------------------

def test_the_state_file_is_its_owners_and_goes_in_good_order(kept):
    path = pathlib.Path(f"{kept.socket}.state")
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept.stop() == 0
    assert not path.exists()


def make_link(path):
    path.with_name("precious").write_text("data")
    path.symlink_to("precious")


def make_other_file(path):
    path.write_text("data")
    path.chmod(0o600)


@pytest.mark.parametrize("make", [make_link, make_other_file, os.mkdir,
                                  os.mkfifo])
def test_what_is_in_the_way_is_left_alone(make, tmp_path):
    """Nobody has asked for a state file: one line, and it goes without."""
    path = tmp_path / "ctl.state"
    make(path)
    before = os.lstat(path)
    with lab.Switch(workdir=tmp_path, keeper=True) as switch:
        assert switch.log.read_text().count(str(path)) == 1
        kill_switch(switch)
        assert_serves(switch.socket)
    after = os.lstat(path)
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    code, said = lab.run_switch("--unix", tmp_path / "other",
                                "--state", path)
    assert code == 1 and said.count("\n") == 1 and str(path) in said
    assert not (tmp_path / "other").exists()


def test_state_none_is_none(tmp_path):
    with lab.Switch("--state", "none", workdir=tmp_path, keeper=True) as switch:
        with lab.Client(switch.socket):
            assert not list(tmp_path.glob("*state*"))
            kill_switch(switch)


def test_a_second_switch_there_is_refused_by_its_socket(kept):
    """Not by the state file, which is in use as well."""
    code, said = lab.run_switch("--unix", kept.socket)
    assert code == 1 and said.count("\n") == 1
    assert kept.socket in said and "state" not in said
    kill_switch(kept)
    assert_serves(kept.socket)


# Crash after crash ------------------------------------------------------------

def test_crashes_one_after_another_leave_no_descriptors(kept):
    with lab.Client(kept.socket) as a, lab.Client(kept.socket) as b:
        kept.wait_ports(2)
        kill_switch(kept)
        reach(a, b)
        files = lab.open_files(kept.pid)
        for _ in range(3):
            kill_switch(kept)
            reach(a, b)
        lab.wait_until(lambda: lab.open_files(kept.pid) <= files,
                       "no more files")


def test_a_crash_says_what_it_was(kept):
    kill_switch(kept, signal.SIGSEGV)
    assert "was killed by signal 11" in kept.said() or \
        "has ended with status" in kept.said()      # of a sanitizer


def test_a_daemon_comes_back_with_its_log_and_its_counters(tmp_path):
    with open(tmp_path / "said", "w") as said:
        subprocess.run([lab.ringswitch(), "--unix", tmp_path / "ctl",
                        "--pidfile", tmp_path / "pid", "--daemon"], check=True,
                       stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                       timeout=lab.STEP_S)
    pid = int((tmp_path / "pid").read_text())
    try:
        [switch] = lab.children_of(pid)
        os.kill(switch, signal.SIGKILL)
        text = (tmp_path / "said").read_text
        lab.wait_until(lambda: "is back" in text(), "the next switch")
        os.kill(pid, signal.SIGUSR1)
        lab.wait_until(lambda: "\nmac " in text(), "the counters")
        assert_serves(tmp_path / "ctl")
    finally:
        lab.end_process(pid)
    assert not (tmp_path / "pid").exists()


def test_a_daemons_crash_lets_go_of_the_pipe_as_well(tmp_path):
    """$(ringswitch --daemon) must not hang on the second switch either."""
    reader, writer = os.pipe()
    subprocess.run([lab.ringswitch(), "--unix", tmp_path / "ctl", "--pidfile",
                    tmp_path / "pid", "--daemon"], check=True,
                   stdin=subprocess.DEVNULL, stdout=writer, stderr=writer,
                   timeout=lab.STEP_S)
    os.close(writer)
    pid = int((tmp_path / "pid").read_text())
    try:
        [switch] = lab.children_of(pid)
        os.kill(switch, signal.SIGKILL)
        lab.wait_until(lambda: lab.children_of(pid) not in ([], [switch]),
                       "the next switch")
        while os.read(reader, 4096):
            pass
        lab.wait_until(lambda: lab.can_connect(tmp_path / "ctl"), "it to listen")
    finally:
        lab.end_process(pid)
        os.close(reader)
