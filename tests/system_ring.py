"""What the switch's ring holds on to: files that are registered with it.

    descriptor 7 ----+
                     +--- a guest's socket          each under its own number,
    place 7 ---------+                              and none for longer
      in the ring

A registered file stays open when its descriptor is closed. What the ring may
be used for is in test_loop_ring.c.
"""

import contextlib
import os
import re

import pytest

import lab
from lab_clients import (BessClient, BessServer, DgramClient, StreamClient,
                         StreamServer, VdeClient)
from lab_control import control_of

WAYS = {"registered": (), "any descriptor": ("--without", "fixed-files")}


def listeners(directory):
    return ("--listen", f"vde:{directory}/vde",
            "--listen", f"bess:{directory}/bess",
            "--listen", f"stream:{directory}/stream",
            "--metrics", f"unix:{directory}/metrics")


@pytest.fixture(params=WAYS)
def switch(request, tmp_path):
    with lab.Switch(*listeners(tmp_path), *WAYS[request.param],
                    workdir=tmp_path) as running:
        yield running
        assert running.process.poll() is None, running.said()


@pytest.fixture
def control(switch):
    with control_of(switch) as control:
        control.request("version")  # so that it has us
        yield control


def ring_info(pid):
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        # One of the others may be closed at this moment.
        with contextlib.suppress(OSError), \
                open(f"/proc/{pid}/fdinfo/{fd}") as info:
            text = info.read()
            if "SqMask" in text:
                return text
    raise lab.LabError(f"process {pid} has no ring")


def registered(pid):
    """{place: file} of the ring of @pid."""
    # While it works the kernel leaves them out.
    text = lab.wait_until(lambda: re.search(r"^UserFiles:.*?^UserBufs",
                                            ring_info(pid), re.M | re.S),
                          "what is registered with the ring")[0]
    return {int(place): name for place, name in
            re.findall(r"^ +(\d+): (.*)$", text, re.M)}


def needs_registered_files(switch):
    if "restricted to registered" not in switch.said():
        pytest.skip("this switch registers no files (before Linux 6.14, "
                    "or told not to)")


def assert_own_numbers(pid):
    """Every place is a descriptor's, and has its file."""
    places = registered(pid)
    assert places == {place: os.readlink(f"/proc/{pid}/fd/{place}")
                      for place in places}


def clients_of_every_kind(switch, cleanup):
    where = switch.workdir
    clients = [lab.Client(switch.socket), VdeClient(where / "vde"),
               BessClient(where / "bess"), StreamClient(where / "stream")]
    for client in clients:
        cleanup.callback(client.close)
    return clients


def add_ports_of_every_kind(switch, control, cleanup):
    where = switch.workdir
    for server, kind in ((BessServer, "bess"), (StreamServer, "stream")):
        there = cleanup.enter_context(server(where / f"{kind}.server"))
        control.request("port.add", endpoint=f"connect-{kind}:{there.path},"
                                             f"name=to-{kind}")
        cleanup.callback(there.accept().close)
    control.request("port.add", endpoint=f"dgram:{where}/d,remote={where}/r,"
                                         "name=dgram1")
    return ["to-bess", "to-stream", "dgram1"]


# Held, and let go ------------------------------------------------------------

def test_every_descriptor_of_a_request_is_registered_under_its_number(
        switch, control, cleanup):
    needs_registered_files(switch)
    empty = set(registered(switch.pid))
    clients_of_every_kind(switch, cleanup)
    control.wait_ports(4)
    add_ports_of_every_kind(switch, control, cleanup)
    assert_own_numbers(switch.pid)
    # Two a port of UML, of VDE and dgram, one a port of the others.
    assert len(set(registered(switch.pid)) - empty) == 2 * 3 + 4


def test_nothing_is_left_in_the_ring_when_everybody_has_gone(
        switch, control, cleanup):
    needs_registered_files(switch)
    empty = registered(switch.pid)
    for _ in range(20):
        clients = clients_of_every_kind(switch, cleanup)
        control.wait_ports(4)
        names = add_ports_of_every_kind(switch, control, cleanup)
        control.request("listener.add", endpoint=f"bess:{switch.workdir}/more")
        with control_of(switch) as other:
            other.request("version")
        control.request("listener.del", listener=f"bess:{switch.workdir}/more")
        for client in clients:
            client.close()
        for name in names:
            control.request("port.del", port=name)
        cleanup.close()
        control.wait_ports(0)
    lab.wait_until(lambda: registered(switch.pid) == empty,
                   "the ring to be as it was")


def test_captures_leave_nothing_in_the_ring(switch, control):
    needs_registered_files(switch)
    empty = registered(switch.pid)
    for expression in "icmp", "no expression":
        with control_of(switch) as capture:
            capture.send_bytes(b'{"execute": "capture", "arguments": '
                               b'{"expression": "%s"}}\n' % expression.encode())
            capture.line()
    lab.wait_until(lambda: registered(switch.pid) == empty,
                   "the ring to be as it was")


@pytest.fixture
def make_tap(tap_device, cleanup):
    def make():
        lab.sh("ip", "tuntap", "add", "ringtap0", "mode", "tap",
               "user", str(os.getuid()))
    make()
    cleanup.callback(lab.sh, "ip", "link", "del", "ringtap0")
    return make


def test_a_tap_is_let_go_with_its_port(control, make_tap):
    for _ in range(3):
        # Were it still held it would be busy.
        control.request("port.add", endpoint="tap:ringtap0")
        control.request("port.del", port="ringtap0")


def test_a_tap_that_is_made_anew_is_attached_again(switch, control, make_tap):
    control.request("port.add", endpoint="tap:ringtap0")
    for times in range(1, 6):
        lab.sh("ip", "link", "del", "ringtap0")
        make_tap()
        lab.wait_until(lambda: switch.said().count("attached again\n") == times,
                       "the tap to be attached again")
    if "restricted to registered" in switch.said():
        assert_own_numbers(switch.pid)


# Seen by the other side ------------------------------------------------------

def test_guests_see_the_end_when_their_port_is_closed(switch, control,
                                                      cleanup):
    uml, _, _, stream = clients_of_every_kind(switch, cleanup)
    control.wait_ports(4)
    uml.control.send(b"nothing is to be said here")
    stream.send_bytes(b"\xff\xff\xff\xff")
    assert lab.ends(uml.control, lab.STEP_S)
    assert lab.ends(stream.socket, lab.STEP_S)


@pytest.mark.parametrize("server, kind", [(BessServer, "bess"),
                                          (StreamServer, "stream")])
def test_servers_see_the_end_when_the_port_is_deleted(switch, control, server,
                                                      kind, tmp_path):
    with server(tmp_path / "there") as there:
        control.request("port.add",
                        endpoint=f"connect-{kind}:{there.path},name=p")
        connection = there.accept()
        control.request("port.del", port="p")
        assert lab.ends(connection.socket, lab.STEP_S)
        connection.close()


def test_nobody_is_behind_a_dgram_port_that_is_deleted(switch, control,
                                                       tmp_path):
    with DgramClient(tmp_path / "r", tmp_path / "d") as peer:
        control.request("port.add", endpoint=f"dgram:{tmp_path}/d,"
                                             f"remote={tmp_path}/r,name=p")
        peer.socket.connect(str(tmp_path / "d"))
        peer.socket.send(lab.frame(lab.BROADCAST, lab.mac(1), size=60))
        control.request("port.del", port="p")
        with pytest.raises(ConnectionRefusedError):
            peer.socket.send(lab.frame(lab.BROADCAST, lab.mac(1), size=60))


def test_nobody_is_behind_a_listener_that_is_deleted(control, tmp_path):
    path, other_name = tmp_path / "more", tmp_path / "other name"
    for _ in range(3):
        control.request("listener.add", endpoint=f"stream:{path}")
        os.link(path, other_name)
        assert lab.can_connect(other_name)
        control.request("listener.del", listener=f"stream:{path}")
        lab.wait_until(lambda: not lab.can_connect(other_name),
                       "the listener to go")
        os.unlink(other_name)
