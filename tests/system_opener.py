"""The opener: what opens sockets for a switch that no longer can.

     guests ---- switch ==== opener ---- sockets, directories
                       jobs,
                     descriptors

It must not be made to open what a guest could not open itself, and nobody waits
for a guest whose socket never answers.
"""

import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

import pytest

import lab
from lab_clients import (BessClient, VdeClient, attached, connected, reach,
                         vde_request)
from lab_control import Refused, control_of


@pytest.fixture
def switch(tmp_path):
    """A switch for UML, VDE and bess guests; .opener is its opener's number."""
    with lab.Switch("--listen", f"vde:{tmp_path}/vde", "--listen",
                    f"bess:{tmp_path}/bess", workdir=tmp_path) as running:
        running.opener = opener_of(running)
        yield running


def opener_of(switch):
    child, = lab.children_of(switch.pid)
    return child


def refused(path, request):
    """Whether whoever says @request at @path is refused."""
    with connected(socket.SOCK_STREAM, path) as control:
        control.sendall(request)
        return lab.ends(control, lab.STEP_S)


def wait_attached(switch, ports):
    """Of the control socket, not of the process that was started."""
    with control_of(switch) as control:
        control.wait_ports(ports)


# What it is -------------------------------------------------------------------

def test_it_has_its_channels_and_standard_error_and_nothing_else(switch):
    links = {int(fd): os.readlink(f"/proc/{switch.opener}/fd/{fd}")
             for fd in os.listdir(f"/proc/{switch.opener}/fd")}
    assert links.pop(0) == links.pop(1) == "/dev/null"
    assert links.pop(2) == str(switch.log)
    assert len(links) == 2
    assert all(link.startswith("socket:") for link in links.values()), links


def test_it_ends_with_the_switch(switch):
    os.kill(switch.pid, signal.SIGKILL)
    lab.wait_until(lambda: not lab.is_running(switch.opener),
                   "the opener to end")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP],
                         ids=lambda sig: sig.name)
def test_a_signal_for_all_of_them_leaves_nothing_behind(switch, sig, tmp_path):
    """A terminal's, or that of systemd: the opener has work to do then."""
    with VdeClient(tmp_path / "vde") as guest:
        switch.wait_ports(1)
        os.kill(switch.opener, sig)
        os.kill(switch.pid, sig)
        assert guest.closed_by_switch(lab.STEP_S)
    assert switch.process.wait(lab.STEP_S) == 0
    assert not lab.is_running(switch.opener)
    assert not (tmp_path / "vde").exists()
    assert not (tmp_path / "bess").exists()
    assert not (tmp_path / "ctl").exists()


def test_a_daemons_keeps_no_pipe_open(tmp_path):
    """Whoever has started it reads to the end."""
    started = subprocess.run(
        [lab.ringswitch(), "--no-keeper", "-unix", tmp_path / "ctl",
         "--daemon", "--pidfile", tmp_path / "pid"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=lab.STEP_S,
        check=True)
    assert b"attached to" in started.stdout
    lab.end_process(int((tmp_path / "pid").read_text()))
    assert not (tmp_path / "pid").exists()
    assert not (tmp_path / "ctl").exists()


# When it has gone, or does not answer -------------------------------------------

def test_without_it_everything_that_is_there_goes_on(switch, tmp_path):
    with attached(switch, lab.Client(switch.socket),
                  VdeClient(tmp_path / "vde")) as (a, b), \
            control_of(switch) as control:
        os.kill(switch.opener, signal.SIGKILL)
        lab.wait_until(lambda: "has ended" in switch.said(), "the line")
        reach(a, b)
        reach(b, a)
        # These need nobody.
        with BessClient(tmp_path / "bess") as c:
            switch.wait_ports(3)
            reach(c, a, 2)
        control.request("port.down", port="uml1")
        control.request("port.up", port="uml1")
        # These do.
        assert refused(switch.socket, lab.request_v3(
            lab.sockaddr_un(lab.guest_like_name())))
        for endpoint in f"uml:{tmp_path}/new", f"vde:{tmp_path}/new":
            error = control.refusal("listener.add", endpoint=endpoint)
            assert (error.code, "restart" in error.message) == ("refused",
                                                                True)
        error = control.refusal("port.add",
                                endpoint=f"connect-bess:{tmp_path}/bess")
        assert error.code == "refused"
        reach(a, b, 3)
    assert switch.said().count("that opens things for the switch (pid") == 1
    assert switch.stop() == 0


def test_with_a_keeper_there_is_another_one_at_once(tmp_path):
    with lab.Switch(workdir=tmp_path, keeper=True) as switch, \
            lab.Client(switch.socket) as a:
        with control_of(switch) as control:
            lab.wait_until(lambda: control.request("version")["uptime"] > 1.1,
                           "it to have lived for a while")
        [opener] = lab.children_of(switch.switch_pid())
        os.kill(opener, signal.SIGKILL)
        lab.wait_until(lambda: "started anew" in switch.said(), "the next")
        with lab.Client(switch.socket) as b:
            reach(a, b), reach(b, a, 2)


def adds(control, endpoint):
    try:
        control.request("listener.add", endpoint=endpoint)
    except Refused:
        return False
    return True


def test_one_that_does_not_answer_holds_up_no_frame(switch, tmp_path):
    with attached(switch, lab.Client(switch.socket),
                  BessClient(tmp_path / "bess")) as (a, b), \
            control_of(switch) as control:
        os.kill(switch.opener, signal.SIGSTOP)
        try:
            with connected(socket.SOCK_STREAM, switch.socket) as waiting:
                waiting.sendall(lab.request_v3(
                    lab.sockaddr_un(lab.guest_like_name())))
                for number in range(100):
                    reach(a, b, 2 * number)
                    reach(b, a, 2 * number + 1)
                assert lab.ends(waiting, lab.STEP_S)
            for _ in range(2):
                error = control.refusal("listener.add",
                                        endpoint=f"uml:{tmp_path}/new")
                assert "does not answer" in error.message
        finally:
            os.kill(switch.opener, signal.SIGCONT)
        # What nobody waited for has been done; what came of it, thrown away.
        lab.wait_until(lambda: (tmp_path / "new").exists(), "the late answer")
        # Which is on its way still, perhaps.
        lab.wait_until(lambda: adds(control, f"bess:{tmp_path}/newer"),
                       "it to be asked again")
        with lab.Client(switch.socket) as c:
            reach(c, b, 1000)


def test_after_a_crash_the_next_switch_has_another(tmp_path):
    with lab.Switch(workdir=tmp_path, keeper=True) as switch, \
            lab.Client(switch.socket) as a:
        wait_attached(switch, 1)
        before = switch.switch_pid()
        opener, = lab.children_of(before)
        os.kill(before, signal.SIGKILL)
        lab.wait_until(lambda: not lab.is_running(opener),
                       "the opener to end")
        with lab.Client(switch.socket) as b:
            reach(a, b)
            reach(b, a)
        assert switch.switch_pid() != before
        # Whose sockets are taken is not forgotten.
        assert refused(switch.socket,
                       lab.request_v3(lab.sockaddr_un(a.name)))
        wait_attached(switch, 1)


# Whose socket it is ---------------------------------------------------------------

# Binds argv[2], asks for its argv[3] to be sent to, and says what it is told.
JOIN = """if True:
    import os, socket, struct, sys
    control, own, named, mode = sys.argv[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data, \\
            socket.socket(socket.AF_UNIX) as c:
        data.bind(own)
        os.chmod(own, int(mode, 8))
        if named != own and not os.path.exists(named):
            os.symlink(own + ".victim", named)
        c.connect(control)
        c.sendall(struct.pack("=III110s", 0xfeedface, 3, 0, struct.pack(
            "=H108s", socket.AF_UNIX, named.encode())))
        sys.stdout.buffer.write(c.recv(4096))
"""


@pytest.fixture
def ask(public_dir, other_user):
    """Have another user bind a socket, and name one: the reply, and the
    switch."""
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(lab.Switch(
            "--listen", f"vde:{public_dir}/vde,mode=777", socket=None,
            workdir=public_dir))

        def join(named="own", mode="777"):
            return subprocess.run(
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                 sys.executable, "-c", JOIN, public_dir / "vde" / "ctl",
                 public_dir / "own", public_dir / named, mode],
                stdout=subprocess.PIPE, check=True).stdout

        victim = stack.enter_context(
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        victim.bind(str(public_dir / "own.victim"))
        (public_dir / "own.victim").chmod(0o777)
        join.switch, join.dir = running, public_dir
        yield join


def test_a_socket_of_ones_own_is_taken(ask):
    assert len(ask()) == lab.SOCKADDR_BYTES


@pytest.mark.parametrize("named", ["own.victim", "symlink"])
def test_a_socket_of_somebody_elses_is_not(ask, named):
    """Whatever it is called, and whoever may write to it."""
    assert ask(named) == b""
    assert "Operation not permitted" in ask.switch.said()


def test_a_second_name_does_not_make_it_ones_own(ask):
    os.link(ask.dir / "own.victim", ask.dir / "hard")
    assert ask("hard") == b""
    assert "Operation not permitted" in ask.switch.said()


def test_one_that_the_switch_may_not_write_to_is_refused_with_the_remedy(ask):
    """It has no privileges with which it could."""
    assert ask(mode="700") == b""
    assert "Permission denied" in ask.switch.said()
    assert "mode=" in ask.switch.said()


def test_real_vde_clients_of_other_users_can_be_sent_to(ask):
    """They let whoever has ctl write to their sockets, but for root, who is
    taken to be able to anyway."""
    with subprocess.Popen(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             "vde_plug", f"vde://{ask.dir}/vde"], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as plug:
        try:
            ask.switch.wait_ports(1)
        finally:
            plug.kill()


def test_a_socket_that_another_guest_has_is_refused(switch, tmp_path):
    """Frames for that one would go there as well."""
    with attached(switch, lab.Client(switch.socket),
                  BessClient(tmp_path / "bess")) as (a, b):
        assert refused(switch.socket,
                       lab.request_v3(lab.sockaddr_un(a.name)))
        assert "Address already in use" in switch.said()
        reach(a, b)
        reach(b, a)
        assert a.drain() == []


def test_a_path_that_another_guest_has_is_refused_by_any_name(switch,
                                                              tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data, \
            connected(socket.SOCK_STREAM, tmp_path / "vde" / "ctl") as control:
        data.bind(str(tmp_path / "data"))
        os.link(tmp_path / "data", tmp_path / "other")
        control.sendall(vde_request(tmp_path / "data"))
        assert len(control.recv(4096)) == lab.SOCKADDR_BYTES
        assert refused(tmp_path / "vde" / "ctl",
                       vde_request(tmp_path / "other"))
    # And is free when that has gone.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data, \
            connected(socket.SOCK_STREAM, tmp_path / "vde" / "ctl") as control:
        data.bind(str(tmp_path / "again"))
        control.sendall(vde_request(tmp_path / "again"))
        assert len(control.recv(4096)) == lab.SOCKADDR_BYTES


# Many, and slow ones ----------------------------------------------------------------

def test_hundreds_join_at_once(switch, tmp_path):
    """More than the opener has children for."""
    joined, wrong = [], []

    def join():
        try:
            joined.append(VdeClient(tmp_path / "vde"))
        except (OSError, lab.LabError) as e:
            wrong.append(e)

    threads = [threading.Thread(target=join) for _ in range(200)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        switch.wait_ports(200)
        reach(joined[0], joined[-1])
    finally:
        for client in joined:
            client.close()
    switch.wait_ports(0)
    lab.wait_until(lambda: {path.name for path in (tmp_path / "vde").iterdir()}
                   == {"ctl"}, "the data sockets to go")


def test_who_joins_again_and_again_takes_no_frame_from_others(switch,
                                                              tmp_path):
    stop, joins = threading.Event(), []

    def knock():
        while not stop.is_set():
            with lab.Client(switch.socket):
                joins.append(1)

    with attached(switch, lab.Client(switch.socket),
                  BessClient(tmp_path / "bess")) as (a, b):
        thread = threading.Thread(target=knock)
        thread.start()
        try:
            # The joiners' own words are flooded to nobody: they have none.
            for number in range(2000):
                reach(a, b, number)
        finally:
            stop.set()
            thread.join()
        assert joins
        switch.wait_ports(2)


FUSE_INIT, FUSE_FORGET = 26, 2


@pytest.fixture
def silent(tmp_path):
    """A directory of a file system that answers nothing but the mount."""
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("needs root and /dev/fuse for a file system of its own")
    libc = ctypes.CDLL(None, use_errno=True)
    where = tmp_path / "silent"
    where.mkdir()
    fuse = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other"
    if libc.mount(b"test", bytes(where), b"fuse", 0, options.encode()):
        os.close(fuse)
        pytest.skip("may not mount: "
                    + os.strerror(ctypes.get_errno()))
    request = os.read(fuse, 1 << 16)
    opcode, unique = struct.unpack_from("=4xIQ", request)
    assert opcode == FUSE_INIT
    # struct fuse_out_header, fuse_init_out: linux/fuse.h.
    reply = struct.pack("=IIIIHHIIHHI28x", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, 0)
    os.write(fuse, struct.pack("=IiQ", 16 + len(reply), 0, unique) + reply)
    yield where
    libc.umount2(bytes(where), 2)
    os.close(fuse)


def test_a_socket_on_a_file_system_that_never_answers_holds_up_nobody(
        switch, silent, tmp_path):
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            slow = stack.enter_context(
                connected(socket.SOCK_STREAM, switch.socket))
            slow.sendall(vde_request(silent / "socket"))
        with attached(switch, lab.Client(switch.socket),
                      BessClient(tmp_path / "bess")) as (a, b):
            reach(a, b)
            reach(b, a)
        assert lab.ends(slow, lab.STEP_S)
    # And no child of the opener waits there for ever.
    lab.wait_until(lambda: not lab.children_of(switch.opener),
                   "its children to be ended")
    with VdeClient(tmp_path / "vde"):
        switch.wait_ports(1)
