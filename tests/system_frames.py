"""What the switch does with frames: to whom, and that they stay as they are.

     a        b        c       clients that speak the guests' protocol
      \\       |       /
       +-- ringswitch --+
"""

import random

import pytest
from scapy.contrib.lacp import LACP, SlowProtocol
from scapy.contrib.lldp import (LLDPDU, LLDPDUChassisID, LLDPDUEndOfLLDPDU,
                                LLDPDUPortID, LLDPDUTimeToLive)
from scapy.contrib.mac_control import MACControlPause
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, LLC, STP, Dot1AD, Dot1Q, Dot3, Ether

import lab

A, B, C = lab.mac(1), lab.mac(2), lab.mac(3)
EVERYBODY = lab.BROADCAST

# Longest frame a guest's receive buffer takes; the guest would cut the rest.
GUEST_FRAME_MAX = 1526
SWITCH_FRAME_MAX = 2048


@pytest.fixture
def clients(switch, cleanup):
    return [cleanup.enter_context(lab.Client(switch.socket)) for _ in range(3)]


@pytest.fixture
def hub_clients(tmp_path, cleanup):
    hub = cleanup.enter_context(lab.Switch("--hub", workdir=tmp_path))
    return [cleanup.enter_context(lab.Client(hub.socket)) for _ in range(3)]


_marks = iter(range(1 << 30))


def passed_on(sender, receiver, *frames):
    """What @receiver gets when @sender sends @frames, and nothing else.

    A broadcast behind them tells when all that was to come has come.
    """
    mark = lab.frame(EVERYBODY, A, f"mark {next(_marks)}".encode(), size=60)
    for frame in frames:
        sender.send(frame)
    sender.send(mark)
    return receiver.recv_until(mark)


def introduce(*pairs):
    """Let the switch learn: each client sends a broadcast from its address.

    Returns when all others have it, so what comes later is not from this.
    """
    for client, address in pairs:
        hello = lab.frame(EVERYBODY, address, b"hello", size=60)
        client.send(hello)
        for other, _ in pairs:
            if other is not client:
                other.recv_until(hello)


@pytest.mark.parametrize("dst", [EVERYBODY, "01:00:5e:00:00:fb",
                                 "33:33:00:00:00:01", lab.mac(77),
                                 "00:00:00:00:00:00"],
                         ids=["broadcast", "multicast", "multicast6",
                              "unknown", "zero"])
def test_what_has_no_known_place_goes_to_all_others(clients, dst):
    a, b, c = clients
    frame = lab.frame(dst, A, size=60)
    a.send(frame)
    assert b.recv() == frame
    assert c.recv() == frame


@pytest.mark.parametrize("dst", [EVERYBODY, "01:00:5e:00:00:fb", lab.mac(77),
                                 A], ids=["broadcast", "multicast", "unknown",
                                          "its own address"])
def test_a_frame_never_returns_to_its_sender(clients, dst):
    a, b, _ = clients
    introduce((a, A), (b, B))
    a.drain()
    passed_on(a, b, lab.frame(dst, A, size=60))
    assert passed_on(b, a) == []


def test_a_hub_does_not_return_frames_either(hub_clients):
    a, b, _ = hub_clients
    passed_on(a, b, lab.frame(EVERYBODY, A, size=60))
    assert passed_on(b, a) == []


def test_unicast_goes_only_to_where_its_address_was_seen(clients):
    a, b, c = clients
    introduce((a, A), (b, B), (c, C))
    frame = lab.frame(B, A, size=60)
    assert passed_on(a, b, frame) == [frame]
    c.drain()
    assert frame not in passed_on(a, c, frame)


def test_a_hub_shows_unicast_to_everybody(hub_clients):
    a, b, c = hub_clients
    introduce((a, A), (b, B), (c, C))
    frame = lab.frame(B, A, size=60)
    a.send(frame)
    assert b.recv() == frame
    assert frame in passed_on(a, c)


def test_an_address_that_moves_is_followed_and_counted(switch, clients):
    a, b, c = clients
    introduce((a, A), (b, B), (c, C))
    introduce((c, B), (a, A))
    b.drain()
    frame = lab.frame(B, A, size=60)
    a.send(frame)
    assert c.recv() == frame
    assert frame not in passed_on(a, b)
    assert switch.stats()["mac"]["moved"] >= 1


def test_a_group_address_is_never_learned_as_a_source(switch, clients):
    a, b, c = clients
    introduce((a, A), (b, B), (c, C))
    before = switch.stats()["mac"]["entries"]
    group = "03:00:00:00:00:01"
    passed_on(a, b, lab.frame(EVERYBODY, group, size=60))
    assert switch.stats()["mac"]["entries"] == before
    frame = lab.frame(group, B, size=60)
    b.send(frame)
    assert frame in passed_on(b, c)


def test_the_addresses_of_a_port_go_with_it(switch, clients):
    a, b, c = clients
    introduce((a, A), (b, B), (c, C))
    assert switch.stats()["mac"]["entries"] == 3
    b.close()
    switch.wait_stats(lambda stats: stats["mac"]["entries"] == 2,
                      "the addresses of the closed port to go")
    # Nobody has it now, so it is for everybody again.
    frame = lab.frame(B, A, size=60)
    a.send(frame)
    assert c.recv() == frame


def test_an_address_that_falls_silent_is_forgotten(tmp_path, cleanup):
    switch = cleanup.enter_context(
        lab.Switch("--ageing", "1", workdir=tmp_path))
    a, b, c = [cleanup.enter_context(lab.Client(switch.socket))
               for _ in range(3)]
    introduce((a, A), (b, B), (c, C))
    stats = switch.wait_stats(lambda stats: stats["mac"]["entries"] == 0,
                              "the addresses to age")
    assert stats["mac"]["expired"] == 3
    frame = lab.frame(B, A, size=60)
    a.send(frame)
    assert c.recv() == frame


def test_frames_of_one_sender_stay_in_order(clients):
    a, b, _ = clients
    frames = [lab.frame(EVERYBODY, A, b"%06d" % n, size=60)
              for n in range(1000)]
    received = []
    for start in range(0, len(frames), 8):
        received += passed_on(a, b, *frames[start:start + 8])
    assert received == frames


def test_random_bytes_arrive_as_they_were_sent(clients):
    a, b, _ = clients
    source = random.Random(1)
    for _ in range(300):
        size = source.randrange(14, GUEST_FRAME_MAX + 1)
        frame = lab.frame(EVERYBODY, A, source.randbytes(size - 14))
        assert passed_on(a, b, frame) == [frame]


PROTOCOLS = {
    "pause": Ether(dst="01:80:c2:00:00:01", src=A) /
             MACControlPause(pause_time=100),
    "lldp": Ether(dst="01:80:c2:00:00:0e", src=A) / LLDPDU() /
            LLDPDUChassisID(subtype=4, id=b"\x02\0\0\0\0\1") /
            LLDPDUPortID(subtype=7, id=b"1") / LLDPDUTimeToLive(ttl=120) /
            LLDPDUEndOfLLDPDU(),
    "stp": Dot3(dst="01:80:c2:00:00:00", src=A) / LLC() / STP(),
    "lacp": Ether(dst="01:80:c2:00:00:02", src=A) / SlowProtocol() / LACP(),
    "arp": Ether(dst=EVERYBODY, src=A) / ARP(pdst="10.0.0.2"),
    "ipv6": Ether(dst=B, src=A) / IPv6(dst="fe80::2") / ICMPv6EchoRequest(),
    "vlan": Ether(dst=B, src=A) / Dot1Q(vlan=7) / IP() / UDP(),
    "priority": Ether(dst=B, src=A) / Dot1Q(vlan=0, prio=7) / IP() / UDP(),
    "qinq": Ether(dst=B, src=A) / Dot1AD(vlan=7) / Dot1Q(vlan=8) / IP() / UDP(),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_frames_of_all_protocols_pass_untouched(clients, protocol):
    a, b, c = clients
    frame = bytes(PROTOCOLS[protocol])
    assert passed_on(a, b, frame) == [frame]
    assert frame in passed_on(a, c)


def test_a_full_vlan_frame_passes_untouched(clients):
    a, b, _ = clients
    frame = bytes(Ether(dst=B, src=A) / Dot1Q(vlan=7) / IP() / UDP() /
                  bytes(1518 - 18 - 20 - 8))
    assert len(frame) == 1518
    assert passed_on(a, b, frame) == [frame]


@pytest.mark.parametrize("size", [14, 15, 42, 60, 1514, 1518, 1522,
                                  GUEST_FRAME_MAX])
def test_a_frame_up_to_what_a_guest_takes_arrives_whole(clients, size):
    a, b, _ = clients
    frame = lab.frame(EVERYBODY, A, size=size)
    assert passed_on(a, b, frame) == [frame]


@pytest.mark.parametrize("size", [GUEST_FRAME_MAX + 1, 1600, SWITCH_FRAME_MAX])
def test_a_frame_too_long_for_a_guest_is_dropped_not_cut(switch, clients, size):
    a, b, c = clients
    assert passed_on(a, b, lab.frame(EVERYBODY, A, size=size)) == []
    assert all(len(frame) == 60 for frame in passed_on(a, c))
    stats = switch.stats()
    assert stats["uml2"]["drop.too_long"] == 1
    assert stats["uml3"]["drop.too_long"] == 1


@pytest.mark.parametrize("size", [SWITCH_FRAME_MAX + 1, 9000, 65535])
def test_a_frame_too_long_for_the_switch_is_dropped_not_cut(switch, clients,
                                                            size):
    a, b, _ = clients
    assert passed_on(a, b, lab.frame(EVERYBODY, A, size=size)) == []
    assert switch.stats()["uml1"]["drop.rx_too_long"] == 1


@pytest.mark.parametrize("size", range(0, 14))
def test_less_than_a_header_is_dropped(switch, clients, size):
    a, b, _ = clients
    assert passed_on(a, b, bytes.fromhex("ff" * size)) == []
    assert switch.stats()["uml1"]["drop.runt"] == 1


def test_many_empty_datagrams_do_not_stop_a_port(switch, clients):
    a, b, _ = clients
    assert passed_on(a, b, *[b""] * 2000) == []
    assert switch.stats()["uml1"]["drop.runt"] == 2000


def test_frames_for_a_port_that_is_alone_are_counted(switch):
    with lab.Client(switch.socket) as only:
        only.send(lab.frame(EVERYBODY, A, size=60))
        stats = switch.wait_stats(lambda stats: stats["uml1"]["received"] == 1,
                                  "the frame to be counted")
    assert stats["uml1"]["dropped"] == 1
    assert stats["uml1"]["forwarded"] == 0


def test_counters_add_up_whatever_happened(switch, clients):
    """received = forwarded + dropped, offered = sent + undelivered + queued."""
    a, b, c = clients
    source = random.Random(2)
    for n in range(400):
        sender = source.choice(clients)
        size = source.choice([0, 7, 13, 14, 60, 1514, 1527, 3000])
        sender.send(lab.frame(source.choice([EVERYBODY, A, B, lab.mac(9)]),
                              source.choice([A, B, C]), size=size)[:size])
        if n % 4 == 0:
            # c hardly ever reads, so its queue is part of the account.
            a.drain()
            b.drain()
    b.close()
    stats = switch.wait_stats(lambda stats: stats["closed"]["received"] > 0,
                              "the port to close")
    stats.pop("mac")
    for port in stats.values():
        assert port["received"] == port["forwarded"] + port["dropped"]
        assert port["offered"] == (port["sent"] + port["undelivered"]
                                   + port["queued"])
    parts = [port for name, port in stats.items() if name != "total"]
    for key in "received", "dropped", "offered", "sent", "rx_bytes":
        assert stats["total"][key] == sum(port[key] for port in parts)
    # Each reason is one of the two sums.
    for port in stats.values():
        reasons = sum(value for key, value in port.items()
                      if key.startswith("drop."))
        assert reasons == port["dropped"] + port["undelivered"]
