"""Many rules, and random ones, against a naive reading of them.

     host side                             guests' side
         |                                      |
       tap0 --- rules=FILE --- ringswitch ------+

lab_filter_model.py says which frames have to pass, and which lines of the file
have to count them.
"""

import collections
import random

import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
                                IPv6ExtHdrHopByHop, PadN)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

import lab
from lab_filter import (DIRECTIONS, MARK_RULE, Filtered, RuleFile, bpf, net,
                        refused_start, rules_text, shared)
from lab_filter_frames import ipv4, on_wire, v4
from lab_filter_model import Model

assert bpf and net and shared      # the fixtures
pytestmark = pytest.mark.usefixtures("bpf")


def assert_as_the_model_says(net, text, frames):
    """Frames and counters, in both directions, line by line."""
    model = Model(text)
    net.reload(text)
    for direction in DIRECTIONS:
        wanted, counted = [], collections.Counter()
        bytes_ = collections.Counter()
        for frame in frames:
            passes, lines = model.judge(frame, direction)
            wanted += [frame] * passes
            counted.update(lines)
            for line in lines:
                bytes_[line] += len(frame)
        arrived = net.passed(direction, frames)
        assert arrived == wanted
        counters = {line: (rule.frames, rule.bytes)
                    for (line, way), rule in net.counters().items()
                    if way == direction and line != 1}
        assert counters == {line: (counted[line], bytes_[line])
                            for line in counted if line != 1}


def test_hundreds_of_counting_rules_on_one_frame_all_count(net):
    text = rules_text(MARK_RULE, *["count"] * 200, "drop dst-port 22",
                      "count dst-port 23")
    assert_as_the_model_says(net, text, [v4(UDP(dport=port))
                                         for port in (22, 23, 24)])


@pytest.mark.parametrize("reverse", [False, True], ids=["widest last",
                                                        "widest first"])
def test_of_overlapping_prefixes_the_first_wins_not_the_longest(net, reverse):
    lengths = list(range(32, -1, -1))
    if reverse:
        lengths.reverse()
    lines = [f"{'drop' if length % 2 else 'accept'} src "
             f"{0x0a010203 >> 32 - length << 32 - length >> 24 & 255}."
             f"{0x0a010203 >> 32 - length << 32 - length >> 16 & 255}."
             f"{0x0a010203 >> 32 - length << 32 - length >> 8 & 255}."
             f"{0x0a010203 >> 32 - length << 32 - length & 255}/{length}"
             for length in lengths]
    text = rules_text(MARK_RULE, *lines)
    frames = [v4(src=f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}")
              for n in [0x0a010203, *(0x0a010203 ^ 1 << bit
                                      for bit in range(32))]]
    assert_as_the_model_says(net, text, frames)


# Random rules ----------------------------------------------------------------

def random_address(chance):
    """From a small world, so that rules and frames meet often."""
    return (f"10.{chance.randrange(4)}.{chance.randrange(4)}."
            f"{chance.randrange(6)}")


def random_address6(chance):
    return (f"2001:db8:{chance.randrange(3)}:{chance.randrange(3):x}::"
            f"{chance.randrange(4):x}:{chance.randrange(3)}")


def random_frame(chance):
    tags = [chance.choice([Dot1Q, Dot1AD])(vlan=chance.randrange(5))
            for _ in range(chance.choice([0, 0, 0, 1, 1, 2]))]
    macs = {"src": lab.mac(chance.randrange(1, 6)),
            "dst": chance.choice([lab.mac(chance.randrange(1, 6)),
                                  lab.BROADCAST])}
    kind = chance.choice(["arp", "v4", "v4", "v4", "v6", "v6", "other"])
    ports = {"sport": chance.randrange(20, 26),
             "dport": chance.randrange(20, 26)}
    if kind == "arp":
        return on_wire(ARP(op=chance.randrange(1, 4), hwsrc=macs["src"],
                           hwdst=lab.mac(chance.randrange(1, 6)),
                           psrc=random_address(chance),
                           pdst=random_address(chance)), *tags, **macs)
    if kind == "other":
        return on_wire(Raw(chance.randbytes(50)), *tags, Raw(
            chance.choice([0x88cc, 0x88b6, 0x9000]).to_bytes(2, "big"))
            if not tags else Dot1Q(vlan=1, type=0x88cc), **macs)
    payload = chance.choice([
        UDP(**ports), TCP(**ports, flags=chance.randrange(256)), SCTP(**ports),
        Raw(chance.randbytes(20)),
        Raw(bytes([chance.choice([0, 3, 8, 11, 128, 135])]) + bytes(11))])
    protocol = {UDP: 17, TCP: 6, SCTP: 132}.get(
        type(payload), chance.choice([1, 2, 47, 58]))
    if kind == "v4":
        packet = IP(src=random_address(chance), dst=random_address(chance),
                    proto=protocol, frag=chance.choice([0, 0, 0, 7]),
                    options=[IPOption_RR(routers=["1.1.1.1"])]
                    * chance.choice([0, 0, 1])) / payload
    else:
        extensions = chance.choice([
            [], [], [IPv6ExtHdrHopByHop(options=[PadN()])],
            [IPv6ExtHdrFragment(offset=chance.choice([0, 100]))],
            [IPv6ExtHdrDestOpt(options=[PadN()]), IPv6ExtHdrFragment(m=1)]])
        packet = IPv6(src=random_address6(chance), dst=random_address6(chance))
        for extension in extensions:
            packet = packet / extension
        if extensions:
            packet.lastlayer().nh = protocol
        else:
            packet.nh = protocol
        packet = packet / payload
    return on_wire(packet, *tags, **macs)


def random_value(chance, match):
    """One item of a list."""
    if match.endswith("-mac"):
        mac = lab.mac(chance.randrange(1, 6))
        return chance.choice([mac, mac, "02:00:00:00:00:04/46", lab.BROADCAST,
                              "01:00:00:00:00:00/01:00:00:00:00:00"])
    if match in ("src", "dst") and chance.random() < 0.5:
        return chance.choice([
            random_address6(chance), "2001:db8::/47", "2001:db8:1::/48",
            f"2001:db8:2:{chance.randrange(3)}::/64", "2001:db8::/32",
            f"2001:db8:0:1::{chance.randrange(4)}:0/112", "::/1"])
    if match in ("src", "dst", "arp-sender", "arp-target"):
        return chance.choice([
            random_address(chance), f"10.{chance.randrange(4)}.0.0/16",
            f"10.{chance.randrange(4)}.{chance.randrange(4)}.0/24",
            "10.2.0.0/15", "0.0.0.0/0", "10.1.1.4/31"])
    if match == "tcp-flags":
        return chance.choice(["syn", "ack,rst", "syn/syn+ack", "established",
                              "none/syn+fin", "fin+psh", "urg/urg+ece"])
    numbers = {"ethertype": ["arp", "ipv4", "ipv6", "0x88b6", "0x8000-0xffff",
                             "0-1535", "0x88cc"],
               "vlan": ["none", "0", "1", "2-3", "4"],
               "arp": ["request", "reply", "3", "2-9"],
               "protocol": ["tcp", "udp", "1-16", "58", "sctp", "47-255"],
               "icmp-type": ["echo-request", "0-4", "11", "128-255"],
               "icmpv6-type": ["echo-request", "135", "0-127", "3"]}
    ports = ["22", "20-22", "24", "25-65535", "0-20"]
    return chance.choice(numbers.get(match, ports))


MATCHES = ["ethertype", "src-mac", "dst-mac", "vlan", "arp", "arp-sender",
           "arp-target", "arp-sender-mac", "arp-target-mac", "src", "dst",
           "protocol", "src-port", "dst-port", "tcp-flags", "icmp-type",
           "icmpv6-type"]


def random_rule(chance):
    words = [chance.choice(["accept", "drop", "count"]),
             chance.choice(["", "", "to-host", "to-guests"])]
    # Of what goes together, so that there is something to match.
    for match in chance.sample(MATCHES[:4] + chance.choice(
            [MATCHES[4:9], MATCHES[9:14], MATCHES[9:15],
             ["src", "dst", "icmp-type"], ["src", "dst", "icmpv6-type"]]),
            chance.choice([1, 1, 2, 3])):
        # Few kinds of masks behind a complement: more are refused.
        several = chance.choice([1, 1, 2, 3])
        words += [match, chance.choice(["", "", "!"]) + ",".join(
            random_value(chance, match) for _ in range(several))]
    return " ".join(filter(None, words))


@pytest.mark.parametrize("seed", range(12))
def test_random_rules_do_what_a_naive_reading_of_them_does(net, seed):
    chance = random.Random(seed)
    text = rules_text(
        MARK_RULE, *(random_rule(chance) for _ in range(chance.choice(
            [5, 20, 60]))),
        f"default to-host {chance.choice(['accept', 'drop'])}",
        f"default to-guests {chance.choice(['accept', 'drop'])}")
    frames = [random_frame(chance) for _ in range(150)]
    assert_as_the_model_says(net, text, frames)


# 10,000 rules ----------------------------------------------------------------

def prefix(number, length):
    number = number >> 32 - length << 32 - length
    return f"{dotted(number)}/{length}"


def dotted(number):
    return ".".join(str(byte) for byte in number.to_bytes(4, "big"))


def random_ip(chance):
    """Somewhere in 10.0.0.0/10: 10,000 prefixes overlap there."""
    return 0x0a000000 | chance.randrange(1 << 22)


def by_prefix(chance):
    return (f"{chance.choice(['src', 'dst'])} "
            f"{prefix(random_ip(chance), chance.randrange(16, 33))}")


def by_mac(chance):
    return (f"{chance.choice(['src-mac', 'dst-mac'])} "
            f"{lab.mac(chance.randrange(20000))}")


def by_prefix_and_ports(chance):
    low = chance.randrange(65000)
    return chance.choice([
        lambda: by_prefix(chance),
        lambda: f"{by_prefix(chance)} "
                f"dst-port {low}-{low + chance.randrange(500)}",
        lambda: f"src {prefix(random_ip(chance), 18)} dst "
                f"{prefix(random_ip(chance), 14)} protocol udp",
        lambda: f"protocol tcp src-port {low},{low + 7} "
                f"dst {prefix(random_ip(chance), 20)}",
        lambda: by_mac(chance)])()


def frame_near(chance, rule):
    """A frame that @rule matches if it is about one address, or nearly."""
    src, dst = dotted(random_ip(chance)), dotted(random_ip(chance))
    macs = {"src": lab.mac(chance.randrange(20000)),
            "dst": lab.mac(chance.randrange(20000))}
    words = rule.split()
    for match, value in zip(words[1::2], words[2::2]):
        if match.endswith("-mac"):
            macs[match[:3]] = value
            continue
        address, _, length = value.partition("/")
        if not length:
            continue
        number = int.from_bytes(bytes(map(int, address.split("."))), "big")
        number += chance.choice([0, 0, -1, (1 << 32 - int(length)) - 1,
                                 1 << 32 - int(length)])
        if match == "src":
            src = dotted(number)
        else:
            dst = dotted(number)
    return on_wire(ipv4(chance.choice([UDP, TCP])(
        sport=chance.randrange(65536), dport=chance.randrange(65536)),
        src=src, dst=dst), **macs)


@pytest.mark.parametrize("shape", [by_prefix, by_mac, by_prefix_and_ports])
def test_of_10000_rules_the_right_one_is_found(tmp_path, shape):
    chance = random.Random(shape.__name__)
    # Some only count, so that more than one rule is found for a frame.
    rules = [f"{chance.choice(['accept', 'drop', 'drop', 'count'])} "
             f"{shape(chance)}" for _ in range(10000)]
    text = rules_text(MARK_RULE, *rules, "default to-guests drop")
    frames = [frame_near(chance, chance.choice(rules)) for _ in range(200)]
    with Filtered(tmp_path, text, tap="tap1") as net:
        assert_as_the_model_says(net, text, frames)


def test_16384_rules_are_taken_and_one_more_is_refused(tmp_path):
    chance = random.Random(0)
    rules = [f"drop {by_prefix(chance)}" for _ in range(16384)]
    file = RuleFile(tmp_path / "rules", rules_text(*rules, "drop"))
    said = refused_start(tmp_path, file)
    assert said.startswith(f"ringswitch: {file}:16385:1: ")
    assert "16384" in said
    text = rules_text(MARK_RULE, *rules[1:], "default to-host drop",
                      "default to-guests drop")
    with Filtered(tmp_path, text, tap="tap1") as net:
        assert_as_the_model_says(
            net, text, [frame_near(chance, rule) for rule in rules[-50:]])
