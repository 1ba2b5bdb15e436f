"""The same rules for ringswitch, nftables and ebtables, and frames for them.

All rules of a set have one shape, and one verdict, which is the default's too:
whether a frame matches or not, what becomes of it is the same, and so is what
comes after the filter. What is left of a difference is the filter.

No two rules overlap, because nftables' sets of ranges take none that do.

The frames are those of FLOWS flows in random order, so no cache is flattered
by the same ones coming again and again. Those that match no rule have
addresses from between the rules' ones: the search for them is not shorter.
"""
import dataclasses
import ipaddress
import random
import struct

PREFIXES, MACS, MIXED = "IPv4 prefixes", "MAC addresses", "prefixes and ports"
SHAPES = [PREFIXES, MACS, MIXED]
FLOWS = 4096
# What a frame ends with: its number, for ringbench.
NUMBER_BYTES = 4
ETHERTYPE_IPV4 = 0x0800
PROTOCOLS = {"tcp": 6, "udp": 17}
IP_HEADER = struct.Struct(">BBHHHBBHII")
# Every prefix is in a /16 of its own; where the second byte is odd, there are
# none. The same for the last byte of MAC addresses.
NETS_OF_RULES = range(1 << 8, 224 << 8, 2)
# Rules that share a prefix, each with ports from its own part of those below
# OTHER_PORTS.
RULES_PER_NET = 4
OTHER_PORTS = range(1 << 15, 1 << 16)
SIDES = ["src", "dst"]
NFT_SIDE = {"src": "saddr", "dst": "daddr"}
EBTABLES_SIDE = {"src": "source", "dst": "destination"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """What it matches: @side's MAC; or its prefix, and that with ports."""
    side: str
    mac: int | None = None
    net: ipaddress.IPv4Network | None = None
    protocol: str | None = None
    ports: range | None = None

    def own(self):
        if self.mac is not None:
            return f"{self.side}-mac {mac_text(self.mac)}"
        if not self.ports:
            return f"{self.side} {self.net}"
        return (f"{self.side} {self.net} protocol {self.protocol} "
                f"dst-port {ports_text(self.ports, '-')}")

    def nft(self):
        side = NFT_SIDE[self.side]
        if self.mac is not None:
            return f"ether {side} {mac_text(self.mac)}"
        if not self.ports:
            return f"ip {side} {self.net}"
        return (f"ip {side} {self.net} {self.protocol} "
                f"dport {ports_text(self.ports, '-')}")

    def nft_element(self):
        if self.mac is not None:
            return mac_text(self.mac)
        if not self.ports:
            return str(self.net)
        return f"{self.protocol} . {self.net} . {ports_text(self.ports, '-')}"

    def ebtables(self):
        side = EBTABLES_SIDE[self.side]
        if self.mac is not None:
            return f"-{side[0]} {mac_text(self.mac)}"
        if not self.ports:
            return f"-p IPv4 --ip-{side} {self.net}"
        return (f"-p IPv4 --ip-{side} {self.net} "
                f"--ip-protocol {self.protocol} "
                f"--ip-destination-port {ports_text(self.ports, ':')}")


def mac_text(number):
    return number.to_bytes(6, "big").hex(":")


def ports_text(ports, between):
    return (str(ports[0]) if len(ports) == 1
            else f"{ports[0]}{between}{ports[-1]}")


def rules_of(shape, count):
    """@count rules of @shape, the same ones every time."""
    chance = random.Random(f"{shape} {count}")
    make = {PREFIXES: with_prefixes, MACS: with_macs, MIXED: with_ports}[shape]
    rules = [rule for side in SIDES
             for rule in make(chance, side, count // len(SIDES))]
    chance.shuffle(rules)
    return rules


def with_macs(chance, side, count):
    return [Rule(side, mac=0x02 << 40 | number << 1)
            for number in chance.sample(range(1 << 39), count)]


def random_nets(chance, count):
    """As they occur: half of them single hosts or /24."""
    for net in chance.sample(NETS_OF_RULES, count):
        bits = chance.choice([16, 20, 22, 24, 24, 24, 28, 32, 32, 32])
        address = net << 16 | chance.getrandbits(16)
        yield ipaddress.ip_network((address & -1 << 32 - bits, bits))


def with_prefixes(chance, side, count):
    return [Rule(side, net=net) for net in random_nets(chance, count)]


def with_ports(chance, side, count):
    """Single ports and ranges in turns."""
    part = OTHER_PORTS[0] // RULES_PER_NET
    rules = []
    for net in random_nets(chance, -(-count // RULES_PER_NET)):
        for number in range(RULES_PER_NET):
            first = number * part + chance.randrange(part // 2)
            length = 1 + number % 2 * chance.randrange(1, part // 2)
            rules.append(Rule(side, net=net, protocol=chance.choice(
                sorted(PROTOCOLS)), ports=range(first, first + length)))
    return rules[:count]


# In each language --------------------------------------------------------------

def own_text(rules, verdict="accept"):
    return "\n".join([f"default to-guests {verdict}",
                      f"default to-host {verdict}",
                      *(f"{verdict} {rule.own()}" for rule in rules)]) + "\n"


def nft_text(rules, sets=""):
    return (f"table bridge bench {{\n{sets} chain forward {{\n"
            "  type filter hook forward priority 0; policy accept;\n"
            + "".join(f"  {rule}\n" for rule in rules) + " }\n}\n")


def nft_list(rules):
    """A rule for each, with its counters, as ours have them."""
    return nft_text(f"{rule.nft()} counter accept" for rule in rules)


def nft_sets(rules):
    """As one who knows nftables would write it: a set for each side, its
    elements with counters."""
    shape = rules[0]
    if shape.mac is not None:
        kind, key = "ether_addr", "ether {0}"
    elif shape.ports:
        kind = "inet_proto . ipv4_addr . inet_service; flags interval"
        key = "ip protocol . ip {0} . th dport"
    else:
        kind, key = "ipv4_addr; flags interval", "ip {0}"
    sets = "".join(
        f" set of_{side} {{\n  type {kind}; counter\n  elements = {{ " + ", ".join(
            rule.nft_element() for rule in rules if rule.side == side)
        + " }\n }\n" for side in SIDES)
    return nft_text((f"{key.format(NFT_SIDE[side])} @of_{side} accept"
                     for side in SIDES), sets)


def ebtables_text(rules):
    return "*filter\n:FORWARD ACCEPT\n" + "".join(
        f"-A FORWARD {rule.ebtables()} -j ACCEPT\n" for rule in rules)


# Frames ------------------------------------------------------------------------

@dataclasses.dataclass
class Flow:
    macs: dict[str, int]
    addresses: dict[str, int]
    protocol: str
    port: int

    def frame(self, number, size):
        header = (self.macs["dst"].to_bytes(6, "big")
                  + self.macs["src"].to_bytes(6, "big")
                  + ETHERTYPE_IPV4.to_bytes(2, "big"))
        ip_bytes = size - len(header)
        fields = [0x45, 0, ip_bytes, 0, 0, 64, PROTOCOLS[self.protocol], 0,
                  self.addresses["src"], self.addresses["dst"]]
        fields[7] = checksum(IP_HEADER.pack(*fields))
        head = header + IP_HEADER.pack(*fields) + struct.pack(
            ">HH", 1024 + number, self.port)
        return head + bytes(size - NUMBER_BYTES - len(head)) + struct.pack(
            ">I", number)


def checksum(header):
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def other_mac(chance):
    return 0x02 << 40 | chance.getrandbits(39) << 1 | 1


def other_address(chance):
    return chance.choice(NETS_OF_RULES) + 1 << 16 | chance.getrandbits(16)


def frames(rules, matching, size, macs=None):
    """FLOWS frames of @size bytes, in one piece. @matching: each matches a
    random one of @rules; otherwise none. @macs: all have these two."""
    chance = random.Random(f"{len(rules)} {matching}")
    found = []
    for number in range(FLOWS):
        flow = Flow({side: other_mac(chance) for side in SIDES},
                    {side: other_address(chance) for side in SIDES},
                    chance.choice(sorted(PROTOCOLS)),
                    chance.choice(OTHER_PORTS))
        rule = chance.choice(rules)
        aim(chance, flow, rule, matching)
        flow.macs = macs or flow.macs
        found.append(flow.frame(number, size))
    return b"".join(found)


def aim(chance, flow, rule, matching):
    """Let @flow match @rule. Or nearly so: every second one that is not to
    match a rule with ports has the address, but not the port."""
    if rule.mac is not None:
        if matching:
            flow.macs[rule.side] = rule.mac
        return
    if matching or (rule.ports and chance.random() < 0.5):
        flow.addresses[rule.side] = int(rule.net[chance.randrange(
            rule.net.num_addresses)])
    if matching and rule.ports:
        flow.protocol = rule.protocol
        flow.port = chance.choice(rule.ports)
