"""Descriptors that the switch inherits: listeners and ports of every kind.

     a launcher opens the sockets, then runs
          |
     ringswitch --listen fd:3 --port fd:4     (or with LISTEN_FDS=2)
"""

import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

import pytest

import lab
from lab_clients import (BessClient, DgramClient, StreamClient, VdeClient,
                         attached, connected, listening, reach)

SEQPACKET, STREAM, DGRAM = (socket.SOCK_SEQPACKET, socket.SOCK_STREAM,
                            socket.SOCK_DGRAM)


@contextlib.contextmanager
def passed(*sockets):
    """Their numbers; ours are closed at the end, as a launcher's would be."""
    try:
        yield [one.fileno() for one in sockets]
    finally:
        for one in sockets:
            one.close()


@pytest.mark.parametrize("kind, client, born", [
    (SEQPACKET, BessClient, "bess"), (DGRAM, DgramClient, "dgram"),
    (STREAM, StreamClient, "stream")],
    ids=["seqpacket", "dgram", "stream"])
def test_a_connected_socket_is_a_port_of_the_kind_of_its_type(
        kind, client, born, tmp_path):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with client(connection=ours) as a, theirs:
        with lab.Switch("--port", f"fd:{theirs.fileno()},name=vm",
                        workdir=tmp_path, pass_fds=[theirs.fileno()]
                        ) as switch, lab.Client(switch.socket) as b:
            theirs.close()
            reach(a, b)
            reach(b, a, 2)
            stats = switch.stats()
            assert stats["vm"]["kind"] == born
            assert stats["vm"]["received"] == 1
            lab.assert_books_balance(stats)


def test_a_taps_descriptor_is_a_tap(tmp_path, cleanup, tap_device):
    tap = cleanup.enter_context(lab.Tap("fd0"))
    descriptor = open_tap("fd0")
    cleanup.callback(os.close, descriptor)
    with lab.Switch("--port", f"fd:{descriptor}", workdir=tmp_path,
                    pass_fds=[descriptor]) as switch, \
            lab.Client(switch.socket) as b:
        tap.set("up")
        with lab.HostSide("fd0") as host:
            reach(host, b)
            reach(b, host, 2)
        assert any(port.get("kind") == "tap"
                   for port in switch.stats().values())


def open_tap(name):
    tun_set_iff, iff_tap_no_pi = 0x400454ca, 0x1002
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, tun_set_iff,
                struct.pack("16sH22x", name.encode(), iff_tap_no_pi))
    return descriptor


@pytest.mark.parametrize("kind, name, client", [
    (SEQPACKET, "", BessClient), (STREAM, "", lab.Client),
    (STREAM, "web", lab.Client), (STREAM, "stream-web", StreamClient),
    (STREAM, "stream", StreamClient), (STREAM, "uml-web", lab.Client)])
def test_a_listener_is_of_the_kind_of_its_type_and_name(kind, name, client,
                                                        tmp_path):
    path = tmp_path / "socket"
    with listening(kind, path) as listener:
        option = f"fd:{listener.fileno()}" + (f",name={name}" if name else "")
        with lab.Switch("--listen", option, socket=None, workdir=tmp_path,
                        pass_fds=[listener.fileno()]) as switch:
            with attached(switch, client(path), client(path)) as (a, b):
                reach(a, b)
                lab.assert_books_balance(switch.stats())
            assert switch.stop() == 0
    # Whoever made it keeps it.
    assert path.exists()


def test_vde_clients_find_an_inherited_listener(tmp_path):
    (tmp_path / "vde").mkdir()
    with listening(STREAM, tmp_path / "vde" / "ctl") as listener, \
            lab.Switch("--listen", f"fd:{listener.fileno()},name=vde",
                       socket=None, workdir=tmp_path,
                       pass_fds=[listener.fileno()]), \
            VdeClient(tmp_path / "vde") as a, \
            VdeClient(tmp_path / "vde") as b:
        reach(a, b)


@pytest.mark.parametrize("what", ["nothing", "file", "pipe", "unconnected",
                                  "listener as a port", "port as a listener",
                                  "tcp"])
def test_a_descriptor_that_cannot_be_it_is_refused_with_the_reason(
        what, tmp_path, cleanup):
    role = "--listen" if what == "port as a listener" else "--port"
    descriptor = unsuitable(what, tmp_path, cleanup)
    code, said = lab.run_switch(role, f"fd:{descriptor}",
                                pass_fds=[] if what == "nothing"
                                else [descriptor])
    assert code in (1, 2)
    assert said.count("\n") == 1 and f"{descriptor}" in said


def unsuitable(what, tmp_path, cleanup):
    if what == "nothing":
        return 99
    if what == "file":
        file = cleanup.enter_context(open(tmp_path / "file", "w"))
        return file.fileno()
    if what == "pipe":
        reader, writer = os.pipe()
        cleanup.callback(os.close, reader)
        cleanup.callback(os.close, writer)
        return reader
    if what == "unconnected":
        one = socket.socket(socket.AF_UNIX, STREAM)
    elif what == "listener as a port":
        one = listening(STREAM, tmp_path / "socket")
    elif what == "port as a listener":
        one, other = socket.socketpair(socket.AF_UNIX, STREAM)
        cleanup.enter_context(other)
    else:
        one = socket.create_server(("127.0.0.1", 0))
    return cleanup.enter_context(one).fileno()


def test_a_descriptor_is_not_what_the_switch_opens_itself(tmp_path):
    """Number 5 is free when it starts, and then its own."""
    code, said = lab.run_switch("--listen", f"uml:{tmp_path}/ctl",
                                *[word for n in range(3, 12)
                                  for word in ("--listen", f"fd:{n}")])
    assert code == 2 and "inherited" in said
    assert os.listdir(tmp_path) == []


def test_the_descriptor_of_the_ready_line_is_no_listener(tmp_path):
    with listening(STREAM, tmp_path / "socket") as listener:
        number = str(listener.fileno())
        code, said = lab.run_switch("--listen", f"fd:{number}", "--ready-fd",
                                    number, pass_fds=[listener.fileno()])
    assert code == 2 and "--ready-fd" in said and said.count("\n") == 1


@pytest.mark.parametrize("word", ["fd:", "fd:x", "fd:-1", "fd:0x3", "fd:3x",
                                  "fd:99999999999"])
@pytest.mark.parametrize("role", ["--listen", "--port"])
def test_what_is_no_number_is_refused(role, word):
    code, said = lab.run_switch(role, word)
    assert code == 2 and said.count("\n") == 1


# Socket activation -----------------------------------------------------------

# As a service manager does it: from descriptor 3 on, for this process only.
ACTIVATE = """
import fcntl, os, sys
numbers, names, *command = sys.argv[1:]
high = [fcntl.fcntl(int(n), fcntl.F_DUPFD, 100) for n in numbers.split(",")]
for at, descriptor in enumerate(high):
    os.dup2(descriptor, 3 + at)
    os.close(descriptor)
pid = os.environ.get("CLAIMED_PID") or str(os.getpid())
os.environ.update(LISTEN_PID=pid, LISTEN_FDS=str(len(high)),
                  LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


def activated(tmp_path, sockets, names, *options, **more):
    numbers = [one.fileno() for one in sockets]
    return lab.Switch(*options, workdir=tmp_path, socket=None,
                      pass_fds=numbers,
                      wrapper=(sys.executable, "-c", ACTIVATE,
                               ",".join(map(str, numbers)), ":".join(names)),
                      **more)


def test_sockets_of_one_unit_have_one_name(tmp_path):
    """FileDescriptorName= is said once for all sockets of a .socket unit."""
    with listening(SEQPACKET, tmp_path / "a") as a, \
            listening(SEQPACKET, tmp_path / "b") as b, \
            activated(tmp_path, [a, b], ["lab", "lab"]) as switch, \
            attached(switch, BessClient(tmp_path / "a"),
                     BessClient(tmp_path / "b")) as (one, other):
        reach(one, other)
        assert {"lab", "lab.2"} < set(switch.stats())


def test_activation_brings_listeners_and_ports_and_their_names(tmp_path):
    ours, theirs = socket.socketpair(socket.AF_UNIX, SEQPACKET)
    with listening(STREAM, tmp_path / "uml") as uml, \
            listening(SEQPACKET, tmp_path / "bess") as bess, \
            listening(STREAM, tmp_path / "stream") as stream, \
            theirs, BessClient(connection=ours) as port, \
            activated(tmp_path, [uml, bess, stream, theirs],
                      ["guests", "web", "stream-vm", "uplink"]) as switch, \
            attached(switch, lab.Client(tmp_path / "uml"),
                     BessClient(tmp_path / "bess"),
                     StreamClient(tmp_path / "stream"), besides=1
                     ) as (a, b, c):
        for receiver in b, c, port:
            reach(a, receiver)
        reach(port, a, 2)
        stats = switch.stats()
        assert {"guests", "web", "stream-vm", "uplink"} < set(stats)
        assert [stats[name]["kind"] for name in
                ("guests", "web", "stream-vm", "uplink")] \
            == ["uml", "bess", "stream", "bess"]
        lab.assert_books_balance(stats)


def test_with_activation_the_default_socket_is_not_opened(tmp_path):
    with listening(SEQPACKET, tmp_path / "bess") as bess, \
            activated(tmp_path, [bess], ["x"]) as switch:
        assert not os.path.exists("/tmp/uml.ctl") \
            or not lab.can_connect("/tmp/uml.ctl")
        assert switch.stop() == 0
    assert (tmp_path / "bess").exists()


def test_descriptors_meant_for_another_process_are_left_alone(tmp_path):
    with listening(SEQPACKET, tmp_path / "bess") as bess, \
            activated(tmp_path, [bess], ["x"],
                      "--listen", f"bess:{tmp_path}/own",
                      env={**os.environ, "CLAIMED_PID": "1"}) as switch, \
            attached(switch, BessClient(tmp_path / "own"),
                     BessClient(tmp_path / "own")) as (a, b):
        reach(a, b)
        with connected(SEQPACKET, tmp_path / "bess") as nobody:
            nobody.send(lab.frame(lab.BROADCAST, lab.mac(9), size=60))
            last = reach(a, b)
            assert b.drain() == [] and last


def test_systemds_own_launcher_starts_it_at_the_first_guest(tmp_path):
    if not shutil.which("systemd-socket-activate"):
        pytest.skip("no systemd-socket-activate here")
    path = tmp_path / "uml"
    with open(tmp_path / "log", "wb") as log, subprocess.Popen(
            ["systemd-socket-activate", f"--listen={path}", "--fdname=web",
             lab.ringswitch()],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
        try:
            lab.wait_until(
                lambda: "Listening" in (tmp_path / "log").read_text(),
                "systemd to listen")
            with lab.Client(path) as a, lab.Client(path) as b:
                reach(a, b)
                process.terminate()
                assert process.wait(lab.STEP_S) == 0
        finally:
            process.kill()
    said = (tmp_path / "log").read_text()
    assert "port=web " in said
