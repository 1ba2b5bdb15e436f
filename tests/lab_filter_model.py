"""What a rule file says, in the simplest way: line by line, match by match.

    model = Model(text)
    accepted, lines = model.judge(frame, "to-host")

An oracle for the tests of rule files. It knows nothing of the switch's own
reading of frames or rules, but believes that the rules are well-formed.
Limits on rates and translation are not in it.
"""

import ipaddress
import struct

# Frames ----------------------------------------------------------------------

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86dd
TAGS = 0x8100, 0x88a8
TCP, UDP, DCCP, SCTP, UDPLITE = 6, 17, 33, 132, 136
ICMP, ICMPV6 = 1, 58
PORTS = TCP, UDP, DCCP, SCTP, UDPLITE

# IPv6 extension headers: how long is one of which this is the beginning.
FRAGMENT, AH = 44, 51
EXTENSIONS = {0: lambda h: 8 * h[1] + 8, 43: lambda h: 8 * h[1] + 8,
              60: lambda h: 8 * h[1] + 8, FRAGMENT: lambda h: 8,
              AH: lambda h: 4 * h[1] + 8}


def fields(frame):
    """What of @frame can be matched: {match: number or address}.

    What a frame does not have is not there.
    """
    number = int.from_bytes
    found = {"dst-mac": number(frame[:6], "big"),
             "src-mac": number(frame[6:12], "big")}
    at = 12
    while number(frame[at:at + 2], "big") in TAGS and at < 12 + 4 * 8:
        found.setdefault("vlan", number(frame[at + 2:at + 4], "big") & 0xfff)
        at += 4
    found["ethertype"] = number(frame[at:at + 2], "big")
    packet = frame[at + 2:]
    reader = {ARP: arp_fields, IPV4: ipv4_fields, IPV6: ipv6_fields}
    if found["ethertype"] in reader:
        found.update(reader[found["ethertype"]](packet))
    return found


def arp_fields(packet):
    # Over Ethernet, or IEEE 802.
    if (packet[:2] not in (b"\0\1", b"\0\6") or len(packet) < 28
            or packet[2:6] != bytes.fromhex("08000604")):
        return {}
    operation, sender_mac, sender, target_mac, target = struct.unpack(
        "!H6s4s6s4s", packet[6:28])
    return {"arp": operation,
            "arp-sender-mac": int.from_bytes(sender_mac, "big"),
            "arp-target-mac": int.from_bytes(target_mac, "big"),
            "arp-sender": ipaddress.IPv4Address(sender),
            "arp-target": ipaddress.IPv4Address(target)}


def ipv4_fields(packet):
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return {}
    found = {"src": ipaddress.IPv4Address(packet[12:16]),
             "dst": ipaddress.IPv4Address(packet[16:20]),
             "protocol": packet[9]}
    later_fragment = int.from_bytes(packet[6:8], "big") & 0x1fff
    if not later_fragment:
        found.update(payload_fields(packet[4 * (packet[0] & 15):], packet[9],
                                    ICMP, "icmp-type"))
    return found


def ipv6_fields(packet):
    if len(packet) < 40 or packet[0] >> 4 != 6:
        return {}
    found = {"src": ipaddress.IPv6Address(packet[8:24]),
             "dst": ipaddress.IPv6Address(packet[24:40])}
    protocol, rest = packet[6], packet[40:]
    while protocol in EXTENSIONS and len(rest) >= 8:
        later_fragment = (protocol == FRAGMENT
                          and int.from_bytes(rest[2:4], "big") >> 3)
        length = EXTENSIONS[protocol](rest)
        protocol, rest = rest[0], rest[length:]
        if later_fragment:
            rest = b""
            break
    found["protocol"] = protocol
    if rest:
        found.update(payload_fields(rest, protocol, ICMPV6, "icmpv6-type"))
    return found


def payload_fields(payload, protocol, icmp, icmp_match):
    found = {}
    if protocol in PORTS and len(payload) >= 4:
        found["src-port"], found["dst-port"] = struct.unpack("!HH",
                                                             payload[:4])
    if protocol == TCP and len(payload) >= 14:
        found["tcp-flags"] = payload[13]
    if protocol == icmp and payload:
        found[icmp_match] = payload[0]
    return found


# Rules -----------------------------------------------------------------------

NAMES = {
    "ethertype": {"arp": ARP, "ipv4": IPV4, "ipv6": IPV6, "lldp": 0x88cc},
    "arp": {"request": 1, "reply": 2},
    "protocol": {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47,
                 "esp": 50, "ah": 51, "icmpv6": 58, "ospf": 89, "sctp": 132},
    "icmp-type": {
        "echo-reply": 0, "destination-unreachable": 3, "redirect": 5,
        "echo-request": 8, "time-exceeded": 11, "parameter-problem": 12,
        "timestamp-request": 13, "timestamp-reply": 14},
    "icmpv6-type": {
        "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3,
        "parameter-problem": 4, "echo-request": 128, "echo-reply": 129,
        "router-solicitation": 133, "router-advertisement": 134,
        "neighbor-solicitation": 135, "neighbor-advertisement": 136,
        "redirect": 137},
    "vlan": {}, "src-port": {}, "dst-port": {},
}

FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32,
         "ece": 64, "cwr": 128, "none": 0}


def mac_test(text):
    value, _, mask = text.partition("/")
    value = int(value.replace(":", ""), 16)
    if ":" in mask:
        mask = int(mask.replace(":", ""), 16)
    else:
        mask = (1 << 48) - (1 << 48 - int(mask or 48))
    return lambda number: number & mask == value & mask


def number_test(text, names):
    if text in names:
        return lambda number: number == names[text]
    low, _, high = text.partition("-")
    low = int(low, 0)
    high = int(high or str(low), 0)
    return lambda number: low <= number <= high


def address_test(text):
    network = ipaddress.ip_network(text)
    low = int(network.network_address)
    high = int(network.broadcast_address)
    version = network.version
    return lambda address: (address.version == version
                            and low <= int(address) <= high)


def flags_test(text):
    if text == "established":
        return lambda flags: bool(flags & (FLAGS["ack"] | FLAGS["rst"]))
    wanted, _, mask = text.partition("/")
    wanted = sum(FLAGS[name] for name in wanted.split("+"))
    mask = sum(FLAGS[name] for name in mask.split("+")) if mask else wanted
    return lambda flags: flags & mask == wanted


def test_of(match, text):
    if match.endswith("-mac"):
        return mac_test(text)
    if match in ("src", "dst", "arp-sender", "arp-target"):
        return address_test(text)
    if match == "tcp-flags":
        return flags_test(text)
    return number_test(text, NAMES[match])


def condition_of(match, value):
    """A function of a frame's fields()."""
    complement = value.startswith("!")
    values = value.lstrip("!").split(",")
    tests = [test_of(match, text) for text in values if text != "none"
             or match == "tcp-flags"]
    # Untagged is a value like others: nothing that a frame must have.
    untagged = match == "vlan" and "none" in values

    def holds(found):
        if match not in found:
            return match == "vlan" and untagged != complement
        number = found[match]
        return any(test(number) for test in tests) != complement
    return holds


class Model:
    """The rules in @text."""

    DIRECTIONS = "to-host", "to-guests"

    def __init__(self, text):
        self.rules = []
        self.defaults = {direction: (True, 0) for direction in self.DIRECTIONS}
        for number, line in enumerate(text.splitlines(), 1):
            words = line.partition("#")[0].split()
            if words and words[0] == "default":
                self.defaults[words[1]] = words[2] == "accept", number
            elif words:
                self._add(number, words)

    def _add(self, number, words):
        action, rest = words[0], words[1:]
        directions = self.DIRECTIONS
        if rest and rest[0] in directions:
            directions, rest = rest[:1], rest[1:]
        conditions = [condition_of(match, value)
                      for match, value in zip(rest[::2], rest[1::2])]
        self.rules.append((number, action, directions, conditions))

    def judge(self, frame, direction):
        """(True if it passes, the lines that count it)."""
        found = fields(frame)
        lines = []
        for number, action, directions, conditions in self.rules:
            if (direction in directions
                    and all(holds(found) for holds in conditions)):
                lines.append(number)
                if action != "count":
                    return action == "accept", lines
        verdict, number = self.defaults[direction]
        return verdict, [*lines, number]
