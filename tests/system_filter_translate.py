"""Addresses that are others for the host than for the guests.

     host side                             guests' side
         |                                      |
       tap0 --- rules=FILE --- ringswitch ------+

    translate 10.83.171.5 <-> 192.0.2.5

One frame of each kind: what arrives has to be what the same frame is when it is
made with the other addresses. system_filter_guest.py does it with a real guest.
"""

import socket
import struct

import pytest
from scapy.layers.inet import (ICMP, IP, TCP, UDP, IPOption_RR, fragment,
                               in4_chksum)
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, GRE, LLC, SNAP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.sctp import SCTP, SCTPChunkData
from scapy.packet import Padding, Raw

import lab
from lab_filter import (DIRECTIONS, MARK_RULE, TO_GUESTS, TO_HOST, Filtered,
                        bpf, rules_text)
from lab_filter_frames import checksum_faults

assert bpf      # the fixture
pytestmark = pytest.mark.usefixtures("bpf")

A, B = lab.mac(1), lab.mac(2)
INNER, OUTER = "10.83.171.5", "192.0.2.5"
HOST_INNER, HOST_OUTER = "10.83.171.1", "192.0.2.1"
# Nobody's name for anything.
STRANGER, ROUTER = "198.51.100.7", "198.51.100.1"

TRANSLATIONS = rules_text(
    MARK_RULE, f"translate {INNER} <-> {OUTER}",
    f"translate {HOST_INNER} <-> {HOST_OUTER}")


def packed(address):
    return socket.inet_aton(address)


# Frames of each kind ---------------------------------------------------------
#
# Each is a function of source and destination. The same with other addresses
# has all checksums made anew, which is what translated ones are compared with.

def on_wire(packet, *tags):
    head = Ether(src=A, dst=B)
    for tag in tags:
        head = head / tag
    return bytes(head / packet)


def ip(src, dst, payload, **fields):
    return IP(src=src, dst=dst, id=7, **fields) / payload


def udp(src, dst, size=20, **fields):
    return ip(src, dst, UDP(sport=1000, dport=53) / Raw(b"d" * size), **fields)


def tcp(src, dst, size=20, **fields):
    return ip(src, dst, TCP(sport=1000, dport=80, flags="PA", seq=1, ack=2,
                            options=[("MSS", 1460), ("SAckOK", b"")])
              / Raw(b"d" * size), **fields)


def options():
    return [IPOption_RR(routers=["1.1.1.1"] * 9)]


def with_checksum(src, dst, protocol, payload, place, covered=None):
    """An IPv4 packet of a protocol that scapy makes no checksum for."""
    header = IP(src=src, dst=dst, proto=protocol, id=7,
                len=20 + len(payload))
    number = in4_chksum(protocol, header, payload[:covered])
    payload = (payload[:place] + number.to_bytes(2, "big")
               + payload[place + 2:])
    return header / Raw(payload)


def udplite(src, dst):
    return with_checksum(src, dst, 136, struct.pack("!HHHH", 7, 9, 0, 0)
                         + b"everything" * 3, 6)


def dccp(src, dst):
    return with_checksum(src, dst, 33, struct.pack("!HHBBHI", 7, 9, 4, 0, 0, 5)
                         + b"data" * 5, 6)


def error(kind, src, dst, quoted, **fields):
    """An ICMP error from @src to @dst about @quoted, by @src to begin with."""
    return ip(src, dst, ICMP(type=kind, code=1, **fields)
              / Raw(bytes(quoted)))


def about(quoted, size=None):
    """An error with the first @size bytes of a packet that @dst has sent."""
    return lambda src, dst: error(3, src, dst, bytes(quoted(dst, src))[:size])


def fragments(make, size):
    """Functions for all fragments of a packet."""
    count = len(fragment(make(INNER, STRANGER), size))
    return [lambda src, dst, n=n: fragment(make(src, dst), size)[n]
            for n in range(count)]


def zero(make, word_at):
    """@make with two bytes at @word_at of the packet such that, translated, its
    checksum comes out as zero. (For UDP, zero is: no checksum.)"""
    def made(src, dst):
        names = {INNER: OUTER, HOST_INNER: HOST_OUTER}
        target = make(names.get(src, src), names.get(dst, dst), b"\0\0")
        return make(src, dst, bytes(target)[word_at:word_at + 2])
    return made


def udp_with(src, dst, word):
    return ip(src, dst, UDP(sport=1000, dport=53) / Raw(word + b"data"))


def tcp_with(src, dst, word):
    return ip(src, dst, TCP(sport=1000, dport=80) / Raw(word + b"data"))


def arp(src, dst, **fields):
    return ARP(hwsrc=A, psrc=src, pdst=dst, **fields)


CASES = {
    "ARP request": arp,
    "ARP reply": lambda src, dst: arp(src, dst, op=2, hwdst=B),
    "ARP about itself": lambda src, dst: arp(src, src),
    "ARP, padded": lambda src, dst: arp(src, dst) / Raw(bytes(18)),
    "UDP": udp,
    "UDP, odd": lambda src, dst: udp(src, dst, 21),
    "UDP, large": lambda src, dst: udp(src, dst, 1464),
    "UDP, empty": lambda src, dst: udp(src, dst, 0),
    "UDP without checksum": lambda src, dst: ip(
        src, dst, UDP(sport=7, dport=9, chksum=0) / Raw(b"data")),
    "UDP whose checksum becomes zero": zero(udp_with, 26),
    "UDP with IP options": lambda src, dst: udp(src, dst, options=options()),
    "UDP, padded": lambda src, dst: udp(src, dst, 1) / Padding(bytes(17)),
    "TCP": tcp,
    "TCP, large": lambda src, dst: tcp(src, dst, 1444),
    "TCP whose checksum becomes zero": zero(tcp_with, 36),
    "TCP with IP options": lambda src, dst: tcp(src, dst, options=options()),
    "UDP-Lite": udplite,
    "DCCP": dccp,
    # Checksums without addresses, or none.
    "SCTP": lambda src, dst: ip(src, dst, SCTP(sport=1, dport=2)
                                / SCTPChunkData(data=b"data")),
    "GRE": lambda src, dst: ip(src, dst, GRE() / IP(src=STRANGER, dst=ROUTER)
                               / UDP()),
    "ESP": lambda src, dst: ip(src, dst, Raw(b"e" * 40), proto=50),
    "ping": lambda src, dst: ip(src, dst, ICMP(id=1, seq=2) / Raw(b"d" * 56)),
    "pong": lambda src, dst: ip(src, dst, ICMP(type=0, id=1) / Raw(b"d" * 56)),
    "timestamp": lambda src, dst: ip(src, dst, ICMP(type=13)),
    # A ping's contents are the sender's, whatever they look like.
    "ping that looks like an error": lambda src, dst: ip(
        src, dst, ICMP(id=1) / Raw(bytes(udp(INNER, OUTER)))),
    "an address in the contents": lambda src, dst: ip(
        src, dst, UDP() / Raw(packed(INNER) + packed(OUTER))),
    "error about UDP": about(udp, 28),
    "error about UDP, all of it": about(udp),
    "error about UDP without checksum": about(
        lambda src, dst: ip(src, dst, UDP(chksum=0) / Raw(b"data"))),
    "error about UDP with IP options": about(
        lambda src, dst: udp(src, dst, options=options()), 68),
    "error about TCP, 8 bytes": about(tcp, 28),
    "error about TCP, all of it": about(tcp),
    "error about TCP with IP options": about(
        lambda src, dst: tcp(src, dst, options=options())),
    "error about UDP-Lite": about(udplite),
    "error about a ping": about(
        lambda src, dst: ip(src, dst, ICMP(id=1) / Raw(b"d" * 20))),
    "error about a later fragment": about(
        lambda src, dst: ip(src, dst, Raw(b"f" * 40), frag=100, proto=17)),
    "error with IP options about UDP": lambda src, dst: ip(
        src, dst, ICMP(type=3, code=3) / Raw(bytes(udp(dst, src))),
        options=options()),
    "error with IP options about TCP with IP options": lambda src, dst: ip(
        src, dst, ICMP(type=3) / Raw(bytes(tcp(dst, src, options=options()))),
        options=options()),
    "error about a header only": about(udp, 20),
    "error about a large packet": about(
        lambda src, dst: udp(src, dst, 1400)),
    "error by a router": lambda src, dst: error(11, ROUTER, dst,
                                                udp(dst, src)),
    "error about what a router has sent": lambda src, dst: error(
        3, src, dst, udp(ROUTER, src)),
    "source quench": lambda src, dst: error(4, src, dst, udp(dst, src)),
    "time exceeded": lambda src, dst: error(11, src, dst, tcp(dst, src)),
    "parameter problem": lambda src, dst: error(12, src, dst, udp(dst, src)),
    "redirect": lambda src, dst: error(5, ROUTER, dst, udp(dst, STRANGER),
                                       gw=src),
    "fragmentation needed": lambda src, dst: ip(
        src, dst, ICMP(type=3, code=4, nexthopmtu=1400)
        / Raw(bytes(tcp(dst, src, 1400))[:28])),
    "type of service and lifetime": lambda src, dst: udp(src, dst, tos=0xb8,
                                                         ttl=1, flags="DF"),
    **{f"fragment {n} of UDP": make for n, make in enumerate(
        fragments(lambda src, dst: udp(src, dst, 3000), 1400))},
    **{f"fragment {n} of TCP": make for n, make in enumerate(
        fragments(lambda src, dst: tcp(src, dst, 100), 24))},
    **{f"fragment {n} of a ping": make for n, make in enumerate(
        fragments(lambda src, dst: ip(src, dst, ICMP() / Raw(b"d" * 2000)),
                  1400))},
    "fragment of 8 bytes, the first": lambda src, dst: ip(
        src, dst, Raw(bytes(UDP(sport=1, dport=2, len=8, chksum=0))),
        proto=17, flags="MF"),
}

TAGS = {"": [], "VLAN": [Dot1Q(vlan=100)],
        "two VLANs": [Dot1AD(vlan=3), Dot1Q(vlan=100)]}

INWARD = {OUTER: INNER, HOST_OUTER: HOST_INNER}
OUTWARD = {inner: outer for outer, inner in INWARD.items()}


@pytest.fixture(scope="module")
def net(build, bpf, tmp_path_factory):
    with Filtered(tmp_path_factory.mktemp("translate"), TRANSLATIONS) as net:
        yield net
        assert net.switch.process.poll() is None, net.switch.said()


def pairs(names):
    """(source, destination) of which something is to be translated, or not."""
    one, two = names
    return [(one, STRANGER), (STRANGER, one), (two, one), (one, two),
            (one, one), (STRANGER, ROUTER),
            # Known on the other side only: nothing is done to it here.
            (names[one], STRANGER), (names[one], names[two])]


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("case", CASES)
def test_a_frame_is_what_it_would_be_with_the_other_address(net, case, tags):
    make, tags = CASES[case], TAGS[tags]
    for direction, names in (TO_HOST, OUTWARD), (TO_GUESTS, INWARD):
        sent, wanted = [], []
        for src, dst in pairs(names):
            sent.append(on_wire(make(src, dst), *tags))
            wanted.append(on_wire(make(names.get(src, src),
                                       names.get(dst, dst)), *tags))
        arrived = net.passed(direction, sent)
        for got, want in zip(arrived, wanted):
            assert got == want, (direction, Ether(got), Ether(want))
        assert len(arrived) == len(wanted)


NOT_TRANSLATED = {
    "IPv6": on_wire(IPv6(src="2001:db8::1", dst="2001:db8::2")
                    / ICMPv6EchoRequest(data=packed(INNER) + packed(OUTER))),
    "IPv6 with such an address in it": on_wire(
        IPv6(src=f"::ffff:{INNER}", dst=f"::ffff:{OUTER}") / UDP()),
    "another EtherType": lab.frame(B, A, bytes(IP(src=INNER, dst=OUTER)
                                               / UDP()), ethertype=0x88b6),
    "802.3": bytes(Dot3(src=A, dst=B) / LLC() / SNAP(code=0x0800)
                   / IP(src=INNER, dst=OUTER) / UDP()),
    "ARP for AX.25": on_wire(ARP(hwtype=3, psrc=INNER, pdst=OUTER)),
    "half an IPv4 header": on_wire(IP(src=INNER, dst=OUTER) / UDP())[:30],
    "half an ARP packet": on_wire(ARP(psrc=INNER, pdst=OUTER))[:41],
    "IPv4 with a header of 16 bytes": on_wire(IP(src=INNER, dst=OUTER, ihl=4)
                                              / UDP()),
    "version 5": on_wire(IP(src=INNER, dst=OUTER, version=5) / UDP()),
    "neighbouring addresses": on_wire(IP(src="10.83.171.4", dst="192.0.2.6")
                                      / UDP()),
    "the address backwards": on_wire(IP(src="5.171.83.10", dst="5.2.0.192")
                                     / UDP()),
    "nothing but a header": on_wire(Raw(b""))[:14],
}


@pytest.mark.parametrize("kind", NOT_TRANSLATED)
def test_what_is_no_ipv4_and_no_arp_stays_as_it_is(net, kind):
    for direction in DIRECTIONS:
        assert net.passed(direction, [NOT_TRANSLATED[kind]]) == [
            NOT_TRANSLATED[kind]]


@pytest.mark.parametrize("kind, place", [(tcp, 36), (udp, 26)])
def test_a_wrong_checksum_does_not_become_right(net, kind, place):
    """Errors on the way must be found by who gets it: what is mended is only
    what was changed."""
    for direction, names in (TO_HOST, OUTWARD), (TO_GUESTS, INWARD):
        for src in names:
            for at in (14 + 10, 14 + place):
                right = on_wire(kind(src, STRANGER))
                number = int.from_bytes(right[at:at + 2], "big") ^ 0x1100
                frame = right[:at] + number.to_bytes(2, "big") + right[at + 2:]
                [arrived] = net.passed(direction, [frame])
                assert packed(names[src]) in arrived
                assert checksum_faults(arrived), "it is right now"


def test_frames_cut_off_anywhere_do_no_harm(net):
    """What there is of the frame is what there would be of a whole one, but
    for checksums that cannot be mended."""
    for make in tcp, about(tcp), arp, udplite:
        for tags in TAGS.values():
            frame = on_wire(make(INNER, HOST_INNER), *tags)
            # The host's kernel throws away what has a tag and nothing else.
            sizes = range(20 if tags else 14, len(frame))
            arrived = net.passed(TO_HOST, [frame[:n] for n in sizes])
            assert [len(got) for got in arrived] == list(sizes)
            packet = 14 + 4 * len(tags)
            for got in arrived:
                if len(got) >= packet + 28:
                    assert packed(INNER) not in got[:packet + 28], Ether(got)


def test_random_translations_of_many_are_found(tmp_path):
    outer = [f"203.0.{n >> 8}.{n & 255}" for n in range(1000)]
    inner = [f"10.{n * 37 % 251}.{n & 255}.{n >> 8}" for n in range(1000)]
    text = rules_text(MARK_RULE, *(f"translate {a} <-> {b}"
                                   for a, b in zip(inner, outer)))
    with Filtered(tmp_path, text, tap="tap1") as many:
        for direction, there, here in ((TO_HOST, outer, inner),
                                       (TO_GUESTS, inner, outer)):
            sent = [on_wire(udp(src, STRANGER)) for src in here[::9]]
            assert many.passed(direction, sent) == [
                on_wire(udp(src, STRANGER)) for src in there[::9]]


# Rules and counters with translation -----------------------------------------

@pytest.fixture
def own(tmp_path):
    with Filtered(tmp_path, "", tap="tap1") as own:
        yield own


def test_rules_see_the_guests_addresses_in_both_directions(own):
    own.reload(TRANSLATIONS + rules_text(
        f"drop to-host src {INNER} dst-port 53",
        f"drop to-guests dst {INNER} src {HOST_INNER} dst-port 53",
        f"drop arp-sender {HOST_INNER} arp-target {INNER}",
        # These are never seen.
        f"drop src {OUTER},{HOST_OUTER}", f"drop dst {OUTER},{HOST_OUTER}",
        f"drop arp-sender {OUTER},{HOST_OUTER}",
        f"drop arp-target {OUTER},{HOST_OUTER}"))

    def one(make, src, dst):
        return on_wire(make(src, dst))

    assert own.passed(TO_HOST, [
        one(udp, INNER, HOST_INNER), one(udp, INNER, STRANGER),
        one(tcp, INNER, HOST_INNER), one(arp, HOST_INNER, INNER),
        one(arp, INNER, HOST_INNER)]) == [
            one(tcp, OUTER, HOST_OUTER), one(arp, OUTER, HOST_OUTER)]
    assert own.passed(TO_GUESTS, [
        one(udp, HOST_OUTER, OUTER), one(udp, STRANGER, OUTER),
        one(tcp, HOST_OUTER, OUTER), one(arp, HOST_OUTER, OUTER),
        one(arp, OUTER, HOST_OUTER)]) == [
            one(udp, STRANGER, INNER), one(tcp, HOST_INNER, INNER),
            one(arp, INNER, HOST_INNER)]


def test_translations_are_counted_by_frame_and_direction(own):
    own.reload(TRANSLATIONS)
    own.passed(TO_HOST, [on_wire(udp(INNER, STRANGER, 100))] * 3
               + [on_wire(udp(INNER, HOST_INNER))] * 2
               + [on_wire(arp(INNER, INNER)), on_wire(udp(OUTER, STRANGER))])
    own.passed(TO_GUESTS, [on_wire(udp(STRANGER, OUTER))] * 5)
    sizes = [len(on_wire(udp(INNER, STRANGER, size))) for size in (100, 20)]
    counters = {key: (rule.action, rule.frames, rule.bytes, rule.text)
                for key, rule in own.counters().items()
                if rule.action == "translate"}
    line = f"translate {INNER} <-> {OUTER}"
    assert counters == {
        (2, TO_HOST): ("translate", 6, 3 * sizes[0] + 2 * sizes[1] + 42, line),
        (3, TO_HOST): ("translate", 2, 2 * sizes[1],
                       f"translate {HOST_INNER} <-> {HOST_OUTER}"),
        (2, TO_GUESTS): ("translate", 5, 5 * sizes[1], line)}


def test_a_dropped_frame_is_shown_as_the_guest_sent_it(own):
    own.reload(TRANSLATIONS + rules_text("drop dst-port 53"))
    frame = on_wire(udp(INNER, HOST_INNER))
    assert own.passed(TO_HOST, [frame]) == []
    assert own.dropped()[-1].frame == frame[:64]


def test_a_guest_that_uses_an_outer_address_can_be_kept_from_it(own):
    """What is not translated goes on as it is: the address would be believed
    to be that of the guest it belongs to."""
    own.reload(TRANSLATIONS + rules_text(f"drop to-host src {OUTER}"))
    assert own.passed(TO_HOST, [on_wire(udp(OUTER, STRANGER)),
                                on_wire(udp(INNER, STRANGER))]) == [
        on_wire(udp(OUTER, STRANGER))]
