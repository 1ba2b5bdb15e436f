"""--metrics: where statistics are served, and where they are not.

     test -- a path, 127.0.0.1, ::1 -- ringswitch
"""

import contextlib
import grp
import http.client
import os
import pathlib
import re
import signal
import socket
import stat

import pytest

import lab
from lab_control import control_of
from lab_http import Http

PORT = 9100


def serving(tmp_path, address, **options):
    return lab.Switch("--metrics", address, workdir=tmp_path, **options)


@pytest.fixture
def ipv6_on_loopback():
    """::1, which conftest.py has switched off; skip where there is none."""
    switch = pathlib.Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
    if not switch.exists():
        pytest.skip("no IPv6 in this kernel")
    switch.write_text("0")
    yield
    switch.write_text("1")


# A socket in the file system ---------------------------------------------------

def test_the_socket_is_for_its_owner_and_group_and_goes(tmp_path):
    path = tmp_path / "metrics"
    with serving(tmp_path, f"unix:{path}") as switch:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with Http(path) as client:
            assert client.words()["ports"] == 0
        assert switch.stop() == 0
    assert not path.exists()


def test_the_socket_has_the_permissions_that_are_asked_for(tmp_path):
    path = tmp_path / "metrics"
    group = grp.getgrgid(os.getgid()).gr_name
    with serving(tmp_path, f"unix:{path},mode=0606,group={group}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o606
        assert path.stat().st_gid == os.getgid()


def test_a_dead_switch_s_socket_is_replaced(tmp_path):
    path = tmp_path / "metrics"
    with serving(tmp_path, f"unix:{path}") as switch:
        switch.stop(signal.SIGKILL)
    assert path.exists()
    with serving(tmp_path, f"unix:{path}"), Http(path) as client:
        assert client.words()["ports"] == 0


def test_a_daemon_finds_its_relative_path_again(tmp_path):
    path = tmp_path / "metrics"
    with serving(tmp_path, "unix:metrics", cwd=tmp_path) as switch:
        assert path.exists()
        switch.stop()
    lab.sh("sh", "-c", 'cd "$1" && "$2" --unix ctl2 --metrics unix:metrics '
           "--daemon --pidfile pid", "sh", str(tmp_path), lab.ringswitch())
    pid = int((tmp_path / "pid").read_text())
    with Http(path) as client:
        assert client.words()["ports"] == 0
    lab.end_process(pid)
    assert not path.exists()


@pytest.mark.parametrize("make", ["file", "in use", "no directory"])
def test_a_path_that_cannot_be_had_ends_the_start(tmp_path, cleanup, make):
    path = tmp_path / "metrics"
    if make == "file":
        path.write_text("precious")
    elif make == "in use":
        cleanup.enter_context(serving(tmp_path, f"unix:{path}", name="other"))
    else:
        path = tmp_path / "none" / "metrics"
    code, said = lab.run_switch("--unix", tmp_path / "ctl2", "--metrics",
                                f"unix:{path}")
    assert code == 1
    assert str(path) in said and said.count("\n") == 1
    assert not (tmp_path / "ctl2").exists()
    if make == "file":
        assert path.read_text() == "precious"
    elif make == "in use":
        with Http(path) as client:
            assert client.words()["ports"] == 0


def test_a_switch_that_starts_anew_serves_again(tmp_path):
    """The counters go on, so the time from which they count stays."""
    path = tmp_path / "metrics"

    def started():
        with Http(path) as client:
            return re.search(r"\nringswitch_start_time_seconds (\S+)\n",
                             client.get("/metrics")).group(1)

    with serving(tmp_path, f"unix:{path}", keeper=True) as switch, \
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(str(path))
        before = started()
        with control_of(switch) as control:
            control.request("restart")
        assert lab.ends(silent, lab.STEP_S)
        assert started() == before


# TCP ---------------------------------------------------------------------------

@pytest.mark.parametrize("address, host", [
    (f"127.0.0.1:{PORT}", "127.0.0.1"), (f"localhost:{PORT}", "127.0.0.1"),
    (f"127.0.0.2:{PORT}", "127.0.0.2")])
def test_this_machine_is_served(tmp_path, address, host):
    with serving(tmp_path, address), Http((host, PORT)) as client:
        assert client.words()["ports"] == 0
        assert client.get("/metrics")


def test_this_machine_is_served_over_ipv6(tmp_path, ipv6_on_loopback):
    with serving(tmp_path, f"[::1]:{PORT}"), Http(("::1", PORT)) as client:
        assert client.words()["ports"] == 0


def test_nobody_else_is_served(tmp_path):
    outside = "10.9.9.1"
    lab.sh("ip", "address", "add", outside, "dev", "lo")
    try:
        with serving(tmp_path, f"127.0.0.1:{PORT}"):
            with pytest.raises(ConnectionRefusedError):
                Http((outside, PORT)).get("/words")
    finally:
        lab.sh("ip", "address", "delete", f"{outside}/32", "dev", "lo")


def test_a_port_can_be_had_again_at_once(tmp_path):
    for _ in range(3):
        with serving(tmp_path, f"127.0.0.1:{PORT}") as switch, \
                Http(("127.0.0.1", PORT)) as client:
            assert client.words()["ports"] == 0
            # The switch closes first, and its side lingers.
            assert switch.stop() == 0


def test_a_port_that_somebody_has_ends_the_start(tmp_path):
    with socket.create_server(("127.0.0.1", PORT)):
        code, said = lab.run_switch("--unix", tmp_path / "ctl", "--metrics",
                                    f"127.0.0.1:{PORT}")
    assert code == 1
    assert str(PORT) in said and "choose another" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "ctl").exists()


# What is no address ------------------------------------------------------------

@pytest.mark.parametrize("address, naming", [
    (f"0.0.0.0:{PORT}", "this machine"), (f":{PORT}", "this machine"),
    (f"[::]:{PORT}", "this machine"), (f"10.0.0.1:{PORT}", "this machine"),
    ("127.0.0.1:0", "1 to 65535"), ("127.0.0.1:http", "1 to 65535"),
    (str(PORT), "unix:PATH"), ("/run/metrics", "unix:PATH"),
    ("unix:", "1 to 107"), ("unix:/" + "x" * 107, "1 to 107"),
    ("unix:/m,mode=888", "mode="), ("unix:/m,group=nobody-has-it", "group="),
    ("unix:/m,name=x", "mode=, group="), ("", "unix:PATH")])
def test_what_is_no_address_is_refused_with_what_is(tmp_path, address, naming):
    code, said = lab.run_switch("--unix", tmp_path / "ctl", "--metrics",
                                address)
    assert code == 2
    assert "--metrics" in said and naming in said
    assert said.count("\n") == 1
    assert not (tmp_path / "ctl").exists()
