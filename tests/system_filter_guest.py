"""A real guest that the host knows by another address.

       host 192.0.2.1                            web1 10.83.171.5
             |                                        |
           tap1 --- rules=FILE --- ringswitch (hub) --+--- a listening client

    translate 10.83.171.5 <-> 192.0.2.5

ARP, ping, TCP, UDP, large packets, fragments and ICMP errors, in both
directions. Every frame is captured on both sides of the tap and looked at: the
addresses in it, the checksums, and that nothing else has changed. The inner
addresses are such that their bytes do not occur by chance.
"""

import contextlib
import hashlib
import re
import socket
import struct
import threading
import types

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

import lab
import lab_peers
from lab_filter import (MARK_RULE, Capture, Filtered, TapSide, bpf, mark,
                        rules_text)
from lab_filter_frames import checksum_faults, payload_faults

assert bpf      # the fixture
pytestmark = pytest.mark.usefixtures("bpf")

INNER, OUTER = "10.83.171.5", "192.0.2.5"
HOST_INNER, HOST_OUTER = "10.83.171.1", "192.0.2.1"
TRANSLATIONS = rules_text(
    MARK_RULE, f"translate {INNER} <-> {OUTER}",
    f"translate {HOST_INNER} <-> {HOST_OUTER}")
OUTWARD = {INNER: OUTER, HOST_INNER: HOST_OUTER}

WEB_BYTES = 1 << 20
GUEST_MAC = lab.mac(0xab05)
BEYOND = "198.51.100.9"


def text_bytes(first, size):
    """Text, so that no address can be in it."""
    lines = b"".join(b"%d\n" % n for n in range(first, first + size // 6))
    return lines[:size]


def packed(address):
    return socket.inet_aton(address)


class Tftp:
    """A TFTP server for one file at a time: UDP that fragments, with contents
    that can be compared. RFC 1350, and blksize of RFC 2348."""

    RRQ, WRQ, DATA, ACK, OACK = 1, 2, 3, 4, 6

    def __init__(self, contents):
        self.contents = contents
        self.received = None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(lab.STEP_S)
        self.socket.bind(("", 69))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                request, self.client = self.socket.recvfrom(2048)
                words = request[2:].split(b"\0")
                options = dict(zip(words[2::2], words[3::2]))
                self.block = int(options[b"blksize"])
                answer = struct.pack("!H", self.OACK) + (
                    b"blksize\0%d\0" % self.block)
                if request[1] == self.RRQ:
                    self._send(answer)
                elif request[1] == self.WRQ:
                    self._receive(answer)

    def _ask(self, packet, number):
        """Send until @number's packet comes; the guest asks again as well."""
        while True:
            self.socket.sendto(packet, self.client)
            answer = self.socket.recv(1 << 16)
            if answer[2:4] == number.to_bytes(2, "big"):
                return answer[4:]

    def _send(self, answer):
        self._ask(answer, 0)
        for n in range(len(self.contents) // self.block + 1):
            data = self.contents[n * self.block:(n + 1) * self.block]
            self._ask(struct.pack("!HH", self.DATA, n + 1) + data, n + 1)

    def _receive(self, answer):
        received, number = b"", 1
        while True:
            data = self._ask(answer, number)
            received += data
            answer = struct.pack("!HH", self.ACK, number)
            number += 1
            if len(data) < self.block:
                break
        self.socket.sendto(answer, self.client)
        self.received = received

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


# Looking at what was captured ------------------------------------------------

def reassembled(frames):
    """(header, payload) of the packets that come in fragments, if all came."""
    parts = {}
    for frame in frames:
        packet = frame[14:]
        if (frame[12:14] == b"\x08\x00"
                and int.from_bytes(packet[6:8], "big") & 0x3fff):
            length = 4 * (packet[0] & 15)
            end = int.from_bytes(packet[2:4], "big")
            key = packet[4:6], packet[9], packet[12:20]
            parts.setdefault(key, []).append(
                (int.from_bytes(packet[6:8], "big"), packet[:length],
                 packet[length:end]))
    for fragments_ in parts.values():
        fragments_.sort(key=lambda part: part[0] & 0x1fff)
        yield fragments_[0][1], b"".join(part[2] for part in fragments_)


def from_guest(frame):
    return frame[6:12] == bytes.fromhex(GUEST_MAC.replace(":", ""))


def assert_sound(frames):
    """Every checksum of what was captured, and there has to be some of all."""
    for frame in frames:
        assert not checksum_faults(frame), (checksum_faults(frame),
                                            Ether(frame))
    for way in True, False:
        some = [frame for frame in frames if from_guest(frame) == way
                and frame[12:14] == b"\x08\x00"]
        assert {frame[23] for frame in some} == {1, 6, 17}
        whole = list(reassembled(some))
        assert {header[9] for header, _ in whole} == {1, 17}
        for header, payload in whole:
            assert not payload_faults(header, payload), IP(header + payload)


def without_checksums(frame):
    """@frame with those places zeroed that a translation mends, those of the
    packet that an ICMP error quotes, too."""
    bare = bytearray(frame)
    if frame[12:14] == b"\x08\x00":
        forget_checksums(bare, 14)
    return bytes(bare)


def forget_checksums(bare, at):
    behind = at + 4 * (bare[at] & 15)
    bare[at + 10:at + 12] = b"\0\0"
    if int.from_bytes(bare[at + 6:at + 8], "big") & 0x1fff:
        return
    place = {1: 2, 6: 16, 17: 6}.get(bare[at + 9])
    if place and len(bare) >= behind + place + 2:
        bare[behind + place:behind + place + 2] = b"\0\0"
    if bare[at + 9] == 1 and bare[behind] in (3, 5, 11):
        forget_checksums(bare, behind + 8)


def assert_same_but_for_names(guests_side, hosts_side, names):
    """Frame by frame, and in order: what one side has seen is what the other
    has, with other addresses and mended checksums, and nothing else."""
    def renamed(frame):
        for inner, outer in names.items():
            frame = frame.replace(packed(inner), packed(outer))
        return without_checksums(frame)

    def ours(frame):
        """Not the marks; and IPv6 is not what this is about."""
        return frame[12:14] in (b"\x08\x00", b"\x08\x06")

    for mine in (True, False):      # from the guest, from the host
        one, other = [[frame for frame in side if ours(frame)
                       and from_guest(frame) == mine]
                      for side in (guests_side, hosts_side)]
        assert list(map(renamed, one)) == list(map(without_checksums, other))
        assert one


# The guest -------------------------------------------------------------------

class Watch:
    """Captures on both sides of the tap, and what happens between them."""

    def __init__(self, net, stack):
        self.net = net
        self.host = stack.enter_context(TapSide(net.tap, both=True))
        self.hosts_side = stack.enter_context(Capture(self.host))
        self.guests_side = stack.enter_context(Capture(net.guest))

    def frames(self):
        """(guests' side, host's side): all of it, since the last call."""
        sender = self.net.guest.data.dup()
        with sender:
            for send in (lambda frame: sender.sendto(frame,
                                                     self.net.guest.peer),
                         self.net.host.send):
                last = mark()
                send(last)
                # From the guests' side only the other side hears it.
                lab.wait_until(lambda: last in self.hosts_side.kept[-1000:],
                               "the end of the capture")
        lab.wait_until(lambda: last in self.guests_side.kept[-1000:],
                       "the end of the capture")
        assert self.host.lost() == 0
        assert self.net.switch.stats()["uml1"]["undelivered"] == 0
        both = self.guests_side.kept[:], self.hosts_side.kept[:]
        del self.guests_side.kept[:], self.hosts_side.kept[:]
        return both


@pytest.fixture(scope="module")
def scene(build, bpf, initrd, tmp_path_factory):
    """web1 and the host, which have other names for it."""
    workdir = tmp_path_factory.mktemp("scene")
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(Filtered(
            workdir, rules_text(MARK_RULE,
                                f"translate {INNER} <-> {OUTER}"), tap="tap1"))
        watch = Watch(net, stack)
        host = stack.enter_context(lab_peers.Host("host", workdir))
        host.check(f"ip address add {HOST_OUTER}/24 dev tap1; "
                   "echo 1 >/proc/sys/net/ipv4/ip_forward; "
                   f"ip route add {BEYOND}/32 dev tap1")
        stack.callback(host.run, "echo 0 >/proc/sys/net/ipv4/ip_forward")
        tftp = stack.enter_context(Tftp(text_bytes(300000, 200000)))
        (host.workdir / "www").mkdir()
        (host.workdir / "www" / "file").write_bytes(
            text_bytes(2000000, WEB_BYTES))
        host.serve_files("www")
        web1 = stack.enter_context(lab.Guest(
            "web1", net.switch.socket, mac=GUEST_MAC, ip=INNER,
            initrd=initrd, workdir=workdir))
        web1.check("mkdir /tmp/www; seq 1000000 2000000 | "
                   f"head -c {WEB_BYTES} >/tmp/www/file; "
                   "ip route add 192.0.2.0/24 dev eth0; "
                   f"ip route add default via {HOST_OUTER}")
        web1.serve_files("/tmp/www")
        yield types.SimpleNamespace(net=net, watch=watch, host=host, web1=web1,
                                    tftp=tftp)
        assert net.switch.process.poll() is None, net.switch.said()


def sha256(contents):
    return hashlib.sha256(contents).hexdigest()


def assert_everything_works(scene, host_ip):
    """What host and guest can do together. For the guest the host is
    @host_ip, for the host the guest is OUTER."""
    host, web1 = scene.host, scene.web1
    # From nothing: both have to ask for each other's address.
    host.check("ip neigh flush dev tap1")
    web1.check("ip neigh flush dev eth0")
    assert web1.pings(host_ip)
    assert host.pings(OUTER)
    assert GUEST_MAC in host.check(f"ip neigh show {OUTER}")
    assert host_ip in web1.check("arp -n")
    for size in 1472, 8000:
        web1.check(f"ping -c 3 -A -w 10 -s {size} {host_ip}")
        host.check(f"ping -c 3 -A -w 10 -s {size} {OUTER}")
    # TCP, in both directions.
    served = web1.check("sha256sum </tmp/www/file").split()[0]
    assert served == host.check(
        f"wget -q -O - http://{OUTER}:8000/file | sha256sum").split()[0]
    served = sha256((host.workdir / "www" / "file").read_bytes())
    assert served == web1.check(
        f"wget -q -O - http://{host_ip}:8000/file | sha256sum").split()[0]
    # UDP, in one piece and in fragments, in both directions.
    for block in 1000, 4000:
        web1.check(f"tftp -g -b {block} -l /tmp/got -r file {host_ip} && "
                   f"tftp -p -b {block} -l /tmp/got -r file {host_ip}")
        assert sha256(scene.tftp.contents) in web1.check("sha256sum /tmp/got")
        lab.wait_until(lambda: scene.tftp.received == scene.tftp.contents,
                       "the file to come back")
        scene.tftp.received = None
    assert_errors_arrive(scene, host_ip)


def assert_errors_arrive(scene, host_ip):
    """An error belongs to who sent what it quotes, or it does nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(lab.STEP_S)
        asker.connect((OUTER, 9))
        with pytest.raises(ConnectionRefusedError):
            asker.send(b"anybody there?")
            asker.recv(1)
    # busybox looks for its own ports in what an error quotes.
    assert re.search(rf"^ *1  {re.escape(host_ip)}  [\d.]+ ms",
                     scene.web1.check(f"traceroute -n -q 1 -m 1 {host_ip}"),
                     re.M)
    assert re.search(rf"^ *1  {re.escape(host_ip)}  [\d.]+ ms",
                     scene.web1.check(f"traceroute -n -q 1 -m 1 {BEYOND}"),
                     re.M)


def quotes(frames):
    """ICMP errors, by their type."""
    return {frame[34] for frame in frames
            if frame[12:14] == b"\x08\x00" and frame[23] == 1} & {3, 5, 11}


def test_a_guest_and_the_host_that_knows_it_by_another_name(scene):
    assert_everything_works(scene, HOST_OUTER)
    guests_side, hosts_side = scene.watch.frames()
    assert not [Ether(frame) for frame in hosts_side
                if packed(INNER) in frame]
    assert [frame for frame in guests_side if packed(INNER) in frame]
    for frames in guests_side, hosts_side:
        assert_sound(frames)
        assert quotes(frames) == {3, 11}
    # What the guest calls the host is no secret: but nothing names the guest.
    assert not [Ether(frame) for frame in guests_side
                if packed(OUTER) in frame]
    assert_same_but_for_names(guests_side, hosts_side, {INNER: OUTER})


def test_neither_side_sees_the_other_s_addresses(scene):
    """The host has an inner name as well, from one moment to the next."""
    scene.net.reload(TRANSLATIONS)
    scene.web1.check("ip route del default; ip route del 192.0.2.0/24; "
                     f"ip route add default via {HOST_INNER}")
    scene.watch.frames()
    assert_everything_works(scene, HOST_INNER)
    guests_side, hosts_side = scene.watch.frames()
    for frames, strange in ((hosts_side, packed(INNER)[:3]),
                            (guests_side, packed(OUTER)[:3])):
        assert not [Ether(frame) for frame in frames if strange in frame]
        assert_sound(frames)
        assert quotes(frames) == {3, 11}
    assert_same_but_for_names(guests_side, hosts_side, OUTWARD)


def test_a_connection_goes_on_while_the_rules_are_read_again(scene):
    """The same translations, in other sets: not a byte is lost."""
    scene.net.reload(TRANSLATIONS)
    scene.web1.check(f"ip route replace default via {HOST_INNER}")
    got = scene.host.start("wget", "-q", "-O", "got",
                           f"http://{OUTER}:8000/file")
    reloads = 0
    while got.poll() is None:
        scene.net.reload(TRANSLATIONS + rules_text(
            *(f"drop dst-port {n}" for n in range(100 + reloads % 2, 200))))
        reloads += 1
    assert got.returncode == 0 and reloads
    assert (sha256((scene.host.workdir / "got").read_bytes())
            == scene.web1.check("sha256sum </tmp/www/file").split()[0])
