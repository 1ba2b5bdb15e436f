"""The sandbox: N servers on a network of their own, in one command.

      guest1 .11    guest2 .12         host .1
           \\           |                 |
            +-- lan ----+-- ringswitch -- tap0     10.44.0.0/24

Real guests from the image that "make sandbox-image" has built, or one skips.
"""

import os
import pathlib
import re
import signal
import subprocess
import time

import pexpect
import pytest

import lab
from lab_sandbox import IMAGES, SANDBOX, need_image, sandbox_home

# What is in the image that web.sh's guests have, so that one does for both.
PACKAGES = "haproxy,nginx-light"


@pytest.fixture
def sandbox():
    need_image(PACKAGES)
    with sandbox_home() as box:
        yield box


def up(box, *words, **kwargs):
    return box.do("up", *words, "--package", PACKAGES, **kwargs)


def pings(box, guest, address):
    said = box.command("ssh", guest, "ping", "-c", "1", "-W", "5",
                       address).stdout
    return " 0% packet loss" in said


def test_guests_answer_and_know_each_other(sandbox):
    said = up(sandbox, "2")
    for n in 1, 2:
        assert re.search(rf"^guest{n} +running +[1-9]\d* MiB +10\.44\.0\.1{n} ",
                         said, re.M)
    assert re.search(r"^First ssh after \d+\.\d s$", said, re.M)
    assert re.search(r"^All up after \d+\.\d s$", said, re.M)
    assert sandbox.do("ssh", "guest2", "hostname") == "guest2\n"
    assert pings(sandbox, "1", "guest2")
    assert pings(sandbox, "guest2", "10.44.0.1")

    # Again, it changes nothing.
    before = sandbox.pids()
    assert len(before) == 4
    assert up(sandbox, "2").count("running") == 2
    assert sandbox.pids() == before

    # The port has the guest's name; without it, nothing passes.
    sandbox.do("ctl", "port", "down", "guest2")
    assert not pings(sandbox, "1", "guest2")
    sandbox.do("ctl", "port", "up", "guest2")
    assert pings(sandbox, "1", "guest2")

    # What does not come up is said, again and again.
    again = sandbox.command("up", "3", "--wait", "1")
    assert again.returncode == 1 and "All up" not in again.stdout
    assert "guest guest3: not ready after 1 s" in again.stderr
    sandbox.do("kill", "guest3")

    # One more; one stops and comes back with its disk.
    assert "guest3" in sandbox.do("start", "3", "--wait", "60") + sandbox.do(
        "status")
    sandbox.do("ssh", "guest3", "echo kept >/root/note")
    sandbox.do("stop", "guest3")
    assert re.search(r"^guest3 +stopped", sandbox.do("status"), re.M)
    assert "does not run: " in sandbox.refused("ssh", "guest3", "true")
    sandbox.do("start", "3")
    assert sandbox.do("ssh", "guest3", "cat /root/note") == "kept\n"

    sandbox.do("down")
    assert not sandbox.processes()
    assert "does not run" in sandbox.do("status")
    sandbox.do("destroy")
    assert not sandbox.processes()
    assert os.listdir(sandbox.home) == ["images"]


def test_what_dry_run_prints_is_the_script(sandbox):
    asked = "1", "--names", "a", "--memory", "160"
    printed = up(sandbox, "--dry-run", *asked)
    assert os.listdir(sandbox.home) == ["images"]
    done = subprocess.run(["sh"], input=printed, capture_output=True,
                          text=True, env=sandbox.environment, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sandbox.do("ssh", "a", "hostname") == "a\n"
    # It is a sandbox as any other.
    before = sandbox.pids()
    up(sandbox, *asked)
    assert sandbox.pids() == before


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM,
                                  signal.SIGHUP])
@pytest.mark.parametrize("after_s", [0.1, 0.5, 1.5])
def test_interrupted_it_takes_back_what_it_started(sandbox, sent, after_s):
    process = subprocess.Popen(
        [SANDBOX, "up", "2", "--package", PACKAGES],
        env=sandbox.environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(after_s)  # Anywhere on its way.
    os.killpg(process.pid, sent)
    assert process.wait(timeout=30) != 0
    lab.wait_until(lambda: not sandbox.processes(), "all to have ended")
    assert not list(sandbox.home.glob("*/holder"))


def test_after_a_crash_down_finds_what_is_left(sandbox):
    process = subprocess.Popen(
        [SANDBOX, "up", "1", "--package", PACKAGES], env=sandbox.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.wait_until(lambda: list(sandbox.home.glob("*/guests/1/console.log")),
                   "the guests to boot", timeout=60)
    process.kill()
    process.wait()
    assert sandbox.processes()
    sandbox.do("down")
    assert not sandbox.processes()
    assert up(sandbox).count("running") == 1


def test_a_guest_killed_in_its_first_boot_is_whole_in_its_second(sandbox):
    up(sandbox, "1")
    # Within the seconds in which its kernel writes nothing of itself.
    sandbox.do("kill", "guest1")
    up(sandbox)
    assert sandbox.do("ssh", "1", "hostname") == "guest1\n"


def test_two_networks_a_router_between_and_a_sandbox_beside(sandbox):
    up(sandbox, "--names", "a,router,b", "--network", "front",
       "--network", "back=10.77.0.0/24", "--on", "router=front,back",
       "--on", "b=back")
    up(sandbox, "1", "--name", "other")
    assert pings(sandbox, "a", "b")
    sandbox.do("ctl", "back", "port", "down", "router")
    assert not pings(sandbox, "a", "b")
    # The other has the same addresses, and nothing to do with these.
    assert sandbox.do("--name", "other", "ssh", "1", "hostname") == "guest1\n"
    sandbox.do("--name", "other", "down")
    assert sandbox.do("ssh", "a", "hostname") == "a\n"


def test_bess_scp_the_console_and_a_first_boot_script(sandbox, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho x >>/root/runs\nhostname\nexit 3\n")
    why = sandbox.refused("up", "1", "--package", PACKAGES, "--script", script,
                          "--transport", "bess")
    assert "guest guest1: first-boot script ended with status 3; see" in why
    log = pathlib.Path(why.rpartition("see ")[2])
    assert re.search("^guest1", log.read_text(errors="replace"), re.M)
    assert "bess" in sandbox.do("ctl", "port", "show", "guest1")

    (tmp_path / "file").write_text("by scp\n")
    config = sandbox.home / "sandbox/ssh_config"
    subprocess.run(["scp", "-q", "-F", config, tmp_path / "file", "guest1:"],
                   timeout=30, check=True)
    assert sandbox.do("ssh", "1", "cat file") == "by scp\n"

    console = pexpect.spawn(str(SANDBOX), ["console", "1"], timeout=20,
                            env=sandbox.environment, encoding="utf-8")
    console.sendline("echo $((6 * 7))")
    console.expect("\r42\r\n")
    console.send("\x1d")
    console.expect(pexpect.EOF)

    sandbox.do("stop", "1")
    sandbox.do("start", "1")
    assert sandbox.do("ssh", "1", "cat /root/runs") == "x\n"


def without(tools, tmp_path):
    """A PATH that has all of the usual one but @tools."""
    for path in pathlib.Path("/usr/bin").iterdir():
        if path.name not in tools:
            (tmp_path / path.name).symlink_to(path)
    return str(tmp_path)


def test_a_guest_that_panics_is_named_with_its_log(sandbox, tmp_path):
    kernel = tmp_path / "kernel"
    kernel.write_text("#!/bin/sh\nexec linux.uml \"$@\" root=/dev/nothing\n")
    kernel.chmod(0o755)
    why = sandbox.refused("up", "1", "--package", PACKAGES, "--kernel", kernel)
    assert "guest guest1: did not start: Kernel panic" in why
    log = why.rpartition("see ")[2]
    assert "Kernel panic" in pathlib.Path(log).read_text(errors="replace")


@pytest.mark.parametrize("words, why", [
    (["up", "0"], "up 0: not 1 to 200"),
    (["up", "1", "--names", "a,b"], "2 names for 1 guests"),
    (["up", "--names", "a,a"], "a twice"),
    (["up", "--names", "Web_1"], "Web_1: not a name"),
    (["up", "--network", "lan=10.0.0.0/8"], "not A.B.C.0/24"),
    (["up", "--network", "lan=10.300.0.0/24"], "not A.B.C.0/24"),
    (["up", "--network", "a", "--network", "a"], "twice"),
    (["up", "--memory", "1"], "--memory 1: not 64 to 65536"),
    (["up", "--disk", "lots"], "--disk lots: not 1G to 1000G"),
    (["up", "--transport", "slirp"], "not daemon or bess"),
    (["up", "--frob"], "--frob"),
    (["fly"], "no command fly"),
    (["up", "1", "2"], "more words than it takes"),
    (["ssh"], "ssh: of what?"),
    (["destroy", "--dry-run"], "--dry-run: not with destroy"),
    (["up", "--on", "guest1=lan,lan"], "a network twice"),
    (["up", "--network", "lan=169.254.2.0/24"], "not addresses for a network"),
    ([], "no command"),
    (["--name", "../x", "up"], "not a name"),
])
def test_a_wrong_command_line_is_one_line(sandbox, words, why):
    assert why in sandbox.refused(*words, status=2)
    assert os.listdir(sandbox.home) == ["images"]


@pytest.mark.parametrize("words, why", [
    (["up", "--on", "guest1=dmz"], "guest guest1: no network dmz"),
    (["up", "--on", "guest9=lan"], "no guest guest9"),
    (["up", "--script", "/nowhere"], "/nowhere: cannot be read"),
    (["up", "--kernel", "/nowhere"], "apt-get install user-mode-linux"),
    (["status"], "no sandbox sandbox"),
    (["ssh", "1"], "no sandbox sandbox"),
])
def test_what_cannot_be_done_is_one_line(sandbox, words, why):
    assert why in sandbox.refused(*words)
    assert os.listdir(sandbox.home) == ["images"]


@pytest.mark.parametrize("tools, package", [
    (["linux.uml", "linux"], "user-mode-linux"), (["socat"], "socat"),
    (["ssh"], "openssh-client"), (["pkill"], "procps")])
def test_what_is_not_installed_is_named(sandbox, tmp_path, tools, package):
    environment = dict(sandbox.environment, PATH=without(tools, tmp_path))
    assert f"apt-get install {package}" in sandbox.refused(
        "up", env=environment)


def test_without_a_tap_device_the_remedy_is_named(sandbox):
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         'mount -t tmpfs none /dev/net && exec "$0" up', SANDBOX],
        env=sandbox.environment, capture_output=True, text=True, timeout=60,
        check=False)
    assert done.returncode == 1
    assert done.stderr == "sandbox: no /dev/net/tun: modprobe tun (as root)\n"


def test_no_space_is_said_before_anything_is_begun(sandbox):
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         'mount -t tmpfs -o size=50m none "$1" && ln -s "$2" "$1/images" &&'
         'exec "$0" up 2 --package "$3"', SANDBOX, sandbox.home, IMAGES,
         PACKAGES], env=sandbox.environment, capture_output=True, text=True,
        timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert re.fullmatch(r"sandbox: no space: \S+ has \d+ MiB left, and 2 "
                        "guests .*: make room, or set SANDBOX_HOME\n",
                        done.stderr)
    assert not sandbox.processes()
