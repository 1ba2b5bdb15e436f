"""Runs in which one call fails, and what must be true afterwards.

    perform(program, layer, scenario, faults, directory, ...) -> Outcome

A scenario (lab_inject_scenarios.py) starts a switch, does with it everything it can, and at the end shows
that it is well. Each step may be refused, or lose a frame: that is what the
fault does. But at the end (or if it has ended at the start, with one line and
a status that is not 0):

- no sanitizer, no assertion has said anything, nothing was leaked;
- the switch is still there, lets new guests in, forwards, answers control;
- it has no more descriptors than before, once all clients have gone;
- it ends when it is told to, in time, with status 0, and leaves nothing behind.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import time

import lab
from lab_control import Control

# What a client waits for an answer or a frame that may have been lost; and
# for one that has to come.
STEP_S = 1.0
SURE_S = 10.0

# Looking for leaks is what no sandbox lets one do: some scenarios have the one,
# some the other.
LEAK_CHECK = {"RINGSWITCH_LEAK_CHECK": "1"}

SEALED = ("sealed", "sealed_kept", "killed", "service")

# Options of the sanitizers. Ours has a status of its own.
CRASHED = 99
SANITIZERS = {"ASAN_OPTIONS": f"exitcode={CRASHED}:handle_abort=1",
              "LSAN_OPTIONS": f"exitcode={CRASHED}",
              "UBSAN_OPTIONS": "print_stacktrace=1"}
BAD_WORDS = re.compile(r"Sanitizer|runtime error|Assertion|assert|Traceback")


# A file whose removal is what fails stays, and who has no memory to ask for it
# says so. Where one's own directory or socket
# cannot be told any more (which the kernel does not do), so does what has a
# relative path, or was named by the kernel. A state file that cannot be read is
# nobody's to remove.
MAY_LEAVE = re.compile(r"unlink|rmdir|\w*stat|open|connect|flock|\w*readdir|"
                       r"socket|getcwd|getsockname|pread|"
                       r"calloc at switch/opener_ask\.c:\d+ \(errand_new\)")


@dataclasses.dataclass
class Outcome:
    ended: str = "went on"       # or "refused" to start
    complaints: list = dataclasses.field(default_factory=list)
    mishaps: list = dataclasses.field(default_factory=list)
    said: str = ""
    seconds: float = 0


class Started(lab.Switch):
    """A switch that is known to @run also when it does not get ready."""

    def __init__(self, run, *arguments, **more):
        run.switch = self
        environment = {**os.environ, **SANITIZERS,
                       **({} if run.sealed else LEAK_CHECK), "INJECT": run.layer.path,
                       **more.pop("env", {})}
        super().__init__(*arguments, workdir=run.directory, env=environment,
                         program=str(run.program.path), ready_fd=True, **more)

    def _wait_ready(self, reader):
        """What fails may be the line that tells us; guests are what counts."""
        if not select.select([reader], [], [], SURE_S)[0]:
            raise lab.LabError(f"is not ready after {SURE_S} s")
        if os.read(reader, 16) == b"1\n":
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
            if self.process.returncode == 0:
                return  # gone to the background
            raise lab.LabError(f"exit {self.process.returncode}")
        lab.wait_until(lambda: lab.can_connect(self.socket),
                       "a switch that has not said that it is ready", SURE_S)


class Run:
    """One run of a scenario."""

    def __init__(self, program, layer, directory):
        self.program, self.layer = program, layer
        self.directory = pathlib.Path(directory)
        self.outcome = Outcome()
        self.switch = None
        self.sealed = False
        self.stack = contextlib.ExitStack()

    def path(self, name):
        return str(self.directory / name)

    @property
    def socket(self):
        return self.path("ctl")

    def complain(self, text):
        self.outcome.complaints.append(text)

    @contextlib.contextmanager
    def step(self, what):
        """Something that may be refused now that something fails: whatever
        a client makes of that."""
        try:
            yield
        except Exception as error:
            self.outcome.mishaps.append(f"{what}: {error!r:.200}")

    def sure(self, what, action):
        """Something that must work, at once or after some tries."""
        deadline = time.monotonic() + SURE_S
        while True:
            try:
                return action()
            except Exception as error:
                if time.monotonic() > deadline or self.is_gone():
                    self.complain(f"{what}: {error!r:.300}")
                    return None
                time.sleep(0.02)

    def start(self, *arguments, **more):
        """False if it has refused to start, as it may."""
        try:
            Started(self, *arguments, **more)
        except lab.LabError as error:
            if not self.switch.process or self.switch.process.poll() is None \
                    or "is not ready after" in str(error):
                self.complain(f"start: {error}")
            return False
        return True

    def is_gone(self):
        return (self.switch.process.poll() is not None
                and not lab.find_process(self.socket))

    def keep(self, client):
        return self.stack.enter_context(client)

    def control(self, path=None):
        return Control(path or self.socket + ".control", STEP_S)

    def files(self):
        """Descriptors of the switch."""
        return lab.open_files(self.pid())

    def pid(self):
        return self.switch.switch_pid()


def send_some(run, senders, receivers):
    """A frame from each to everybody; some may be lost."""
    for number, sender in enumerate(senders, 1):
        with run.step(f"frame from {type(sender).__name__}"):
            sender.send(lab.frame(lab.BROADCAST, lab.mac(number),
                                  os.urandom(8), 100 * number))
    for receiver in receivers:
        with run.step(f"frame to {type(receiver).__name__}"):
            receiver.recv(0.05)


def exchange(a, b):
    """Both see each other's next frame, if tried often enough."""
    for number, (one, other) in enumerate(((a, b), (b, a)), 1):
        frame = lab.frame(lab.BROADCAST, lab.mac(1000 + number),
                          os.urandom(8), 500)
        for _ in range(5):
            one.send(frame)
            if other.recv(0.5) == frame:
                break
            other.drain()
        else:
            raise lab.LabError("frames do not pass")


def new_guests(path):
    """Two guests join and reach each other."""
    with lab.Client(path, timeout=2) as a, lab.Client(path, timeout=2) as b:
        exchange(a, b)


def is_well(run, path=None, control=True):
    run.sure("new guests", lambda: new_guests(path or run.socket))
    if control:
        def ask():
            with run.control() as c:
                c.request("port.show", timeout=2)
                c.request("stats.show", timeout=2)
        run.sure("control", ask)


def clean_up(run, files_before):
    """All clients leave; ports and descriptors go with them."""
    run.stack.close()
    deadline = time.monotonic() + SURE_S
    while run.files() > files_before:
        if time.monotonic() > deadline:
            numbers = f"/proc/{run.pid()}/fd"
            held = sorted(os.readlink(f"{numbers}/{n}")
                          for n in os.listdir(numbers))
            run.complain(f"{len(held)} descriptors, {files_before} before: "
                         f"{held}")
            return
        time.sleep(0.01)


def stop(run):
    run.switch.process.send_signal(signal.SIGTERM)
    try:
        status = run.switch.process.wait(SURE_S)
    except Exception:
        run.complain("does not end")
        run.switch.kill()
        return
    if status:
        run.complain(f"ends with status {status}")


def left_behind(run, *ours):
    """What lies in the directory and is none of the test's."""
    ours = {"switch.out", "switch.log", "rules", *ours}
    there = {str(path.relative_to(run.directory))
             for path in run.directory.rglob("*")}
    return sorted(there - ours)


def lines_of(text):
    """What was said, without what is different each time."""
    return {re.sub(r"\d+", "N", line) for line in text.splitlines() if line}


def judge(run, faults, ours=(), usual=frozenset()):
    """What it said, how it ended, what it left."""
    outcome = run.outcome
    status = run.switch.process.poll()
    outcome.said = run.switch.said()
    log = run.switch.log.read_text(errors="replace")
    if BAD_WORDS.search(outcome.said):
        run.complain("crashed")
    if outcome.ended == "refused":
        lines = lines_of(log) - usual
        if status not in (1, 2, 127):
            run.complain(f"refuses to start with status {status}")
        if not lines or len(lines) > max(1, len(faults)):
            run.complain(f"refuses to start with {len(lines)} lines: {lines}")
    left = left_behind(run, *ours)
    if left and not any(MAY_LEAVE.match(str(f.site)) for f in faults):
        run.complain(f"leaves {left}")


def perform(program, layer, scenario, faults, directory, usual, ours):
    """Run @scenario once with @faults; what came of it. @usual is what the
    switch says without any; @ours are files that the scenario leaves."""
    began = time.monotonic()
    directory = pathlib.Path(directory)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    layer.begin(*faults)
    this = Run(program, layer, directory)
    this.sealed = scenario.__name__ in SEALED
    try:
        this.outcome.ended = scenario(this)
        finish(this)
    finally:
        this.stack.close()
        while pid := lab.find_process(this.socket):
            this.complain(f"process {pid} had to be killed")
            lab.end_process(pid, signal.SIGKILL)
    judge(this, faults, ours, usual)
    this.outcome.seconds = time.monotonic() - began
    return this.outcome


def finish(this):
    this.stack.close()
    if this.outcome.ended == "went on":
        if this.is_gone():
            this.complain("is gone: status "
                          f"{this.switch.process.returncode}")
        else:
            stop(this)
    elif this.outcome.ended == "refused":
        with contextlib.suppress(Exception):
            this.switch.process.wait(SURE_S)
