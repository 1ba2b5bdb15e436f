"""Objects of the user's own on a tap, and what tests need to judge them.

    built             an object that `make` has built
    order             a frame that asks for a verdict (bpf_obey.h)
    filtered          a switch with an object on its tap, and both its sides
    assert_judged     frames are dropped and pass as they ask for it
    arrived           which of many frames do, by name
    refused           a switch that must not start
    renamed           an object whose programs are called as nobody else's
    assert_bare       nothing is left attached to a tap

     host side (lab.HostSide)              guests' side (lab.Client)
              |                                     |
            tap0 ---- FILE.o ---- ringswitch -------+
              ---- to guests: socket or tc ---->
              <--------- to host: xdp ----------
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import select
import struct
import subprocess

import pytest

import lab

# Always there, whichever build is under test.
BUILT = lab.ROOT / "build"

XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT = range(5)
TC_ACT_OK, TC_ACT_SHOT = 0, 2
TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 2, 0x1000


def built(name):
    """The object @name, "bpf_both" or "example_guard"."""
    place = "tap" if name.startswith("example_") else "tests"
    path = BUILT / place / f"{name}.bpf.o"
    if not path.exists():
        pytest.fail(f"{path} is not there: run make")
    return path


def kernel_at_least(*wanted):
    numbers = re.findall(r"\d+", os.uname().release)
    return tuple(map(int, numbers[:2])) >= wanted


needs_tcx = pytest.mark.skipif(
    not kernel_at_least(6, 6), reason="section tc needs Linux 6.6")


def order(verdict, text, size=60, src=lab.mac(1)):
    """A frame to all that asks for @verdict."""
    return lab.frame(lab.BROADCAST, src,
                     (verdict & 0xffffffff).to_bytes(4, "big") + text.encode(),
                     size=size)


def send(end, *frames):
    """Send @frames; a host whose frame tc has dropped is told so (ENOBUFS)."""
    for frame in frames:
        try:
            end.send(frame)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


@contextlib.contextmanager
def filtered(path, workdir, *arguments, tap="tap0", name="switch", **options):
    """A switch with @path on @tap, and both its sides: (switch, host, client).

    A hub, so that no frame's way depends on earlier ones.
    """
    with lab.Switch("--hub", "--tap", f"{tap},filter={path}", *arguments,
                    workdir=workdir, name=name, **options) as switch, \
            lab.HostSide(tap) as host, lab.Client(switch.socket) as client:
        yield switch, host, client


def assert_judged(host, client, to_guests=None, to_host=None):
    """What is to be dropped is dropped, and the rest passes.

    @to_guests, @to_host: the verdicts for that, (drop, pass), or None if
    nothing judges that direction.
    """
    for sender, receiver, verdicts in ((host, client, to_guests),
                                       (client, host, to_host)):
        drop, accept = verdicts or (0, 1)
        dropped, passed = order(drop, "dropped"), order(accept, "passed")
        send(sender, dropped, passed)
        assert receiver.recv_until(passed) == ([] if verdicts else [dropped])


def arrived(sender, receiver, frames, last):
    """Which of @frames, {name: scapy packet}, arrive.

    That called @last must: it is sent when all others have been.
    """
    names = {bytes(frame): name for name, frame in frames.items()}
    assert len(names) == len(frames)
    last = bytes(frames[last])
    for frame in [*(names.keys() - {last}), last]:
        sender.send(frame)
    return {names[frame] for frame in [*receiver.recv_until(last), last]
            if frame in names}


SOCKET = (0, 0xffffffff)
XDP = (XDP_DROP, XDP_PASS)
TC = (TC_ACT_SHOT, TC_ACT_OK)


def refused(workdir, *arguments, wrapper=(), lines=1):
    """(exit code, the last line it said) of a switch that must not start.

    Without taps that were ready before, it is the only one.
    """
    path = workdir / "refused-ctl"
    done = subprocess.run(
        [*wrapper, lab.ringswitch(), "--unix", str(path), *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=2 * lab.STEP_S)
    assert not path.exists()
    assert not done.stdout
    assert done.stderr.startswith("ringswitch: "), done.stderr
    said = done.stderr.splitlines()
    assert len(said) == lines, done.stderr
    return done.returncode, said[-1]


def refused_filter(workdir, path, **options):
    """What it said when the file @path was no filter for it."""
    code, said = refused(workdir, "--tap", f"tap0,filter={path}", **options)
    assert code == 1, said
    assert "tap0" in said and str(path) in said
    assert "tap0" not in lab.links()
    return said


# The kernel's side ------------------------------------------------------------

def bpftool(*words):
    """What bpftool says, from JSON."""
    done = subprocess.run(["bpftool", "-j", *words], check=True,
                          capture_output=True, text=True, timeout=lab.STEP_S)
    return json.loads(done.stdout) if done.stdout else None


def program_ids(prefix):
    """The ids of all programs whose name begins so."""
    return {program["id"] for program in bpftool("prog")
            if program.get("name", "").startswith(prefix)}


def renamed(name, path, *words):
    """Put the object @name at @path, with other names instead of @words.

    Programs and maps are in no namespace: somebody else may run these tests
    at the same time. Returns the new names.
    """
    data = built(name).read_bytes()
    names = ["x" + secrets.token_hex(len(word))[1:len(word)] for word in words]
    for word, instead in zip(words, names):
        data = data.replace(word.encode(), instead.encode())
    path.write_bytes(data)
    return names


def assert_gone(ids, prefix):
    """The kernel frees programs a moment after their last use."""
    lab.wait_until(lambda: not ids & program_ids(prefix),
                   f"programs {ids} to be gone")


def foreign_program(tap, mode="xdp"):
    """Attach an XDP program that is not ours; its id."""
    lab.sh("ip", "link", "set", "dev", tap, mode, "object",
           str(built("bpf_xdp")), "section", "xdp")
    return int(re.search(r"prog/xdp id (\d+)",
                         lab.sh("ip", "link", "show", tap)).group(1))


def tag_beside(tap):
    """From now on the host gives frames of one EtherType the VLAN tag 7, in
    the way of VLAN devices. Returns such a frame, without and with the tag."""
    lab.sh("tc", "qdisc", "add", "dev", tap, "clsact")
    lab.sh("tc", "filter", "add", "dev", tap, "egress", "bpf", "direct-action",
           "object-file", str(built("bpf_tag")), "section", "tc")
    frame = lab.frame(lab.BROADCAST, lab.mac(1), size=60, ethertype=0x88b6)
    return frame, frame[:12] + b"\x81\0\0\7" + frame[12:]


class Bare:
    """The switch's side of @tap, with no switch."""

    def __init__(self, tap):
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack(
            "16sH22x", tap.encode(), IFF_TAP | IFF_NO_PI))

    def recv(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            return None
        return os.read(self.fd, 1 << 16)

    def send(self, frame):
        os.write(self.fd, frame)

    def close(self):
        os.close(self.fd)


def assert_bare(tap):
    """On the persistent @tap nothing judges frames any more."""
    assert "xdp" not in lab.sh("ip", "-d", "link", "show", tap.name)
    with contextlib.closing(Bare(tap.name)) as bare, \
            lab.HostSide(tap.name) as host:
        for sender, receiver, verdict in ((host, bare, 0),
                                          (bare, host, XDP_DROP)):
            frame = order(verdict, "nobody there")

            def arrives():
                # A device that has just got its carrier takes a moment.
                send(sender, frame)
                return frame in iter(lambda: receiver.recv(0.05), None)

            lab.wait_until(arrives, "a frame that a filter would drop")
