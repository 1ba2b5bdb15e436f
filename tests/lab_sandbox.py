"""Sandboxes for tests: a home for them, and the images of their guests.

The images are built once by "make sandbox-images": a test has no network.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import lab

SANDBOX = lab.ROOT / "switch/lab/sandbox"
IMAGES = lab.ROOT / "build/sandbox/images"


class Sandbox:
    """One home for sandboxes; all that the tests start is under it."""

    def __init__(self, home):
        self.home = home
        (home / "images").symlink_to(IMAGES)
        self.environment = dict(os.environ, SANDBOX_HOME=str(home))

    def command(self, *words, **kwargs):
        kwargs.setdefault("timeout", 120)
        kwargs.setdefault("env", self.environment)
        return subprocess.run([SANDBOX, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False,
                              **kwargs)

    def do(self, *words, **kwargs):
        done = self.command(*words, **kwargs)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *words, status=1, **kwargs):
        """The one line that it says why."""
        done = self.command(*words, **kwargs)
        assert done.returncode == status, done.stdout + done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        return lines[0]

    def pids(self):
        """Of the guests, the switch and who holds the namespaces."""
        return {path: path.read_text() for pattern in
                ("*/holder", "*/guests/*/pid", "*/net/lan.pid")
                for path in self.home.glob(pattern)}

    def processes(self):
        """Whatever has our directory in its command line."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(self.home).encode() in path.read_bytes():
                    found.append(path.read_bytes())
        return found


def need_image(packages):
    """Skip if there is none with these packages."""
    asked = dict(os.environ, SANDBOX_HOME=str(IMAGES.parent))
    steps = subprocess.run(
        [SANDBOX, "image", "--dry-run", "--package", packages], env=asked,
        capture_output=True, text=True, timeout=30, check=True).stdout
    if "mmdebstrap" in steps:
        pytest.skip(f"no image with {packages}: make sandbox-images")


@contextlib.contextmanager
def sandbox_home():
    """A Sandbox; what is in it ends with it."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="sb"))
    box = Sandbox(home)
    try:
        yield box
    finally:
        for settings in home.glob("*/settings"):
            box.command("--name", settings.parent.name, "destroy")
        for holder in home.glob("*/holder"):
            os.kill(int(holder.read_text().split()[0]), signal.SIGKILL)
        shutil.rmtree(home)
