"""restart: the program file as it is now, with what is configured now; the
keeper stays, and so do the guests (system_handover.py).

     ringctl --> config.show --> keeper --> the next ringswitch
"""

import contextlib
import os
import shutil
import socket
import subprocess

import lab
from lab_clients import BessClient, BessServer, reach
from lab_control import Control, control_of, events_of


def words_of(control):
    return control.request("config.show")["words"]


def wait_control(path):
    """A control socket that answers, as soon as there is one."""
    def attempt():
        control = None
        try:
            control = Control(path)
            control.request("version")
        except (OSError, AssertionError):
            if control:
                control.close()
            return None
        return control
    return lab.wait_until(attempt, f"{path} to answer")


def restarted(path):
    """A Control of the switch at @path, when it has been started anew."""
    with wait_control(path) as control:
        control.request("restart")
        assert control.ended()
    return wait_control(path)


def test_a_restart_is_a_new_switch_with_the_same_configuration(tmp_path,
                                                               cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/b", "--pidfile", f"{tmp_path}/pid",
        workdir=tmp_path, keeper=True))
    events = cleanup.enter_context(events_of(switch))
    guest = cleanup.enter_context(BessClient(tmp_path / "b"))
    with control_of(switch) as control:
        control.wait_ports(1)
        control.request("listener.add", endpoint=f"stream:{tmp_path}/s")
        before = control.request("version")
        words = words_of(control)
        assert control.request("restart") == {}
        assert control.ended()
    while events.next():
        pass
    with wait_control(f"{switch.socket}.control") as control:
        after = control.request("version")
        assert after["started"] == before["started"]
        assert after["pid"] == before["pid"] == switch.pid
        assert after["process"] == switch.switch_pid() != before["process"]
        assert (before["starts"], after["starts"]) == (1, 2)
        assert words_of(control) == words
        assert len(control.request("port.show")) == 1
    assert int((tmp_path / "pid").read_text()) == switch.pid
    with lab.Client(switch.socket) as b:
        reach(b, guest)
    assert switch.stop() == 0
    assert not (tmp_path / "b").exists() and not (tmp_path / "pid").exists()


def test_restarts_one_after_another_leave_nothing(tmp_path):
    def files(switch):
        return [lab.open_files(pid) for pid in (switch.pid,
                                                switch.switch_pid())]

    with lab.Switch(workdir=tmp_path, keeper=True) as switch:
        path = f"{switch.socket}.control"
        # The second switch has what the first has left, as all others.
        with restarted(path):
            before = files(switch)
        for _ in range(10):
            restarted(path).close()
        with wait_control(path):
            lab.wait_until(lambda: all(now <= then for now, then in
                                       zip(files(switch), before)),
                           "no more files")
        with lab.Client(switch.socket) as a, lab.Client(switch.socket) as b:
            reach(a, b)


def test_descriptors_from_outside_are_handed_on(tmp_path):
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its, lab.Switch("--port", f"fd:{its.fileno()},name=given",
                         pass_fds=[its.fileno()], workdir=tmp_path,
                         keeper=True) as switch:
        with BessClient(connection=ours) as a, lab.Client(switch.socket) as b:
            reach(a, b)
            restarted(f"{switch.socket}.control").close()
            reach(a, b), reach(b, a, 2)
        its.close()
        with wait_control(f"{switch.socket}.control") as control:
            control.wait_ports(0)


def test_a_daemon_finds_its_relative_paths_again(tmp_path, cleanup):
    (tmp_path / "switch.conf").write_text("listen bess:b\n")
    subprocess.run([lab.ringswitch(), "--daemon", "--unix", "ctl",
                    "--pidfile", "pid", "--config", "switch.conf"],
                   cwd=tmp_path, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=lab.STEP_S)
    pid = int((tmp_path / "pid").read_text())
    cleanup.callback(lab.end_process, pid)
    for _ in range(2):
        restarted(tmp_path / "ctl.control").close()
        assert int((tmp_path / "pid").read_text()) == pid
        with BessClient(tmp_path / "b") as a, \
                lab.Client(tmp_path / "ctl") as b:
            reach(b, a)


def test_the_program_is_the_one_that_is_there_now(tmp_path, monkeypatch):
    """As after an upgrade: another file in the same place."""
    program = tmp_path / "ringswitch"
    shutil.copy(lab.ringswitch(), program)
    monkeypatch.setenv("RINGSWITCH", str(program))
    with lab.Switch(workdir=tmp_path, keeper=True) as switch:
        shutil.copy(program, tmp_path / "new")
        os.rename(tmp_path / "new", program)
        with restarted(f"{switch.socket}.control") as control:
            assert control.request("version")["pid"] == switch.pid
        assert os.path.samefile(f"/proc/{switch.switch_pid()}/exe", program)


def test_an_upgrade_that_does_not_start_is_no_end(tmp_path, monkeypatch):
    """The keeper starts the program that it is, and guests stay."""
    program = tmp_path / "ringswitch"
    shutil.copy(lab.ringswitch(), program)
    monkeypatch.setenv("RINGSWITCH", str(program))
    with lab.Switch(workdir=tmp_path, keeper=True) as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b:
        (tmp_path / "new").write_text("#!/bin/false\n")
        (tmp_path / "new").chmod(0o755)
        os.rename(tmp_path / "new", program)
        restarted(f"{switch.socket}.control").close()
        reach(a, b)


def test_what_is_away_meanwhile_is_connected_again_when_it_is_back(tmp_path):
    """At the first start that would be an error; now it must not be the end."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(BessServer(tmp_path / "peer"))
        switch = stack.enter_context(lab.Switch(
            "--port", f"connect-bess:{tmp_path}/peer,name=peer",
            workdir=tmp_path, keeper=True))
        server.accept().close()
        server.__exit__()
        with restarted(f"{switch.socket}.control") as control:
            assert control.port("peer")["state"] == "detached"
            with BessServer(tmp_path / "peer") as again, \
                    again.accept() as peer, lab.Client(switch.socket) as guest:
                control.wait(lambda c: c.port("peer")["state"] == "up",
                             "the port to be connected again")
                reach(guest, peer)


def test_the_directory_it_was_started_in_may_go(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    with lab.Switch("--listen", "bess:here", workdir=tmp_path, cwd=here,
                    keeper=True) as switch, \
            BessClient(here / "here") as guest:
        (here / "here").unlink()
        here.rmdir()
        restarted(f"{switch.socket}.control").close()
        with lab.Client(switch.socket) as other:
            reach(other, guest)
