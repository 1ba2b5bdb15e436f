"""Real programs to put on a switch, each in a network namespace of its own.

    Host             our own namespace, and the commands run in it
    Namespace        another, without a name
    VdePlug          vde_plug, or vde_plug2tap, between a VDE switch and a tap
    QemuBridge       QEMU without a machine: one of its -netdev, and a tap
    QemuNetboot      a machine whose network ROM asks for an address by itself
    Passt            a user-mode network stack with a web server behind it

A tap's other end is the kernel, so that real TCP runs through the program:

    kernel (Namespace) -- tap -- vde_plug or QEMU -- UNIX socket -- switch

A Host runs commands as a Guest does: run(), check(), pings().
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess

import lab

# What the guests have from busybox, so that the same words work here.
APPLETS = "arp", "httpd", "netstat", "ping", "sha256sum", "wget"


def end(process):
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()


class Host:
    """The network that we are in ourselves, and the commands run in it."""

    def __init__(self, name, workdir):
        self.name = name
        self.ip = None
        self.workdir = pathlib.Path(workdir) / name
        self.workdir.mkdir()
        applets = self.workdir / "bin"
        applets.mkdir()
        for applet in APPLETS:
            (applets / applet).symlink_to(shutil.which("busybox"))
        self.environment = {**os.environ,
                            "PATH": f"{applets}:{os.environ['PATH']}"}
        self.stack = contextlib.ExitStack()

    def inside(self, *words):
        """The command line that runs @words in here."""
        return list(map(str, words))

    def run(self, command, timeout=lab.STEP_S):
        """Run a shell command; return (exit code, output)."""
        done = subprocess.run(
            self.inside("sh", "-c", command), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout, cwd=self.workdir, env=self.environment)
        return done.returncode, done.stdout

    def check(self, command, timeout=lab.STEP_S):
        """run() that insists on exit code 0 and returns the output."""
        code, output = self.run(command, timeout)
        if code:
            raise lab.LabError(f"{self.name}: {command}: exit {code}\n"
                               f"{output}")
        return output

    def pings(self, ip, count=3, seconds=10):
        """True if @count pings in a row are answered within @seconds."""
        code, _ = self.run(f"ping -c {count} -A -w {seconds} -W 1 {ip}",
                           seconds + lab.STEP_S)
        return code == 0

    def start(self, *words, **options):
        """Start a program in here, which ends with the namespace."""
        with open(self.log_of(words[0]), "ab") as log:
            process = subprocess.Popen(
                self.inside(*words), cwd=self.workdir, env=self.environment,
                **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log,
                   **options})
        self.stack.callback(end, process)
        return process

    def log_of(self, program):
        return self.workdir / f"{program}.log"

    def serve_files(self, directory, port=8000):
        """A web server; listens when this returns."""
        self.start("httpd", "-f", "-p", str(port), "-h", directory)
        lab.wait_until(
            lambda: f":{port} " in self.run("netstat -ltn")[1],
            "the web server")

    def add_tap(self, name, ip=None, mac=None, mtu=None):
        """A tap device in here, up, for a program to take."""
        self.check(f"ip tuntap add {name} mode tap")
        self.stack.callback(self.run, f"ip link delete {name}")
        for key, value in (("address", mac), ("mtu", mtu)):
            if value:
                self.check(f"ip link set {name} {key} {value}")
        if ip:
            self.ip = ip.split("/")[0]
            self.check(f"ip address add {ip} dev {name}")
        self.check(f"ip link set {name} up")

    def wait_tap(self, name):
        """Until a program has taken the tap: before, frames are lost."""
        lab.wait_until(
            lambda: "LOWER_UP" in self.check(f"ip link show {name}"),
            f"{self.name} to take {name}")

    def close(self):
        self.stack.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Namespace(Host):
    """A network namespace, held by a process that does nothing else."""

    def __init__(self, name, workdir):
        super().__init__(name, workdir)
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"],
            stdin=subprocess.DEVNULL)
        self.stack.callback(end, self.holder)
        self.path = f"/proc/{self.holder.pid}/ns/net"
        try:
            lab.wait_until(self._is_apart, "a network namespace")
            self.check("ip link set lo up; for i in all default; do echo 1 "
                       ">/proc/sys/net/ipv6/conf/$i/disable_ipv6; done")
        except BaseException:
            self.close()
            raise

    def _is_apart(self):
        return os.readlink(self.path) != os.readlink("/proc/self/ns/net")

    def inside(self, *words):
        return ["nsenter", f"--net={self.path}", "--", *map(str, words)]


class VdePlug(Namespace):
    """vde_plug on the VDE switch @directory, and a tap of its own."""

    def __init__(self, name, directory, workdir, ip=None, mac=None, port=None,
                 description=None, program="vde_plug"):
        super().__init__(name, workdir)
        try:
            self.add_tap("tap0", ip, mac)
            words = (self._plug2tap(directory, port)
                     if program == "vde_plug2tap"
                     else self._plug(directory, port, description))
            self.plug = self.start(*words)
            self.wait_tap("tap0")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _plug(directory, port, description):
        return ["vde_plug", *(["--descr", description] if description else []),
                f"vde://{directory}" + (f"[{port}]" if port else ""),
                "tap://tap0"]

    @staticmethod
    def _plug2tap(directory, port):
        return ["vde_plug2tap", *(["-p", str(port)] if port else []),
                "-s", str(directory), "tap0"]


class QemuBridge(Namespace):
    """QEMU with no machine in it: @netdev, a hub, and a tap of its own.

    QEMU 7.2 has no reconnect= yet; attach_again() does it, by QMP.
    """

    def __init__(self, name, netdev, workdir, ip=None, mac=None, pass_fds=()):
        super().__init__(name, workdir)
        self.netdev = netdev
        self.pass_fds = pass_fds
        try:
            self.add_tap("tap0", ip, mac)
            self.start_qemu()
        except BaseException:
            self.close()
            raise

    def start_qemu(self):
        tap = {"type": "tap", "id": "tap", "ifname": "tap0", "script": "no",
               "downscript": "no"}
        netdevs = self.netdev, hub_port("net"), tap, hub_port("tap")
        self.qemu = self.start(
            "qemu-system-x86_64", "-M", "none", "-nodefaults", "-display",
            "none", "-qmp", "stdio",
            *(word for netdev in netdevs
              for word in ("-netdev", json.dumps(netdev))),
            stdin=subprocess.PIPE, pass_fds=self.pass_fds)
        self._qmp("qmp_capabilities")
        self.wait_tap("tap0")

    def _qmp(self, command, **arguments):
        line = json.dumps({"execute": command, "arguments": arguments})
        self.qemu.stdin.write(line.encode() + b"\n")
        self.qemu.stdin.flush()

    def attach_again(self):
        self._qmp("netdev_del", id="hubnet")
        self._qmp("netdev_del", id="net")
        self._qmp("netdev_add", **self.netdev)
        self._qmp("netdev_add", **hub_port("net"))

    def kill_qemu(self):
        end(self.qemu)


# A QEMU netdev, as both its command line and QMP take it.
def hub_port(netdev):
    return {"type": "hubport", "id": f"hub{netdev}", "hubid": 0,
            "netdev": netdev}


def stream_netdev(path):
    return {"type": "stream", "id": "net", "server": False,
            "addr": {"type": "unix", "path": str(path)}}


def socket_netdev(connection):
    return {"type": "socket", "id": "net", "fd": str(connection.fileno())}


def dgram_netdev(local, remote):
    return {"type": "dgram", "id": "net",
            "local": {"type": "unix", "path": str(local)},
            "remote": {"type": "unix", "path": str(remote)}}


def vde_netdev(directory, port=0):
    return {"type": "vde", "id": "net", "sock": str(directory), "port": port}


class QemuNetboot:
    """A PC in software with nothing but a network card to boot from.

    The card's ROM (iPXE) asks for an address by DHCP, from @mac, and asks
    for the one it is offered.
    """

    def __init__(self, netdev, mac, workdir, name="netboot"):
        log = pathlib.Path(workdir) / f"{name}.log"
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", "-M", "pc,accel=tcg", "-m", "64",
                 "-nodefaults", "-display", "none", "-boot", "n",
                 "-netdev", json.dumps(netdev),
                 "-device", f"virtio-net-pci,netdev=net,mac={mac}"],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        end(self.process)


class Uplink:
    """A user-mode network stack, listening on @path, with a world behind it:

        web server 198.51.100.1 -- veth -- 192.0.2.2, @words -- @path
    """

    WEB = "198.51.100.1"

    def __init__(self, name, path, workdir, words):
        self.path = pathlib.Path(path)
        self.words = words
        with contextlib.ExitStack() as stack:
            self.here = stack.enter_context(Namespace(name, workdir))
            self.world = stack.enter_context(
                Namespace(f"{name}.world", workdir))
            self._connect()
            self.start()
            self.stack = stack.pop_all()

    def _connect(self):
        self.here.check(f"ip link add veth0 type veth peer name veth0 "
                        f"netns {self.world.holder.pid}")
        self.world.check("ip address add 192.0.2.1/24 dev veth0; "
                         f"ip address add {self.WEB}/32 dev lo; "
                         "ip link set veth0 up")
        self.here.check("ip address add 192.0.2.2/24 dev veth0; "
                        "ip link set veth0 up; "
                        "ip route add default via 192.0.2.1")

    def start(self):
        """Start it; it listens when this returns."""
        self.process = self.here.start(*self.words)
        lab.wait_until(self.path.exists, f"{self.words[0]} to listen")

    def kill(self):
        """It leaves its socket's path, which the next one replaces."""
        end(self.process)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stack.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


class Passt(Uplink):
    """passt, for connect-stream.

    Whoever is on the other side of @path has @gateway for a gateway and is
    192.0.2.2 for the world. Beware: passt believes to be alone with one guest.
    It answers ARP for every address but the one it gives away (@address), so
    that neighbours beside it need to know each other's addresses beforehand,
    and it answers all to the guest that it heard last.
    """

    def __init__(self, path, workdir, address, gateway, name="passt"):
        super().__init__(name, path, workdir,
                         ["passt", "-f", "-4", "-q", "-e", "--runas", "0",
                          "--socket", str(path), "-a", address, "-n", "24",
                          "-g", gateway, "-m", "1500", "--no-map-gw"])


class Slirp(Uplink):
    """slirp4netns, for connect-bess; it takes several guests at once."""

    GATEWAY = "10.0.0.2"

    def __init__(self, path, workdir, name="slirp"):
        super().__init__(name, path, workdir,
                         ["slirp4netns", "--target-type=bess",
                          "--cidr=10.0.0.0/24", "--mtu=1500", str(path)])
