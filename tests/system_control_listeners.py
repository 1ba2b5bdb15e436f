"""Listeners that are added and deleted while guests come and stay.

     uml, vde, bess, stream clients
          |  |  |  |
        ringswitch -- ctl.control
"""

import grp
import os
import socket

import pytest

import lab
from lab_clients import (BessClient, StreamClient, VdeClient, listening,
                         mode_of, reach)
from lab_control import control_of

KINDS = {"uml": lab.Client, "vde": VdeClient, "bess": BessClient,
         "stream": StreamClient}


@pytest.fixture
def control(switch):
    with control_of(switch) as control:
        yield control


@pytest.fixture
def guest(switch, cleanup):
    """Somebody who was there before."""
    return cleanup.enter_context(lab.Client(switch.socket))


def listeners(control):
    return {entry["listener"]: entry
            for entry in control.request("listener.show")}


def test_a_group_may_be_named(control, switch, tmp_path):
    """The switch has no files to look it up in; its opener has."""
    group = grp.getgrgid(os.getgid()).gr_name
    control.request("listener.add", endpoint=f"bess:{tmp_path}/g,group={group}")
    assert (tmp_path / "g").stat().st_gid == os.getgid()
    assert mode_of(tmp_path / "g") == 0o770


def test_a_listener_is_shown_with_its_ports(switch, control, cleanup):
    name = f"uml:{switch.socket}"
    for count in range(3):
        control.wait(lambda c: listeners(c)[name]["ports"] == count, "ports")
        cleanup.enter_context(lab.Client(switch.socket))
    [entry] = control.request("listener.show", listener=name)
    assert (entry["kind"], entry["state"]) == ("uml", "listening")
    assert (entry["name"], entry["queue"]) == (None, 512)


@pytest.mark.parametrize("kind", KINDS)
def test_guests_come_to_a_listener_that_was_added_and_stay_without_it(
        kind, control, guest, tmp_path):
    name = f"{kind}:{tmp_path}/new"
    entry = control.request("listener.add",
                            endpoint=f"{name},queue=99,name=late")
    assert entry["listener"] == name and entry["kind"] == kind
    assert (entry["queue"], entry["name"]) == (99, "late")
    assert name in listeners(control)
    with KINDS[kind](tmp_path / "new") as late:
        control.wait_ports(2)
        assert control.port("late")["queue"] == 99
        reach(late, guest)
        reach(guest, late, 2)
        assert control.request("listener.del", listener=name) == {}
        door = tmp_path / "new" / "ctl" if kind == "vde" else tmp_path / "new"
        assert not door.exists()
        assert name not in listeners(control)
        for _ in range(3):
            reach(late, guest)
            reach(guest, late, 2)
        assert control.port("late")["state"] == "up"
        # The place is free again.
        control.request("listener.add", endpoint=name)
        with KINDS[kind](tmp_path / "new") as later:
            reach(later, late, 3)
    control.wait_ports(1)
    assert control.refusal("port.show", port="late").code == "not-found"


def test_a_vde_directory_that_is_still_used_goes_later(control, guest,
                                                       tmp_path):
    """Its guests have their sockets in there."""
    name = f"vde:{tmp_path}/vde"
    control.request("listener.add", endpoint=name)
    with VdeClient(tmp_path / "vde") as late:
        control.wait_ports(2)
        control.request("listener.del", listener=name)
        reach(late, guest)
    control.wait_ports(1)
    assert not (tmp_path / "vde").exists()


def test_the_first_listener_can_go_as_well(switch, control, guest):
    """The control socket beside it stays where it is."""
    with lab.Client(switch.socket) as other:
        control.request("listener.del", listener=f"uml:{switch.socket}")
        assert not os.path.exists(switch.socket)
        assert listeners(control) == {}
        reach(guest, other)
    with control_of(switch) as again:
        again.request("listener.add", endpoint=f"uml:{switch.socket}")
    with lab.Client(switch.socket) as other:
        reach(guest, other)


def test_permissions_come_with_the_endpoint(control, tmp_path):
    control.request("listener.add", endpoint=f"bess:{tmp_path}/b,mode=0640")
    assert mode_of(tmp_path / "b") == 0o640


def test_ports_have_the_settings_of_their_listener(control, guest, tmp_path):
    control.request("listener.add", endpoint=f"bess:{tmp_path}/b,isolated=on,"
                    "learning=off,flood=off,locked=on,mac-limit=9,"
                    "mirror=uml1,queue=5")
    with BessClient(tmp_path / "b"):
        control.wait_ports(2)
        port = control.port("bess2")
    assert [port[key] for key in ("isolated", "learning", "flood", "locked",
                                  "mac_limit", "mirror", "queue")] == [
        True, False, False, True, 9, "uml1", 5]


def test_a_relative_path_is_shown_as_it_is_found_again(switch, control,
                                                       tmp_path):
    """A daemon is somewhere else than who asks: whole paths only, or ours."""
    path = os.path.relpath(tmp_path / "rel", f"/proc/{switch.pid}/cwd")
    if len(path) > 100:
        path = "rel"
    entry = control.request("listener.add", endpoint=f"uml:{path}")
    control.request("listener.del", listener=entry["listener"])
    assert entry["listener"] not in listeners(control)


# Refused ---------------------------------------------------------------------

@pytest.mark.parametrize("endpoint", [
    "", "uml", "uml:", "bogus:/tmp/x", "tap:tap0", "uml:/x,bogus=1",
    "bess:/x,mtu=1", "uml:/" + "x" * 200, "uml:/x,mode=888",
    "uml:/x,group=no-such-group", "uml:/x,isolated=1"])
def test_an_endpoint_that_is_none_is_refused(control, endpoint):
    error = control.refusal("listener.add", endpoint=endpoint)
    assert error.code == "argument", error
    assert len(control.request("listener.show")) == 1


def test_a_directory_that_is_not_there_is_refused(control, tmp_path):
    error = control.refusal("listener.add", endpoint=f"uml:{tmp_path}/no/ctl")
    assert error.code == "refused" and f"{tmp_path}/no/ctl" in error.message


def test_our_own_socket_is_there_already(switch, control):
    error = control.refusal("listener.add", endpoint=f"uml:{switch.socket}")
    assert error.code == "exists" and switch.socket in error.message
    # As another kind it is the same file.
    error = control.refusal("listener.add", endpoint=f"bess:{switch.socket}")
    assert error.code in ("exists", "refused")
    with lab.Client(switch.socket):
        pass


def test_sockets_and_files_of_others_are_left_alone(control, tmp_path):
    with listening(socket.SOCK_STREAM, tmp_path / "live"):
        error = control.refusal("listener.add",
                                endpoint=f"stream:{tmp_path}/live")
        assert error.code == "refused" and "live" in error.message
        assert lab.can_connect(tmp_path / "live")
    (tmp_path / "file").write_text("data")
    error = control.refusal("listener.add", endpoint=f"uml:{tmp_path}/file")
    assert error.code == "refused"
    assert (tmp_path / "file").read_text() == "data"


def test_the_control_sockets_are_no_place_for_guests(switch, control):
    for suffix in ".control", ".monitor":
        error = control.refusal("listener.add",
                                endpoint=f"uml:{switch.socket}{suffix}")
        assert error.code in ("exists", "refused")
    with control_of(switch):
        pass


def test_descriptors_cannot_be_named_later(control):
    assert control.refusal("listener.add", endpoint="fd:3").code in (
        "argument", "refused")


def test_there_is_a_limit_and_nothing_is_left_behind(switch, control,
                                                     tmp_path):
    """256 listeners; one more is refused; all go; all come again."""
    files = control.open_files()
    for _ in range(2):
        names = [f"bess:{tmp_path}/{n}" for n in range(255)]
        for name in names:
            control.request("listener.add", endpoint=name)
        error = control.refusal("listener.add", endpoint=f"bess:{tmp_path}/x")
        assert error.code == "refused"
        for name in names:
            control.request("listener.del", listener=name)
        lab.wait_until(lambda: lab.open_files(switch.pid) <= files,
                       "all descriptors to be closed")
    assert len(control.request("listener.show")) == 1
    assert not list(tmp_path.glob("[0-9x]*"))


def test_guests_that_are_joining_are_not_in_the_way(switch, control, guest,
                                                    tmp_path):
    """Connected, but silent, when their listener goes."""
    name = f"uml:{tmp_path}/new"
    control.request("listener.add", endpoint=name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(str(tmp_path / "new"))
        control.request("listener.del", listener=name)
    with lab.Client(switch.socket) as other:
        reach(guest, other)
