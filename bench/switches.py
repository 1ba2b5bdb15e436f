"""The switches with sockets: how each is started, found ready and ended.

Every switch gets a directory of its own, a process group of its own and a
pipe for standard input that stays open (some end when it closes). Its output
goes nowhere: uml_switch writes a line for each frame it cannot deliver.
"""
import contextlib
import dataclasses
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

OWN, UML, VDE = "ringswitch", "uml_switch", "vde_switch"
# Not a switch, but the smallest program that can stand where one does: relay.c.
RELAY = "relay"
READY_TIMEOUT_S = 10
STOP_TIMEOUT_S = 3
# More than any scenario attaches; vde_switch has 32 unless told.
VDE_PORTS = 1100
# Room for the scenario with the most addresses, where there is a choice.
ADDRESSES = 131072
BUSY_POLL_US = 50
LISTENING_FLAG = 0x10000
# For names of taps, of which there may be many at once.
serial_numbers = itertools.count()


class SwitchError(Exception):
    pass


class Kind:
    """One program, and how it is told where to listen.

    @ways is {way: (arguments, control socket)}, where {0} is the directory it
    may use, and {tap0} and {tap1} are taps. A way is what ringbench calls the
    clients that it is for, and what makes it special behind a dash; or says
    what taps have to do with it (Running.ends).
    """

    def __init__(self, name, program, package, ways):
        self.name = name
        self.program = program
        self.package = package      # None: this project's own
        self._ways = ways

    def has(self, way):
        return way in self._ways

    def is_there(self):
        return shutil.which(self.program) is not None

    def version(self):
        if self.package is None:
            return first_line_of([self.program, "--version"])
        return package_version(self.package, self.program)

    def command(self, directory, way, taps=()):
        arguments, _ = self._ways[way]
        names = {f"tap{number}": name for number, name in enumerate(taps)}
        return [self.program, *(word.format(directory, **names)
                                for word in arguments.split())]

    def control(self, directory, way):
        _, control = self._ways[way]
        return control.format(directory)

    def tap_count(self, way):
        arguments, _ = self._ways[way]
        return arguments.count("{tap")


@dataclasses.dataclass(frozen=True)
class Running:
    """A switch that has been started."""
    way: str
    pid: int
    control: str
    taps: list[str]         # devices in the namespace that we are in

    def ends(self):
        """What tells ringbench where to attach."""
        guest = f"{self.way.split('-')[0]}:{self.control}"
        if self.way == "taps":
            return ["packet:" + self.taps[0][:-1] + "{}"]
        if self.way == "to-host":
            return [f"uml:{self.control}", "--receiver",
                    f"packet:{self.taps[0]}"]
        if self.way == "to-guests":
            return [f"packet:{self.taps[0]}", "--receiver",
                    f"uml:{self.control}"]
        return [guest]


def ringswitch(program, name=OWN):
    """The one at the path @program, in all its ways."""
    dgram = "--port dgram:{{0}}/ctl.{0},remote={{0}}/ctl.{0}.peer"
    socket = "{0}/ctl"
    return Kind(name, program, None, {
        "uml": ("--unix {0}/ctl", socket),
        "uml-large": (f"--unix {{0}}/ctl --mac-table {ADDRESSES}", socket),
        "uml-poll": (f"--unix {{0}}/ctl --busy-poll {BUSY_POLL_US}", socket),
        "vde": ("--listen vde:{0}/vde", "{0}/vde/ctl"),
        "bess": ("--listen bess:{0}/ctl", socket),
        "bess-host": ("--listen bess:{0}/ctl --tap {tap0}", socket),
        "bess-9000": ("--listen bess:{0}/ctl,mtu=9000", socket),
        "stream": ("--listen stream:{0}/ctl", socket),
        "dgram": (f"{dgram.format(0)} {dgram.format(1)}", socket),
        "to-host": ("--unix {0}/ctl --tap {tap0}", socket),
        "to-guests": ("--unix {0}/ctl --tap {tap0}", socket),
        "taps": ("--unix {0}/ctl --tap {tap0} --tap {tap1}", socket),
    })


def relay(program):
    """What is built beside the ringswitch at the path @program; two guests of
    daemon ports are all that it takes."""
    return Kind(RELAY, str(pathlib.Path(program).absolute().parent / RELAY),
                None, {"uml": ("{0}/ctl", "{0}/ctl")})


def known_kinds(program):
    """All three, ringswitch first; @program is the path of ours. And the relay."""
    vde = f"-n {VDE_PORTS} -s {{0}}/vde"
    return [
        ringswitch(program),
        Kind(UML, UML, "uml-utilities", {
            "uml": ("-unix {0}/ctl", "{0}/ctl"),
            "uml-large": ("-unix {0}/ctl", "{0}/ctl"),
            "to-host": ("-unix {0}/ctl -tap {tap0}", "{0}/ctl"),
            "to-guests": ("-unix {0}/ctl -tap {tap0}", "{0}/ctl"),
        }),
        Kind(VDE, VDE, "vde-switch", {
            "uml": (vde, "{0}/vde/ctl"),
            "uml-large": (f"{vde} --hashsize {ADDRESSES}", "{0}/vde/ctl"),
            "vde": ("-s {0}/vde", "{0}/vde/ctl"),
            "to-host": (f"{vde} -t {{tap0}}", "{0}/vde/ctl"),
            "to-guests": (f"{vde} -t {{tap0}}", "{0}/vde/ctl"),
        }),
        relay(program),
    ]


@contextlib.contextmanager
def running(kind, way):
    """Start a fresh switch; give a Running; end it afterwards."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="rb-"))
        taps = new_taps(kind.tap_count(way), stack)
        process = subprocess.Popen(
            kind.command(directory, way, taps), stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        stack.callback(end_group, process)
        control = kind.control(directory, way)
        wait_until_listening(kind, process, control)
        yield Running(way, process.pid, control, taps)


def new_taps(count, stack):
    """Some that a switch finds made: not all of them can make their own."""
    prefix = f"rb{next(serial_numbers)}-"
    return [stack.enter_context(tap(f"{prefix}{number}"))
            for number in range(count)]


@contextlib.contextmanager
def tap(name):
    """Up, and without frames that nobody has asked for."""
    ip("tuntap", "add", name, "mode", "tap")
    try:
        with contextlib.suppress(FileNotFoundError):
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6"
                         ).write_text("1")
        ip("link", "set", name, "up")
        yield name
    finally:
        ip("link", "delete", name)


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise SwitchError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def wait_until_listening(kind, process, control):
    """Look at the kernel's table: a trial connection would count as a guest."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if is_listening(control):
            return
        if process.poll() is not None:
            raise SwitchError(f"{kind.name}: ended at start with status "
                              f"{process.returncode}")
        time.sleep(0.02)
    raise SwitchError(f"{kind.name}: not listening after {READY_TIMEOUT_S} s")


def is_listening(control):
    # The last of the two sockets that clients of dgram know from the start;
    # nobody listens on it. Bytes, because the names of guests hold anything.
    names = control.encode(), f"{control}.1".encode()
    for line in pathlib.Path("/proc/net/unix").read_bytes().split(b"\n")[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[7] in names:
            return (fields[7] == names[1]
                    or bool(int(fields[3], 16) & LISTENING_FLAG))
    return False


def end_group(process):
    """End a process started with start_new_session, and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        pass
    # Children may have outlived it, so this is sent in any case.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()


def package_version(package, program=None):
    """As Debian calls it: of the package that is installed, or of the file that
    it was unpacked from (make peers), above @program."""
    root = pathlib.Path(shutil.which(program or package) or "/").parents
    for deb in root[2].glob(f"deb/{package}_*.deb") if len(root) > 2 else ():
        return " ".join(deb.name.split("_")[:2]).replace("%3a", ":")
    return first_line_of(["dpkg-query", "-W", "-f", "${Package} ${Version}",
                          package])


def first_line_of(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0] if lines else "unknown"
