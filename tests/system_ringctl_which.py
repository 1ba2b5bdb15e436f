"""Which switch ringctl means.

     ringctl --+-- /run/ringswitch/NAME/control       in a mount namespace where
               +-- $XDG_RUNTIME_DIR/ringswitch/...    /run and /tmp are ours:
               +-- $RUNTIME_DIRECTORY/../...          nothing else answers
               +-- /tmp/uml.ctl.control
"""

import json
import shutil
import socket
import subprocess

import pytest

import lab
from lab_ringctl import FakeSwitch, environment, program, ringctl

WRITES = {"port.up": lambda request: {}}


class Machine:
    """/run and /tmp of a machine of our own."""

    def __init__(self, path, cleanup):
        self.path = path
        self.cleanup = cleanup
        for name in "run", "tmp":
            (path / name).mkdir(mode=0o755)
        mount = " && ".join(f"mount --bind {path}/{name} /{name}"
                            for name in ("run", "tmp"))
        # The build may be below the /tmp that is not seen from inside, or
        # where others may not look.
        for one in program(), lab.ringswitch():
            shutil.copy(one, path / "tmp")
        self.inside = ["unshare", "--mount", "sh", "-c",
                       f'{mount} && exec "$0" "$@"']

    def socket(self, where):
        """The path from outside of the socket @where, its directory made."""
        path = self.path / where.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def fake(self, where, name=None):
        """A switch that says it is called @name."""
        return self.cleanup.enter_context(FakeSwitch(
            self.socket(where), {"version": {"name": name or where},
                                 **WRITES}))

    def run(self, *words, before=(), **more):
        """ringctl on this machine: (exit code, stdout, stderr)."""
        done = subprocess.run(
            [*self.inside, *before, "/tmp/ringctl", *words],
            capture_output=True, text=True, timeout=lab.STEP_S,
            env=environment(**more))
        return done.returncode, done.stdout, done.stderr

    def answers(self, *words, **more):
        """The name of the switch that answers, or what was said."""
        code, out, said = self.run("-j", *words, "version", **more)
        return json.loads(out)["name"] if code == 0 else said


@pytest.fixture
def machine(tmp_path, cleanup):
    return Machine(tmp_path, cleanup)


@pytest.mark.parametrize("where", ["/run/ringswitch/lab/control",
                                   "/tmp/uml.ctl.control",
                                   "/tmp/service/other/control"])
def test_the_only_switch_need_not_be_named(machine, where):
    machine.fake(where)
    assert machine.answers(RUNTIME_DIRECTORY="/tmp/service/lab:/x") == where


def test_several_are_listed_and_have_to_be_named(machine):
    one = "/run/ringswitch/one/control"
    machine.fake(one)
    machine.fake("/run/ringswitch/two/control")
    machine.fake("/tmp/uml.ctl.control")
    code, out, said = machine.run("version")
    assert (code, out) == (2, "ringctl " + said_version() + "\n")
    assert said.count("\n") == 1 and "-n NAME" in said
    assert all(where in said for where in (one, "/two/", "/tmp/uml.ctl"))
    assert machine.answers("-n", "one") == one
    assert machine.answers("--socket", "/tmp/uml.ctl.control") == \
        "/tmp/uml.ctl.control"
    assert machine.answers(RINGSWITCH_NAME="one") == one
    # What is said here and now goes before the environment.
    assert "/two/" in machine.answers("-n", "two", RINGSWITCH_NAME="one")
    assert "tmp" in machine.answers("--socket", "/tmp/uml.ctl.control",
                                    RINGSWITCH_NAME="one")


def said_version():
    return ringctl("-V")[1].split()[1]


def test_sockets_that_somebody_left_behind_are_no_switches(machine):
    for where in "/run/ringswitch/old/control", "/tmp/uml.ctl.control":
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(machine.socket(where)))
    assert "no switch is running" in machine.answers()
    assert "is the switch running?" in machine.answers("-n", "old")
    machine.fake("/run/ringswitch/new/control", "new")
    assert machine.answers() == "new"


def test_none_is_told_with_where_it_was_looked_for(machine):
    code, out, said = machine.run("port")
    assert (code, out) == (2, "")
    assert "/run/ringswitch" in said and "--socket" in said
    assert said.count("\n") == 1
    assert "/run/ringswitch/lab/control" in machine.answers("-n", "lab")


@pytest.mark.parametrize("name", ["", "a/b", "../x", "n" * 65])
def test_a_name_that_is_none_is_refused(machine, name):
    code, _, said = machine.run("-n", name, "port")
    assert code == 2 and said.count("\n") == 1


def test_a_switch_with_a_name_is_found_by_it(machine, monkeypatch):
    monkeypatch.setenv("RINGSWITCH", "/tmp/ringswitch")
    with lab.Switch("--name", "lab", socket=None, workdir=machine.path,
                    wrapper=machine.inside):
        assert machine.answers() == machine.answers("-n", "lab") == "lab"
        code, out, _ = machine.run("listener")
        assert code == 0 and "/run/ringswitch/lab/uml.ctl" in out


# Other users -----------------------------------------------------------------

@pytest.fixture
def nobody(other_user, machine):
    """Run ringctl as another user; (exit code, stdout, stderr)."""
    for name in "run", "tmp":
        (machine.path / name).chmod(0o755)

    def run(*words, **more):
        return machine.run(*words, **more, before=(
            "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"))
    return run


def test_a_user_has_switches_of_his_own(machine, nobody):
    machine.fake("/run/user/7/ringswitch/lab/control", "mine"
                 ).allow(0o666)
    more = {"XDG_RUNTIME_DIR": "/run/user/7"}
    for words in [], ["-n", "lab"]:
        code, out, said = nobody("-j", *words, "version", **more)
        assert code == 0, said
        assert json.loads(out)["name"] == "mine"


def test_who_may_only_look_looks_through_the_monitor_socket(machine, nobody):
    machine.fake("/run/ringswitch/lab/control", "control").allow(0o600)
    machine.fake("/run/ringswitch/lab/monitor", "monitor").allow(0o666)
    code, out, said = nobody("-j", "version")
    assert code == 0, said
    assert json.loads(out)["name"] == "monitor"
    code, out, said = nobody("port", "up", "uml1")
    assert (code, out) == (2, "")
    assert "Permission denied" in said and "control" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("path, why", [
    ("/no/such/socket", "No such file"), ("file", "refused"),
    ("x" * 200, "too long")])
def test_a_socket_that_cannot_be_is_named_with_the_reason(
        path, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    code, _, said = ringctl("--socket", path, "port")
    assert code == 2 and path in said and why in said
    assert said.count("\n") == 1
