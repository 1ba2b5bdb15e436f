"""Where the control sockets are, who may use them, and that they go.

     --name web      RUN/web/control   RUN/web/monitor   RUN/web/uml.ctl
     --unix PATH     PATH.control      PATH.monitor
     --control PATH  PATH

RUN is /run/ringswitch for root, here in a mount namespace of the switch's own,
and $XDG_RUNTIME_DIR/ringswitch for everybody else.
"""

import grp
import os
import shutil
import socket
import stat
import sys

import pytest

import lab
from lab_clients import listening, mode_of, reach
from lab_control import Control, control_of, monitor_of

NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


@pytest.fixture
def run_dir(tmp_path):
    """(what is /run to the switch, words to put before its command line)"""
    run = tmp_path / "run"
    run.mkdir()
    return run, ["unshare", "--mount", "sh", "-c",
                 f'mount --bind {run} /run && exec "$0" "$@"']


def without_runtime_directories(**more):
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY")}
    return {**environment, **more}


def one_line(said):
    return said.endswith("\n") and said.count("\n") == 1


# Beside the listener ---------------------------------------------------------

def test_the_sockets_are_beside_the_first_listener_with_a_path(tmp_path):
    with lab.Switch("--listen", f"bess:{tmp_path}/b", "--listen",
                    f"uml:{tmp_path}/u", socket=None, workdir=tmp_path):
        for suffix, mode in ("control", 0o600), ("monitor", 0o660):
            path = tmp_path / f"b.{suffix}"
            assert stat.S_ISSOCK(os.stat(path).st_mode)
            assert mode_of(path) == mode
        assert not (tmp_path / "u.control").exists()
        Control(tmp_path / "b.control").close()
    assert not list(tmp_path.glob("b*"))


def test_in_a_vde_directory_they_are_beside_its_socket(tmp_path):
    with lab.Switch("--listen", f"vde:{tmp_path}/vde", socket=None,
                    workdir=tmp_path):
        with Control(tmp_path / "vde" / "ctl.control") as control:
            assert control.request("version")
        assert mode_of(tmp_path / "vde" / "ctl.control") == 0o600
    assert not (tmp_path / "vde").exists()


def test_a_listeners_path_that_leaves_no_room_is_no_reason_not_to_start(
        tmp_path):
    """It was no reason before there were control sockets."""
    path = str(tmp_path / "x").ljust(105, "x")
    with lab.Switch(socket=path, workdir=tmp_path) as switch, \
            lab.Client(path) as a, lab.Client(path) as b:
        reach(a, b)
        assert "control" in switch.said()
        assert not os.path.exists(f"{path}.control")


def test_a_path_that_is_no_utf_8_is_shown_with_marks_in_it(tmp_path):
    """JSON cannot say it; but its ports and the listener are there."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    with lab.Switch(socket=path, workdir=tmp_path) as switch, \
            lab.Client(path), control_of(switch) as control:
        assert control.port("uml1")["endpoint"].startswith(
            f"uml:{tmp_path}/caf")
        [listener] = control.request("listener.show")
        assert listener["listener"].startswith(f"uml:{tmp_path}/caf")
        assert control.request("config.show")["words"]


def test_a_switch_without_paths_has_no_control_socket(tmp_path):
    with lab.Switch("--port", f"dgram:{tmp_path}/a,remote={tmp_path}/b",
                    socket=None, workdir=tmp_path):
        assert not list(tmp_path.glob("*.control"))
        assert not list(tmp_path.glob("*.monitor"))


def test_the_umask_does_not_open_them(tmp_path):
    old = os.umask(0)
    try:
        with lab.Switch(workdir=tmp_path) as switch:
            assert mode_of(f"{switch.socket}.control") == 0o600
            assert mode_of(f"{switch.socket}.monitor") == 0o660
    finally:
        os.umask(old)


def test_the_umask_does_not_close_them(tmp_path):
    old = os.umask(0o077)
    try:
        with lab.Switch(workdir=tmp_path) as switch:
            assert mode_of(f"{switch.socket}.monitor") == 0o660
    finally:
        os.umask(old)


# --control, --monitor --------------------------------------------------------

def test_they_are_where_they_are_told_to_be(tmp_path):
    with lab.Switch("--control", f"{tmp_path}/c,mode=0660",
                    "--monitor", f"{tmp_path}/m,mode=0600",
                    workdir=tmp_path) as switch:
        assert mode_of(tmp_path / "c") == 0o660
        assert mode_of(tmp_path / "m") == 0o600
        with Control(tmp_path / "c") as control:
            assert control.request("mac.flush")
        with Control(tmp_path / "m") as monitor:
            assert monitor.refusal("mac.flush").code == "read-only"
        assert not os.path.exists(f"{switch.socket}.control")
        assert not os.path.exists(f"{switch.socket}.monitor")
    assert not (tmp_path / "c").exists() and not (tmp_path / "m").exists()


def test_they_may_belong_to_a_group(other_user, tmp_path):
    daemon = grp.getgrnam("daemon").gr_gid
    with lab.Switch("--control", f"{tmp_path}/c,group=daemon",
                    "--monitor", f"{tmp_path}/m,group=daemon,mode=0640",
                    workdir=tmp_path):
        assert os.stat(tmp_path / "c").st_gid == daemon
        assert os.stat(tmp_path / "m").st_gid == daemon
        assert mode_of(tmp_path / "m") == 0o640


@pytest.mark.parametrize("options, there", [
    (("--monitor", "none"), ["ctl.control"]),
    # Who wants no control socket has not asked for the other one either.
    (("--control", "none"), []),
    (("--control", "none", "--monitor", "{}/m"), ["m"]),
    (("--control", "none", "--monitor", "none"), [])])
def test_none_leaves_them_out(tmp_path, options, there):
    with lab.Switch(*[word.format(tmp_path) for word in options],
                    workdir=tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {
            "ctl", "switch.out", "switch.log", *there}
        for name in there:
            with Control(tmp_path / name) as control:
                assert control.request("version")


def test_the_monitor_is_beside_a_control_socket_that_was_placed(tmp_path):
    """Only --control is said: the other one stays where it would have been."""
    with lab.Switch("--control", f"{tmp_path}/c", workdir=tmp_path) as switch:
        assert os.path.exists(f"{switch.socket}.monitor")


@pytest.mark.parametrize("option", ["--control", "--monitor"])
@pytest.mark.parametrize("value", [
    "", ",mode=0600", "/" + "x" * 200, "{}/c,mode=999", "{}/c,mode=",
    "{}/c,bogus=1", "{}/c,group=no-such-group", "{}/c,mode=0600,mode=0600"],
    ids=lambda value: value[:24])
def test_what_is_no_place_is_refused_with_a_line(tmp_path, option, value):
    code, said = lab.run_switch("--unix", tmp_path / "ctl", option,
                                value.format(tmp_path))
    assert code == 2 and one_line(said) and option.lstrip("-") in said
    assert not (tmp_path / "ctl").exists()


def test_a_place_in_a_directory_that_is_not_there_is_an_error(tmp_path):
    code, said = lab.run_switch("--unix", tmp_path / "ctl", "--control",
                                tmp_path / "no" / "c")
    assert code == 1 and one_line(said) and f"{tmp_path}/no/c" in said
    assert not (tmp_path / "ctl").exists()


def test_both_in_one_place_is_an_error(tmp_path):
    code, said = lab.run_switch("--unix", tmp_path / "ctl", "--control",
                                tmp_path / "c", "--monitor", tmp_path / "c")
    assert code in (1, 2) and one_line(said)
    assert not list(tmp_path.iterdir())


# Whoever was there before ----------------------------------------------------

def test_sockets_that_nobody_listens_on_are_replaced(tmp_path):
    with lab.Switch(workdir=tmp_path) as first:
        first.kill()
        assert os.path.exists(f"{first.socket}.control")
    with lab.Switch(workdir=tmp_path) as second:
        with control_of(second) as control, monitor_of(second) as monitor:
            assert control.request("version")["pid"] == second.pid
            assert monitor.request("version")["pid"] == second.pid


@pytest.mark.parametrize("suffix", ["control", "monitor"])
def test_a_socket_that_somebody_listens_on_is_left_alone(tmp_path, suffix):
    path = tmp_path / f"ctl.{suffix}"
    with listening(socket.SOCK_STREAM, path):
        code, said = lab.run_switch("--unix", tmp_path / "ctl")
        assert code == 1 and one_line(said) and str(path) in said
        assert lab.can_connect(path)
    assert [p.name for p in tmp_path.iterdir()] == [f"ctl.{suffix}"]


@pytest.mark.parametrize("suffix", ["control", "monitor"])
def test_a_file_in_the_place_is_left_alone(tmp_path, suffix):
    path = tmp_path / f"ctl.{suffix}"
    path.write_text("data")
    code, said = lab.run_switch("--unix", tmp_path / "ctl")
    assert code == 1 and one_line(said) and str(path) in said
    assert path.read_text() == "data"


def test_a_second_switch_of_the_same_name_is_refused(tmp_path, run_dir):
    run, wrapper = run_dir
    with lab.Switch("--name", "web", socket=None, workdir=tmp_path,
                    wrapper=wrapper):
        with pytest.raises(lab.LabError, match="exit 1.*web"):
            lab.Switch("--name", "web", socket=None, workdir=tmp_path,
                       wrapper=wrapper, name="second")
        with Control(run / "ringswitch" / "web" / "control") as control:
            assert control.request("version")["name"] == "web"


# Names -----------------------------------------------------------------------

def test_a_name_gives_root_a_directory_in_run_that_goes_again(tmp_path,
                                                              run_dir):
    run, wrapper = run_dir
    home = run / "ringswitch" / "web-1.x_"
    with lab.Switch("--name", "web-1.x_", socket=None, workdir=tmp_path,
                    wrapper=wrapper,
                    env=without_runtime_directories(XDG_RUNTIME_DIR="/no")):
        assert mode_of(home) == mode_of(home.parent) == 0o755
        assert {path.name for path in home.iterdir()} == {
            "control", "monitor", "uml.ctl"}
        assert mode_of(home / "control") == 0o600
        assert mode_of(home / "monitor") == 0o660
        with Control(home / "control") as control, \
                lab.Client(home / "uml.ctl") as a, \
                lab.Client(home / "uml.ctl") as b:
            assert control.request("version")["name"] == "web-1.x_"
            reach(a, b)
            [listener] = control.request("listener.show")
            assert listener["listener"] == (
                "uml:/run/ringswitch/web-1.x_/uml.ctl")
    assert not list(run.iterdir())


def test_directories_with_something_in_them_stay(tmp_path, run_dir):
    run, wrapper = run_dir
    home = run / "ringswitch"
    with lab.Switch("--name", "web", socket=None, workdir=tmp_path,
                    wrapper=wrapper):
        (home / "web" / "notes").write_text("mine")
    assert (home / "web" / "notes").read_text() == "mine"
    assert not (home / "web" / "control").exists()


def test_directories_that_were_there_before_stay(tmp_path, run_dir):
    run, wrapper = run_dir
    (run / "ringswitch").mkdir()
    with lab.Switch("--name", "web", socket=None, workdir=tmp_path,
                    wrapper=wrapper):
        pass
    assert [path.name for path in run.iterdir()] == ["ringswitch"]
    assert not list((run / "ringswitch").iterdir())


def test_two_names_are_two_switches(tmp_path, run_dir):
    run, wrapper = run_dir
    with lab.Switch("--name", "one", socket=None, workdir=tmp_path,
                    wrapper=wrapper, name="one"):
        with lab.Switch("--name", "two", socket=None, workdir=tmp_path,
                        wrapper=wrapper, name="two"):
            for name in "one", "two":
                with Control(run / "ringswitch" / name / "control") as control:
                    assert control.request("version")["name"] == name
        assert [p.name for p in (run / "ringswitch").iterdir()] == ["one"]
    assert not list(run.iterdir())


def test_a_name_beside_a_listener_has_its_sockets_in_run(tmp_path, run_dir):
    run, wrapper = run_dir
    with lab.Switch("--name", "web", workdir=tmp_path, wrapper=wrapper
                    ) as switch:
        assert {p.name for p in (run / "ringswitch" / "web").iterdir()} == {
            "control", "monitor"}
        assert not os.path.exists(f"{switch.socket}.control")
        with lab.Client(switch.socket):
            pass


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "x" * 32,
                                  "\u00e4", "a\n", "a,b"])
def test_what_is_no_name_is_refused(tmp_path, name):
    code, said = lab.run_switch("--name", name, "--unix", tmp_path / "ctl")
    assert code == 2 and one_line(said) and "name" in said
    assert not (tmp_path / "ctl").exists()


# Others ----------------------------------------------------------------------

@pytest.fixture
def nobody(other_user, public_dir, monkeypatch):
    """Words that make nobody run a command; the program where he can."""
    shutil.copy(lab.ringswitch(), public_dir)
    monkeypatch.setenv("RINGSWITCH", str(
        public_dir / os.path.basename(lab.ringswitch())))
    return NOBODY


def test_a_users_sockets_are_in_his_runtime_directory(nobody, public_dir):
    runtime = public_dir / "runtime"
    runtime.mkdir()
    runtime.chmod(0o777)
    with lab.Switch(
            "--name", "web", socket=None, workdir=public_dir, wrapper=nobody,
            env=without_runtime_directories(XDG_RUNTIME_DIR=str(runtime))):
        home = runtime / "ringswitch" / "web"
        with Control(home / "control") as control:
            assert control.request("version")["name"] == "web"
        with lab.Client(home / "uml.ctl"):
            pass
    assert not list(runtime.iterdir())


def test_a_user_without_a_runtime_directory_is_told(nobody, public_dir):
    with pytest.raises(lab.LabError, match="XDG_RUNTIME_DIR") as error:
        lab.Switch("--name", "web", socket=None, workdir=public_dir,
                   wrapper=nobody, env=without_runtime_directories())
    assert "exit 2" in str(error.value)


def test_a_services_own_runtime_directory_is_used(tmp_path):
    """As systemd makes it: it was there before, and stays."""
    home = tmp_path / "rd"
    home.mkdir()
    with lab.Switch("--name", "web", socket=None, workdir=tmp_path,
                    env=without_runtime_directories(
                        RUNTIME_DIRECTORY=str(home))):
        assert {path.name for path in home.iterdir()} == {
            "control", "monitor", "uml.ctl"}
    assert list(home.iterdir()) == []


def test_only_the_owner_may_control_and_only_the_group_may_look(nobody,
                                                               public_dir):
    with lab.Switch("--monitor", f"{public_dir}/m,group=nogroup",
                    socket=str(public_dir / "ctl"), workdir=public_dir):
        def asks(path):
            return lab.sh(*nobody, sys.executable, "-c", "import socket, sys\n"
                          "socket.socket(socket.AF_UNIX).connect(sys.argv[1])",
                          str(path), check=False)
        assert "Permission" in asks(public_dir / "ctl.control")
        assert asks(public_dir / "m") == ""
