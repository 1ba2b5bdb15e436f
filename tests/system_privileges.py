"""What a running switch, and those that help it, may still do.

     somebody who has taken over ringswitch ---> files, sockets, processes?

What can be asked from outside is (/proc); what cannot is tried from inside, in a
switch that runs (lab_inside.py), and by --audit, which tries more.
"""

import errno
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess

import pytest

import lab
import lab_inside

A, B = map(lab.mac, (1, 2))
NOBODY = pwd.getpwnam("nobody")
NAME = b"ringswitch-test-target"
SETS = "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"


@pytest.fixture(autouse=True)
def as_users_have_it(monkeypatch):
    """Sanitizer builds that look for leaks stop before the last stage."""
    monkeypatch.delenv("RINGSWITCH_LEAK_CHECK", raising=False)


@pytest.fixture
def root():
    if os.geteuid():
        pytest.skip("not root")


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def children_of(pid):
    return [int(word) for word in pathlib.Path(
        f"/proc/{pid}/task/{pid}/children").read_text().split()]


def assert_no_capabilities(pid):
    status = status_of(pid)
    assert {name: int(status[name], 16) for name in SETS} \
        == dict.fromkeys(SETS, 0)
    assert status["NoNewPrivs"] == "1"


def assert_serves(path):
    with lab.Client(path) as a, lab.Client(path) as b:
        frame = lab.frame(lab.BROADCAST, A, size=60)
        a.send(frame)
        b.recv_until(frame)


def as_nobody(*words):
    return ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}",
            "--clear-groups", *words]


@pytest.fixture
def nobodys(public_dir, other_user):
    """A switch that an ordinary user has started."""
    with lab.Switch(workdir=public_dir,
                    wrapper=as_nobody()) as switch:
        yield switch


# From outside ----------------------------------------------------------------

def test_no_process_of_the_switch_has_a_capability(switch, root):
    for pid in [switch.pid, *children_of(switch.pid)]:
        assert_no_capabilities(pid)


def test_a_list_of_system_calls_is_in_force(switch):
    assert status_of(switch.pid)["Seccomp"] == "2"


def assert_root_is_empty(pid):
    """But for the directory of its program, for tracers, which is read-only."""
    inside = pathlib.Path(f"/proc/{pid}/root")
    home = pathlib.Path(lab.ringswitch()).resolve().parent
    for part in home.parts[1:]:
        assert os.listdir(inside) == [part]
        inside /= part
    assert os.path.samefile(inside, home)
    for place in inside, inside.parent:
        with pytest.raises(OSError, match="Read-only"):
            (place / "x").touch()


def test_its_root_directory_is_empty(switch, root):
    assert_root_is_empty(switch.pid)
    assert os.readlink(f"/proc/{switch.pid}/cwd") == "/"


def test_its_memory_is_for_nobody(nobodys):
    """Not even for the user's other processes."""
    for name in "mem", "environ", "maps":
        done = subprocess.run(
            as_nobody("cat", f"/proc/{nobodys.pid}/{name}"),
            capture_output=True, text=True, check=False)
        assert "Permission denied" in done.stderr


def test_it_has_one_thread_whatever_comes(switch):
    assert_serves(switch.socket)
    assert os.listdir(f"/proc/{switch.pid}/task") == [str(switch.pid)]


def test_an_ordinary_users_switch_serves_without_any(nobodys):
    status = status_of(nobodys.pid)
    # What only root can empty, and nothing can be got from.
    assert [int(status[name], 16) for name in SETS if name != "CapBnd"] \
        == [0] * 4
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert_serves(nobodys.socket)


@pytest.mark.parametrize("user", [(), ("--user", "nobody")])
def test_one_that_is_started_again_has_no_more(tmp_path, other_user, user):
    """By a keeper that has no capabilities either."""
    with lab.Switch(*user, workdir=tmp_path, keeper=True) as switch:
        before, = (pid for pid in children_of(switch.pid)
                   if status_of(pid)["Seccomp"] == "2")
        os.kill(before, signal.SIGKILL)

        def again():
            return [pid for pid in children_of(switch.pid) if pid != before
                    and status_of(pid).get("Seccomp") == "2"]
        after, = lab.wait_until(again, "the next switch")
        for pid in [switch.pid, after, *children_of(after)]:
            assert_no_capabilities(pid)
        assert_root_is_empty(after)
        assert_serves(switch.socket)


# Another user -----------------------------------------------------------------

def ids(pid, name):
    return set(map(int, status_of(pid)[name].split()))


def test_it_runs_as_the_user_that_is_wanted(tmp_path, other_user):
    with lab.Switch("--user", "nobody", workdir=tmp_path) as switch:
        for pid in [switch.pid, *children_of(switch.pid)]:
            assert ids(pid, "Uid") == {NOBODY.pw_uid}
            assert ids(pid, "Gid") == {NOBODY.pw_gid}
            assert 0 not in ids(pid, "Groups")
            assert_no_capabilities(pid)
        assert_root_is_empty(switch.pid)
        assert_serves(switch.socket)
        assert switch.stop() == 0


def test_sockets_belong_to_the_user_and_go_in_the_end(public_dir, other_user):
    """So that who may use the switch may also use its control socket."""
    public_dir.chmod(0o777)
    with lab.Switch("--user", "nobody", workdir=public_dir,
                    socket=str(public_dir / "ctl")) as switch:
        nobody = pwd.getpwnam("nobody").pw_uid
        for name in "ctl", "ctl.control", "ctl.monitor":
            assert (public_dir / name).stat().st_uid == nobody
        assert switch.stop() == 0
        assert not list(public_dir.glob("ctl*"))


def test_one_with_a_name_and_a_user_is_started_again(tmp_path, other_user,
                                                     monkeypatch, request):
    """As that user it would look for another directory."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    name = f"test-{os.getpid()}"
    directory = pathlib.Path("/run/ringswitch") / name
    request.addfinalizer(lambda: directory.exists() and directory.rmdir())
    with lab.Switch("--name", name, "--user", "nobody", workdir=tmp_path,
                    socket=None, keeper=True) as switch:
        os.kill(switch.switch_pid(), signal.SIGKILL)
        lab.wait_until(lambda: "started again" in switch.said(), "a restart")
        with lab.Client(directory / "uml.ctl"):
            pass
        assert switch.stop() == 0
    assert not directory.exists() or not list(directory.iterdir())


def test_the_group_is_of_the_process_and_of_its_sockets(tmp_path, other_user):
    with lab.Switch("--user", "nobody", "--group", "1",
                    workdir=tmp_path) as switch:
        assert ids(switch.pid, "Gid") == {1}
        assert os.stat(switch.socket).st_gid == 1


def test_users_of_guests_are_who_they_are(public_dir, other_user):
    """They are, inside a user namespace as well."""
    with lab.Switch("--allow-uid", "daemon", "--user", "daemon",
                    "--mode", "777", workdir=public_dir) as switch:
        join = ["import socket", "s = socket.socket(socket.AF_UNIX)",
                f"s.connect({switch.socket!r})", "s.recv(1)"]
        subprocess.run(as_nobody("/usr/bin/python3", "-c", "\n".join(join)),
                       check=True)
        lab.wait_until(lambda: f"uid {NOBODY.pw_uid}" in switch.said(),
                       "the switch to refuse nobody")


def test_an_ordinary_user_cannot_become_another(public_dir, other_user):
    done = subprocess.run(
        as_nobody(lab.ringswitch(), "-unix", f"{public_dir}/ctl",
                  "--user", "daemon"), capture_output=True, text=True,
        timeout=lab.STEP_S, check=False)
    assert done.returncode == 1
    assert re.search(r"--user \d+: only root may become another user",
                     done.stderr)


# From inside ------------------------------------------------------------------

AT_FDCWD = -100
REFUSED = {
    "read a file": ("openat", AT_FDCWD, "/etc/passwd", os.O_RDONLY),
    "list the root": ("openat", AT_FDCWD, "/", os.O_DIRECTORY),
    "make a directory": ("mkdirat", AT_FDCWD, "/tmp/x", 0o700),
    "remove a file": ("unlinkat", AT_FDCWD, "/tmp/x", 0),
    "make a socket": ("socket", socket.AF_UNIX, socket.SOCK_STREAM, 0),
    "command a device": ("ioctl", 0, 0x5401, 0),
    "map code": ("mmap", 0, 4096, 7, 0x22, -1, 0),
    "become root": ("setresuid", 0, 0, 0),
    "signal another process": ("kill", 1, 0),
    "load a program": ("bpf", 5, "", 128),
    "register a personality": ("io_uring_register", 3, 9, 0, 0),
    "duplicate a descriptor to anywhere": ("dup", 0),
}
DEADLY = {
    "execute": ("execve", "/bin/true", 0, 0),
    "fork": ("clone", signal.SIGCHLD, 0, 0, 0, 0),
    "make a ring": ("io_uring_setup", 4, ""),
    "trace": ("ptrace", 16, 1, 0, 0),
    "make namespaces": ("unshare", 0x10000000),
    "enter a namespace": ("setns", 0, 0),
    "mount": ("mount", "none", "/", "tmpfs", 0, 0),
    "change the root": ("chroot", "/"),
}


def test_a_call_from_inside_is_made(switch, root):
    """Or else the next two would prove nothing."""
    with lab_inside.Inside(switch.pid) as inside:
        assert inside.call("getpid") == switch.pid
    assert_serves(switch.socket)


@pytest.mark.parametrize("what", REFUSED)
def test_who_has_taken_over_a_running_switch_is_refused(switch, root, what):
    with lab_inside.Inside(switch.pid) as inside:
        assert inside.call(*REFUSED[what]) == -errno.EPERM
    assert_serves(switch.socket)


@pytest.mark.parametrize("what", DEADLY)
def test_who_has_taken_over_a_running_switch_ends_it(tmp_path, root, what):
    with lab.Switch(workdir=tmp_path) as switch:
        with pytest.raises(lab_inside.Ended, match="SIGSYS"):
            with lab_inside.Inside(switch.pid) as inside:
                inside.call(*DEADLY[what])


# Everything, by itself --------------------------------------------------------

def audit(directory, *arguments, wrapper=()):
    done = subprocess.run(
        [*wrapper, lab.ringswitch(), "-unix", f"{directory}/ctl", "--audit",
         *arguments], capture_output=True, text=True, timeout=lab.STEP_S,
        check=False)
    return done


def assert_sealed(done):
    assert "MUST NOT BE" not in done.stdout, done.stdout
    assert "0 possible that must not be" in done.stdout, done.stderr
    assert done.returncode == 0
    possible = re.findall(r"^possible.*", done.stdout, re.M)
    assert possible and all(": " in line for line in possible)


def test_audit_finds_nothing(tmp_path):
    assert_sealed(audit(tmp_path))


def test_audit_finds_nothing_as_another_user(tmp_path, other_user):
    assert_sealed(audit(tmp_path, "--user", "nobody"))


def test_audit_finds_nothing_for_an_ordinary_user(public_dir, other_user):
    assert_sealed(audit(public_dir, wrapper=as_nobody()))


def test_audit_finds_nothing_with_a_tap(tmp_path, tap_device):
    assert_sealed(audit(tmp_path, "--tap", "tap0"))


def test_audit_leaves_no_socket_behind(tmp_path):
    audit(tmp_path)
    assert not list(tmp_path.iterdir())


def test_where_namespaces_are_forbidden_it_does_without(tmp_path, root):
    """It says so, and everything else holds."""
    forbid = ["unshare", "--user", "--map-root-user", "sh", "-c",
              "echo 0 >/proc/sys/user/max_user_namespaces; exec \"$@\"", "sh"]
    done = audit(tmp_path, wrapper=forbid)
    assert "user namespace: No space left" in done.stderr
    assert_sealed(done)
