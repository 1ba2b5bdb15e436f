"""ringtap and tunctl under test: running them, and what ip(8) knows of taps."""

import contextlib
import fcntl
import json
import os
import struct
import subprocess

import pytest

import lab

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE = 0x2, 0x1000, 0x100


def run(program, *words, name="ringtap", wrapper=()):
    """(exit code, stdout, stderr) of @program, called @name."""
    if wrapper:
        command = {"args": [*wrapper, program, *words]}
    else:
        command = {"args": [name, *words], "executable": program}
    done = subprocess.run(**command, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=lab.STEP_S)
    return done.returncode, done.stdout, done.stderr


def does(program, *words):
    """What ringtap printed, if it did what it was told without a word."""
    code, out, said = run(program, *words)
    assert (code, said) == (0, "")
    return out


def refuses(program, code, *words, wrapper=()):
    """The one line that ringtap says when it ends with @code."""
    found, out, said = run(program, *words, wrapper=wrapper)
    assert (found, out) == (code, "")
    assert said.startswith("ringtap: ") and said.count("\n") == 1
    return said


def ip_links():
    found = subprocess.run(["ip", "-d", "-j", "link", "show"], check=True,
                           capture_output=True, text=True).stdout
    return json.loads(found or "[]")


def taps():
    """name: what ip(8) knows of it, of all taps. (A link's "group" is another
    thing than a tap's.)"""
    return {link["ifname"]: link | {"group": None}
            | link["linkinfo"]["info_data"] for link in ip_links()
            if link.get("linkinfo", {}).get("info_kind") == "tun"}


def delete_taps():
    for name in taps():
        lab.sh("ip", "link", "del", name)


@contextlib.contextmanager
def opened(name, flags=IFF_TAP | IFF_NO_PI):
    """Have a tap open, as a switch has."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        yield
    finally:
        os.close(fd)


@pytest.fixture(name="ringtap")
def ringtap_fixture(build, tap_device):
    """The program under test; and no taps before or after a test."""
    assert not taps()
    yield str(build / "ringtap")
    delete_taps()


@pytest.fixture
def as_nobody(other_user, public_dir):
    """Words to put before a command that nobody is to run, with a
    /dev/net/tun that is open to all."""
    device = public_dir / "tun"
    os.mknod(device, 0o600 | 0o020000, os.makedev(10, 200))
    device.chmod(0o666)
    return ["unshare", "--mount", "sh", "-c",
            f"mount --bind {device} /dev/net/tun && exec setpriv "
            '--reuid=nobody --regid=nogroup --clear-groups "$0" "$@"']
