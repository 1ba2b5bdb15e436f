"""The examples to copy, tap/example_*.bpf.c, do what they say."""

import pytest

import lab
from lab_filter import TapSide, bpf  # noqa: F401 (a fixture)
from lab_object import arrived, bpftool, built, filtered, renamed, tag_beside

pytestmark = pytest.mark.usefixtures("bpf")


@pytest.fixture(scope="module")
def scapy():
    """Slow to load, and only these tests need it."""
    from scapy import all as scapy
    return scapy


ALL_NODES = "33:33:00:00:00:01"
BRIDGES = "01:80:c2:00:00:00"


def infrastructure(s):
    """What a guest has no business to send."""
    ether = s.Ether(src=lab.mac(1), dst=lab.BROADCAST)
    ip = s.IP(src="10.0.0.66", dst="255.255.255.255")
    offer = (s.UDP(sport=67, dport=68) / s.BOOTP(op=2)
             / s.DHCP(options=[("message-type", "offer"), "end"]))
    ip6 = (s.Ether(src=lab.mac(1), dst=ALL_NODES)
           / s.IPv6(src="fe80::1", dst="ff02::1"))
    advertisement = s.ICMPv6ND_RA() / s.ICMPv6NDOptPrefixInfo(prefix="fd00::")
    many = (s.Ether(src=lab.mac(1), dst=ALL_NODES)
            / s.IPv6(src="fe80::1", dst="ff02::1", nh=60)
            / s.Raw(bytes.fromhex("3c00010400000000") * 20
                    + bytes.fromhex("3a00010400000000"))
            / advertisement)
    return {
        "RA": ip6 / advertisement,
        "RA behind an option": ip6 / s.IPv6ExtHdrDestOpt() / advertisement,
        "RA behind three": ip6 / s.IPv6ExtHdrHopByHop()
        / s.IPv6ExtHdrDestOpt() / s.IPv6ExtHdrRouting() / advertisement,
        "RA behind many": many,
        "DHCPv6 reply": ip6 / s.UDP(sport=547, dport=546) / s.DHCP6_Reply(),
        "offer": ether / ip / offer,
        "offer with IP options": ether / s.IP(
            src="10.0.0.66", dst="255.255.255.255",
            options=[s.IPOption_NOP()] * 4) / offer,
        "offer in a VLAN": ether / s.Dot1Q(vlan=7) / ip / offer,
        "offer in two": ether / s.Dot1AD(vlan=7) / s.Dot1Q(vlan=8) / ip / offer,
        "STP": s.Dot3(src=lab.mac(1), dst=BRIDGES)
        / s.LLC(dsap=0x42, ssap=0x42, ctrl=3) / s.STP(),
        "LLDP": s.Ether(src=lab.mac(1), dst=BRIDGES[:-1] + "e", type=0x88cc)
        / s.Raw(bytes(46)),
        "LLDP to all": s.Ether(src=lab.mac(1), dst=lab.BROADCAST, type=0x88cc)
        / s.Raw(bytes(46)),
    }


def everyday(s):
    """What looks like it and must pass."""
    ether = s.Ether(src=lab.mac(1), dst=lab.BROADCAST)
    ip = s.IP(src="10.0.0.1", dst="255.255.255.255")
    ip6 = (s.Ether(src=lab.mac(1), dst=ALL_NODES)
           / s.IPv6(src="fe80::1", dst="ff02::1"))

    def cut_short(ethertype, text):
        return s.Ether(src=lab.mac(1), dst=lab.BROADCAST,
                       type=ethertype) / s.Raw(bytes.fromhex(text))

    return {
        "ARP": ether / s.ARP(psrc="10.0.0.1", pdst="10.0.0.2"),
        "RS": ip6 / s.ICMPv6ND_RS(),
        "NS": ip6 / s.ICMPv6ND_NS(tgt="fe80::2"),
        "NS behind an option": ip6 / s.IPv6ExtHdrDestOpt()
        / s.ICMPv6ND_NS(tgt="fe80::2"),
        "NS behind five": ip6 / s.IPv6ExtHdrHopByHop()
        / s.IPv6ExtHdrDestOpt() / s.IPv6ExtHdrRouting() / s.IPv6ExtHdrDestOpt()
        / s.IPv6ExtHdrDestOpt() / s.ICMPv6ND_NS(tgt="fe80::2"),
        "discover": ether / ip / s.UDP(sport=68, dport=67) / s.BOOTP()
        / s.DHCP(options=[("message-type", "discover"), "end"]),
        "DHCPv6 solicit": ip6 / s.UDP(sport=546, dport=547)
        / s.DHCP6_Solicit(),
        "UDP from 66": ether / ip / s.UDP(sport=66, dport=68) / b"x",
        "UDP from 66 in a VLAN": ether / s.Dot1Q(vlan=7) / ip
        / s.UDP(sport=66, dport=68) / b"x",
        "TCP from 67": ether / ip / s.TCP(sport=67, dport=68),
        "a later fragment": ether / s.IP(src="10.0.0.1", dst="10.0.0.2",
                                         frag=100, proto=17)
        / s.Raw(bytes.fromhex("00430044") * 8),
        "group beside": s.Ether(src=lab.mac(1), dst=BRIDGES[:-2] + "10",
                                type=lab.ETHERTYPE) / s.Raw(bytes(46)),
        "no more than Ethernet": cut_short(0x0800, ""),
        "IPv4 cut short": cut_short(0x0800, "4500"),
        "IPv6 cut short": cut_short(0x86dd, "6000"),
        "UDP cut short": cut_short(0x0800, "45000018000000004011" "0000"
                                   "0a000001ffffffff" "0043"),
    }


def test_guard_keeps_guests_from_passing_for_infrastructure(scapy, tmp_path):
    bad, good = infrastructure(scapy), everyday(scapy)
    with filtered(built("example_guard"), tmp_path) as (switch, _, client), \
            TapSide("tap0") as host:
        assert arrived(client, host, {**bad, **good}, "ARP") == set(good)
        # The host may be router and DHCP server.
        assert arrived(host, client, {**bad, **good}, "ARP") == {
            *bad, *good} - {"STP", "LLDP", "LLDP to all"}
        assert ("'guard_to_guests' to-guests (socket), "
                "'guard_to_host' to-host (xdp)\n") in switch.said()


@pytest.fixture
def counting(tmp_path):
    """example_count at work, and its maps: (host, client, maps)."""
    path = tmp_path / "count.o"
    words = "to_guests", "to_host", "closed_below"
    maps = dict(zip(words, renamed("example_count", path, *words)))
    with filtered(path, tmp_path) as (_, host, client):
        yield host, client, maps


def counted(name):
    """{EtherType: (frames, bytes)} as the example says to look at it."""
    return {entry["formatted"]["key"]:
            tuple(entry["formatted"]["value"][what]
                  for what in ("frames", "bytes"))
            for entry in bpftool("map", "dump", "name", name)}


def test_count_counts_by_ethertype_in_both_directions(counting):
    host, client, maps = counting
    for sender, receiver, name, times in ((host, client, "to_guests", 3),
                                          (client, host, "to_host", 5)):
        # 100 is the length of an 802.3 frame.
        for ethertype in 0x0800, 0x88b5, 100, 0x86dd:
            sent = lab.frame(lab.BROADCAST, lab.mac(1), b"%d" % ethertype,
                             size=100 + times, ethertype=ethertype)
            for _ in range(times):
                sender.send(sent)
                receiver.recv_until(sent)
        assert counted(maps[name]) == dict.fromkeys(
            (0x0800, 0x88b5, 0, 0x86dd), (times, times * (100 + times)))


def test_count_sees_a_tag_wherever_the_kernel_keeps_it(counting):
    host, client, maps = counting
    frame, tagged = tag_beside("tap0")
    for sent in frame, tagged:
        host.send(sent)
        client.recv_until(tagged)
    client.send(tagged)
    host.recv()
    assert counted(maps["to_guests"]) == {0x8100: (2, 60 + 64)}
    assert counted(maps["to_host"]) == {0x8100: (1, 64)}


def connections(s):
    """{name: (frame, is it one that closed_below 1024 drops?)}"""
    ether = s.Ether(src=lab.mac(1), dst=lab.BROADCAST)
    ip = s.IP(src="10.0.0.1", dst="10.0.0.2")
    ip6 = s.IPv6(src="fd00::1", dst="fd00::2")
    return {
        "SYN to 22": (ether / ip / s.TCP(dport=22), True),
        "SYN to 1023": (ether / ip / s.TCP(dport=1023), True),
        "SYN to 22, IP options": (ether / s.IP(
            dst="10.0.0.2", options=[s.IPOption_NOP()] * 4)
            / s.TCP(dport=22), True),
        "SYN to 22, IPv6": (ether / ip6 / s.TCP(dport=22), True),
        "SYN to 1024": (ether / ip / s.TCP(dport=1024), False),
        "SYN to 1024, IPv6": (ether / ip6 / s.TCP(dport=1024), False),
        "SYN+ACK": (ether / ip / s.TCP(dport=22, flags="SA"), False),
        "ACK": (ether / ip / s.TCP(dport=22, flags="A"), False),
        "UDP": (ether / ip / s.UDP(dport=22) / (b"x" * 20), False),
        "a later fragment": (ether / s.IP(dst="10.0.0.2", frag=10)
                             / s.TCP(dport=22), False),
        "ARP": (ether / s.ARP(pdst="10.0.0.2"), False),
    }


def test_count_closes_ports_while_it_runs(scapy, counting):
    host, client, maps = counting
    frames = {name: frame for name, (frame, _) in connections(scapy).items()}
    closed = {name for name, (_, is_closed) in connections(scapy).items()
              if is_closed}

    def close_below(*value):
        bpftool("map", "update", "name", maps["closed_below"],
                "key", *"0000", "value", *value)

    assert arrived(host, client, frames, "ARP") == set(frames)
    close_below("0", "4", "0", "0")
    assert arrived(host, client, frames, "ARP") == set(frames) - closed
    # To the host nothing is closed.
    assert arrived(client, host, frames, "ARP") == set(frames)
    close_below("0", "0", "0", "0")
    assert arrived(host, client, frames, "ARP") == set(frames)
