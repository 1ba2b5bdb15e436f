"""Frames of every kind, for the tests of filters; scapy makes them.

    on_wire(packet, *tags)   an Ethernet frame around it
    v4(), v6(), arp(), llc() a frame of the kind, made different by keys
    ipv4(), ipv6()           the packet only
    typed(ethertype)         one of an EtherType that nobody looks into
    checksum_faults(frame)   what is wrong with it
"""

import struct

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, LLC, STP, Dot1Q, Dot3, Ether
from scapy.utils import checksum

import lab

A, B = lab.mac(1), lab.mac(2)
VLAN = Dot1Q(vlan=100)


def on_wire(packet, *tags, src=A, dst=B):
    head = Ether(src=src, dst=dst)
    for tag in tags:
        head = head / tag
    return bytes(head / packet)


def ipv4(payload=None, src="10.0.0.1", dst="10.0.0.2", **fields):
    return IP(src=src, dst=dst, **fields) / (payload or UDP(sport=7, dport=9))


def ipv6(payload=None, src="2001:db8::1", dst="2001:db8::2", **fields):
    return IPv6(src=src, dst=dst, **fields) / (payload
                                               or UDP(sport=7, dport=9))


def v4(*arguments, **keys):
    return on_wire(ipv4(*arguments, **keys))


def v6(*arguments, **keys):
    return on_wire(ipv6(*arguments, **keys))


def arp(**fields):
    return on_wire(ARP(**{"hwsrc": A, "hwdst": B, "psrc": "10.0.0.1",
                          "pdst": "10.0.0.2", **fields}))


def typed(ethertype, size=60):
    return lab.frame(B, A, b"payload", size=size, ethertype=ethertype)


def llc(size=60):
    return bytes(Dot3(src=A, dst="01:80:c2:00:00:00") / LLC() / STP()
                 ).ljust(size, b"\0")


# What has an EtherType and nothing that belongs to it.
STUMPS = [lab.frame(B, A, bytes([0x45]) + bytes(9), ethertype=0x0800),
          lab.frame(B, A, bytes([0x60]) + bytes(38), ethertype=0x86dd),
          lab.frame(B, A, bytes(40), ethertype=0x0800)]
NOT_IP = [arp(), llc(), typed(0x88b6), *STUMPS]


def checksum_faults(frame):
    """What is wrong with the checksums of an IPv4 packet in @frame.

    Nothing is said of what fragments carry.
    """
    packet = frame[14:]
    if frame[12:14] != b"\x08\x00":
        return []
    header = packet[:4 * (packet[0] & 15)]
    packet = packet[:int.from_bytes(packet[2:4], "big")]
    faults = []
    if checksum(header):
        faults.append("IPv4 header")
    if not int.from_bytes(packet[6:8], "big") & 0x3fff:
        faults += payload_faults(header, packet[len(header):])
    return faults


def payload_faults(header, payload):
    protocol = header[9]
    pseudo = header[12:20] + struct.pack("!HH", protocol, len(payload))
    if protocol == 1 and checksum(payload):
        return ["ICMP"]
    if protocol == 6 and checksum(pseudo + payload):
        return ["TCP"]
    # Zero is: none.
    if (protocol == 17 and payload[6:8] != b"\0\0"
            and checksum(pseudo + payload)):
        return ["UDP"]
    return []
