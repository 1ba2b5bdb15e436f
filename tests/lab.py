"""A network laboratory: real User-Mode Linux guests, switches, and clients.

Standard library only, so that benches and scripts can use it as well as the
tests. What there is:

    build_initrd(path)   the guests' root file system
    Guest                a UML guest with eth0=daemon, or with other cards
    vde_card, bess_card  those other cards
    Switch               ringswitch, uml_switch or anything with their options
    Client               speaks the guests' protocol, raw frames, no guest
    Tap, HostSide        a tap device of the host, and raw frames on it
    frame(), mac()       bytes to send
    wait_until()         for everything that takes a moment

lab_clients.py has the clients of the other kinds of ports, lab_peers.py real
programs in namespaces of their own.

Nothing here sleeps for a fixed time and hopes: it polls, with a deadline.
Everything started is a context manager and is gone when its block ends, however
it ends. Processes are ended by the id they were started with.
"""

import contextlib
import fcntl
import functools
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

# What a step may take on a machine that has other things to do.
BOOT_S = 60
STEP_S = int(os.environ.get("LAB_STEP_S", "20"))

POLL_S = 0.005

# Whether switches have a keeper where a test does not say.
WITH_KEEPER = bool(os.environ.get("LAB_KEEPER"))

# Costs the host only what the guest touches. The limit on processes follows
# from it, and Debian's UML kernel starts hundreds of short-lived hotplug
# helpers while it boots: with 64M one boot in fifty fails for lack of
# processes, and where the host randomizes addresses one in ten for lack of
# memory.
GUEST_MEMORY = "192M"


class LabError(Exception):
    """Something in the laboratory did not work; says what and where to look."""


def ringswitch():
    """The program under test: build/ringswitch unless RINGSWITCH says else."""
    return os.environ.get("RINGSWITCH", str(ROOT / "build" / "ringswitch"))


@functools.cache
def knows_keepers(program):
    """Whether @program is a ringswitch that knows --no-keeper."""
    path = os.path.realpath(program)
    # One that is only there in a namespace of its own is ours.
    if not os.path.exists(path):
        return os.path.basename(path) == "ringswitch"
    return (os.path.basename(path) == "ringswitch" and "--no-keeper" in
            subprocess.run([path, "--help"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True).stdout)


def build_initrd(path):
    """Make the guests' initrd at @path. Takes a few tenths of a second."""
    subprocess.run([str(HERE / "uml_initrd.sh"), str(path)], check=True)
    return str(path)


def wait_until(condition, what, timeout=STEP_S):
    """Return the first true value of condition(); LabError names @what."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout} s for {what}")
        time.sleep(POLL_S)


def sh(*command, check=True):
    """Run a command of the host and return what it printed."""
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and done.returncode:
        raise LabError(f"{shlex.join(command)}: exit {done.returncode}: "
                       f"{done.stdout.strip()}")
    return done.stdout


# Processes ------------------------------------------------------------------

def process_stat(pid):
    """Fields of /proc/PID/stat from the state on; None if there is no PID."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name and may contain anything.
    return text[text.rindex(")") + 2:].split()


def is_running(pid):
    """False once @pid is gone, or dead and waiting for its parent."""
    stat = process_stat(pid)
    return bool(stat) and stat[0] not in "ZX"


def cpu_seconds(pid):
    """User and system time @pid has used so far."""
    stat = process_stat(pid)
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid):
    return int(process_stat(pid)[21]) * os.sysconf("SC_PAGE_SIZE")


def session_members(session):
    """Running processes of the session @session."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    stats = {pid: process_stat(pid) for pid in pids}
    return [pid for pid, stat in stats.items()
            if stat and int(stat[3]) == session and stat[0] not in "ZX"]


def children_of(parent):
    """Running children of process @parent, in the order of their numbers."""
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    stats = {pid: process_stat(pid) for pid in pids}
    return [pid for pid, stat in stats.items()
            if stat and int(stat[1]) == parent and stat[0] not in "ZX"]


def descendants_of(parent):
    """Running children of process @parent, and theirs."""
    children = children_of(parent)
    return children + [pid for child in children
                       for pid in descendants_of(child)]


def find_process(argument):
    """The one running process with @argument on its command line.

    For daemons, which nobody has started directly. @argument must be unique,
    such as a path in a directory made for one test.
    """
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{name}/cmdline").read_bytes()
            if (os.fsencode(argument) in words.split(b"\0")
                    and int(name) != os.getpid() and is_running(name)):
                return int(name)
    return None


def end_process(pid, sig=signal.SIGTERM):
    """End a process that is not our child, and wait until it is gone; its
    children as well, which it may not tell any more if it is killed."""
    others = descendants_of(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)
    for other in others if sig == signal.SIGKILL else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(other, sig)
    wait_until(lambda: not is_running(pid), f"process {pid} to end")


# Guests ---------------------------------------------------------------------

def daemon_card(path, mac=None):
    """A guest's eth0 on the socket @path, in the way of UML since 2001."""
    return f"eth0=daemon,{mac or ''},unix,{path}"


def vde_card(directory, mac=None, port="", description=""):
    """A guest's eth0 on the VDE switch in @directory."""
    # Switch, address, port, group, mode, description.
    return f"eth0=vde,{directory},{mac or ''},{port},,,{description}"


def bess_card(path, mac=None, mtu=None, src=None):
    """A guest's vec0 on the SOCK_SEQPACKET socket @path."""
    return f"vec0:transport=bess,dst={path}" + "".join(
        f",{key}={value}" for key, value in
        (("mac", mac), ("mtu", mtu), ("src", src)) if value)


class Guest:
    """A User-Mode Linux guest with eth0=daemon on @switch_socket.

    @mac is random if not given; @ip is "10.0.0.1/24" (/24 if not said). With
    other network cards: @cards, a list of what daemon_card() and the like
    make; @ip is then for the first, and @switch_socket None. The console is
    written to @workdir/@name.log and nothing else, so the guest never waits
    for a reader. Its shell runs what run() is given.

    UML is a process of its own for the kernel plus one for each process of
    the guest, all in one session, which is how kill() finds every one. If we
    die ourselves the console's input ends and a guest that is up powers off.
    """

    def __init__(self, name, switch_socket=None, mac=None, ip=None,
                 initrd=None, workdir=None, mem=GUEST_MEMORY, cards=()):
        self.name = name
        self.ip = ip.split("/")[0] if ip else None
        self.mac = mac
        self.workdir = pathlib.Path(workdir)
        self.log = self.workdir / f"{name}.log"
        self.uml_dir = self.workdir / f"{name}.uml"
        self.commands = 0
        self.paused = False
        if switch_socket:
            cards = [daemon_card(switch_socket, mac), *cards]
        self.process = self._start(cards, ip, initrd, mem)

    def _start(self, cards, ip, initrd, mem):
        self.uml_dir.mkdir(parents=True, exist_ok=True)
        words = [str(HERE.parent / "switch/lab/uml.sh"), f"mem={mem}", f"initrd={initrd}",
                 f"hostname={self.name}", "con=null", "con0=fd:0,fd:1",
                 f"uml_dir={self.uml_dir}", f"umid={self.name}", *cards]
        if cards:
            words.append("nic0=" + re.match(r"\w+", cards[0]).group())
        if ip:
            words.append(f"ip0={ip if '/' in ip else ip + '/24'}")
        # Without TMPDIR the guest's memory is a file in /dev/shm. Anywhere
        # else the host would write it to a disk.
        environment = {"PATH": os.environ["PATH"]}
        with open(self.log, "wb") as log:
            return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=log,
                                    stderr=log, env=environment,
                                    start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def console(self):
        return self.log.read_text(errors="replace")

    def _wait_for(self, pattern, offset, timeout, what):
        """The first match of @pattern in the console after @offset."""
        def look():
            with open(self.log, "rb") as log:
                log.seek(offset)
                found = re.search(pattern, log.read())
            if not found and self.process.poll() is not None:
                raise LabError(f"guest {self.name} ended while waiting for "
                               f"{what}; console: {self.log}\n{self._tail()}")
            return found

        try:
            return wait_until(look, what, timeout)
        except LabError as error:
            raise LabError(f"guest {self.name}: {error}; "
                           f"console: {self.log}\n{self._tail()}") from None

    def _tail(self):
        return "\n".join(self.console().splitlines()[-15:])

    def wait_ready(self, timeout=BOOT_S):
        """Wait for the shell. run() does it too; this is for timing."""
        if not self.commands:
            self._wait_for(rb"guest \S+ is ready\n", 0, timeout, "the shell")
        return self

    def run(self, command, timeout=STEP_S):
        """Run a shell command in the guest; return (exit code, output)."""
        self.wait_ready()
        self.commands += 1
        mark = f"<{self.name}:{self.commands}>"
        start = self.log.stat().st_size
        line = (f"echo; sh -c {shlex.quote(command)} </dev/null 2>&1; "
                f"echo '{mark}' $?\n")
        # The guest's terminal takes no longer lines and would cut them.
        if max(map(len, line.split("\n"))) > 4000:
            raise LabError("command too long for the guest's terminal")
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        found = self._wait_for(re.escape(mark.encode()) + rb" (\d+)\n", start,
                               timeout, f"the end of: {command}")
        with open(self.log, "rb") as log:
            log.seek(start)
            output = log.read(found.start())
        return int(found.group(1)), output.decode(errors="replace").lstrip("\n")

    def check(self, command, timeout=STEP_S):
        """run() that insists on exit code 0 and returns the output."""
        code, output = self.run(command, timeout)
        if code:
            raise LabError(f"guest {self.name}: {command}: exit {code}\n"
                           f"{output}")
        return output

    def pings(self, ip, count=3, seconds=10):
        """True if @count pings in a row are answered within @seconds."""
        code, _ = self.run(f"ping -c {count} -A -w {seconds} -W 1 {ip}",
                           seconds + STEP_S)
        return code == 0

    def serve_files(self, directory, port=8000):
        """A web server; listens when this returns."""
        self.check(f"httpd -p {port} -h {directory}")

    def serve_iperf3(self):
        """An iperf3 server for one client; listens when this returns."""
        self.check("iperf3 -s -1 -D && "
                   "until netstat -ltn 2>&1 | grep -q :5201; do :; done")

    def pause(self):
        """Stop the guest dead; its sockets stay open and nobody reads them.

        Only the kernel's process is stopped: it traces the others, and they
        do not get far without it.
        """
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(lambda: process_stat(self.pid)[0] in "Tt",
                   f"guest {self.name} to stop")
        self.paused = True

    def resume(self):
        os.kill(self.pid, signal.SIGCONT)
        self.paused = False

    def stop(self):
        """Power off in good order; what does not go in time is killed."""
        if self.process.poll() is None and not self.paused:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(b"poweroff -f\n")
                self.process.stdin.flush()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        self.kill()

    def kill(self):
        """End the guest as a power failure would. Leaves no process behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        for pid in session_members(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not session_members(self.pid),
                   f"the processes of guest {self.name} to end")
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        shutil.rmtree(self.uml_dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()


# Switches -------------------------------------------------------------------

class Switch:
    """A running switch: Switch("--tap", "tap0", workdir=...).

    @program is ringswitch by default; uml_switch works as well. @socket is
    the control socket (workdir/ctl by default); None leaves the option out.
    Returns when guests can attach, or raises LabError with what the switch
    said. stdout goes to .out, stderr to .log.

    Without a @keeper the process that is started is the switch itself. With
    one, that process is the keeper, and switch_pid() the switch.
    """

    def __init__(self, *arguments, workdir, program=None, socket="",
                 stdin=subprocess.DEVNULL, ready_fd=None, name="switch",
                 wrapper=(), env=None, cwd=None, pass_fds=(),
                 keeper=WITH_KEEPER):
        self.workdir = pathlib.Path(workdir)
        self.socket = str(self.workdir / "ctl") if socket == "" else socket
        self.out = self.workdir / f"{name}.out"
        self.log = self.workdir / f"{name}.log"
        self.words = [*wrapper, program or ringswitch()]
        if self.socket:
            self.words += ["-unix", self.socket]
        self.words += arguments
        if not keeper and knows_keepers(program or ringswitch()):
            self.words.append("--no-keeper")
        use_fd = ready_fd if ready_fd is not None else program is None
        self._start(use_fd, stdin, env, cwd, pass_fds)

    def _start(self, use_fd, stdin, env, cwd, pass_fds):
        reader, low = os.pipe()
        # Out of the way of descriptors that must be 3, 4 and so on.
        writer = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 64)
        os.close(low)
        if use_fd:
            self.words += ["--ready-fd", str(writer)]
        with open(self.out, "wb") as out, open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.words, stdin=stdin, stdout=out, stderr=log, cwd=cwd,
                env=env, pass_fds=[*pass_fds, writer] if use_fd else pass_fds)
        os.close(writer)
        try:
            self._wait_ready(reader if use_fd else None)
        except BaseException:
            self.kill()
            raise
        finally:
            os.close(reader)

    def _wait_ready(self, reader):
        if reader is None:
            path = self.socket or "/tmp/uml.ctl"
            wait_until(lambda: self._accepts(path), "the switch to listen")
            return
        if not select.select([reader], [], [], STEP_S)[0]:
            raise LabError(f"{self.words[0]} is not ready after {STEP_S} s: "
                           f"{self.said()}")
        if os.read(reader, 16) != b"1\n":
            self.process.wait(STEP_S)
            raise LabError(f"{shlex.join(self.words)}: exit "
                           f"{self.process.returncode}: {self.said()}")

    def _accepts(self, path):
        if self.process.poll() is not None:
            raise LabError(f"{shlex.join(self.words)}: exit "
                           f"{self.process.returncode}: {self.said()}")
        return can_connect(path)

    @property
    def pid(self):
        return self.process.pid

    def switch_pid(self):
        """The process that switches: our own, or the keeper's only child."""
        children = children_of(self.pid)
        return self.pid if "--no-keeper" in self.words else children[0]

    def said(self):
        """All output so far, both streams."""
        return (self.out.read_text(errors="replace")
                + self.log.read_text(errors="replace"))

    def stats(self):
        """Ask for the counters (SIGUSR1): {"uml1": {"received": 3, ...},
        ..., "closed": {...}, "total": {...}, "mac": {...}}."""
        start = self.out.stat().st_size
        self.process.send_signal(signal.SIGUSR1)

        def complete():
            with open(self.out) as out:
                out.seek(start)
                text = out.read()
            return text if re.search(r"^mac .*\n", text, re.M) else None

        return parse_stats(wait_until(complete, "the switch's statistics"))

    def wait_stats(self, condition, what, timeout=STEP_S):
        """The first statistics for which condition(stats) is true."""
        def look():
            stats = self.stats()
            return stats if condition(stats) else None
        return wait_until(look, what, timeout)

    def wait_ports(self, count):
        """The first statistics with @count ports in them."""
        return self.wait_stats(
            lambda stats: len(set(stats) - {"closed", "total", "mac"})
            == count, f"{count} ports")

    def final_stats(self):
        """The counters it printed when it ended."""
        blocks = re.findall(r"(?:^port=.*\n)+^mac .*\n",
                            self.out.read_text(), re.M)
        if not blocks:
            raise LabError(f"no statistics in {self.out}")
        return parse_stats(blocks[-1])

    def stop(self, sig=signal.SIGTERM):
        """End it in good order; return its exit code (negative: a signal)."""
        if sig == signal.SIGKILL:
            self.kill()
        self.process.send_signal(sig)
        try:
            return self.process.wait(STEP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"the switch ignores {sig!r}; log: {self.log}")

    def kill(self):
        """End it as the end of the world would: the keeper first, who would
        start another switch."""
        others = descendants_of(self.pid)
        self.process.kill()
        self.process.wait()
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, others)),
                   "the switch's processes to end")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            # A stopped or hanging switch must not keep the tests.
            with contextlib.suppress(LabError):
                self.stop()


def parse_stats(text):
    """Lines of key=value words into {port: {key: number or word}}."""
    stats = {}
    for line in text.splitlines():
        if not line.startswith(("port=", "mac ")):
            continue
        # What a VDE client says of itself: the last, and it may have blanks.
        line, _, description = line.partition(" description=")
        pairs = dict(word.split("=", 1) for word in line.split()
                     if "=" in word)
        name = pairs.pop("port", "mac")
        stats[name] = {key: int(value) if value.isdigit() else value
                       for key, value in pairs.items()}
        if description:
            stats[name]["description"] = description.strip('"')
    return stats


def assert_books_balance(stats):
    """What the counters promise, for every port and for all together."""
    for name, port in stats.items():
        if name == "mac":
            continue
        assert port["received"] == port["forwarded"] + port["dropped"], name
        assert port["offered"] == (port["sent"] + port["undelivered"]
                                   + port["queued"]), name
        assert port["dropped"] + port["undelivered"] == sum(
            value for key, value in port.items()
            if key.startswith("drop.")), name


def run_switch(*arguments, pass_fds=(), env=None):
    """Run ringswitch where it must not start; (exit code, what it said)."""
    done = subprocess.run(
        [ringswitch(), *map(str, arguments)], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=STEP_S, pass_fds=pass_fds, env=env)
    return done.returncode, done.stdout


def open_files(pid):
    """Number of descriptors that process @pid has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def can_connect(path):
    """True if somebody listens on the stream socket @path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


# Clients --------------------------------------------------------------------

# Native byte order and layout, as the guests' kernel writes it.
SWITCH_MAGIC = 0xfeedface
REQ_NEW_CONTROL = 0
SOCKADDR_BYTES = 110
REQUEST_BYTES = 124


def sockaddr_un(path):
    """@path (bytes, may begin with NUL) as the 110 bytes of a sockaddr_un."""
    return struct.pack("=H108s", socket.AF_UNIX, path)


def request_v3(address):
    """What a UML guest sends; @address is a packed sockaddr_un."""
    return struct.pack("=III110s2x", SWITCH_MAGIC, 3, REQ_NEW_CONTROL, address)


def request_v1(address, mac=bytes(6)):
    return struct.pack("=II6s110s", SWITCH_MAGIC, REQ_NEW_CONTROL, mac, address)


# One process never gives the same twice.
numbers = iter(range(1, 1 << 30))


def guest_like_name():
    """A data address as UML makes it: abstract, all of 108 bytes."""
    return struct.pack("=B3xii96x", 0, os.getpid(), next(numbers))


class Wire:
    """What every end of the network can do that has a recv(timeout)."""

    def drain(self):
        """All frames that have already arrived."""
        return list(iter(lambda: self.recv(0), None))

    def recv_until(self, wanted, timeout=STEP_S):
        """Receive up to and with the frame @wanted; return what came before.

        The switch keeps the order of frames from one port to another. So a
        last frame that must arrive proves what has not arrived, without any
        waiting for nothing.
        """
        before = []
        deadline = time.monotonic() + timeout
        while True:
            frame = self.recv(max(0, deadline - time.monotonic()))
            if frame is None:
                raise LabError(f"frame did not arrive within {timeout} s; "
                               f"{len(before)} others did")
            if frame == wanted:
                return before
            before.append(frame)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Client(Wire):
    """A guest's side of the protocol, without the guest.

    As in UML the data socket is bound to a 110-byte abstract name, is not
    connected, and takes 11 frames (more where net.unix.max_dgram_qlen is
    raised) before the sender is told to wait.
    """

    def __init__(self, path, request=request_v3, timeout=STEP_S):
        self.name = guest_like_name()
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._join(str(path), request, timeout)
        except BaseException:
            self.close()
            raise

    def _join(self, path, request, timeout):
        self.control.settimeout(timeout)
        self.control.connect(path)
        self.data.bind(self.name)
        self.control.sendall(request(sockaddr_un(self.name)))
        # One read, as the guest does it: two halves would be no reply.
        reply = self.control.recv(4096)
        if len(reply) != SOCKADDR_BYTES:
            raise LabError(f"reply of {len(reply)} bytes to a join request, "
                           f"expected {SOCKADDR_BYTES}")
        self.peer = reply[2:]
        if self.peer[0]:
            self.peer = self.peer.split(b"\0")[0]

    def send(self, frame):
        """Send one frame; waits while the switch's queue is full."""
        self.data.settimeout(STEP_S)
        self.data.sendto(frame, self.peer)

    def try_send(self, frame):
        """send(), or False if that would have to wait."""
        self.data.setblocking(False)
        try:
            self.data.sendto(frame, self.peer)
        except BlockingIOError:
            return False
        return True

    def recv(self, timeout=STEP_S):
        """The next frame, or None if none comes within @timeout."""
        self.data.settimeout(timeout)
        try:
            return self.data.recv(1 << 16)
        except (socket.timeout, BlockingIOError):
            return None

    def closed_by_switch(self, timeout):
        """True if the control connection ends within @timeout."""
        return ends(self.control, timeout)

    def close(self):
        self.control.close()
        self.data.close()


def ends(connection, timeout):
    """True if @connection is closed by the other side within @timeout."""
    connection.settimeout(timeout)
    try:
        return connection.recv(4096) == b""
    except socket.timeout:
        return False
    except ConnectionResetError:
        return True


# Taps -----------------------------------------------------------------------

class Tap:
    """A persistent tap device of the host, deleted at the end of the block."""

    def __init__(self, name, ip=None, mtu=None, owner=None):
        self.name = name
        self.ip = ip.split("/")[0] if ip else None
        sh("ip", "tuntap", "add", name, "mode", "tap",
           *(["user", owner] if owner else []))
        if mtu:
            self.set("mtu", str(mtu))
        if ip:
            sh("ip", "address", "add", ip, "dev", name)

    def set(self, *words):
        """ip link set NAME WORDS..."""
        sh("ip", "link", "set", self.name, *words)
        if words[0] == "name":
            self.name = words[1]

    def close(self):
        sh("ip", "link", "delete", self.name, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


SIOCGIFFLAGS = 0x8913
IFF_UP = 1
IFF_LOOPBACK = 8
PACKET_OUTGOING = 4
ETH_P_ALL = 3


# Not by /sys/class/net: that shows the namespace it was mounted in, not ours.
def links():
    """Names of the network devices of our namespace."""
    return [name for _, name in socket.if_nameindex()]


def link_flags(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH22x", name.encode(), 0)
        reply = fcntl.ioctl(probe, SIOCGIFFLAGS, request)
    return struct.unpack("16sH22x", reply)[1]


class HostSide(Wire):
    """Raw frames on the host's side of a tap device."""

    def __init__(self, tap):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                    socket.htons(ETH_P_ALL))
        self.socket.bind((tap, 0))

    def send(self, frame):
        self.socket.send(frame)

    def recv(self, timeout=STEP_S):
        """The next frame that came out of the switch, or None."""
        deadline = time.monotonic() + timeout
        while True:
            self.socket.settimeout(max(0, deadline - time.monotonic()))
            try:
                frame, address = self.socket.recvfrom(1 << 16)
            except (socket.timeout, BlockingIOError):
                return None
            if address[2] != PACKET_OUTGOING:
                return frame

    def close(self):
        self.socket.close()


# Frames ---------------------------------------------------------------------

BROADCAST = "ff:ff:ff:ff:ff:ff"
ETH_HEADER_BYTES = 14
# For local experiments (IEEE 802): no guest and no host reacts to it.
ETHERTYPE = 0x88b5


def mac(number):
    """A locally administered unicast address."""
    return "02:00:" + ":".join(f"{byte:02x}"
                               for byte in number.to_bytes(4, "big"))


def frame(dst, src, payload=b"", size=0, ethertype=ETHERTYPE):
    """An Ethernet frame, filled up to @size bytes with a pattern."""
    header = bytes.fromhex((dst + src).replace(":", ""))
    header += ethertype.to_bytes(2, "big") + payload
    fill = bytes(range(256)) * (size // 256 + 1)
    return header + fill[:max(0, size - len(header))]
