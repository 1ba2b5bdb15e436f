"""The switches compared: how each is started, found ready and ended.

Every switch gets a directory of its own, a process group of its own and a
pipe for standard input that stays open (some end when it closes). Its output
goes nowhere: uml_switch writes a line for each frame it cannot deliver.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

READY_TIMEOUT_S = 10
STOP_TIMEOUT_S = 3
# More than any scenario attaches; vde_switch has 32 unless told.
VDE_PORTS = 1100
LISTENING_FLAG = 0x10000


class SwitchError(Exception):
    pass


class Kind:
    """One program, and how it is told where to listen.

    @ways is {way: (arguments, control socket)}, where {0} is the directory it
    may use. A way is what ringbench calls the clients that it is for.
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
        return package_version(self.package)

    def command(self, directory, way):
        arguments, _ = self._ways[way]
        return [self.program,
                *(word.format(directory) for word in arguments.split())]

    def control(self, directory, way):
        _, control = self._ways[way]
        return control.format(directory)


def known_kinds(ringswitch):
    """All three, ringswitch first; @ringswitch is the path of its program."""
    dgram = "--port dgram:{{0}}/ctl.{0},remote={{0}}/ctl.{0}.peer"
    return [
        Kind("ringswitch", ringswitch, None, {
            "uml": ("--unix {0}/ctl", "{0}/ctl"),
            "vde": ("--listen vde:{0}/vde", "{0}/vde/ctl"),
            "bess": ("--listen bess:{0}/ctl", "{0}/ctl"),
            "bess-9000": ("--listen bess:{0}/ctl,mtu=9000", "{0}/ctl"),
            "stream": ("--listen stream:{0}/ctl", "{0}/ctl"),
            "dgram": (f"{dgram.format(0)} {dgram.format(1)}", "{0}/ctl"),
        }),
        Kind("uml_switch", "uml_switch", "uml-utilities", {
            "uml": ("-unix {0}/ctl", "{0}/ctl"),
        }),
        Kind("vde_switch", "vde_switch", "vde2", {
            "uml": (f"-n {VDE_PORTS} -s {{0}}/vde", "{0}/vde/ctl"),
            "vde": ("-s {0}/vde", "{0}/vde/ctl"),
        }),
    ]


@contextlib.contextmanager
def running(kind, way):
    """Start a fresh switch; give (pid, control socket); end it afterwards."""
    with tempfile.TemporaryDirectory(prefix="rb-") as directory:
        process = subprocess.Popen(
            kind.command(directory, way), stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        try:
            control = kind.control(directory, way)
            wait_until_listening(kind, process, control)
            yield process.pid, control
        finally:
            end_group(process)


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


def package_version(package):
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
