"""bpftrace at work on a switch.

    bpftrace           skips where it cannot trace, with the reason
    Trace              one that runs
    probes(program)    what the program itself says of its probes

     Trace -- kernel -- int3 in the place of a nop -- ringswitch -- guests
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

import lab

SCRIPTS = lab.ROOT / "switch"
PROVIDER = "ringswitch"


def probes(program):
    """{name: [(address, arguments)]}, one for each place in the program.

    An argument is the bytes of its type, negative if that has a sign.
    """
    notes = lab.sh("readelf", "-W", "-n", program)
    found = {}
    for name, address, text in re.findall(
            rf"Provider: {PROVIDER}\s+Name: (\w+)\s+Location: (\w+),.*\s+"
            r"Arguments:(.*)", notes):
        arguments = [int(size) for size in re.findall(r"(-?\d+)@", text)]
        found.setdefault(name, []).append((int(address, 16), arguments))
    return found


class Places:
    """Where the probes @names are in the memory of a process."""

    def __init__(self, pid, program, names):
        self.pid = pid
        all_probes = probes(program)
        path = os.path.realpath(program)
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        base = next(int(line.split("-")[0], 16) for line in maps.splitlines()
                    if line.endswith(" " + path))
        self.addresses = [base + address for name in names
                          for address, _ in all_probes[name]]

    def bytes(self):
        """The first byte of each instruction there."""
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            return [os.pread(memory.fileno(), 1, address)
                    for address in self.addresses]


class Trace:
    """bpftrace with @program, a text or one of SCRIPTS, on @switch.

    All its probes are in place when this returns, or LabError says what
    bpftrace said.
    """

    def __init__(self, switch, program, workdir):
        self.out = pathlib.Path(workdir) / "trace.out"
        self.log = pathlib.Path(workdir) / "trace.log"
        script = isinstance(program, pathlib.Path)
        text = program.read_text() if script else program
        names = re.findall(rf"^usdt::{PROVIDER}:(\w+)", text, re.M)
        places = Places(switch.pid, lab.ringswitch(), names)
        before = places.bytes()
        with open(self.out, "wb") as out, open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["bpftrace", "-B", "none", "-p", str(switch.pid),
                 *([str(program)] if script else ["-e", program])],
                stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        try:
            lab.wait_until(
                lambda: self._alive() and all(
                    one != other
                    for one, other in zip(before, places.bytes())),
                "bpftrace to attach")
        except BaseException:
            self.close()
            raise

    def _alive(self):
        if self.process.poll() is not None:
            raise lab.LabError(f"bpftrace: exit {self.process.returncode}: "
                               f"{self.log.read_text()}")
        return True

    def lines(self, first=""):
        """The words of the lines so far that begin with the word @first."""
        lines = [line.split() for line in self.out.read_text().splitlines()]
        return [words for words in lines if words and first in ("", words[0])]

    def wait_lines(self, first, count):
        """The first @count lines that begin with @first, without it."""
        def there():
            self._alive()
            lines = self.lines(first)
            return [words[1:] for words in lines[:count]
                    ] if len(lines) >= count else None

        return lab.wait_until(there, f"{count} lines {first} of bpftrace")

    def finish(self):
        """As with Ctrl-C; returns all that it has printed."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(lab.STEP_S)
        assert code == 0, self.log.read_text()
        return self.out.read_text()

    def close(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def libc():
    """A file with probes that are not ours."""
    maps = pathlib.Path("/proc/self/maps").read_text()
    return next(line.split()[-1] for line in maps.splitlines()
                if "/libc.so" in line or "/libc-" in line)


@pytest.fixture(scope="session")
def bpftrace(tmp_path_factory):
    """Skip where bpftrace cannot attach to a probe: not to one of ours, or a
    broken one would be the reason."""
    if not shutil.which("bpftrace"):
        pytest.skip("no bpftrace here: apt-get install bpftrace")
    if os.geteuid() != 0:
        pytest.skip("bpftrace is for root")
    # Where it cannot, it says so and ends; otherwise BEGIN ends it.
    done = subprocess.run(
        ["bpftrace", "-e", f"usdt:{libc()}:libc:setjmp {{ }} "
         "BEGIN { exit(); }"], stdin=subprocess.DEVNULL, text=True,
        capture_output=True, timeout=lab.STEP_S,
        cwd=tmp_path_factory.mktemp("bpftrace"))
    if done.returncode:
        pytest.skip("bpftrace cannot attach to a program here: "
                    + done.stderr.strip().replace("\n", "; "))
