"""Starting and ending: paths, pid files, daemons, permissions, options.

     clients (raw frames)
          |
     ringswitch, as a lab script or a service manager would start it
"""

import contextlib
import grp
import os
import signal
import socket
import stat
import subprocess

import pytest

import lab


def run(*arguments, cwd=None, wrapper=(), pass_fds=()):
    """Run ringswitch to its end; for what does not start, or daemonizes.

    Output goes to a file: a daemon keeps it, and a pipe would never end.
    """
    with open(os.path.join(cwd or "/tmp", f"said.{os.getpid()}"), "w+") as said:
        os.unlink(said.name)
        done = subprocess.run(
            [*wrapper, lab.ringswitch(), *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=cwd,
            timeout=lab.STEP_S, pass_fds=pass_fds)
        said.seek(0)
        return done.returncode, said.read()


def assert_serves(path):
    with lab.Client(path) as a, lab.Client(path) as b:
        frame = lab.frame(lab.BROADCAST, lab.mac(1), size=60)
        a.send(frame)
        b.recv_until(frame)


def one_line(said):
    return said.endswith("\n") and said.count("\n") == 1


@contextlib.contextmanager
def daemon(*arguments, cwd=None):
    """A switch started with --daemon and --pidfile; gives its process id."""
    pidfile = arguments[arguments.index("--pidfile") + 1]
    code, said = run(*arguments, "--daemon", cwd=cwd)
    assert code == 0, said
    with open(os.path.join(cwd or "/", pidfile)) as file:
        pid = int(file.read())
    try:
        yield pid
    finally:
        lab.end_process(pid)


# The socket's path -----------------------------------------------------------

def test_a_stale_socket_is_replaced(tmp_path):
    with lab.Switch(workdir=tmp_path) as first:
        first.kill()
        assert stat.S_ISSOCK(os.stat(first.socket).st_mode)
    with lab.Switch(workdir=tmp_path) as second:
        assert_serves(second.socket)


def test_a_live_socket_is_refused_and_left_alone(switch):
    code, said = run("--unix", switch.socket)
    assert code == 1
    assert one_line(said) and switch.socket in said
    assert_serves(switch.socket)


def test_a_socket_of_another_program_is_refused_and_left_alone(tmp_path):
    """Not only of a switch: whatever listens there is alive."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(tmp_path / "other"))
        other.listen(1)
        code, _ = run("--unix", tmp_path / "other")
        assert code == 1
        assert lab.can_connect(tmp_path / "other")


def test_a_datagram_socket_is_refused_and_left_alone(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / "other"))
        code, _ = run("--unix", tmp_path / "other")
        assert code == 1
        assert (tmp_path / "other").is_socket()


def make_file(path):
    path.write_text("data")


def make_link_to_nowhere(path):
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("make", [
    make_file, os.mkdir, os.mkfifo, make_link_to_nowhere],
    ids=["file", "directory", "fifo", "dangling link"])
def test_what_is_no_socket_is_refused_and_left_alone(make, tmp_path):
    path = tmp_path / "ctl"
    make(path)
    before = os.lstat(path)
    code, said = run("--unix", path)
    assert code == 1
    assert one_line(said) and str(path) in said
    after = os.lstat(path)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino,
                                                 before.st_mtime_ns)


def test_a_path_in_no_directory_is_refused_with_the_reason(tmp_path):
    code, said = run("--unix", tmp_path / "none" / "ctl")
    assert code == 1
    assert one_line(said) and "No such file or directory" in said


@pytest.mark.parametrize("length, fits", [(107, True), (108, False)])
def test_a_path_longer_than_a_socket_can_have_is_refused(length, fits,
                                                         public_dir):
    path = str(public_dir / "x")
    path += "x" * (length - len(path))
    if fits:
        with lab.Switch(socket=path, workdir=public_dir):
            assert_serves(path)
    else:
        code, said = run("--unix", path)
        assert code in (1, 2)
        assert one_line(said)
        assert os.listdir(public_dir) == []


# The pid file ----------------------------------------------------------------

def test_the_pid_file_has_the_pid_and_goes_with_the_switch(tmp_path):
    pidfile = tmp_path / "pid"
    with lab.Switch("--pidfile", str(pidfile), workdir=tmp_path) as switch:
        assert int(pidfile.read_text()) == switch.pid
        assert switch.stop() == 0
        assert not pidfile.exists()


def test_a_pid_file_in_use_is_refused(tmp_path):
    pidfile = tmp_path / "pid"
    with lab.Switch("--pidfile", str(pidfile), workdir=tmp_path) as switch:
        code, said = run("--unix", tmp_path / "ctl2", "--pidfile", pidfile)
        assert code == 1
        assert one_line(said) and str(pidfile) in said
        assert int(pidfile.read_text()) == switch.pid
        assert not (tmp_path / "ctl2").exists()
        assert_serves(switch.socket)


def test_a_pid_file_left_behind_is_taken_over(tmp_path):
    pidfile = tmp_path / "pid"
    pidfile.write_text("123456789012345\n")
    with lab.Switch("--pidfile", str(pidfile), workdir=tmp_path) as switch:
        assert int(pidfile.read_text()) == switch.pid


@pytest.mark.parametrize("text", ["precious\n", "12 monkeys", "1" * 100])
def test_a_file_that_is_no_pid_file_is_left_alone(tmp_path, text):
    (tmp_path / "file").write_text(text)
    code, said = run("--unix", tmp_path / "ctl",
                     "--pidfile", tmp_path / "file")
    assert code == 1 and one_line(said) and "something else" in said
    assert (tmp_path / "file").read_text() == text


def test_a_pid_file_left_behind_is_used_again(tmp_path):
    (tmp_path / "pid").write_text("4711")
    with lab.Switch("--pidfile", str(tmp_path / "pid"),
                    workdir=tmp_path) as switch:
        assert int((tmp_path / "pid").read_text()) == switch.pid


def test_a_pid_file_that_cannot_be_written_is_refused(tmp_path):
    code, said = run("--unix", tmp_path / "ctl",
                     "--pidfile", tmp_path / "none" / "pid")
    assert code == 1
    assert one_line(said) and "none/pid" in said
    assert not (tmp_path / "ctl").exists()


# The daemon ------------------------------------------------------------------

def test_when_daemon_returns_guests_can_attach(tmp_path):
    for n in range(20):
        with daemon("--unix", tmp_path / "ctl",
                    "--pidfile", tmp_path / "pid"):
            lab.Client(tmp_path / "ctl").close()


def test_relative_paths_of_a_daemon_are_from_where_it_was_started(tmp_path):
    with daemon("--unix", "ctl", "--pidfile", "pid", cwd=tmp_path) as pid:
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert_serves(tmp_path / "ctl")
    assert not (tmp_path / "ctl").exists()
    assert not (tmp_path / "pid").exists()


def test_a_daemon_that_cannot_start_says_why_and_fails(switch, tmp_path):
    code, said = run("--unix", switch.socket, "--daemon")
    assert code == 1
    assert switch.socket in said
    code, said = run("--unix", tmp_path / "ctl2", "--tap", "lo", "--daemon")
    assert code == 1
    assert "lo" in said
    assert lab.find_process(str(tmp_path / "ctl2")) is None


def test_the_pid_file_of_a_daemon_is_locked_by_the_daemon(tmp_path):
    with daemon("--unix", tmp_path / "ctl", "--pidfile", tmp_path / "pid"):
        code, _ = run("--unix", tmp_path / "ctl2", "--pidfile",
                      tmp_path / "pid", "--daemon")
        assert code == 1
        assert_serves(tmp_path / "ctl")


def test_a_daemon_lets_go_of_the_pipe_of_who_started_it(tmp_path):
    """said=$(ringswitch --daemon 2>&1) in a script must come to its end."""
    script = ('said=$("$0" --unix "$1/ctl" --pidfile "$1/pid" --daemon 2>&1);'
              ' echo "$said"')
    done = subprocess.run(["sh", "-c", script, lab.ringswitch(), tmp_path],
                          capture_output=True, text=True, timeout=lab.STEP_S)
    lab.end_process(int((tmp_path / "pid").read_text()))
    assert "attached to unix socket" in done.stdout


def test_a_daemon_writes_its_statistics_to_the_file_it_was_given(tmp_path):
    with open(tmp_path / "out", "w") as out:
        subprocess.run([lab.ringswitch(), "--unix", tmp_path / "ctl",
                        "--pidfile", tmp_path / "pid", "--daemon"], check=True,
                       stdin=subprocess.DEVNULL, stdout=out,
                       timeout=lab.STEP_S)
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, signal.SIGUSR1)
    lab.wait_until(lambda: "\nmac " in (tmp_path / "out").read_text(),
                   "the statistics in the file")
    lab.end_process(pid)


# Readiness -------------------------------------------------------------------

def test_ready_fd_gets_one_line_when_guests_can_attach(tmp_path):
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [lab.ringswitch(), "--unix", str(tmp_path / "ctl"),
         "--ready-fd", str(writer)], pass_fds=[writer],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as ready:
        # To its end: the descriptor is closed, so this comes back at all.
        assert ready.read() == "1\n"
    assert_serves(tmp_path / "ctl")
    process.terminate()
    assert process.wait(lab.STEP_S) == 0


def test_ready_fd_ends_empty_when_it_cannot_start(switch):
    reader, writer = os.pipe()
    code, _ = run("--unix", switch.socket, "--ready-fd", writer,
                  pass_fds=[writer])
    os.close(writer)
    with os.fdopen(reader) as ready:
        assert ready.read() == ""
    assert code == 1


def test_ready_fd_works_with_daemon(tmp_path):
    reader, writer = os.pipe()
    code, said = run("--unix", tmp_path / "ctl", "--pidfile", tmp_path / "pid",
                     "--daemon", "--ready-fd", writer, pass_fds=[writer])
    os.close(writer)
    assert code == 0, said
    with os.fdopen(reader) as ready:
        assert ready.read() == "1\n"
    lab.end_process(int((tmp_path / "pid").read_text()))


def test_a_ready_fd_that_is_not_open_is_refused(tmp_path):
    code, said = run("--unix", tmp_path / "ctl", "--ready-fd", 777)
    assert code in (1, 2)
    assert one_line(said)
    assert not (tmp_path / "ctl").exists()


# The end ---------------------------------------------------------------------

@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_nothing_left_behind(sig, tmp_path):
    pidfile = tmp_path / "pid"
    with lab.Switch("--pidfile", str(pidfile), workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as client:
        assert switch.stop(sig) == 0
        assert client.closed_by_switch(lab.STEP_S)
        assert not os.path.exists(switch.socket)
        assert not pidfile.exists()
    assert switch.final_stats()["closed"]["received"] == 0


def test_a_socket_somebody_has_put_in_its_place_is_left_alone(tmp_path):
    """Only what we made ourselves is ours to remove."""
    with lab.Switch(workdir=tmp_path) as first:
        os.unlink(first.socket)
        with lab.Switch("--control", "none", workdir=tmp_path,
                        name="second") as second:
            assert first.stop() == 0
            assert_serves(second.socket)


def test_a_hang_up_of_a_pipe_it_writes_to_is_not_its_end(tmp_path):
    """`ringswitch | head -1`: the reader goes, the switch must not."""
    process = subprocess.Popen([lab.ringswitch(), "--unix",
                                str(tmp_path / "ctl")],
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lab.wait_until(lambda: lab.can_connect(tmp_path / "ctl"),
                   "the switch to listen")
    process.stdout.close()
    process.stderr.close()
    for _ in range(10):
        process.send_signal(signal.SIGUSR1)
        assert_serves(tmp_path / "ctl")
    process.terminate()
    assert process.wait(lab.STEP_S) == 0


# Permissions -----------------------------------------------------------------

@pytest.mark.parametrize("mode", ["0600", "0660", "0777", "700"])
def test_the_mode_of_the_socket_is_what_was_asked_for(mode, tmp_path):
    """Whatever the umask is."""
    with lab.Switch("--mode", mode, workdir=tmp_path,
                    wrapper=["sh", "-c", 'umask 077; exec "$0" "$@"']
                    ) as switch:
        found = stat.S_IMODE(os.stat(switch.socket).st_mode)
        assert found == int(mode, 8)


def test_the_group_of_the_socket_is_what_was_asked_for(other_user, tmp_path):
    group = grp.getgrnam("nogroup")
    for name in group.gr_name, str(group.gr_gid):
        with lab.Switch("--group", name, "--mode", "0660",
                        workdir=tmp_path) as switch:
            status = os.stat(switch.socket)
            assert status.st_gid == group.gr_gid
            assert stat.S_IMODE(status.st_mode) == 0o660


def attach_as(path, uid, gid):
    """True if a process of @uid and @gid is taken as a guest."""
    child = os.fork()
    if child == 0:
        # No exception may leave here: it would be a second test run.
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            lab.Client(path).close()
            os._exit(0)
        except (lab.LabError, OSError):
            os._exit(1)
        except BaseException:
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 1)
    return code == 0


@pytest.mark.parametrize("allow, taken, not_taken", [
    (["--allow-uid", "4001"], [(4001, 4001), (4001, 0)],
     [(4002, 4001), (0, 0)]),
    (["--allow-gid", "4001"], [(4001, 4001), (4002, 4001)],
     [(4001, 4002), (0, 0)]),
    (["--allow-uid", "4001", "--allow-uid", "4002"],
     [(4001, 1), (4002, 1)], [(4003, 1)]),
    (["--allow-uid", "4001", "--allow-gid", "4002"],
     [(4001, 1), (1, 4002)], [(1, 1)]),
    ([], [(4001, 4001), (0, 0)], []),
], ids=lambda value: "-".join(map(str, value)).replace("--allow-", "")
    if value and isinstance(value[0], str) else "")
def test_only_allowed_users_and_groups_are_taken(other_user, public_dir, allow,
                                                 taken, not_taken):
    with lab.Switch(*allow, "--mode", "0777", workdir=public_dir) as switch:
        for uid, gid in taken:
            assert attach_as(switch.socket, uid, gid), (uid, gid)
        before = switch.log.read_text()
        for uid, gid in not_taken:
            assert not attach_as(switch.socket, uid, gid), (uid, gid)
            assert f"uid {uid}" in switch.log.read_text()[len(before):]


def test_users_can_be_named(other_user, public_dir):
    with lab.Switch("--allow-uid", "nobody", "--mode", "0777",
                    workdir=public_dir) as switch:
        assert attach_as(switch.socket, 65534, 65534)
        assert not attach_as(switch.socket, 4001, 4001)


# Options ---------------------------------------------------------------------

@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_are_no_failure(option):
    code, said = run(option)
    assert code == 0
    assert "ringswitch" in said


OPTIONS = ["unix", "tap", "hub", "daemon", "pidfile", "ready-fd", "ageing",
           "mac-table", "busy-poll", "mode", "group", "allow-uid", "allow-gid", "without",
           "help", "version"]


@pytest.mark.parametrize("option", OPTIONS)
def test_help_names_every_option(option):
    _, said = run("--help")
    assert f"--{option}" in said


BAD = [
    ["--nonsense"], ["-x"], ["word"], ["--hub=yes"], ["--"  "unix"], ["-unix"],
    ["--tap"], ["--ageing"], ["--ageing", "x"], ["--ageing", "-1"],
    ["--ageing", "99999999999999999999"], ["--ageing", "5s"], ["--ageing", ""],
    ["--mac-table", "0"], ["--mac-table", "many"], ["--mac-table", "1.5"],
    ["--mac-table", "-16384"], ["--mode", "0999"], ["--mode", "rw"],
    ["--mode", "77777"], ["--mode", ""], ["--group", "no-such-group"],
    ["--group", ""], ["--allow-uid", "no-such-user"], ["--allow-uid", "-1"],
    ["--allow-uid", "4294967295"], ["--allow-gid", "no-such-group"],
    ["--allow-gid", "4294967296"], ["--ready-fd", "x"], ["--ready-fd", "-1"],
    ["--without", "gravity"], ["--unix", ""], ["--pidfile", ""],
]


@pytest.mark.parametrize("arguments", BAD, ids=lambda words: " ".join(words))
def test_a_bad_option_is_named_in_one_line_with_exit_2(arguments, tmp_path):
    code, said = run(*arguments, cwd=tmp_path)
    assert code == 2
    assert one_line(said)
    assert arguments[0].lstrip("-").split("=")[0] in said


@pytest.mark.parametrize("form", ["two dashes", "one dash", "equals"])
def test_options_may_be_written_in_several_ways(form, tmp_path):
    path = str(tmp_path / "ctl")
    words = {"two dashes": ["--unix", path, "--ageing", "7", "--hub"],
             "one dash": ["-unix", path, "-ageing", "7", "-hub"],
             "equals": [f"--unix={path}", "--ageing=7", "--hub"]}[form]
    with lab.Switch(*words, socket=None, ready_fd=True, workdir=tmp_path):
        assert_serves(path)


def test_one_line_at_the_start_tells_what_the_kernel_can_do(tmp_path, cleanup,
                                                            tap_device):
    for options, word in (([], "multishot"),
                          (["--without", "multishot-read"], "single"),
                          (["--without", "fixed-files"], "restricted; tap")):
        with lab.Switch("--tap", "tap0", *options,
                        workdir=tmp_path) as switch:
            lines = [line for line in switch.log.read_text().splitlines()
                     if "Linux" in line]
            assert len(lines) == 1
            if not options and "single" in lines[0]:
                pytest.skip(f"this kernel has no multishot read: {lines[0]}")
            assert word in lines[0]
