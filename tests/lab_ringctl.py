"""ringctl in the laboratory: run it, look at it on a terminal, lie to it.

    ringctl(...)     run it to its end: (exit code, stdout, stderr)
    Screen           it runs on a terminal of a size; what stands there
    FakeSwitch       a control socket that answers what a test wants, for what
                     no good switch says
    ask, tell, pair  fixtures
"""

import contextlib
import json
import os
import pathlib
import select
import socket
import subprocess
import threading
import time

import pexpect
import pyte
import pytest

import lab
from lab_clients import reach
from lab_control import control_path


def program():
    """ringctl of the build under test."""
    return str(pathlib.Path(lab.ringswitch()).with_name("ringctl"))


def environment(**more):
    """Nothing of the caller's that ringctl looks at, UTF-8, and @more."""
    ours = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC",
            "TERM": "xterm-256color"}
    # What sanitizers say must be seen.
    ours.update({key: value for key, value in os.environ.items()
                 if key.endswith("SAN_OPTIONS")})
    ours.update(more)
    return ours


def ringctl(*words, stdin="", **more):
    """Run it; (exit code, stdout, stderr). @more goes into its environment."""
    done = subprocess.run([program(), *map(str, words)], input=stdin,
                          capture_output=True, text=True, timeout=lab.STEP_S,
                          env=environment(**more))
    return done.returncode, done.stdout, done.stderr


# Fixtures, for tests that import them by name.

@pytest.fixture
def pair(switch, cleanup):
    """Two clients whose addresses are known."""
    a, b = [cleanup.enter_context(lab.Client(switch.socket)) for _ in range(2)]
    reach(a, b, 1)
    reach(b, a, 2)
    return a, b


@pytest.fixture
def ask(switch):
    """ringctl with the switch; (exit code, stdout, stderr)."""
    def run(*words, **more):
        return ringctl("--socket", control_path(switch), *words, **more)
    return run


@pytest.fixture
def tell(ask):
    """The same, which must succeed silently; stdout."""
    def run(*words, **more):
        code, out, said = ask(*words, **more)
        assert (code, said) == (0, ""), said
        return out
    return run


class Screen:
    """ringctl on a terminal of @columns and @lines."""

    def __init__(self, *words, columns=80, lines=24, **more):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.bytes = b""
        self.process = pexpect.spawn(
            program(), list(map(str, words)),
            # Its own emulation knows no "repeat that character".
            env=environment(**{"TERM": "linux", **more}),
            dimensions=(lines, columns), timeout=lab.STEP_S, echo=False)

    def _read(self, timeout):
        """Feed what comes within @timeout; False: it has ended."""
        try:
            new = self.process.read_nonblocking(1 << 16, timeout)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.bytes += new
        self.stream.feed(new)
        return True

    def lines(self):
        """What stands there, without the blanks at the end."""
        return [line.rstrip() for line in self.screen.display]

    def wait(self, condition, what):
        """Read until condition(text of the screen) is true; return that."""
        deadline = time.monotonic() + lab.STEP_S
        while True:
            value = condition("\n".join(self.lines()))
            if value:
                return value
            if not self._read(0.05) or time.monotonic() > deadline:
                raise lab.LabError(f"the screen never had {what}:\n"
                                   + "\n".join(self.lines()))

    def wait_end(self):
        """Read until it ends; its exit code (negative: a signal)."""
        deadline = time.monotonic() + lab.STEP_S
        while self._read(0.1):
            if time.monotonic() > deadline:
                raise lab.LabError("ringctl does not end")
        self.process.close()
        status = self.process.exitstatus
        return -self.process.signalstatus if status is None else status

    def press(self, keys):
        self.process.send(keys)

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        self.process.setwinsize(lines, columns)

    def text(self):
        """All that it wrote, as text: nothing cut by the screen's height."""
        return self.bytes.decode()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.close(force=True)


class FakeSwitch:
    """Answers at @path what @answers says: {command: value to return, or bytes
    to send as they are, or a function of the request that gives one of them}.

    What was asked is in .requests. A monitor socket or another place is only
    another @path.
    """

    def __init__(self, path, answers):
        self.path = str(path)
        self.answers = answers
        self.requests = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(16)
        self.ending, self.told = os.pipe()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        clients = {}
        while True:
            ready = select.select([self.listener, self.ending, *clients],
                                  [], [])[0]
            if self.ending in ready:
                break
            for one in ready:
                if one is self.listener:
                    clients[one.accept()[0]] = b""
                elif not self._read(one, clients):
                    one.close()
                    del clients[one]
        for one in clients:
            one.close()

    def _read(self, client, clients):
        """Answer what is whole of what came; False: the client has gone."""
        try:
            new = client.recv(1 << 16)
            *whole, clients[client] = (clients[client] + new).split(b"\n")
            for line in whole:
                client.sendall(self._answer(json.loads(line)))
        except OSError:
            return False
        return bool(new)

    def _answer(self, request):
        self.requests.append(request)
        value = self.answers.get(request["execute"])
        if callable(value):
            value = value(request)
        if isinstance(value, bytes):
            return value
        return json.dumps({"version": 1, "return": value}).encode() + b"\n"

    def allow(self, mode):
        """Who may connect."""
        os.chmod(self.path, mode)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.write(self.told, b"x")
        self.thread.join(lab.STEP_S)
        for fd in self.ending, self.told:
            os.close(fd)
        self.listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def error(code, message):
    """The answer of a switch that refuses."""
    return json.dumps({"version": 1, "error": {"code": code,
                                               "message": message}}
                      ).encode() + b"\n"
