"""What is in a guest of the sandbox: one guest, User-Mode Linux as it is.

    host 10.44.0.1, dnsmasq        guest 10.44.0.11
               \\                     |
               tap0 --- ringswitch ---+ eth0

It has a seed with a name, keys and a script; image.sh and guest_setup.sh say
what becomes of them. The image is what "make sandbox-images" has built.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import time

import pytest

import lab

pytestmark = pytest.mark.usefixtures("tap_device")

SANDBOX = lab.ROOT / "switch/lab/sandbox"
HOME = lab.ROOT / "build/sandbox"
PACKAGES = "haproxy,nginx-light"
MAC = "02:52:53:00:00:01"
MODULES = "/usr/lib/uml/modules"

SCRIPT = """#!/bin/sh
echo "this is the script of $(hostname)"
ip route show default
systemctl is-active ssh
exit 3
"""


def image():
    steps = subprocess.run(
        [SANDBOX, "image", "--dry-run", "--package", PACKAGES],
        env=dict(os.environ, SANDBOX_HOME=str(HOME)), text=True,
        capture_output=True, timeout=30, check=True).stdout
    if "mmdebstrap" in steps:
        pytest.skip("no image for the guests: make sandbox-images")
    return subprocess.run(
        ["sh", "-euc", f"here={SANDBOX.parent} home={HOME} images=$home/images "
         "dir=$home/x dry= verbose= suite= mirror= disk=2G "
         f"packages='{PACKAGES.replace(',', ' ')}'; "
         '. "$here/lib.sh"; . "$here/image.sh"; image_file'],
        text=True, stdout=subprocess.PIPE, check=True).stdout.strip()


def keygen(path, comment):
    path.parent.mkdir(parents=True, exist_ok=True)
    lab.sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment,
           "-f", str(path))


class Server:
    """A guest that boots, and boots again, from one disk."""

    def __init__(self, workdir, socket, image_file):
        self.workdir = workdir
        self.log = workdir / "console.log"
        self.words = [
            str(lab.ROOT / "switch/lab/uml.sh"), "mem=192M",
            f"ubd0={workdir}/disk.cow,{image_file}",
            f"ubd1r={workdir}/seed.tar", "root=/dev/ubda", "rw",
            "init=/sandbox/init", f"hostfs={MODULES}", f"uml_dir={workdir}",
            f"umid={workdir.name}", "con=null", "ssl=null", "con0=null,fd:1",
            "con1=pts", lab.daemon_card(socket, MAC)]
        self.make_seed()

    def make_seed(self):
        seed = self.workdir / "seed"
        keygen(self.workdir / "key", "test")
        keygen(seed / "etc/ssh/ssh_host_ed25519_key", "web1")
        (seed / "etc/hostname").write_text("web1\n")
        (seed / "root/.ssh").mkdir(parents=True)
        (seed / "root/.ssh/authorized_keys").write_text(
            (self.workdir / "key.pub").read_text())
        (seed / "sandbox").mkdir()
        (seed / "sandbox/first-boot").write_text(SCRIPT)
        (seed / "sandbox/first-boot").chmod(0o755)
        (seed / "root").chmod(0o777)
        lab.sh("tar", "-C", str(seed), "-cf", f"{self.workdir}/seed.tar", ".")

    @contextlib.contextmanager
    def booted(self):
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        try:
            lab.wait_until(lambda: "sandbox: ready" in self.lines()
                           or process.poll() is not None,
                           f"the guest to be ready; see {self.log}", 120)
            assert process.poll() is None, self.log.read_text()
            self.process = process
            yield self
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def lines(self):
        return [line.rstrip("\r") for line in
                self.log.read_text(errors="replace").split("\n")]

    def ssh(self, command, check=True):
        return subprocess.run(
            ["ssh", "-F", "none", "-i", f"{self.workdir}/key", "-q",
             "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes",
             "-o", f"UserKnownHostsFile={self.workdir}/known_hosts",
             "root@10.44.0.11", command], text=True, timeout=60, check=check,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT).stdout

    def poweroff(self):
        """How long it takes from the command to the end of the kernel."""
        begin = time.monotonic()
        self.ssh("poweroff", check=False)
        self.process.wait(60)
        return time.monotonic() - begin


@pytest.fixture(scope="module")
def server(tmp_path_factory, build):
    workdir = tmp_path_factory.mktemp("server")
    found = image()
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(
            lab.Switch("--tap", "tap0", workdir=workdir))
        lab.sh("ip", "address", "add", "10.44.0.1/24", "dev", "tap0")
        dnsmasq = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
             "--interface=tap0", "--bind-interfaces", "--no-resolv",
             "--dhcp-range=10.44.0.0,static", f"--dhcp-host={MAC},10.44.0.11",
             "--address=/name.example/10.44.0.99", "--domain=lan",
             "--dhcp-option=option:router,10.44.0.1",
             "--dhcp-option=121,0.0.0.0/0,10.44.0.1,10.45.0.0/24,10.44.0.12",
             f"--dhcp-leasefile={workdir}/leases", "--pid-file"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(dnsmasq.wait)
        stack.callback(dnsmasq.kill)
        yield stack.enter_context(
            Server(workdir, switch.socket, found).booted())


# In the order of a guest's life: the last test powers it off.

def test_the_script_of_the_first_boot_ran_in_a_guest_that_was_up(server):
    lines = server.lines()
    said = lines.index("this is the script of web1")
    assert lines[said + 1].startswith("default via 10.44.0.1 dev eth0")
    assert lines[said + 2] == "active"
    status = lines.index("sandbox: first boot ended with status 3")
    assert said < status < lines.index("sandbox: ready")


def test_the_seed_is_in_its_place(server):
    assert server.ssh("hostname") == "web1\n"
    # ssh keeps the key that it has seen: the one of the seed, and no other.
    seen = (server.workdir / "known_hosts").read_text().split()
    key = (server.workdir / "seed/etc/ssh/ssh_host_ed25519_key.pub").read_text()
    assert seen[-2:] == key.split()[:2]
    assert server.ssh("ls /etc/ssh/*_key") == "/etc/ssh/ssh_host_ed25519_key\n"
    # Whatever the modes and owners in the tar.
    assert server.ssh("stat -c '%a %U' / /root /root/.ssh/authorized_keys") \
        .startswith("755 root\n700 root\n")
    assert server.ssh("find /etc /root /sandbox ! -user root") == ""


def test_no_password_opens_it(server):
    offered = subprocess.run(
        ["ssh", "-F", "none", "-v", "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
         "-o", "PubkeyAuthentication=no", "root@10.44.0.11", "true"],
        text=True, capture_output=True, timeout=60, check=False)
    assert offered.returncode == 255
    assert "Permission denied (publickey)." in offered.stderr


def test_dhcp_gives_routes_and_names(server):
    assert server.ssh("ip -4 route show 10.45.0.0/24") == \
        "10.45.0.0/24 via 10.44.0.12 dev eth0 \n"
    # Asked again on demand, for what has changed in the meantime.
    server.ssh("ip route delete 10.45.0.0/24; systemctl reload sandbox-network")
    lab.wait_until(lambda: server.ssh("ip -4 route show 10.45.0.0/24"),
                   "the route to be back")
    assert server.ssh("getent hosts name.example").startswith("10.44.0.99 ")


def test_systemd_has_no_complaints_and_debians_services_run(server):
    assert server.ssh("systemctl is-system-running") == "running\n"
    assert server.ssh("systemctl is-active nginx") == "active\n"
    page = lab.sh("busybox", "wget", "-q", "-O", "-", "http://10.44.0.11/")
    assert "nginx" in page
    server.ssh("systemctl restart nginx")
    assert "Started" in server.ssh("journalctl -u nginx -o cat")


def test_the_tools_that_look_at_processes_work(server):
    """With what the kernel says of its processor, they would not by themselves."""
    assert re.search(r"^root +1 .*/sbin/init", server.ssh("ps aux"), re.M)
    assert "load average" in server.ssh("top -bn1 | head -1")
    server.ssh("vmstat")


def test_modules_are_the_kernels(server):
    assert server.ssh("modprobe 8021q && lsmod").count("8021q") > 0
    assert "Read-only" in server.ssh("touch /lib/modules/x", check=False)


def test_the_second_console_is_a_shell_of_root(server):
    pts = re.search(r"Virtual console 1 assigned device '(\S+)'",
                    server.log.read_text(errors="replace"))[1]
    console = os.open(pts, os.O_RDWR | os.O_NOCTTY)
    said = b""
    try:
        os.write(console, b"echo $((6 * 7)) $(id -un) $TERM\n")
        deadline = time.monotonic() + lab.STEP_S
        while b"42 root linux" not in said and time.monotonic() < deadline:
            if select.select([console], [], [], 0.1)[0]:
                said += os.read(console, 4096)
    finally:
        os.close(console)
    assert b"42 root linux" in said


def test_the_second_boot_finds_all_as_it_was_left(server):
    """Nothing is unpacked again, no script runs, and it is ready again."""
    before = server.ssh("echo other >/etc/hostname; rm /sandbox/first-boot; "
                        "sync; cat /etc/machine-id")
    server.poweroff()
    assert "reboot: System halted" in server.log.read_text(errors="replace")
    with server.booted():
        assert server.ssh("hostname") == "other\n"
        assert server.ssh("cat /etc/machine-id") == before
        assert server.ssh("cat /sandbox/first-boot.status") == "3\n"
        assert not any("first boot" in line for line in server.lines())
