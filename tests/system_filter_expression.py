"""A tcpdump expression on a tap: --tap tap0,accept-to-guests='not port 22'.

     host side (lab.HostSide)            guests' side (lab.Client)
              |                                   |
            tap0 ---- expression ---- ringswitch -+
              ---- to guests: what matches -->
              <------ to host: everything -----

The switch itself judges: nothing here needs more rights than the tap does. A
frame that matches and was sent last shows what has not arrived.
"""

import shutil

import pytest

import lab
from lab_filter import TapSide
from lab_filter import bpf  # noqa: F401 (a fixture)
from lab_object import (SOCKET, XDP, arrived, assert_judged, built, refused,
                        send, tag_beside)
from system_tap import as_nobody  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tap_device")


def option(text, tap="tap0"):
    """The tap's words for the command line; commas are written twice."""
    return f"{tap},accept-to-guests={text.replace(',', ',,')}"


@pytest.fixture
def accepting(tmp_path, cleanup):
    """accepting(EXPRESSION): a switch, the host's side and the guests' side."""
    def start(text, *arguments):
        switch = cleanup.enter_context(lab.Switch(
            "--hub", "--tap", option(text), *arguments, workdir=tmp_path))
        return (switch, cleanup.enter_context(TapSide("tap0")),
                cleanup.enter_context(lab.Client(switch.socket)))
    return start


@pytest.fixture(scope="module")
def frames():
    """{name: scapy packet}, some of everything."""
    # Slow to load, and only these tests need it.
    from scapy import all as s
    ether = s.Ether(src=lab.mac(1), dst=lab.BROADCAST)
    ip = s.IP(src="10.0.0.1", dst="10.0.0.2")
    ip6 = s.IPv6(src="fd00::1", dst="fd00::2")
    return {
        "ssh": ether / ip / s.TCP(dport=22),
        "ssh answer": ether / ip / s.TCP(sport=22, dport=4711, flags="SA"),
        "ssh over IPv6": ether / ip6 / s.TCP(dport=22),
        "ssh in a VLAN": ether / s.Dot1Q(vlan=7) / ip / s.TCP(dport=22),
        "http": ether / ip / s.TCP(dport=80),
        "dns": ether / ip / s.UDP(dport=53) / (b"x" * 20),
        "large": ether / ip / s.UDP(dport=9) / (b"x" * 1000),
        "ARP": ether / s.ARP(psrc="10.0.0.1", pdst="10.0.0.2"),
        "other VLAN": ether / s.Dot1Q(vlan=8) / s.ARP(pdst="10.0.0.2"),
        "802.3": s.Dot3(src=lab.mac(1), dst="01:80:c2:00:00:00")
        / s.LLC(dsap=0x42, ssap=0x42, ctrl=3) / s.STP(),
    }


SSH = {"ssh", "ssh answer", "ssh over IPv6"}
VLAN = {"ssh in a VLAN", "other VLAN"}


@pytest.mark.parametrize("expression, matching", [
    # A tag is in the way of "port", as tcpdump's users know.
    ("not port 22", lambda names: names - SSH),
    ("not (port 22 or (vlan and port 22))",
     lambda names: names - SSH - {"ssh in a VLAN"}),
    ("vlan", lambda names: VLAN),
    ("vlan 7", lambda names: {"ssh in a VLAN"}),
    ("not vlan", lambda names: names - VLAN),
    ("arp", lambda names: {"ARP"}),
    ("ip6", lambda names: {"ssh over IPv6"}),
    ("stp", lambda names: {"802.3"}),
    ("greater 1000", lambda names: {"large"}),
    ("less 1000", lambda names: names - {"large"}),
    ("tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn and dst net 10.0.0.0/24",
     lambda names: {"ssh", "http"}),
    ("ether[0:4] = 0xffffffff", lambda names: names - {"802.3"}),
    ("  not  port 22 ", lambda names: names - SSH)])
def test_only_what_matches_reaches_the_guests(expression, matching, frames,
                                              accepting):
    switch, host, client = accepting(expression)
    wanted = matching(set(frames))
    last = min(wanted)
    assert arrived(host, client, frames, last) == wanted
    # To the host everything passes.
    assert arrived(client, host, frames, last) == set(frames)
    stats = switch.stats()
    assert stats["tap0"].get("drop.filter", 0) == len(frames) - len(wanted)
    lab.assert_books_balance(stats)


def test_a_tag_that_the_kernel_keeps_beside_the_frame_is_seen(accepting):
    _, host, client = accepting("vlan 7")
    frame, tagged = tag_beside("tap0")
    host.send(lab.frame(lab.BROADCAST, lab.mac(1), size=60))
    host.send(frame)
    assert client.recv_until(tagged) == []


def test_dropped_frames_teach_the_switch_nothing(frames, tmp_path, cleanup):
    """Whoever is kept from the guests takes no guest's address from it."""
    switch = cleanup.enter_context(lab.Switch(
        "--tap", option("arp"), workdir=tmp_path))
    host = cleanup.enter_context(lab.HostSide("tap0"))
    victim = cleanup.enter_context(lab.Client(switch.socket))
    other = cleanup.enter_context(lab.Client(switch.socket))
    victim.send(lab.frame(lab.BROADCAST, lab.mac(1), b"mine", size=60))
    other.recv_until(lab.frame(lab.BROADCAST, lab.mac(1), b"mine", size=60))
    host.send(bytes(frames["ssh"]))  # from lab.mac(1) as well
    arp = frames["ARP"].copy()
    arp.src = lab.mac(2)
    host.send(bytes(arp))
    other.recv_until(bytes(arp))
    to_victim = lab.frame(lab.mac(1), lab.mac(3), b"for the victim", size=60)
    other.send(to_victim)
    assert to_victim in iter(victim.recv, None)


def test_every_tap_has_an_expression_of_its_own(frames, accepting, cleanup):
    _, host, client = accepting(
        "arp", "--port", "tap:" + option("ip", tap="tap1") + ",name=two")
    other = cleanup.enter_context(lab.HostSide("tap1"))
    assert arrived(host, client, frames, "ARP") == {"ARP"}
    assert arrived(other, client, frames, "dns") == {
        "ssh", "ssh answer", "http", "dns", "large"}


def test_keys_that_follow_an_expression_are_keys(frames, accepting):
    switch, host, client = accepting("arp", "--tap", "tap1,accept-to-guests="
                                     "port 22,name=uplink,mtu=1000")
    assert "uplink" in switch.stats()
    assert " mtu 1000 " in lab.sh("ip", "link", "show", "tap1")


def test_a_tap_that_is_made_again_has_its_expression(frames, tmp_path, cleanup):
    tap = cleanup.enter_context(lab.Tap("tap0"))
    switch = cleanup.enter_context(lab.Switch(
        "--hub", "--tap", option("arp"), workdir=tmp_path))
    client = cleanup.enter_context(lab.Client(switch.socket))
    tap.close()
    lab.Tap("tap0").set("up")
    bad, good = bytes(frames["dns"]), bytes(frames["ARP"])
    with lab.HostSide("tap0") as host:
        def first_passes():
            host.send(bad)
            host.send(good)
            got = client.recv(0.05)
            assert got in (None, good)
            return got

        lab.wait_until(first_passes, "the tap to be taken")


def test_nothing_is_left_on_a_persistent_tap(frames, tmp_path):
    with lab.Tap("tap0"):
        for how in lab.Switch.stop, lab.Switch.kill:
            with lab.Switch("--tap", option("arp"), workdir=tmp_path) as switch:
                how(switch)
            with lab.Switch("--hub", "--tap", "tap0",
                            workdir=tmp_path) as switch, \
                    lab.HostSide("tap0") as host, \
                    lab.Client(switch.socket) as client:
                assert arrived(host, client, frames, "ARP"
                               ) == set(frames)


# With other filters -----------------------------------------------------------

def test_it_works_beside_an_object(bpf, tmp_path, cleanup):  # noqa: F811
    switch = cleanup.enter_context(lab.Switch(
        "--hub", "--tap", option(f"ether proto {lab.ETHERTYPE}")
        + f",filter={built('bpf_both')}", workdir=tmp_path))
    host = cleanup.enter_context(lab.HostSide("tap0"))
    client = cleanup.enter_context(lab.Client(switch.socket))
    # The object lets everything pass that is not of this EtherType ...
    send(host, lab.frame(lab.BROADCAST, lab.mac(1), size=60, ethertype=0x9000))
    assert_judged(host, client, SOCKET, XDP)
    stats = switch.stats()
    # ... and what it drops, the switch never sees.
    assert stats["tap0"]["drop.filter"] == 1
    assert stats["tap0"]["received"] == 2
    lab.assert_books_balance(stats)


def test_it_works_beside_rules(bpf, frames, tmp_path, cleanup):  # noqa: F811
    rules = tmp_path / "rules"
    rules.write_text("drop to-guests dst-port 80\n")
    switch = cleanup.enter_context(lab.Switch(
        "--hub", "--tap", option("ip") + f",rules={rules}", workdir=tmp_path))
    host = cleanup.enter_context(lab.HostSide("tap0"))
    client = cleanup.enter_context(lab.Client(switch.socket))
    assert arrived(host, client, frames, "dns") == {
        "ssh", "ssh answer", "dns", "large"}
    stats = switch.stats()
    assert stats["tap0"]["drop.filter"] == len(frames) - 5
    lab.assert_books_balance(stats)


# What is no expression --------------------------------------------------------

@pytest.mark.parametrize("text, reason", [
    ("port", "syntax error"),
    ("not port 22 and", "syntax error"),
    ("(port 22", "syntax error"),
    ("port 22, 23", "syntax error"),
    ("port 99999", "99999"),
    ("host 10.0.0.256", "10.0.0.256"),
    ("ip and arp", "rejects all packets"),
    # A capture would know, a frame does not say.
    ("inbound", "inbound"),
    ("not outbound", "outbound"),
    ("not\tport 22", "printable"),
    ("\xff\xfe", ""),
    ("", "expression"),
    ("  ", "expression")])
def test_what_is_no_expression_is_refused_with_libpcap_s_reason(text, reason,
                                                                tmp_path):
    code, said = refused(tmp_path, "--tap", option(text))
    assert code == 2, said
    assert "accept-to-guests" in said and reason in said
    assert "tap0" not in lab.links()


def test_a_comma_that_is_not_doubled_begins_the_next_key(tmp_path):
    code, said = refused(tmp_path, "--tap",
                         "tap0,accept-to-guests=port 22, 23")
    assert code == 2
    assert "23" in said and "syntax" not in said


def test_it_is_for_taps_and_once(tmp_path):
    for words in (["--listen", f"uml:{tmp_path}/uml,accept-to-guests=ip"],
                  ["--tap", option("ip") + ",accept-to-guests=arp"]):
        code, said = refused(tmp_path, *words)
        assert code == 2
        assert "accept-to-guests" in said


LONGEST = 1023


def test_the_longest_expression_works(accepting):
    text = " and ".join(f"not dst port {port}" for port in range(1000, 1046))
    text += " " * (LONGEST - len(text))
    _, host, client = accepting(text)
    datagrams = {port: udp(port) for port in (999, 1000, 1025, 1045, 1046)}
    assert arrived(host, client, datagrams, 999) == {999, 1046}


def test_a_longer_expression_is_refused(tmp_path):
    code, said = refused(tmp_path, "--tap", option("ip" + " " * LONGEST))
    assert code == 2
    assert f"{LONGEST} " in said


def udp(port):
    """A UDP datagram to @port, by hand."""
    return lab.frame(
        lab.BROADCAST, lab.mac(1), bytes.fromhex(
            "4500002e00000000 4011 0000 0a000001 0a000002".replace(" ", ""))
        + (53).to_bytes(2, "big") + port.to_bytes(2, "big")
        + bytes.fromhex("001a0000"), size=60, ethertype=0x0800)


# An ordinary user -------------------------------------------------------------
def test_a_user_can_have_one_on_a_tap_that_is_his(as_nobody,  # noqa: F811
                                                  frames, public_dir):
    with lab.Tap("tap0", owner="nobody") as tap:
        tap.set("up")
        with lab.Switch("--hub", "--tap", option("not port 22"),
                        workdir=public_dir, wrapper=as_nobody) as switch, \
                lab.HostSide("tap0") as host, \
                lab.Client(switch.socket) as client:
            assert arrived(host, client, frames, "ARP"
                           ) == set(frames) - SSH


def test_a_user_s_object_is_refused_with_the_right_that_is_missing(
        as_nobody, public_dir):  # noqa: F811
    path = public_dir / "both.o"
    shutil.copy(built("bpf_both"), path)
    path.chmod(0o644)
    with lab.Tap("tap0", owner="nobody") as tap:
        tap.set("up")
        code, said = refused(public_dir, "--tap", f"tap0,filter={path}",
                             wrapper=as_nobody)
    assert code == 1
    assert "CAP_BPF" in said and "root" in said
