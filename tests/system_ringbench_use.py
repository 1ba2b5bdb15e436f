"""ringbench for those who use it: what it prints and where, its exit status, and
what it says when something is wrong.
"""

import json
import os
import pathlib
import pty
import signal
import subprocess

import pytest

import lab
import lab_ringbench


@pytest.fixture(scope="module")
def bench(build):
    return lab_ringbench.Bench(build / "ringbench")


@pytest.fixture(scope="module")
def lab1(build, tmp_path_factory):
    everything = lab_ringbench.Everything(tmp_path_factory.mktemp("lab1"))
    with everything.switch:
        yield everything


def test_what_is_expected_decides_the_exit_status(bench, lab1):
    words = ["rate", lab1.where["uml"], "--count", 100]
    bench(*words, "--expect", "loss<0.1%", "--expect", "corrupt=0")
    done = bench.run(*words, "--expect", "loss<0.1%", "--expect", "lost>=5")
    assert done.returncode == 1
    assert json.loads(done.stdout)["delivered"] == 100
    assert done.stderr == "ringbench: expected lost>=5, but lost is 0\n"
    said = bench.complaint(*words, "--expect", "p99<1s")
    assert said.endswith("latency_p99_ns was not measured")


@pytest.mark.parametrize("words", [
    [], ["rate"], ["fast", "uml:/x"], ["rate", "uml:/x", "more"],
    ["rate", "uml:/x", "--no-such"], ["rate", "uml:/x", "--size", "59"],
    ["rate", "uml:/x", "--ports", "3"], ["rate", "uml:/x", "--rate", "fast"],
    ["rate", "uml:/x", "--client", "none"], ["attach", "uml:/x"],
    ["rate", "uml:/x", "--expect", "loss"], ["floor", "none"],
    ["rate", "uml:/x", "--pattern", "none"], ["rate", "uml:/x", "--count"],
    ["search", "uml:/x", "--trials", "2"], ["search", "uml:/x", "--rate", "5"],
    ["rate", "uml:/x", "--idle-every", "5"], ["rate", "uml:/x", "--seconds", "-1"],
    ["rate", "uml:/x", "--floor", "/nowhere"]],
    ids=lambda words: " ".join(words) or "nothing")
def test_a_wrong_command_line_is_refused(bench, words):
    done = bench.run(*words)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.count("\n") == 1 and "ringbench" in done.stderr


def test_where_there_is_no_switch_it_says_so(bench, lab1, tmp_path):
    def said(*words):
        return bench.complaint("rate", *words)

    assert "is the switch running" in said(f"uml:{tmp_path}/none")
    assert "is the switch running" in said(f"dgram:{tmp_path}/none")
    assert "another kind of client" in said(
        lab1.where["uml"].replace("uml:", "bess:"))
    assert "no such network device" in said("packet:none0")
    assert "no such tap" in said("tap:none0")
    assert "this is no tap" in said("tap:lo")
    assert "no such descriptor" in said("tap:77")
    (tmp_path / "file").touch()
    assert "is the switch running" in said(f"bess:{tmp_path}/file")
    words = lab1.where["uml"], "--count", "10", "--pid", "999999"
    assert "process 999999" in said(*words)


class NobodysBench(lab_ringbench.Bench):
    """The same program for a user who may not do anything."""

    def __init__(self, bench, directory):
        program = directory / "ringbench"
        program.write_bytes(pathlib.Path(bench.program).read_bytes())
        program.chmod(0o755)
        super().__init__(program)

    def run(self, *words, **options):
        return subprocess.run(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
             self.program, *map(str, words)], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, **options)


def test_what_is_wrong_with_a_device_is_said(bench, tap_device, other_user,
                                             public_dir, cleanup):
    cleanup.enter_context(lab.Tap("tap0"))
    assert "is down" in bench.complaint("rate", "packet:tap0")
    assert "is down" in bench.complaint("rate", "tap:tap0")
    lab.sh("ip", "link", "set", "tap0", "up")
    nobody = NobodysBench(bench, public_dir)
    assert "CAP_NET_RAW" in nobody.complaint("rate", "packet:tap0")
    done = nobody("floor", "bess", "tap", "--seconds", 0.05)
    assert list(done["kinds"]) in (["bess"], ["bess", "tap"])
    if "tap" not in done["kinds"]:
        assert done["not_measured"]["tap"].startswith("no tap of our own: ")
    with lab.Switch("--tap", "tap0", workdir=public_dir):
        assert "another program" in bench.complaint("rate", "tap:tap0")


def on_terminal(words):
    """Exit status and output of @words on a terminal of its own."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(words[0], words)
    output = b""
    try:
        while data := os.read(terminal, 4096):
            output += data
    except OSError:
        pass    # how a terminal says that nobody is there any more
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output.decode()


def test_people_get_progress_and_a_table(bench, lab1):
    status, output = on_terminal([bench.program, "rate", lab1.where["uml"],
                                  "--rate", "1000", "--count", "700",
                                  "--seconds", "20"])
    assert status == 0
    assert "\rrate: " not in output.replace("\r\x1b[Krate: ", "")
    assert "\x1b[Krate: " in output and " received" in output
    assert "{" not in output
    last = output.rsplit("\x1b[K", 1)[1]
    assert last.startswith("run ") and "\r\ndamage " in last
    assert "delivered 700" in last


def test_a_script_on_a_terminal_gets_nothing_but_what_it_asks_for(bench, lab1):
    status, output = on_terminal([bench.program, "rate", lab1.where["uml"],
                                  "--json", "--quiet", "--rate", "1000",
                                  "--count", "400", "--seconds", "20"])
    assert status == 0
    assert json.loads(output)["delivered"] == 400 and output.count("\n") == 1


def test_programs_get_one_line_and_nothing_else(bench, lab1):
    done = bench.run("rate", lab1.where["uml"], "--count", 10)
    assert done.stderr == "" and done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["sent"] == 10
    done = bench.run("rate", lab1.where["uml"], "--count", 10, "--table")
    assert done.stdout.startswith("run ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_nothing_behind(bench, lab1, number):
    path = lab1.where["dgram"].removeprefix("dgram:")
    with subprocess.Popen([bench.program, "rate", lab1.where["dgram"],
                           "--seconds", "60"], stdout=subprocess.PIPE,
                          text=True) as process:
        # The sender is a process of its own: then it has begun.
        lab.wait_until(lambda: lab.children_of(process.pid), "the sender")
        process.send_signal(number)
        assert process.wait(lab.STEP_S) == 130
        assert process.stdout.read() == ""
    assert not os.path.exists(f"{path}.0.peer")
    assert not os.path.exists(f"{path}.1.peer")
