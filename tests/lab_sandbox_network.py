"""The networks of a sandbox: switch/lab/network.sh, without the sandbox's guests.

    guests --- ringswitch --- tap0 10.44.0.1 --- pasta, or --host --- machine
                                |                                       |
                             dnsmasq                                 outside
                                                            web server, name server

The machine is the network that the tests run in; its name server is one at
127.0.0.53, as on many: nobody but the machine itself can reach that.

    Sandbox          runs network.sh as the sandbox does
    machine, place   fixtures: that machine, and a copy of the scripts
    real_guest       a UML guest on it
    PlugGuest        a namespace on it, which is a guest sooner
    ask              a guest that only asks for an address
    refused          a start that has to fail
"""

import contextlib
import os
import pathlib
import shutil
import subprocess

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

import lab
import lab_clients
import lab_peers

LAB = lab.ROOT / "switch" / "lab"
WEB, NAMES = "203.0.113.80", "203.0.113.53"
PAGE = "hello from outside"
SECRET = "the machine's own business"

# The index and the name of two networks, and both as the sandbox has them.
LAN, BACK = (0, "lan"), (1, "back")
TWO_NETWORKS = "lan=10.44.0 back=10.44.1"

# What the sandbox does around network.sh.
SANDBOX = r"""
set -eu
network_names() {
	for net in $networks; do
		printf '%s ' "${net%%=*}"
	done
}
for part in lib steps guest network; do
	. "$here/$part.sh"
done
verbose=$host transport=bess

up() {
	[ -z "$dry" ] || echo "here=$here dir=$dir; . $here/steps.sh"
	network_down
	run mkdir -p "$dir"
	run hold $([ -n "$host" ] || echo --net) \
		$([ "$(id -u)" -eq 0 ] || echo --map-root-user)
	network_up
	for n in $(guests); do
		network_guest "$n"
	done
}

down() {
	release
	network_down
}

"$@"
"""

# What a guest without a distribution does with what it is told.
DHCP_SCRIPT = r"""
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev "$interface"
set -- ${staticroutes:-0.0.0.0/0 $router}
while [ $# -gt 1 ]; do
	ip route add "$1" via "$2"
	shift 2
done
"""


class Sandbox:
    """The networks of one; @table has its guests, "1 web1 lan" a line."""

    def __init__(self, place, wrapper, table, networks="lan=10.44.0",
                 host=False, name="sandbox", **environment):
        self.dir = place / name
        self.wrapper = wrapper
        self.settings = {"table": "".join(line + "\n" for line in table),
                         "networks": networks, "host": "1" if host else "",
                         "name": name, "dir": str(self.dir), "dry": "",
                         "here": str(place / "lab"),
                         "ringswitch": str(place / "ringswitch"),
                         **environment}
        self.pid = self.pids = self.said = None

    def run(self, *words, **settings):
        """Call a function of the scripts; (exit code, what it said)."""
        done = subprocess.run(
            [*self.wrapper, "sh", "-c", SANDBOX, "sandbox", *map(str, words)],
            env={"PATH": os.environ["PATH"], **self.settings, **settings},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=lab.STEP_S)
        return done.returncode, done.stdout

    def check(self, *words, **settings):
        code, said = self.run(*words, **settings)
        assert code == 0, said
        return said

    def up(self):
        self.said = self.check("up")
        self.pid = int((self.dir / "holder").read_text().split()[0])
        self.pids = namespace(self.pid, "pid_for_children")
        return self

    def down(self):
        self.check("down")

    def inside(self, *words):
        return self.check("in_net", *words)

    def processes(self, program=""):
        """All that run in it, by the pids that they have out here."""
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit()
                and namespace(pid, "pid") == self.pids
                and lab.is_running(pid) and program in command_of(pid)]

    def __enter__(self):
        try:
            return self.up()
        except BaseException:
            self.down()
            raise

    def __exit__(self, *exc):
        self.down()


def namespace(pid, kind):
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None


def command_of(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


# The machine -----------------------------------------------------------------

@pytest.fixture
def place(public_dir):
    """Where another user finds the scripts and the switch."""
    shutil.copytree(LAB, public_dir / "lab")
    shutil.copy(lab.ringswitch(), public_dir / "ringswitch")
    return public_dir


@pytest.fixture
def outside(tmp_path, cleanup):
    """What is behind the machine's default route."""
    world = cleanup.enter_context(lab_peers.Namespace("outside", tmp_path))
    lab.sh("ip", "link", "add", "uplink0", "type", "veth", "peer", "name",
           "uplink1", "netns", str(world.holder.pid))
    cleanup.callback(lab.sh, "ip", "link", "delete", "uplink0")
    world.check("ip address add 198.51.100.1/24 dev uplink1; "
                "ip link set uplink1 up; "
                f"ip address add {WEB}/32 dev lo; "
                f"ip address add {NAMES}/32 dev lo")
    lab.sh("ip", "address", "add", "198.51.100.2/24", "dev", "uplink0")
    lab.sh("ip", "link", "set", "uplink0", "up")
    lab.sh("ip", "route", "add", "default", "via", "198.51.100.1")
    lab.wait_until(lambda: "state UP" in lab.sh("ip", "link", "show", "uplink0"),
                   "the machine's uplink")
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text(PAGE + "\n")
    (tmp_path / "www" / "file").write_bytes(os.urandom(1 << 20))
    (tmp_path / "www" / "cgi-bin").mkdir()
    late = tmp_path / "www" / "cgi-bin" / "late"
    late.write_text("#!/bin/sh\nsleep 0.3\n"
                    f"printf 'Content-type: text/plain\\r\\n\\r\\n{PAGE}\\n'\n")
    late.chmod(0o755)
    world.serve_files(tmp_path / "www", 80)
    world.start("dnsmasq", "--keep-in-foreground", *NAME_SERVER,
                f"--listen-address={NAMES}", "--local=/example/",
                f"--host-record=www.example,{WEB}")
    return world


NAME_SERVER = ("--conf-file=/dev/null", "--no-resolv", "--no-hosts",
               "--user=root", "--group=", "--pid-file=", "--bind-interfaces")


@pytest.fixture
def machine(outside, tmp_path, cleanup):
    """What runs on it: a name server and a web server for itself."""
    host = cleanup.enter_context(lab_peers.Host("machine", tmp_path))
    sysctl("net.ipv4.ip_forward", 0)
    # As on Debian, where everybody may ping.
    sysctl("net.ipv4.ping_group_range", "0 65534" if owns_all() else "0 0")
    host.start("dnsmasq", "--keep-in-foreground", *NAME_SERVER,
               "--listen-address=127.0.0.53", f"--server={NAMES}")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "index.html").write_text(SECRET + "\n")
    host.start("httpd", "-f", "-p", "127.0.0.1:8000", "-h", tmp_path / "own")
    lab.wait_until(lambda: SECRET in page(host, "127.0.0.1", 8000)
                   and PAGE in page(host, WEB), "the web servers")
    return host


def owns_all():
    """False for the root of a user namespace, who is one user."""
    return pathlib.Path("/proc/self/gid_map").read_text().split()[2] != "1"


def page(host, address, port=80, path=""):
    """What a web server answers to @host, which may be nothing."""
    return host.run(
        f"timeout 5 wget -q -O - http://{address}:{port}/{path}")[1]


def sysctl(name, value):
    path = "/proc/sys/" + name.replace(".", "/")
    pathlib.Path(path).write_text(str(value))


def state_of_machine():
    """All that somebody could have changed in its network."""
    return "".join([
        lab.sh("nft", "list", "ruleset"), lab.sh("ip", "address"),
        lab.sh("ip", "rule"), lab.sh("ip", "route", "show", "table", "all"),
        lab.sh("sysctl", "--all", "--pattern", "^net.ipv4")])


def wrapper_of(place, user=None, tun=0o666):
    """Words before a command: the machine's resolver is the one at 127.0.0.53,
    and /dev/net/tun is open to all, as on Debian."""
    (place / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    script = f"mount --bind {place}/resolv.conf /etc/resolv.conf"
    if user:
        device = place / "tun"
        os.mknod(device, 0o600 | 0o020000, os.makedev(10, 200))
        device.chmod(tun)
        script += (f" && mount --bind {device} /dev/net/tun && exec setpriv "
                   f"--reuid={user} --regid=nogroup --clear-groups")
    else:
        script += " && exec"
    return ["unshare", "--mount", "sh", "-c", script + ' "$0" "$@"']


@pytest.fixture
def as_root(place):
    return wrapper_of(place)


@pytest.fixture(params=["root", "user"])
def as_anybody(request, place):
    if request.param == "root":
        return wrapper_of(place)
    request.getfixturevalue("other_user")
    wrapper = wrapper_of(place, "nobody")
    if subprocess.run([*wrapper, "unshare", "--map-root-user", "--net", "true"],
                      stderr=subprocess.DEVNULL).returncode:
        pytest.skip("ordinary users may not make network namespaces here")
    return wrapper


@pytest.fixture
def sandbox(place):
    """sandbox(wrapper, table, ...): a running one."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **settings: stack.enter_context(
            Sandbox(place, *arguments, **settings))


# Guests ----------------------------------------------------------------------

def card_mac(guest, network=0):
    return f"02:52:53:00:{network:02x}:{guest:02x}"


def real_guest(sandbox, number, initrd, workdir):
    """A UML guest with one card, on the first network."""
    return lab.Guest(f"guest{number}", initrd=initrd, workdir=workdir, cards=[
        lab.bess_card(sandbox.dir / "net/lan.bess", card_mac(number))])


class PlugGuest(lab_peers.VdePlug):
    """A namespace on the first of @networks, of (index, name), and the rest."""

    def __init__(self, sandbox, number, networks, workdir):
        (index, name), *others = networks
        super().__init__(f"guest{number}", sandbox.dir / f"net/{name}.vde",
                         workdir, mac=card_mac(number, index))
        sysctl_in(self, "net.ipv4.ip_forward", 0)
        self.cards = ["tap0"]
        for index, name in others:
            card = f"tap{len(self.cards)}"
            self.add_tap(card, mac=card_mac(number, index))
            self.start("vde_plug", f"vde://{sandbox.dir}/net/{name}.vde",
                       f"tap://{card}")
            self.wait_tap(card)
            self.cards.append(card)
        for card in self.cards:
            configure(self, card)


def sysctl_in(guest, name, value):
    guest.check(f"echo {value} >/proc/sys/" + name.replace(".", "/"))


def configure(guest, card):
    """Have it ask for its address, and set itself up."""
    guest.check(f"cat >dhcp <<'END'\n#!/bin/sh\n{DHCP_SCRIPT}\nEND\n"
                f"chmod 755 dhcp; ip link set {card} up; busybox udhcpc -n -q "
                f"-i {card} -s $PWD/dhcp -O staticroutes")


def ask(sandbox, network, mac):
    """The options that a client with @mac is offered, by name, and its address
    as "address"."""
    request = bytes(
        Ether(src=mac, dst=lab.BROADCAST) / IP(src="0.0.0.0", dst="255.255.255.255")
        / UDP(sport=68, dport=67)
        / BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=7, flags=0x8000)
        / DHCP(options=[("message-type", "discover"),
                        ("param_req_list", [1, 3, 6, 121]), "end"]))
    with lab_clients.BessClient(sandbox.dir / f"net/{network}.bess") as client:
        client.send(request)
        answer = lab.wait_until(lambda: offer_in(client.recv(0.1)), "an offer")
    return answer


def offer_in(frame):
    packet = Ether(frame) if frame else None
    if not packet or DHCP not in packet or packet[BOOTP].xid != 7:
        return None
    options = {option[0]: option[1:] for option in packet[DHCP].options
               if isinstance(option, tuple)}
    return {**options, "address": packet[BOOTP].yiaddr}


# What is in the way ------------------------------------------------------------

def refused(place, wrapper, table=("1 guest1 lan",), **settings):
    """The one line of a start that has to fail; nothing of it stays."""
    before = state_of_machine()
    there = Sandbox(place, wrapper, table, **settings)
    code, said = there.run("up")
    there.down()
    assert code == 1, said
    lines = [line for line in said.splitlines() if not line.startswith("+ ")]
    assert len(lines) == 1 and lines[0].startswith("sandbox: "), said
    assert state_of_machine() == before
    return lines[0]


def hidden(wrapper, script):
    """@wrapper, with a command of root's that takes something away."""
    *words, last = wrapper
    return [*words, f"{script} && {last}"]


def without(program):
    return f"mount --bind /dev/null $(realpath $(command -v {program}))"
