"""The switches that take network devices: the Linux bridge, and Open vSwitch's
userspace datapath.

Each has a namespace of its own, and two kinds of ports:

    tap     ringbench has the tap's file open, as QEMU and UML do
    veth    ringbench has a packet socket on the far end, as in a container

It takes seconds to join a thousand devices, so a plant (a switch with so many
ports) stays for all rounds; what runs in it stands still while others are
measured.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

import switches

BRIDGE, OVS = "Linux bridge", "Open vSwitch"
NAMES = [BRIDGE, OVS]
TAP, VETH = WAYS = ["tap", "veth"]
PORTS_PER_CALL = 100
TUN = "/dev/net/tun"
# Room for the scenario with the most addresses; 8192 unless told.
OVS_ADDRESSES = switches.ADDRESSES
OVS_PROGRAMS = ["ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"]
OVS_PACKAGE = "openvswitch-switch"
CALL_S = 120


class Plant:
    """A switch and its @ports, each of them a device called @way and a number;
    or, where a namespace of somebody else's is given, an empty one in there."""

    def __init__(self, peers, name, way, ports, mtu, directory, stack,
                 namespace=None):
        self.name = name
        self.way = way
        # Files and directories of its own.
        self.prefix = f"plant{next(switches.serial_numbers)}"
        self.directory = pathlib.Path(directory)
        self.namespace = namespace or stack.enter_context(
            peers.Namespace(self.prefix, directory))
        self.pid = None
        # Two of them may be in one namespace.
        self.device = "br-linux" if name == BRIDGE else "br-ovs"
        self._environment = None
        self._ports(ports, mtu)
        if name == BRIDGE:
            self._bridge(ports)
        else:
            self._ovs(stack)
            self._ovs_ports(ports, mtu)
            self.pause()
            # It could not end, otherwise.
            stack.callback(self.resume)

    def _ports(self, count, mtu):
        """Made and up; veth's far end is called far0 and so on."""
        lines = []
        for number in range(count):
            port = f"{self.way}{number}"
            if self.way == TAP:
                lines.append(f"tuntap add {port} mode tap")
            else:
                lines.append(f"link add {port} type veth peer name "
                             f"far{number}")
                lines.append(f"link set far{number} mtu {mtu} up")
            lines.append(f"link set {port} mtu {mtu} up")
        self._batch(lines)

    def _batch(self, lines):
        path = self.directory / f"{self.prefix}.batch"
        path.write_text("\n".join(lines) + "\n")
        self.namespace.check(f"ip -batch {path}", CALL_S)

    def _bridge(self, ports):
        self.namespace.check(f"ip link add {self.device} type bridge && "
                             f"ip link set {self.device} up")
        self._batch([f"link set {self.way}{number} master {self.device}"
                     for number in range(ports)])

    # Open vSwitch: a database and the switch, with files of their own ----------

    def _ovs(self, stack):
        home = self.directory / f"{self.prefix}.ovs"
        home.mkdir()
        self._environment = ovs_environment(home)
        self._database = f"unix:{home}/db.sock"
        self._call("ovsdb-tool", "create", f"{home}/conf.db",
                   ovs_schema())
        server = self._start(stack, "ovsdb-server", f"{home}/conf.db",
                             f"--remote=p{self._database}",
                             f"--unixctl={home}/db.ctl", "-vconsole:off")
        wait_for(server, home / "db.sock")
        self._vsctl("--no-wait", "init")
        # Nothing is asked of the kernel's own datapath.
        switch = self._start(stack, "ovs-vswitchd", self._database,
                             f"--unixctl={home}/switch.ctl",
                             "--disable-system", "-vconsole:off")
        wait_for(switch, home / "switch.ctl")
        self.pid = switch.pid
        self._vsctl("add-br", self.device, "--", "set", "bridge",
                    self.device,
                    "datapath_type=netdev",
                    f"other_config:mac-table-size={OVS_ADDRESSES}")

    def _ovs_ports(self, count, mtu):
        for first in range(0, count, PORTS_PER_CALL):
            words = []
            for number in range(first, min(first + PORTS_PER_CALL, count)):
                port = f"{self.way}{number}"
                words += ["--", "add-port", self.device, port, "--",
                          "set", "interface", port, f"mtu_request={mtu}"]
            self._vsctl(*words)

    def add_port(self, port):
        """A device that is there, such as a guest's tap."""
        if self.name == BRIDGE:
            self.namespace.check(f"ip link set {port} master {self.device}")
        else:
            self.resume()
            self._vsctl("add-port", self.device, port)
            self.pause()

    def _vsctl(self, *words):
        self._call("ovs-vsctl", f"--db={self._database}",
                   f"--timeout={CALL_S}", *words)

    def _call(self, *words):
        done = subprocess.run(
            self.namespace.inside(*words), env=self._environment,
            capture_output=True, text=True, timeout=CALL_S, check=False)
        if done.returncode:
            raise switches.SwitchError(
                f"{' '.join(words[:4])}: {done.stderr.strip()[:200]}")

    def _start(self, stack, *words):
        process = subprocess.Popen(
            self.namespace.inside(*words), env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        stack.callback(switches.end_group, process)
        return process

    def pause(self):
        if self.pid:
            os.kill(self.pid, signal.SIGSTOP)

    def resume(self):
        if self.pid:
            os.kill(self.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def running(self):
        self.resume()
        try:
            yield
        finally:
            self.pause()

    def ends(self):
        """What tells ringbench where to attach."""
        return ["tap:tap{}" if self.way == TAP else "packet:far{}"]


def wait_for(process, path):
    deadline = time.monotonic() + switches.READY_TIMEOUT_S
    while not path.exists():
        if process.poll() is not None:
            raise switches.SwitchError(f"{process.args[-2]}: ended at start")
        if time.monotonic() > deadline:
            raise switches.SwitchError(f"{path}: not there after "
                                       f"{switches.READY_TIMEOUT_S} s")
        time.sleep(0.02)


def ovs_environment(home):
    """Where it may write, and the library that is unpacked beside it."""
    libraries = [str(path) for path in ovs_root().glob("usr/lib/*-linux-gnu*")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries),
            **{f"OVS_{name}": str(home)
               for name in ("RUNDIR", "DBDIR", "SYSCONFDIR", "LOGDIR")}}


def ovs_root():
    """Where its packages are: build/peers (make peers), or the machine's /."""
    return pathlib.Path(shutil.which("ovs-vsctl")).parents[2]


def ovs_schema():
    return str(ovs_root() / "usr/share/openvswitch/vswitch.ovsschema")


def why_no_taps():
    """Why there are none here, or None."""
    return None if os.access(TUN, os.R_OK | os.W_OK) else (
        f"{TUN} may not be opened")


def why_not(name):
    """Why this switch cannot be measured here, or None."""
    missing = [program for program in
               (OVS_PROGRAMS if name == OVS else []) if not
               shutil.which(program)]
    return f"{missing[0]} is not installed" if missing else why_no_taps()


def versions():
    found = {BRIDGE: f"Linux bridge {os.uname().release}"}
    if not why_not(OVS):
        found[OVS] = switches.package_version(OVS_PACKAGE, "ovs-vsctl")
    return found
