"""What others have put where a socket is to be: links, files, other's sockets.

     ringswitch --listen KIND:PATH         at the start
     ringctl listener add KIND:PATH        and while it runs

The rule: what is not a dead socket is refused with one line and stays as it
was; what has been put in our socket's place is not ours to remove.
"""

import contextlib
import os
import socket
import threading

import pytest

import lab
from lab_clients import listening, reach
from lab_control import Refused, control_of

KINDS = {"uml": socket.SOCK_STREAM, "bess": socket.SOCK_SEQPACKET,
         "stream": socket.SOCK_STREAM}


@pytest.fixture(params=["start", "running"])
def opens(request, tmp_path, cleanup):
    """A function that lets a switch open KIND:PATH: None, or its complaint."""
    def at_the_start(endpoint):
        code, said = lab.run_switch("--listen", endpoint, "--control", "none",
                                    "--no-keeper")
        assert code == 1 and said.count("\n") == 1, said
        return said

    if request.param == "start":
        return at_the_start
    home = tmp_path / "home"
    home.mkdir()
    switch = cleanup.enter_context(lab.Switch(workdir=home))
    control = cleanup.enter_context(control_of(switch))

    def while_it_runs(endpoint):
        try:
            control.request("listener.add", endpoint=endpoint)
        except Refused as refused:
            assert switch.process.poll() is None
            return refused.message
        return None

    return while_it_runs


def dead_socket(kind, path):
    listening(kind, path).close()
    return path


def identity(path):
    there = os.lstat(path)
    return there.st_dev, there.st_ino, there.st_mode, there.st_mtime_ns


# Each makes something at @path, and returns what else must stay as it is; the
# stack @keep holds what has to be alive.

def link_to_live(kind, path, keep):
    target = path.with_name("victim")
    keep.enter_context(listening(kind, target))
    path.symlink_to(target)
    return target


def link_to_dead(kind, path, keep):
    target = dead_socket(kind, path.with_name("victim"))
    path.symlink_to(target)
    return target


def link_to_file(kind, path, keep):
    target = path.with_name("victim")
    target.write_text("precious")
    path.symlink_to(target)
    return target


def link_to_nowhere(kind, path, keep):
    path.symlink_to(path.with_name("nowhere"))
    return path


def second_name_of_live(kind, path, keep):
    target = path.with_name("victim")
    keep.enter_context(listening(kind, target))
    os.link(target, path)
    return target


def second_name_of_file(kind, path, keep):
    target = path.with_name("victim")
    target.write_text("precious")
    os.link(target, path)
    return target


def of_another_type(kind, path, keep):
    keep.enter_context(listening(
        socket.SOCK_STREAM if kind == socket.SOCK_SEQPACKET
        else socket.SOCK_SEQPACKET, path))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trap", [
    link_to_live, link_to_dead, link_to_file, link_to_nowhere,
    second_name_of_live, second_name_of_file, of_another_type],
    ids=lambda trap: trap.__name__)
def test_what_is_no_dead_socket_is_refused_and_stays(opens, tmp_path, cleanup,
                                                     kind, trap):
    path = tmp_path / "door"
    other = trap(KINDS[kind], path, cleanup)
    before = identity(path), identity(other)
    said = opens(f"{kind}:{path}")
    assert said and str(path) in said
    assert (identity(path), identity(other)) == before
    assert not (tmp_path / "nowhere").exists()


def test_of_a_dead_socket_with_two_names_only_ours_goes(tmp_path, cleanup):
    path, other = tmp_path / "door", tmp_path / "other"
    dead_socket(socket.SOCK_STREAM, path)
    os.link(path, other)
    before = os.lstat(other).st_ino
    with lab.Switch("--listen", f"stream:{path}", workdir=tmp_path):
        assert lab.can_connect(path)
        assert os.lstat(other).st_ino == before
        assert not lab.can_connect(other)


# While it runs --------------------------------------------------------------

def test_a_directory_that_was_replaced_is_not_tidied_up(tmp_path):
    place, away = tmp_path / "place", tmp_path / "away"
    place.mkdir()
    with lab.Switch("--listen", f"bess:{place}/door",
                    workdir=tmp_path) as switch:
        place.rename(away)
        place.mkdir()
        (place / "door").write_text("precious")
        assert switch.stop() == 0
    assert (place / "door").read_text() == "precious"


def test_a_listener_that_is_removed_leaves_what_is_in_its_place(tmp_path,
                                                                cleanup):
    switch = cleanup.enter_context(lab.Switch(workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    door = tmp_path / "door"
    for put in (lambda: door.write_text("precious"),
                lambda: door.symlink_to("elsewhere"),
                lambda: dead_socket(socket.SOCK_STREAM, door)):
        control.request("listener.add", endpoint=f"stream:{door}")
        door.unlink()
        put()
        before = identity(door)
        control.request("listener.del", listener=f"stream:{door}")
        assert identity(door) == before
        door.unlink()


def test_a_file_that_is_moved_to_and_fro_survives(tmp_path, cleanup):
    """The switch looks, and looks again when it acts."""
    switch = cleanup.enter_context(lab.Switch(workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    a, b = [cleanup.enter_context(lab.Client(switch.socket)) for _ in range(2)]
    door, precious = tmp_path / "door", tmp_path / "precious"
    precious.write_text("precious")
    before = os.lstat(precious).st_ino
    enough = threading.Event()

    def move():
        while not enough.is_set():
            # link() replaces nothing, not even a socket of the switch's.
            with contextlib.suppress(OSError):
                os.link(precious, door)
            with contextlib.suppress(OSError):
                if os.lstat(door).st_ino == before:
                    os.unlink(door)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        opened = 0
        for number in range(200):
            with contextlib.suppress(Refused):
                control.request("listener.add", endpoint=f"stream:{door}")
                opened += 1
                control.request("listener.del", listener=f"stream:{door}")
    finally:
        enough.set()
        mover.join()
    assert precious.read_text() == "precious"
    assert opened
    reach(a, b)
