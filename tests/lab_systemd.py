"""A systemd of the tests' own, in a copy of this machine's files.

     this machine's files ---- overlay ---- systemd (process 1 there)
      (nothing changes)                       |-- ringswitch@lab
                                              network of its own

The programs under test are those of the machine, Debian's, with ours installed
in the copy.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import lab

LIMIT_S = 30


class Machine:
    """Made by boot(); everything here happens inside the copy."""

    def __init__(self, directory, pid, holder):
        self.directory = directory
        self.pid = pid
        self.holder = holder # its parent, which sees the overlay from outside

    @property
    def root(self):
        """Where we find its files, those that were mounted included."""
        return pathlib.Path(f"/proc/{self.pid}/root")

    @property
    def changes(self):
        """Files with what is different there from this machine's own."""
        return pathlib.Path(f"/proc/{self.holder}/root{self.directory}/changes")

    def run(self, *words, check=True, stdin=""):
        """Run a command as root; returns (exit status, output)."""
        enter = ["nsenter", "--target", str(self.pid), "--all", "--root",
                 "--wd", *map(str, words)]
        done = subprocess.run(enter, text=True, input=stdin,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT_S,
                              env={**os.environ, "HOME": "/root",
                                   "DEBIAN_FRONTEND": "noninteractive"})
        if check:
            assert done.returncode == 0, f"{words}: {done.stdout}"
        return done.returncode, done.stdout

    def write(self, path, text):
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text)

    def exists(self, path):
        return os.path.lexists(self.root / path.lstrip("/"))

    def show(self, unit, name):
        """A property of a unit, as systemctl shows it."""
        return self.run("systemctl", "show", "-P", name, unit)[1].strip()

    def journal(self, unit):
        """Why it is as it is, for messages of tests."""
        return self.run("systemctl", "status", "--no-pager", "-l", unit,
                        check=False)[1]

    def python(self, text, *arguments, user="root"):
        """Run Python with the tests' modules in it, and return its output."""
        text = f"import sys; sys.path.insert(0, {str(lab.HERE)!r})\n{text}"
        return self.run("setpriv", "--reuid", user, "--regid", user,
                        "--init-groups", "/usr/bin/python3", "-c", text,
                        *arguments)[1]


def is_machines_root():
    """And not only root of a user namespace."""
    ids = pathlib.Path("/proc/self/uid_map").read_text().split()
    return os.geteuid() == 0 and ids == ["0", "0", "4294967295"]


def why_not():
    """What keeps us from it here, or None."""
    if not is_machines_root():
        return "a systemd of our own needs the machine's root"
    if "overlay" not in pathlib.Path("/proc/filesystems").read_text():
        return "a copy of the machine's files needs overlayfs"
    for program in "/lib/systemd/systemd", "/usr/bin/nsenter":
        if not os.path.exists(program):
            return f"{program} is not there (Debian's systemd, util-linux)"
    return None


def cgroups_of(directory):
    return [path for path in
            pathlib.Path("/sys/fs/cgroup").glob(f"*/{directory.name}")
            ] + [pathlib.Path("/sys/fs/cgroup") / directory.name]


def remove_cgroups(directory):
    """They can go when their processes have."""
    for top in cgroups_of(directory):
        for path, *_ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
    return not any(path.exists() for path in cgroups_of(directory))


def child_of(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return int(text.split()[0]) if text.split() else None
    return None


@contextlib.contextmanager
def boot():
    """A Machine that runs; gone afterwards, with all that was changed."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="ringswitch-boot-"))
    log = open(f"{directory}.log", "w+")
    process = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork",
         "--kill-child", str(lab.HERE / "boot_systemd.sh"), str(directory),
         str(lab.ROOT)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_up():
        assert process.poll() is None, pathlib.Path(log.name).read_text()
        pid = child_of(process.pid)
        return pid if pid and subprocess.run(
            ["nsenter", "--target", str(pid), "--all", "--root", "--wd",
             "systemctl", "is-system-running"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ).stdout in (b"running\n", b"degraded\n") else None

    try:
        pid = lab.wait_until(is_up, "systemd to run", LIMIT_S)
        yield Machine(directory, pid, process.pid)
    finally:
        process.kill()
        process.wait()
        lab.wait_until(lambda: remove_cgroups(directory),
                       "the cgroups to be empty")
        shutil.rmtree(directory)
        log.close()
        os.unlink(log.name)
