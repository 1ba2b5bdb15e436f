"""The start-up script of 2008 (run_2008.sh) on this switch, unchanged.

    outside (a namespace)        203.0.113.80  a web server that knows no way
        |                                      to the guests' network
       eth0                      203.0.113.1   masquerading
    the machine (namespaces of network, processes and mounts)
       tap0                      192.168.0.254
    uml_switch ------------ web1 192.168.0.1   UML guests, each on a root file
        \\------------------ web2 192.168.0.2   system of its own (ubd0)

All of it is there twice: "ours" finds ringswitch and ringtap in its PATH under
the names uml_switch and tunctl, "the original" those of uml-utilities. What a
test expects is written down once, and is true of both.

Not even file names are changed in the script; where they lead is arranged. /tmp
and /run are the machine's own, and the place in /run where Debian's UML kernels
look for the switch is a link to /tmp/uml.ctl, where kernels of 2008 looked and
where uml_switch listens.

Other than in 2008: the root file systems are made by mke2fs and debugfs, which
need no root and no loop device; busybox is ifconfig on the machine and all that
there is in the guests; and in place of sshd a guest has a shell on port 22 that
takes the commands of whoever connects.
"""

import collections
import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess

import pytest

import lab
import lab_peers

GUESTS = {"web1": "192.168.0.1", "web2": "192.168.0.2"}
HOST = "192.168.0.254"
OUTSIDE = "203.0.113.80"
MASQUERADED = "203.0.113.1"

UML_FILES = ("switch/lab/uml.sh", "switch/lab/uml_xstate.c",
             "build/uml_xstate.so")

GUEST_INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -o remount,rw /
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
export PATH=/bin
hostname -F /etc/hostname
ifup -a
echo "$(hostname) lets you in"
exec nc -ll -p 22 -e sh
"""

INTERFACES = """auto eth0
iface eth0 inet static
    address {address}
    netmask 255.255.255.0
    gateway 192.168.0.254
"""

# What the tools of 2008 print when the script runs.
SAID = """Set 'tap0' persistent and owned by uid 0
uml_switch attached to unix socket '/tmp/uml.ctl' tap device 'tap0'
"""


# Root file systems ----------------------------------------------------------

def make_root_fs(initrd, directory):
    """What the guests have in common: the initrd's busybox and an init."""
    tree = directory / "tree"
    tree.mkdir()
    with open(initrd, "rb") as archive:
        subprocess.run(["cpio", "--quiet", "-id", "bin/busybox"], cwd=tree,
                       stdin=archive, check=True)
    for name in "dev", "etc/network", "proc", "sbin", "var/run":
        (tree / name).mkdir(parents=True)
    (tree / "sbin/init").write_text(GUEST_INIT)
    (tree / "sbin/init").chmod(0o755)
    lab.sh("mke2fs", "-q", "-t", "ext3", "-E", "root_owner=0:0",
           "-d", str(tree), str(directory / "root_fs"), "12M")
    shutil.rmtree(tree)
    return directory / "root_fs"


def write_into(image, path, text):
    """What 2008 did with mount -o loop and an editor."""
    source = image.with_name(f"{image.name}.text")
    source.write_text(text)
    lab.sh("debugfs", "-w", "-R", f"write {source} {path}", str(image))
    source.unlink()


@pytest.fixture(scope="session")
def root_fs(initrd, tmp_path_factory):
    for tool in "mke2fs", "debugfs":
        if not shutil.which(tool):
            pytest.skip(f"no {tool}: apt-get install e2fsprogs")
    return make_root_fs(initrd, tmp_path_factory.mktemp("root_fs"))


def copy_root_fs(root_fs, directory):
    for number, (name, address) in enumerate(GUESTS.items(), 1):
        image = directory / f"root_fs_{number}"
        shutil.copy(root_fs, image)
        write_into(image, "/etc/hostname", name + "\n")
        write_into(image, "/etc/network/interfaces",
                   INTERFACES.format(address=address))


# The machine ----------------------------------------------------------------

# The first process of the machine then waits until we end it, or end ourselves.
SET_UP = """mount --bind "$1" /mnt && mount --bind /mnt/tmp /tmp &&
            mount --bind /mnt/run /run && ip link set lo up &&
            echo ready && read forever"""


class Machine(lab_peers.Host):
    """A machine of its own to all that the script does; its directory is /mnt
    inside. Everything in it ends with its first process."""

    def __init__(self, name, workdir):
        super().__init__(name, workdir)
        for directory in "tmp", "run/uml-utilities":
            (self.workdir / directory).mkdir(parents=True)
        (self.workdir / "run/uml-utilities/uml_switch.ctl").symlink_to(
            "/tmp/uml.ctl")
        for applet in "ifconfig", "nc":
            self.install(applet, shutil.which("busybox"))
        self.environment = {"HOME": "/mnt", "PATH":
                            "/mnt/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
             "--mount-proc", "sh", "-c", SET_UP, "sh", self.workdir],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.stack.callback(self._end)
        if self.holder.stdout.readline() != "ready\n":
            self.close()
            raise lab.LabError("no namespaces for the machine of 2008")
        self.first = lab.children_of(self.holder.pid)[0]

    def _end(self):
        lab_peers.end(self.holder)
        self.holder.stdout.close()
        # The kernel ends all others before the first is gone.
        lab.wait_until(lambda: not lab.is_running(self.first),
                       "the machine of 2008 to end")

    def install(self, name, program):
        """A copy: @program may be where the machine does not see it: /tmp."""
        shutil.copy(program, self.workdir / "bin" / name)

    def inside(self, *words):
        return ["nsenter", "--target", str(self.first), "--net", "--mount",
                "--pid", "--", "sh", "-c", 'cd /mnt && exec "$@"', "sh",
                *map(str, words)]

    def ssh(self, guest, command):
        """(exit code, output) of a command in @guest, from the machine; no
        exit code if there is none in time."""
        text = shlex.quote(f"{command}; echo $?")
        # Ended in there: if we killed nsenter, what it has started would be
        # waited for by nobody, and the machine would not end.
        _, output = self.run(f"echo {text} | timeout {lab.STEP_S} "
                             f"nc {GUESTS[guest]} 22", 2 * lab.STEP_S)
        said, _, code = output.rstrip("\n").rpartition("\n")
        return int(code) if code.isdigit() else None, said

    def processes(self):
        """{pid: program} of what the script has left running."""
        found = {}
        for pid in lab.descendants_of(self.first):
            # The guests have some that come and go.
            with contextlib.suppress(FileNotFoundError):
                found[pid] = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        return found

    def files(self):
        """What is in its /tmp and /run, and was not there before."""
        return {f"/{path.relative_to(self.workdir)}" for top in ("tmp", "run")
                for path in (self.workdir / top).rglob("*")
                if not path.is_dir() and not path.is_symlink()}


# The lab --------------------------------------------------------------------

def original(name):
    """Where uml-utilities' @name is."""
    found = shutil.which(name)
    if not found or "ring" in os.path.basename(os.path.realpath(found)):
        pytest.skip(f"no {name} of uml-utilities to compare with: make peers")
    return found


def install_tools(machine, whose, build):
    ours = whose == "ours"
    machine.install("uml_switch",
                    lab.ringswitch() if ours else original("uml_switch"))
    machine.install("tunctl",
                    build / "ringtap" if ours else original("tunctl"))
    # Where they are to each other: uml.sh looks for its helper, or makes it.
    for name in UML_FILES:
        if (lab.ROOT / name).exists():
            (machine.workdir / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(lab.ROOT / name, machine.workdir / name)
    linux = machine.workdir / "bin/linux"
    linux.write_text('#!/bin/sh\nexec /mnt/switch/lab/uml.sh "$@"\n')
    linux.chmod(0o755)


def connect(machine, outside):
    """A cable from the machine's eth0, and a web server at its other end."""
    lab.sh("ip", "link", "add", "eth0", "netns", str(machine.first),
           "type", "veth",
           "peer", "name", "eth0", "netns", str(outside.holder.pid))
    for end, address in (machine, MASQUERADED), (outside, OUTSIDE):
        end.check(f"ip address add {address}/24 dev eth0 && "
                  "ip link set eth0 up")
    for guest in GUESTS:
        (outside.workdir / f"{guest}.html").write_text(f"a page for {guest}\n")
    outside.start("httpd", "-f", "-vv", "-p", f"{OUTSIDE}:80",
                  "-h", outside.workdir)
    lab.wait_until(lambda: ":80 " in outside.run("netstat -ltn")[1],
                   "the web server")


Lab = collections.namedtuple("Lab", "machine outside said switches")


def run_script(machine):
    """Run it as somebody at a terminal does; return what it said there. The
    terminal stays open, and nobody listens any more."""
    master, slave = os.openpty()
    machine.stack.callback(os.close, master)
    machine.stack.callback(os.close, slave)
    done = subprocess.run(machine.inside("./run.sh"), stdin=slave,
                          stdout=slave, stderr=slave, cwd=machine.workdir,
                          env=machine.environment, timeout=lab.STEP_S)
    assert done.returncode == 0
    os.set_blocking(master, False)
    said = b""
    with contextlib.suppress(BlockingIOError):
        while True:
            said += os.read(master, 4096)
    return said.decode().replace("\r\n", "\n")


@pytest.fixture(scope="module", params=["ours", "the original"])
def lab_2008(request, build, root_fs, tap_device, tmp_path_factory):
    """The lab as the script leaves it: the guests are about to boot."""
    if not shutil.which("iptables"):
        pytest.skip("no iptables: apt-get install iptables")
    directory = tmp_path_factory.mktemp("lab")
    with (Machine("machine", directory) as machine,
          lab_peers.Namespace("outside", directory) as outside):
        install_tools(machine, request.param, build)
        copy_root_fs(root_fs, machine.workdir)
        connect(machine, outside)
        shutil.copy(lab.HERE / "run_2008.sh", machine.workdir / "run.sh")
        said = run_script(machine)
        yield Lab(machine, outside, said, switches_of(machine))


def switches_of(machine):
    """Ours are a keeper and what it keeps, in that order."""
    return [pid for pid, name in machine.processes().items()
            if name == "uml_switch"]


def is_up(machine, guest):
    console = (machine.workdir / f"{guest}.log").read_text(errors="replace")
    if "Kernel panic" in console:
        raise lab.LabError(f"{guest}: {console[-2000:]}")
    return (f"{guest} lets you in" in console
            and machine.ssh(guest, "hostname") == (0, guest))


@pytest.fixture(scope="module")
def booted(lab_2008):
    """The lab once every guest lets us in."""
    for guest in GUESTS:
        lab.wait_until(lambda: is_up(lab_2008.machine, guest),
                       f"{guest} to let us in", lab.BOOT_S)
    return lab_2008


# The claims -----------------------------------------------------------------

def test_the_script_says_what_it_said_in_2008(lab_2008):
    """Both may have a word about guests that attach while we look; ours also
    says what it runs on and where it is controlled."""
    more = "uml_switch: ", "New connection", " Addr: "
    assert "".join(line for line in lab_2008.said.splitlines(True)
                   if not line.startswith(more)) == SAID


def test_the_switch_is_in_the_background(lab_2008):
    assert lab_2008.switches
    for pid in lab_2008.switches:
        state, _, _, session, terminal = lab.process_stat(pid)[:5]
        assert state not in "ZX"
        assert int(session) != os.getsid(0) and terminal == "0"


def test_the_machine_pings_every_guest(booted):
    for address in GUESTS.values():
        assert booted.machine.pings(address)


@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_pings_the_machine_and_the_other(booted, guest):
    for address in {HOST, *GUESTS.values()} - {GUESTS[guest]}:
        code, said = booted.machine.ssh(guest,
                                        f"ping -c 3 -A -w 10 {address}")
        assert code == 0, said


@pytest.mark.parametrize("guest", GUESTS)
def test_the_machine_gets_into_a_guest(booted, guest):
    assert booted.machine.ssh(guest, "hostname") == (0, guest)


@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_gets_a_page_from_outside_by_masquerading(booted, guest):
    assert booted.machine.ssh(
        guest, f"wget -q -O - http://{OUTSIDE}/{guest}.html") == (
            0, f"a page for {guest}")
    asked = [line for line in
             booted.outside.log_of("httpd").read_text().splitlines()
             if f"url:/{guest}.html" in line]
    assert asked and all(MASQUERADED in line for line in asked)


# The last one: nothing of this lab runs any more after it.
def test_afterwards_only_what_the_script_has_made_is_left(booted):
    """As in 2008: the tap, the masquerading, and at most the socket."""
    machine = booted.machine
    for guest in GUESTS:
        machine.check(f"kill $(cat ~/.uml/{guest}/pid)")
    lab.wait_until(lambda: set(machine.processes()) == set(booted.switches),
                   "the guests to end")
    os.kill(booted.switches[0], signal.SIGTERM)
    lab.wait_until(lambda: not machine.processes(), "the switch to end")
    assert machine.files() <= {"/tmp/uml.ctl"}
    assert "MASQUERADE" in machine.check("iptables -t nat -S POSTROUTING")
    assert machine.run("tunctl -d tap0") == (0, "Set 'tap0' nonpersistent\n")
    assert "tap0" not in machine.check("ip link")
