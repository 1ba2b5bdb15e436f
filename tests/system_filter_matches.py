"""Each match of a rule file: which frames it matches, and which not.

     host side                             guests' side
         |                                      |
       tap0 --- rules=FILE --- ringswitch ------+

Raw frames go through the rules in both directions, and a last frame that a
rule accepts tells that nothing else will come.
"""

import collections
import os
import typing

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply,
                                ICMPv6EchoRequest, ICMPv6MLReport,
                                ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA,
                                ICMPv6ND_Redirect, ICMPv6ND_RS,
                                ICMPv6PacketTooBig, ICMPv6ParamProblem,
                                ICMPv6TimeExceeded, IPv6, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting, PadN)
from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

import lab
from lab_filter import (DIRECTIONS, MARK_RULE, TO_GUESTS, TapSide, bpf, mark,
                        net, rules_text, shared, tcx_that_tags)
from lab_filter_frames import (A, B, NOT_IP, STUMPS, VLAN, arp, ipv4, ipv6,
                               llc, on_wire, typed, v4, v6)

assert bpf and net and shared      # the fixtures
pytestmark = pytest.mark.usefixtures("bpf")

def behind_ah(payload, protocol):
    """What goes behind IPv6's authentication header (51), with it."""
    return Raw(bytes([protocol, 4]) + bytes(22) + bytes(payload))


class Row(typing.NamedTuple):
    """`match value` matches the frames @yes. The others are those that
    `match !value` matches, and those that neither does."""
    match: str
    value: str
    yes: list
    no: list
    neither: list = []


def ethertype_rows():
    arps = [arp(), on_wire(ARP(), VLAN),
            on_wire(ARP(), Dot1AD(vlan=3), VLAN)]
    fours = [v4(), on_wire(ipv4(), VLAN), STUMPS[0]]
    sixes = [v6(), on_wire(ipv6(), Dot1AD(vlan=3))]
    return [
        Row("ethertype", "arp", arps,
            [*fours, *sixes, typed(0x0805), typed(0x0807), llc()]),
        Row("ethertype", "ipv4", fours, [*arps, *sixes, typed(0x0801)]),
        Row("ethertype", "ipv6", sixes, [*arps, *fours, typed(0x86dc)]),
        Row("ethertype", "lldp", [typed(0x88cc)], [typed(0x88cd), arp()]),
        Row("ethertype", "0x88b6", [typed(0x88b6)],
            [typed(0x88b7), typed(0xb688), llc()]),
        Row("ethertype", "34998", [typed(0x88b6)], [typed(0x88b7)]),
        Row("ethertype", "0x88b6-0x88b8", [typed(n) for n in
                                           (0x88b6, 0x88b7, 0x88b8)],
            [typed(0x88b9), typed(0x88b4)]),
        Row("ethertype", "ipv4,0x9000,lldp", [*fours, typed(0x9000),
                                              typed(0x88cc)],
            [*arps, *sixes]),
        Row("ethertype", "0-1535", [llc(), llc(100), typed(46), typed(1535)],
            [typed(1536), *arps, *fours]),
        Row("ethertype", "0-65535", [llc(), *fours, typed(0xffff)], []),
    ]


def mac_rows(match):
    def at(mac):
        key = "src" if match == "src-mac" else "dst"
        return on_wire(ipv4(), **{key: mac})

    a = at("02:00:00:00:00:0a")
    return [
        Row(match, "02:00:00:00:00:0a", [a],
            [at(mac) for mac in ("02:00:00:00:00:0b", "02:00:00:00:00:09",
                                 "12:00:00:00:00:0a", "0a:00:00:00:00:02",
                                 "ff:ff:ff:ff:ff:ff")]),
        Row(match, "02:00:00:00:00:0a/ff:ff:ff:00:00:00",
            [a, at("02:00:00:ff:ff:ff")],
            [at("02:00:01:00:00:0a"), at("03:00:00:00:00:0a")]),
        Row(match, "02:34:40:00:00:00/20",
            [at("02:34:40:00:00:00"), at("02:34:4f:ff:ff:ff")],
            [at("02:34:3f:ff:ff:ff"), at("02:34:50:00:00:00")]),
        Row(match, "02:00:00:00:00:00/0", [a, at("ff:ff:ff:ff:ff:ff")], []),
        # With holes, and two kinds of masks in one list.
        Row(match, "02:00:00:00:00:0a/ff:00:00:00:00:ff",
            [a, at("02:ab:cd:ef:01:0a")],
            [at("02:00:00:00:00:0b"), at("03:00:00:00:00:0a")]),
        Row(match, "01:00:00:00:00:00/01:00:00:00:00:00,02:00:00:00:00:0a,"
            "02:00:00:00:08:00/40",
            [a, at("ff:ff:ff:ff:ff:ff"), at("01:00:5e:00:00:01"),
             at("03:00:00:00:00:0a"), at("02:00:00:00:08:77")],
            [at("02:00:00:00:00:0b"), at("02:00:00:00:09:00")]),
    ]


def vlan_rows():
    plain = [v4(), v6(), arp(), llc()]

    def tagged(*numbers, kind=Dot1Q, **keys):
        return on_wire(ipv4(), *(kind(vlan=n, **keys) for n in numbers))

    # The outermost tag counts.
    double = on_wire(ipv4(), Dot1AD(vlan=100), Dot1Q(vlan=5))
    return [
        Row("vlan", "100", [tagged(100), double, tagged(100, kind=Dot1AD),
                            tagged(100, prio=7, id=1)],
            [*plain, tagged(99), tagged(101), tagged(5, 100), tagged(0),
             tagged(356)]),
        Row("vlan", "5", [tagged(5, 100)], [double, *plain]),
        Row("vlan", "100-200", [tagged(100), tagged(150), tagged(200)],
            [*plain, tagged(99), tagged(201)]),
        Row("vlan", "100,300-301", [tagged(100), tagged(301)],
            [*plain, tagged(299), tagged(302)]),
        Row("vlan", "none", plain, [tagged(100), tagged(0), tagged(4095)]),
        Row("vlan", "none,100", [*plain, tagged(100)], [tagged(101)]),
        Row("vlan", "0", [tagged(0, prio=5)], [*plain, tagged(1)]),
        Row("vlan", "4095", [tagged(4095)], [*plain, tagged(4094)]),
    ]


def arp_rows():
    def sent(**fields):
        return arp(psrc="10.9.0.1", pdst="10.8.0.1", hwsrc="02:00:00:00:00:0a",
                   hwdst="02:00:00:00:00:0b", **fields)

    def tagged(**fields):
        return on_wire(ARP(psrc="10.9.0.1", pdst="10.8.0.1",
                           hwsrc="02:00:00:00:00:0a",
                           hwdst="02:00:00:00:00:0b", **fields), VLAN)

    def foreign(at, new):
        return sent()[:at] + new + sent()[at + len(new):]

    yes = [sent(), tagged(), sent(op=2)]
    # Not IPv4 over Ethernet, by one of the four numbers that say so; cut off.
    foreigners = [foreign(14, b"\0\x20"), foreign(16, b"\x86\xdd"),
                  foreign(18, b"\x14"), foreign(19, b"\x10"), sent()[:41]]
    neither = [v4(src="10.9.0.1", dst="10.8.0.1"), v6(), llc(), *foreigners]
    return [
        Row("arp", "request", [sent(), tagged()],
            [sent(op=2), tagged(op=2), sent(op=3), sent(op=257)],
            [v4(), v6(), llc()]),
        Row("arp", "reply", [sent(op=2), tagged(op=2)],
            [sent(), sent(op=3), sent(op=0)], [v4(), v6()]),
        Row("arp", "3-4,256", [sent(op=3), sent(op=4), sent(op=256)],
            [sent(), sent(op=2), sent(op=5), sent(op=255)], [v4()]),
        Row("arp-sender", "10.9.0.1", yes,
            [arp(psrc="10.9.0.2"), arp(psrc="10.9.0.0"), arp(pdst="10.9.0.1")],
            neither),
        Row("arp-sender", "10.9.0.0/16,192.168.0.0/24",
            [*yes, arp(psrc="10.9.255.255"), arp(psrc="192.168.0.9")],
            [arp(psrc="10.10.0.0"), arp(psrc="10.8.255.255"),
             arp(psrc="192.168.1.0")], neither),
        Row("arp-target", "10.8.0.0/31",
            [*yes, arp(pdst="10.8.0.0")],
            [arp(pdst="10.8.0.2"), arp(psrc="10.8.0.1")], neither),
        Row("arp-sender-mac", "02:00:00:00:00:0a", yes,
            [arp(hwsrc="02:00:00:00:00:0b"), arp(hwdst="02:00:00:00:00:0a")],
            neither),
        Row("arp-target-mac", "02:00:00:00:00:0b/45",
            [*yes, arp(hwdst="02:00:00:00:00:0f")],
            [arp(hwdst="02:00:00:00:00:10"), arp(hwsrc="02:00:00:00:00:0b"),
             arp(hwdst="02:00:00:00:00:07")],
            neither),
    ]


def address_rows(match):
    other = "dst" if match == "src" else "src"

    def four(address, **keys):
        return v4(**{match: address, **keys})

    def six(address, **keys):
        return v6(**{match: address, **keys})

    # Wherever the address stands, and in all fragments.
    ways = [four("10.1.2.3"),
            on_wire(ipv4(**{match: "10.1.2.3"}), VLAN),
            on_wire(ipv4(**{match: "10.1.2.3"}), Dot1AD(vlan=7), VLAN),
            four("10.1.2.3", options=[IPOption_RR(routers=["1.1.1.1"] * 9)]),
            four("10.1.2.3", flags="MF"),
            four("10.1.2.3", payload=Raw(b"later"), frag=100, proto=17),
            four("10.1.2.3", payload=Raw(b"what is it"), proto=254)]
    near = [four("10.1.2.2"), four("10.1.2.4"), four("3.2.1.10"),
            v4(**{other: "10.1.2.3"})]
    ways6 = [six("2001:db8:1:2:3:4:5:6"),
             on_wire(ipv6(**{match: "2001:db8:1:2:3:4:5:6"}), VLAN),
             six("2001:db8:1:2:3:4:5:6",
                 payload=IPv6ExtHdrHopByHop(options=[PadN()]) / UDP()),
             six("2001:db8:1:2:3:4:5:6",
                 payload=IPv6ExtHdrFragment(offset=8, nh=17) / b"12345678")]
    near6 = [six("2001:db8:1:2:3:4:5:7"), six("2001:db8:1:2:3:4:5:5"),
             six("2001:db8:1:2:3:5:5:6"), six("2001:db9:1:2:3:4:5:6"),
             v6(**{other: "2001:db8:1:2:3:4:5:6"})]
    mapped = six("::ffff:10.1.2.3")
    return [
        Row(match, "10.1.2.3", ways, [*near, *ways6, mapped], NOT_IP),
        Row(match, "10.1.0.0/16", [*ways, four("10.1.0.0"),
                                   four("10.1.255.255")],
            [four("10.0.255.255"), four("10.2.0.0"), *ways6], NOT_IP),
        Row(match, "10.1.2.2/31", [*ways, four("10.1.2.2")],
            [four("10.1.2.1"), four("10.1.2.4")], NOT_IP),
        Row(match, "0.0.0.0/0", [*ways, *near, four("0.0.0.0"),
                                 four("255.255.255.255")],
            [*ways6, mapped], NOT_IP),
        Row(match, "128.0.0.0/1", [four("128.0.0.0"), four("224.0.0.1"),
                                   four("255.255.255.255")],
            [four("127.255.255.255"), *ways6], NOT_IP),
        Row(match, "10.1.2.3,10.1.2.4,192.168.0.0/16",
            [*ways, four("10.1.2.4"), four("192.168.9.9")],
            [four("10.1.2.5"), four("10.1.2.2"), *ways6], NOT_IP),
        Row(match, "2001:db8:1:2:3:4:5:6", ways6, [*near6, *ways], NOT_IP),
        # Ends of prefixes within, between and at the parts of an address.
        Row(match, "2001:db8::/32", [*ways6, *near6[:3],
                                     six("2001:db8:ffff::ffff")],
            [six("2001:db7:ffff::ffff"), six("2001:db9::")], NOT_IP),
        Row(match, "2001:db8:1::/48", [*ways6, six("2001:db8:1:ffff::")],
            [six("2001:db8:2::"), six("2001:db8:0:ffff::")], NOT_IP),
        Row(match, "2001:db8:1:2::/64", ways6,
            [six("2001:db8:1:3::"), six("2001:db8:1:1:ffff::")], NOT_IP),
        Row(match, "2001:db8:1:2:3:4::/96", ways6,
            [six("2001:db8:1:2:3:5::"), six("2001:db8:1:2:3:3:ffff::")],
            NOT_IP),
        Row(match, "2001:db8:1:2:3:4:5:4/126", [*ways6, near6[0], near6[1]],
            [six("2001:db8:1:2:3:4:5:8"), six("2001:db8:1:2:3:4:5:3")],
            NOT_IP),
        Row(match, "fe80::/10", [six("fe80::1"), six("febf:ffff::1")],
            [six("fec0::"), six("fe7f:ffff::"), *ways6], NOT_IP),
        Row(match, "::/0", [*ways6, six("::"), mapped], ways, NOT_IP),
        Row(match, "10.0.0.0/8,2001:db8::/32,::1",
            [*ways, *ways6, six("::1")],
            [four("11.0.0.0"), six("2001:db9::"), six("::2")], NOT_IP),
    ]


def protocol_rows():
    def inside(nh, *headers):
        packet = headers[0]
        for header in headers[1:]:
            packet = packet / header
        return v6(payload=packet, nh=nh)

    tcp = TCP(sport=5, dport=22)
    pad = [PadN(optdata=b"\0\0\0\0")]
    tcps = [
        v4(tcp), on_wire(ipv4(tcp), VLAN), v6(tcp),
        v4(tcp, options=[IPOption_RR(routers=["1.1.1.1"] * 9)]),
        v4(Raw(b"later"), frag=9, proto=6),
        inside(0, IPv6ExtHdrHopByHop(options=pad), tcp),
        inside(43, IPv6ExtHdrRouting(addresses=["2001:db8::9"]), tcp),
        inside(60, IPv6ExtHdrDestOpt(options=pad), tcp),
        inside(51, behind_ah(tcp, 6)),
        inside(44, IPv6ExtHdrFragment(m=1), tcp),
        inside(44, IPv6ExtHdrFragment(offset=100, nh=6), Raw(b"later...")),
        inside(0, IPv6ExtHdrHopByHop(options=pad),
               IPv6ExtHdrDestOpt(options=pad), IPv6ExtHdrFragment(m=1), tcp)]
    # The same bytes, but not where the headers end.
    behind_udp = v4(UDP(sport=6, dport=6) / Raw(b"\x06" * 20))
    udps = [v4(), v6(), behind_udp,
            inside(0, IPv6ExtHdrHopByHop(options=pad), UDP(dport=6))]
    none = [v6(Raw(b""), nh=59)]
    return [
        Row("protocol", "tcp", tcps, [*udps, v4(ICMP()), *none], NOT_IP),
        Row("protocol", "udp", udps, [*tcps, v4(ICMP())], NOT_IP),
        Row("protocol", "17", udps, tcps, NOT_IP),
        Row("protocol", "6-17", [*tcps, *udps, v4(Raw(b"x" * 8), proto=12)],
            [v4(ICMP()), v4(Raw(b"x" * 8), proto=5),
             v4(Raw(b"x" * 8), proto=18)], NOT_IP),
        Row("protocol", "icmp", [v4(ICMP())], [v6(ICMPv6EchoRequest()), *tcps],
            NOT_IP),
        Row("protocol", "icmpv6",
            [v6(ICMPv6EchoRequest()),
             inside(0, IPv6ExtHdrHopByHop(options=pad), ICMPv6MLReport())],
            [v4(ICMP()), *tcps], NOT_IP),
        Row("protocol", "igmp,gre,esp,ah,ospf,sctp",
            [v4(Raw(b"x" * 24), proto=n) for n in (2, 47, 50, 51, 89, 132)],
            [v4(Raw(b"x" * 24), proto=n)
             for n in (1, 3, 46, 48, 49, 52, 88, 90, 131, 133, 0, 255)],
            NOT_IP),
        Row("protocol", "59", none, [*tcps, *udps], NOT_IP),
        Row("protocol", "0-255", [*tcps, *udps, *none], [], NOT_IP),
    ]


def port_rows(match):
    key = "sport" if match == "src-port" else "dport"
    other = "dport" if match == "src-port" else "sport"

    def ports(n, m=77):
        return {key: n, other: m}

    def as_raw(n):
        both = {"sport": 77, "dport": 77, **ports(n)}
        return Raw(both["sport"].to_bytes(2, "big")
                   + both["dport"].to_bytes(2, "big") + bytes(16))

    def ways(n):
        return [
            v4(UDP(**ports(n))), v4(TCP(**ports(n))), v4(SCTP(**ports(n))),
            v4(as_raw(n), proto=136), v4(as_raw(n), proto=33),
            v6(UDP(**ports(n))), v6(TCP(**ports(n))),
            v6(SCTP(**ports(n)), nh=132), v6(as_raw(n), nh=136),
            on_wire(ipv4(UDP(**ports(n))), VLAN),
            on_wire(ipv6(TCP(**ports(n))), Dot1AD(vlan=7), VLAN),
            v4(UDP(**ports(n)),
               options=[IPOption_RR(routers=["1.1.1.1"] * 9)]),
            v4(TCP(**ports(n)), flags="MF"),
            v6(IPv6ExtHdrHopByHop(options=[PadN()]) / UDP(**ports(n))),
            v6(IPv6ExtHdrFragment(m=1) / TCP(**ports(n))),
            v6(behind_ah(TCP(**ports(n)), 6), nh=51)]

    portless = [
        v4(ICMP()), v6(ICMPv6EchoRequest()), v4(GRE() / IP()),
        v4(as_raw(22), proto=50), v4(as_raw(22), proto=1),
        v4(as_raw(22), frag=1, proto=17), v4(as_raw(22), frag=8191, proto=6),
        v6(IPv6ExtHdrFragment(offset=1, nh=17) / as_raw(22)),
        v4(Raw(b"\0\x16"), proto=17), *NOT_IP]
    near = [v4(UDP(**ports(n))) for n in (21, 24, 22 << 8, 77)]
    swapped = v4(UDP(**ports(77, 22)))
    return [
        Row(match, "22", ways(22), [*near, *ways(23), swapped], portless),
        Row(match, "8000-8100",
            [v4(UDP(**ports(n))) for n in (8000, 8050, 8100)],
            [v4(UDP(**ports(n))) for n in (7999, 8101)] + near, portless),
        Row(match, "22,80,8000-8100",
            [v4(TCP(**ports(n))) for n in (22, 80, 8001)],
            [v4(TCP(**ports(n))) for n in (79, 81, 9000)], portless),
        Row(match, "0", [v4(UDP(**ports(0)))], near, portless),
        Row(match, "65535", [v6(UDP(**ports(65535)))],
            [v6(UDP(**ports(65534))), *near], portless),
        Row(match, "0-65535", [*ways(22), *near], [], portless),
    ]


def flags_rows():
    def with_flags(flags):
        return [v4(TCP(flags=flags)), v6(TCP(flags=flags)),
                v4(TCP(flags=flags, options=[("MSS", 1460)]),
                   options=[IPOption_RR(routers=["1.1.1.1"] * 9)])]

    def any_of(*many):
        return [frame for flags in many for frame in with_flags(flags)]

    neither = [v4(), v6(), v4(Raw(b"\xff" * 20), frag=5, proto=6), *NOT_IP,
               v4(Raw(b"\xff" * 13), proto=6)]
    return [
        Row("tcp-flags", "syn", any_of("S", "SA", "SEC"),
            any_of("A", "", "F", "RPUAEC"), neither),
        Row("tcp-flags", "syn/syn+ack", any_of("S", "SEC", "SP"),
            any_of("SA", "A", "", "F"), neither),
        Row("tcp-flags", "syn+ack", any_of("SA", "SAP"),
            any_of("S", "A", ""), neither),
        Row("tcp-flags", "ack,rst", any_of("A", "R", "RA", "PA", "SA"),
            any_of("S", "", "F", "P"), neither),
        Row("tcp-flags", "established", any_of("A", "R", "RA", "PA", "SA"),
            any_of("S", "", "F", "P"), neither),
        Row("tcp-flags", "none/syn+ack+rst+fin", any_of("", "P", "UPEC"),
            any_of("S", "A", "FA", "R"), neither),
        Row("tcp-flags", "fin+psh+urg/fin+syn+rst+psh+ack+urg+ece+cwr",
            any_of("FPU"), any_of("FPUA", "FP", "FPUC", ""), neither),
        Row("tcp-flags", "cwr,ece", any_of("C", "E", "SEC"),
            any_of("S", "U", "A"), neither),
    ]


def icmp_rows():
    types = {"echo-reply": 0, "destination-unreachable": 3, "redirect": 5,
             "echo-request": 8, "time-exceeded": 11, "parameter-problem": 12,
             "timestamp-request": 13, "timestamp-reply": 14}

    def typed4(n):
        return v4(Raw(bytes([n, 0]) + bytes(30)), proto=1)

    neither = [v6(ICMPv6EchoRequest()), v6(Raw(bytes([8] * 8)), nh=58),
               v4(TCP()), v4(Raw(bytes([8] * 8)), proto=17),
               v4(Raw(bytes([8] * 8)), frag=3, proto=1), v4(Raw(b""), proto=1),
               *NOT_IP]
    rows = [Row("icmp-type", name, [typed4(n)],
                [typed4(m) for m in {*types.values(), n + 1} - {n}],
                neither)
            for name, n in types.items()]
    return rows + [
        Row("icmp-type", "13", [typed4(13)], [typed4(12), typed4(14)],
            neither),
        Row("icmp-type", "0-7,echo-request", [typed4(n) for n in (0, 3, 7, 8)],
            [typed4(n) for n in (9, 255)], neither),
        Row("icmp-type", "echo-request",
            [v4(ICMP()), on_wire(ipv4(ICMP()), VLAN), v4(ICMP(), flags="MF"),
             v4(ICMP(), options=[IPOption_RR(routers=["1.1.1.1"] * 9)])],
            [v4(ICMP(type=0))], neither),
    ]


def icmpv6_rows():
    kinds = {"destination-unreachable": ICMPv6DestUnreach,
             "packet-too-big": ICMPv6PacketTooBig,
             "time-exceeded": ICMPv6TimeExceeded,
             "parameter-problem": ICMPv6ParamProblem,
             "echo-request": ICMPv6EchoRequest,
             "echo-reply": ICMPv6EchoReply,
             "router-solicitation": ICMPv6ND_RS,
             "router-advertisement": ICMPv6ND_RA,
             "neighbor-solicitation": ICMPv6ND_NS,
             "neighbor-advertisement": ICMPv6ND_NA,
             "redirect": ICMPv6ND_Redirect}
    frames = {name: v6(kind()) for name, kind in kinds.items()}
    report = v6(IPv6ExtHdrHopByHop(options=[PadN()]) / ICMPv6MLReport())
    neither = [v4(ICMP()), v4(Raw(bytes([135] * 8)), proto=1),
               v4(Raw(bytes([135] * 8)), proto=58), v6(TCP()),
               v6(IPv6ExtHdrFragment(offset=4, nh=58) / Raw(b"\x87" * 8)),
               *NOT_IP]
    rows = [Row("icmpv6-type", name, [frames[name]],
                [frame for other, frame in frames.items() if other != name]
                + [report], neither)
            for name in kinds]
    return rows + [
        Row("icmpv6-type", "130-132", [report], list(frames.values()),
            neither),
        Row("icmpv6-type", "135,neighbor-advertisement",
            [frames["neighbor-solicitation"],
             on_wire(ipv6(ICMPv6ND_NS()), VLAN),
             frames["neighbor-advertisement"]],
            [frames["router-solicitation"], frames["redirect"]], neither),
    ]


ROWS = [*ethertype_rows(), *mac_rows("src-mac"), *mac_rows("dst-mac"),
        *vlan_rows(), *arp_rows(), *address_rows("src"), *address_rows("dst"),
        *protocol_rows(), *port_rows("src-port"), *port_rows("dst-port"),
        *flags_rows(), *icmp_rows(), *icmpv6_rows()]


def assert_dropped(net, rule, frames, dropped):
    """Of @frames exactly those in @dropped match @rule, in both directions.

    By a rule that drops them, and by its counter.
    """
    net.reload(rules_text(MARK_RULE, f"drop {rule}"))
    count = len(dropped)
    for direction in DIRECTIONS:
        passing = [frame for frame in frames if frame not in dropped]
        arrived = net.passed(direction, frames)
        wrong = (collections.Counter(arrived)
                 - collections.Counter(passing))
        lost = collections.Counter(passing) - collections.Counter(arrived)
        assert not wrong, [Ether(frame) for frame in wrong]
        assert not lost, [Ether(frame) for frame in lost]
        assert arrived == passing
    counters = net.counters()
    for direction in DIRECTIONS:
        counted = counters.get((2, direction))
        assert (counted.frames if counted else 0) == count, direction


@pytest.mark.parametrize("complement", [False, True], ids=["", "not"])
@pytest.mark.parametrize("row", ROWS,
                         ids=lambda row: f"{row.match} {row.value}")
def test_a_match_matches_what_it_says_and_nothing_else(net, row, complement):
    frames = [*row.yes, *row.no, *row.neither]
    assert len(set(frames)) == len(frames), "a frame is there twice"
    assert_dropped(net, f"{row.match} {'!' * complement}{row.value}", frames,
                   row.no if complement else row.yes)


def test_all_matches_of_a_line_must_hold(net):
    def frame(vlan=100, src="10.1.0.1", dst="10.2.0.1", port=53, kind=UDP,
              mac=A):
        return on_wire(ipv4(kind(sport=9, dport=port), src=src, dst=dst),
                       Dot1Q(vlan=vlan), src=mac)

    near = [frame(vlan=101), frame(src="10.2.0.1"), frame(dst="10.1.0.1"),
            frame(port=54), frame(kind=TCP), frame(mac=B)]
    assert_dropped(
        net, f"vlan 100 src 10.1.0.0/16 dst 10.2.0.0/16,2001:db8::/32 "
        f"protocol !tcp dst-port 53,67 src-mac {A}", [frame(), *near],
        [frame()])


def test_a_rule_without_a_match_matches_everything(net):
    frames = [v4(), v6(), arp(), llc(), typed(0x88b6), *STUMPS, bytes(14)]
    assert_dropped(net, "", frames, frames)


def test_ipv6_lists_of_source_and_destination_combine(net):
    sources = "2001:db8:1::/48,fe80::/10,10.0.0.0/8"
    targets = "2001:db8:2::/64,2001:db8:3::5,192.168.0.0/16"

    def six(src, dst):
        return v6(src=src, dst=dst)

    yes = [six("2001:db8:1::9", "2001:db8:2::9"), six("fe80::1",
                                                     "2001:db8:3::5"),
           v4(src="10.9.9.9", dst="192.168.1.1")]
    no = [six("2001:db8:1::9", "2001:db8:3::6"), six("fec0::1",
                                                     "2001:db8:3::5"),
          six("2001:db8:2::9", "2001:db8:1::9"),
          v4(src="10.9.9.9", dst="192.169.1.1"),
          v4(src="11.9.9.9", dst="192.168.1.1")]
    assert_dropped(net, f"src {sources} dst {targets}", yes + no, yes)


@pytest.mark.parametrize("size", [14, 15, 17, 18, 33, 34, 59, 128, 129, 1514])
def test_frames_of_any_size_are_judged_and_stay_as_they_are(net, size):
    frame = v4(UDP(sport=7, dport=9) / Raw(b"x" * 1500))[:size]
    assert_dropped(net, "vlan 7", [frame], [])
    assert_dropped(net, "ethertype ipv4", [frame], [frame])


def hidden_frames():
    """TCP to port 22 that does not look like it at first sight."""
    segment = bytes(TCP(sport=1, dport=22, flags="S"))
    pad = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
    long_pad = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 90)])
    chain = IPv6(src="2001:db8::1", dst="2001:db8::2")
    for _ in range(9):
        chain = chain / pad.copy()
    return {
        "many headers": on_wire(chain / TCP(sport=1, dport=22)),
        "a long header": v6(long_pad / TCP(sport=1, dport=22)),
        # RFC 3128: flags in the second fragment, or overwritten by it.
        "a tiny first fragment": v4(Raw(segment[:8]), proto=6, flags="MF"),
        "flags in a fragment of their own": v4(Raw(segment[8:]), proto=6,
                                               frag=1),
        "a tiny first fragment of IPv6": v6(
            IPv6ExtHdrFragment(m=1, nh=6) / Raw(segment[:8])),
    }


@pytest.mark.parametrize("tags", [1, 3, 8, 9, 20])
def test_no_frame_hides_behind_tags(net, tags):
    """Receivers take any number of tags of VLAN 0 off."""
    plain = v4(UDP(dport=22))
    frame = plain[:12] + bytes.fromhex("81000000") * tags + plain[12:]
    for rule in "dst-port 22", "ethertype ipv4", "src 10.0.0.1":
        net.reload(rules_text(MARK_RULE, f"drop {rule}"))
        for direction in DIRECTIONS:
            assert net.passed(direction, [frame]) == []
    # What is seen is not held against it; more than eight tags are not.
    net.reload(rules_text(MARK_RULE, "drop dst-port 23"))
    for direction in DIRECTIONS:
        assert net.passed(direction, [frame]) == ([frame] if tags <= 8
                                                  else [])


@pytest.mark.parametrize("how", hidden_frames())
def test_no_frame_hides_from_a_rule(net, how):
    frame = hidden_frames()[how]
    for rule in "protocol tcp dst-port 22", "protocol tcp tcp-flags syn":
        net.reload(rules_text(MARK_RULE, f"drop {rule}"))
        for direction in DIRECTIONS:
            assert net.passed(direction, [frame]) == []
    # Who does not ask for anything there is not concerned.
    net.reload(rules_text(MARK_RULE, "drop ethertype arp"))
    for direction in DIRECTIONS:
        assert net.passed(direction, [frame]) == [frame]


# VLAN tags that are not in the frame -----------------------------------------

@pytest.fixture(params=["VLAN device", "BPF"])
def tagging(request, net, cleanup):
    """Sends frames to the tap with a tag for VLAN 100 that is not in them.

    The kernel hands such a tag over beside the frame, and puts it in when the
    switch reads it.
    """
    if request.param == "BPF":
        number = tcx_that_tags(net.tap, 100)
        cleanup.callback(os.close, number)
        return net.host
    words = ["ip", "link", "add", "link", net.tap, "name", "tap0.100", "type",
             "vlan", "id", "100"]
    try:
        lab.sh(*words)
    except lab.LabError as error:
        pytest.skip(f"no VLAN devices here: {error}")
    cleanup.callback(lab.sh, "ip", "link", "delete", "tap0.100")
    lab.sh("ip", "link", "set", "tap0.100", "up")
    return cleanup.enter_context(TapSide("tap0.100"))


def with_tag(frame):
    return frame[:12] + bytes.fromhex("81000064") + frame[12:]


VLAN_RULES = [("vlan 100", True), ("vlan !none", True), ("vlan none", False),
              ("vlan 99,101", False), ("vlan !100", False),
              ("vlan 100 dst-port 9", True), ("vlan 100 dst-port 10", False),
              ("ethertype ipv4", True), ("ethertype 0x8100", False),
              ("src 10.0.0.1 protocol udp", True)]


@pytest.mark.parametrize("rule, matches", VLAN_RULES,
                         ids=[rule for rule, _ in VLAN_RULES])
def test_a_tag_beside_the_frame_is_a_tag_like_others(net, tagging, rule,
                                                     matches):
    frame, last = v4(), mark()
    net.reload(rules_text(MARK_RULE, f"drop to-guests {rule}"))
    tagging.send(frame)
    tagging.send(last)
    arrived = net.guest.recv_until(with_tag(last))
    assert arrived == ([] if matches else [with_tag(frame)])
    if matches:
        counted = net.counters()[2, TO_GUESTS]
        # As the guests would have seen it.
        assert (counted.frames, counted.bytes) == (1, len(frame) + 4)
        sample = net.dropped()[-1]
        assert (sample.bytes, sample.frame) == (len(frame) + 4,
                                                with_tag(frame)[:64])


def test_one_tag_beside_the_frame_and_one_in_it(net, tagging):
    frame, last = on_wire(ipv4(), Dot1Q(vlan=5)), mark()
    net.reload(rules_text(
        MARK_RULE, "accept to-guests vlan 5",
        "count to-guests vlan 100 src 10.0.0.1 dst-port 9"))
    tagging.send(frame)
    tagging.send(last)
    assert net.guest.recv_until(with_tag(last)) == [with_tag(frame)]
    counters = net.counters()
    assert (2, TO_GUESTS) not in counters
    assert counters[3, TO_GUESTS].bytes == len(frame) + 4
