"""What rule files do beside matching: actions, counters, errors.

     host side                             guests' side
         |                                      |
       tap0 --- rules=FILE --- ringswitch ------+
"""

import os
import random
import re
import signal
import textwrap
import time

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.packet import Raw

import lab
from lab_filter import (DIRECTIONS, MARK_RULE, TO_GUESTS, TO_HOST, Filtered,
                        RuleFile, TapSide, bpf, net, parse_rules, passed,
                        refused_start, rule_counters, rules_text, shared)
from lab_filter_frames import VLAN, arp, ipv4, on_wire, v4

assert bpf and net and shared      # the fixtures
pytestmark = pytest.mark.usefixtures("bpf")


# Order and direction ---------------------------------------------------------

def test_a_rule_for_one_direction_is_not_for_the_other(net):
    for direction, other in DIRECTIONS, DIRECTIONS[::-1]:
        net.reload(rules_text(MARK_RULE, f"drop {direction} dst-port 22"))
        frames = [v4(UDP(dport=22)), v4(UDP(dport=23))]
        assert net.passed(direction, frames) == frames[1:]
        assert net.passed(other, frames) == frames
        assert set(net.counters()) == {
            (1, TO_HOST), (1, TO_GUESTS), (2, direction), (0, TO_HOST),
            (0, TO_GUESTS)}


def test_the_first_rule_that_decides_is_the_only_one(net):
    net.reload(rules_text(
        MARK_RULE, "accept dst 10.0.0.2 dst-port 22", "drop dst-port 22",
        "accept dst 10.0.0.3", "drop dst 10.0.0.0/24"))
    frames = [v4(UDP(dport=port), dst=dst)
              for dst in ("10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.1.1")
              for port in (22, 80)]
    for direction in DIRECTIONS:
        assert net.passed(direction, frames) == [frames[0], frames[3],
                                                 frames[7]]
    counters = net.counters()
    for direction in DIRECTIONS:
        assert [counters[line, direction].frames for line in range(6)] == [
            1, 1, 1, 3, 1, 2]


# Actions ---------------------------------------------------------------------

@pytest.mark.parametrize("to_host", ["accept", "drop", None])
@pytest.mark.parametrize("to_guests", ["accept", "drop", None])
def test_defaults_are_for_what_no_rule_decides(net, to_host, to_guests):
    net.reload(rules_text(
        # Anywhere in the file: here before the rules and behind them.
        *([f"default to-host {to_host}"] if to_host else []),
        MARK_RULE, "count dst-port 9", "accept dst-port 10", "drop dst-port 11",
        *([f"default to-guests {to_guests}"] if to_guests else [])))
    frames = [v4(UDP(dport=port)) for port in (9, 10, 11, 12)]
    for direction, default in (TO_HOST, to_host), (TO_GUESTS, to_guests):
        passing = frames[1:2] if default == "drop" else [
            frame for frame in frames if frame is not frames[2]]
        assert net.passed(direction, frames) == passing
    counters = net.counters()
    line_of = {TO_HOST: 1 if to_host else 0,
               TO_GUESTS: 5 + bool(to_host) if to_guests else 0}
    for direction, default in (TO_HOST, to_host), (TO_GUESTS, to_guests):
        rule = counters[line_of[direction], direction]
        assert (rule.text, rule.frames) == ("default", 2)
        assert rule.action == (default or "accept")


def test_count_counts_and_goes_on(net):
    net.reload(rules_text(MARK_RULE, "count protocol udp", "drop dst-port 22",
                          "count", "accept dst-port 23", "count"))
    frames = [v4(UDP(dport=22)), v4(UDP(dport=23)), v4(UDP(dport=24)),
              v4(TCP(dport=22)), arp()]
    for direction in DIRECTIONS:
        assert net.passed(direction, frames) == [frames[1], frames[2],
                                                 frames[4]]
    counters = net.counters()
    for direction in DIRECTIONS:
        assert [counters[line, direction].frames for line in range(2, 7)] == [
            3, 2, 3, 1, 2]


def limited(net, direction, rule, frames):
    """(passed, seconds that it took at most) of @frames, sent at once.

    All are counted as one rule's, on line 2.
    """
    net.reload(rules_text(MARK_RULE, rule))
    began = time.monotonic()
    arrived = net.passed(direction, frames)
    seconds = time.monotonic() - began
    counted = net.counters()[2, direction]
    assert counted.action == "rate-limit"
    assert counted.frames == len(frames)
    assert counted.bytes == sum(map(len, frames))
    assert counted.over == len(frames) - len(arrived)
    assert [frame for frame in frames if frame in arrived] == arrived
    return len(arrived), seconds


def udp_frames(count, size):
    return [v4(UDP(sport=n, dport=9)).ljust(size, b"\0") for n in range(count)]


# (rule, frames that pass at once, frames a second), with frames of 100 bytes
LIMITS = [
    ("1 packets/s burst 7 packets", 7, 1),
    ("10 packets/s", 5, 10),                     # without burst: at least 5
    ("200 packets/s", 20, 200),                  # or 0.1 s of the rate
    ("1600 bit/s burst 1000 bytes", 10, 2),
    ("8 kbit/s burst 1 kB", 10, 10),
    ("8 kbit/s", 100, 10),                       # at least 10 kB
    ("4 Mbit/s burst 2 kB", 20, 5000),
]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("limit, burst, rate", LIMITS,
                         ids=[limit for limit, _, _ in LIMITS])
def test_a_rate_limit_passes_the_burst_and_drops_what_is_over(
        net, direction, limit, burst, rate):
    count, seconds = limited(net, direction, f"rate-limit {limit} dst-port 9",
                             udp_frames(300, 100))
    # What the rate gives while the frames are sent is certain only from above.
    assert min(burst, 300) <= count <= burst + 1 + rate * seconds


def test_large_rates_pass_everything(net):
    for rate in "1 Gbit/s burst 1 MB", "100 Gbit/s", "1000000 packets/s":
        for direction in DIRECTIONS:
            count, _ = limited(net, direction, f"rate-limit {rate}",
                               udp_frames(200, 1000))
            assert count == 200


def test_a_rate_limit_fills_up_again(net):
    net.reload(rules_text(MARK_RULE, "rate-limit 20 packets/s burst 3 packets "
                          "dst-port 9"))
    for direction in DIRECTIONS:
        frames = udp_frames(20, 100)
        assert 3 <= len(net.passed(direction, frames)) < 20
        lab.wait_until(lambda: net.passed(direction, frames[:1]),
                       "the rate to let another frame through")


def test_each_direction_has_a_limit_of_its_own(net):
    net.reload(rules_text(MARK_RULE, "rate-limit 1 packets/s burst 5 packets"))
    for direction in DIRECTIONS:
        assert len(net.passed(direction, udp_frames(20, 100))) >= 5


def test_a_rate_limit_decides_and_is_not_for_what_it_does_not_match(net):
    net.reload(rules_text(MARK_RULE,
                          "rate-limit 1 packets/s burst 5 packets dst-port 9",
                          "drop dst-port 9", "drop dst-port 10"))
    others = [v4(UDP(sport=n, dport=11)) for n in range(50)]
    refused = [v4(UDP(dport=10))]
    for direction in DIRECTIONS:
        frames = udp_frames(10, 60) + others + refused
        arrived = net.passed(direction, frames)
        assert [frame for frame in arrived if frame in others] == others
        assert not [frame for frame in arrived if frame in refused]
        assert (3, direction) not in net.counters()


# Counters --------------------------------------------------------------------

def test_counters_are_exact_and_say_what_they_are_about(net):
    net.reload("# what is allowed\n"
               f"{MARK_RULE}\n"
               "\n"
               "drop to-guests dst-port 22   # no ssh\n"
               "  count \tto-host\tsrc   10.0.0.1\n"
               "drop dst-port 23\n"
               "accept dst-port 24\n"
               "default to-host drop\n")
    for direction, times in (TO_GUESTS, 2), (TO_HOST, 3):
        net.passed(direction, [v4(UDP(dport=port)).ljust(100 + port, b"\0")
                               for port in (22, 23, 24, 25)] * times)
    wanted = {
        (4, TO_GUESTS): ("drop", 2, 2 * 122, "drop to-guests dst-port 22"),
        (5, TO_HOST): ("count", 12, 3 * 494, "count to-host src 10.0.0.1"),
        (6, TO_GUESTS): ("drop", 2, 2 * 123, "drop dst-port 23"),
        (6, TO_HOST): ("drop", 3, 3 * 123, "drop dst-port 23"),
        (7, TO_GUESTS): ("accept", 2, 2 * 124, "accept dst-port 24"),
        (7, TO_HOST): ("accept", 3, 3 * 124, "accept dst-port 24"),
        (0, TO_GUESTS): ("accept", 2, 2 * 125, "default"),
        (8, TO_HOST): ("drop", 6, 3 * (122 + 125), "default")}
    counters = net.counters()
    del counters[2, TO_HOST], counters[2, TO_GUESTS]
    assert {key: (rule.action, rule.frames, rule.bytes, rule.text)
            for key, rule in counters.items()} == wanted
    assert all(rule.over is None for rule in counters.values())


def test_a_rule_that_has_counted_nothing_has_no_line(net):
    net.reload(rules_text("drop dst-port 1234", "count dst-port 1234",
                          "accept dst-port 1234"))
    counters, _ = rule_counters(net.switch)
    assert {line for line, _ in counters} <= {0}


def test_the_tap_s_own_counters_hold_with_frames_dropped(tmp_path):
    with Filtered(tmp_path, rules_text(MARK_RULE, "drop dst-port 22"),
                  tap="tap1") as net:
        before = tx_dropped("tap1")
        for direction in DIRECTIONS:
            net.passed(direction, [v4(UDP(dport=port)) for port in
                                   (22, 22, 23)])
        stats = net.switch.stats()
        lab.assert_books_balance(stats)
        # To guests it never comes in; to the host it has gone out.
        assert stats["tap1"]["received"] == 1 + 1
        assert stats["tap1"]["sent"] == 3 + 1
        assert tx_dropped("tap1") - before == 2
        rules, _ = rule_counters(net.switch, "tap1")
        assert rules[2, TO_GUESTS].frames == rules[2, TO_HOST].frames == 2
        before = net.switch.out.stat().st_size
        assert net.switch.stop() == 0
        # Once more at the end, in front of the ports' lines.
        last = net.switch.out.read_text()[before:]
        rules, _ = parse_rules(last.partition("\nport=")[0])
        assert rules["tap1", 2, TO_HOST].frames == 2


def tx_dropped(tap):
    """Frames that the device was given and did not take."""
    found = re.search(r"TX:.*\n\s*\d+\s+\d+\s+\d+\s+(\d+)",
                      lab.sh("ip", "-s", "link", "show", tap))
    return int(found.group(1))


def test_two_taps_have_rules_and_counters_of_their_own(tmp_path, cleanup):
    one = RuleFile(tmp_path / "one", rules_text(MARK_RULE, "drop dst-port 22"))
    two = RuleFile(tmp_path / "two", rules_text(
        MARK_RULE, "count", "drop dst-port 23"))
    switch = cleanup.enter_context(lab.Switch(
        "--hub", "--tap", f"tap1,rules={one}", "--port",
        f"tap:tap2,rules={two}", workdir=tmp_path))
    sides = [cleanup.enter_context(TapSide(tap)) for tap in ("tap1", "tap2")]
    guest = cleanup.enter_context(lab.Client(switch.socket))
    frames = [v4(UDP(dport=port)) for port in (22, 23, 24)]
    # To both at once: the switch is a hub.
    arrived = passed(guest, sides[0], frames)
    assert arrived == frames[1:]
    assert sides[1].recv() == frames[0] and sides[1].recv() == frames[2]
    sides[1].recv()     # the mark
    # From tap to tap both have a say.
    assert passed(sides[0], sides[1], frames) == frames[2:]
    rules = [rule_counters(switch, tap)[0] for tap in ("tap1", "tap2")]
    assert rules[0][2, TO_HOST].text == "drop dst-port 22"
    assert rules[1][2, TO_HOST].text == "count"


# Samples of what was dropped -------------------------------------------------

def test_a_dropped_frame_is_shown_with_the_rule_that_dropped_it(net):
    long = v4(UDP(dport=22) / Raw(bytes(range(256)) * 5))
    short = v4(UDP(dport=23))
    tagged = on_wire(ipv4(UDP(dport=24)), VLAN)
    net.reload(rules_text(MARK_RULE, "drop to-guests dst-port 22",
                          "drop to-host dst-port 23", "drop dst-port 24",
                          "default to-guests drop"))
    wanted = []
    for direction, frame, line in (
            (TO_GUESTS, long, 2), (TO_HOST, short, 3), (TO_HOST, tagged, 4),
            (TO_GUESTS, tagged, 4), (TO_GUESTS, arp(), 5)):
        assert net.passed(direction, [frame]) == []
        wanted.append((line, direction, len(frame), frame[:64]))
    dropped = net.dropped()
    assert [(one.line, one.direction, one.bytes, one.frame)
            for one in dropped[-len(wanted):]] == wanted
    ages = [one.age_ms for one in dropped]
    assert ages == sorted(ages, reverse=True)
    assert all(0 <= age < 1000 * lab.STEP_S for age in ages[-len(wanted):])


def test_what_a_limit_drops_is_shown_too_and_at_most_16_frames(net):
    net.reload(rules_text(MARK_RULE, "rate-limit 1 packets/s burst 5 packets",
                          "default to-host drop"))
    frames = udp_frames(200, 60)
    arrived = net.passed(TO_GUESTS, frames)
    dropped = net.dropped()
    assert len(dropped) <= 16
    assert dropped[-1].line == 2
    assert all(one.frame in frames and one.frame not in arrived
               for one in dropped if one.direction == TO_GUESTS
               and one.line == 2)


# Files that are wrong --------------------------------------------------------

# (text, line, column of the word that is wrong or None, a word of the message)
ERRORS = [
    ("deny src 10.0.0.1", 1, 1, "deny"),
    ("Drop", 1, 1, "Drop"),
    ("accept\n\n# comment\n\t drop sorc 10.0.0.1", 4, 8, "sorc"),
    ("drop\tto-nowhere src 10.0.0.1", 1, 6, "to-nowhere"),
    ("drop to-host to-guests", 1, 14, "to-guests"),
    ("drop src 10.0.0.1 to-host", 1, 19, "to-host"),
    ("drop src", 1, None, ""),
    ("drop src # 10.0.0.1", 1, None, ""),
    ("drop src 10.0.0.1 dst", 1, None, ""),
    ("drop src 10.0.0.1 10.0.0.2", 1, 19, "10.0.0.2"),
    ("drop src 10.0.0.256", 1, 10, "10.0.0.256"),
    ("drop src 10.0.0", 1, 10, "10.0.0"),
    ("drop src 10.0.0.1.2", 1, 10, "10.0.0.1.2"),
    ("drop src 010.0.0.1", 1, 10, "010.0.0.1"),
    ("drop src 10.0.0.0/33", 1, 10, "10.0.0.0/33"),
    ("drop src 10.0.0.0/", 1, 10, "10.0.0.0/"),
    ("drop src 10.0.0.0/-1", 1, 10, "10.0.0.0/-1"),
    ("drop src 10.0.0.0/255.0.0.0", 1, 10, "10.0.0.0/255.0.0.0"),
    ("drop src 2001:db8::/129", 1, 10, "2001:db8::/129"),
    ("drop src 2001:db8:::1", 1, 10, "2001:db8:::1"),
    ("drop src fe80::1%eth0", 1, 10, "fe80::1%eth0"),
    ("drop src example.com", 1, 10, "example.com"),
    ("drop src 10.0.0.1,,10.0.0.2", 1, None, ""),
    ("drop src 10.0.0.1,", 1, None, ""),
    ("drop src 10.0.0.1,10.0.0.900", 1, 19, "10.0.0.900"),
    ("drop src 10.0.0.1, 10.0.0.2", 1, None, ""),
    ("drop src !", 1, None, ""),
    ("drop src ! 10.0.0.1", 1, None, ""),
    ("drop src !!10.0.0.1", 1, None, ""),
    ("drop src 10.0.0.1,!10.0.0.2", 1, 19, "!10.0.0.2"),
    ("drop !src 10.0.0.1", 1, 6, "!src"),
    ("drop arp-sender 2001:db8::1", 1, 17, "2001:db8::1"),
    ("drop arp bark", 1, 10, "bark"),
    ("drop arp 65536", 1, 10, "65536"),
    ("drop src-mac 02:00:00:00:00", 1, 14, "02:00:00:00:00"),
    ("drop src-mac 02:00:00:00:00:00:00", 1, 14, "02:00:00:00:00:00:00"),
    ("drop dst-mac 02:00:00:00:00:0g", 1, 14, "02:00:00:00:00:0g"),
    ("drop dst-mac 02:00:00:00:00:00/49", 1, 14, "02:00:00:00:00:00/49"),
    ("drop dst-mac 02:00:00:00:00:00/ff:ff", 1, 14, "/ff:ff"),
    ("drop ethertype 0x10000", 1, 16, "0x10000"),
    ("drop ethertype 0x", 1, 16, "0x"),
    ("drop ethertype ipx", 1, 16, "ipx"),
    ("drop vlan 4096", 1, 11, "4096"),
    ("drop vlan any", 1, 11, "any"),
    ("drop vlan none-5", 1, 11, "none-5"),
    ("drop vlan 200-100", 1, 11, "200-100"),
    ("drop protocol xyz", 1, 15, "xyz"),
    ("drop protocol 256", 1, 15, "256"),
    ("drop dst-port 65536", 1, 15, "65536"),
    ("drop dst-port -1", 1, 15, "-1"),
    ("drop dst-port 80-70", 1, 15, "80-70"),
    ("drop dst-port 1-2-3", 1, 15, "1-2-3"),
    ("drop dst-port 22x", 1, 15, "22x"),
    ("drop dst-port 99999999999999999999999", 1, 15, "9999"),
    ("drop dst-port ssh", 1, 15, "ssh"),
    ("drop tcp-flags sin", 1, 16, "sin"),
    ("drop tcp-flags syn+", 1, 16, "syn+"),
    ("drop tcp-flags syn/", 1, 16, "syn/"),
    ("drop tcp-flags none", 1, 16, "none"),
    ("drop tcp-flags ack/syn", 1, 16, "ack/syn"),
    ("drop icmp-type echo", 1, 16, "echo"),
    ("drop icmp-type packet-too-big", 1, 16, "packet-too-big"),
    ("drop icmp-type 256", 1, 16, "256"),
    ("drop icmpv6-type timestamp-request", 1, 18, "timestamp-request"),
    ("default", 1, None, ""),
    ("default accept", 1, 9, "accept"),
    ("default to-guests", 1, None, ""),
    ("default to-guests count", 1, 19, "count"),
    ("default to-guests drop now", 1, 24, "now"),
    ("default to-host drop\ndrop\ndefault to-host accept", 3, None, ""),
    ("translate", 1, None, ""),
    ("translate 10.0.0.5 192.0.2.5", 1, 20, "192.0.2.5"),
    ("translate 10.0.0.5 <->", 1, None, ""),
    ("translate 10.0.0.5 -> 192.0.2.5", 1, 20, "->"),
    ("translate 10.0.0.5 <-> 192.0.2.256", 1, 24, "192.0.2.256"),
    ("translate 10.0.0.0/24 <-> 192.0.2.0/24", 1, 11, "10.0.0.0/24"),
    ("translate 10.0.0.5 <-> 2001:db8::5", 1, 24, "2001:db8::5"),
    ("translate 10.0.0.5 <-> 192.0.2.5 to-host", 1, 34, "to-host"),
    ("translate 10.0.0.5 <-> 192.0.2.5\ntranslate 10.0.0.5 <-> 192.0.2.6",
     2, None, ""),
    ("translate 10.0.0.5 <-> 192.0.2.5\ntranslate 10.0.0.6 <-> 192.0.2.5",
     2, None, ""),
    ("rate-limit", 1, None, ""),
    ("rate-limit 10", 1, None, ""),
    ("rate-limit ten packets/s", 1, 12, "ten"),
    ("rate-limit 10 packets", 1, 15, "packets"),
    ("rate-limit 10 furlongs/s", 1, 15, "furlongs/s"),
    ("rate-limit 1.5 Mbit/s", 1, 12, "1.5"),
    ("rate-limit 10 mbit/s", 1, 15, "mbit/s"),
    ("rate-limit 0 packets/s", 1, 12, ""),
    ("rate-limit 99999999999999999999 Gbit/s", 1, 12, ""),
    ("rate-limit 10 packets/s burst", 1, None, ""),
    ("rate-limit 10 packets/s burst 5", 1, None, ""),
    ("rate-limit 10 packets/s burst 5 kB", 1, None, ""),
    ("rate-limit 10 kbit/s burst 5 packets", 1, None, ""),
    ("rate-limit 10 packets/s burst 0 packets", 1, None, ""),
    ("rate-limit 10 packets/s dst-port 22 burst 5 packets", 1, None, ""),
    ("drop src 10.0.0.1\x00", 1, None, ""),
    ("\x7fELF\x02\x01\x01", 1, 1, ""),
    ("drop src 10.0.0.1 src 10.0.0.2", 1, None, ""),
]


def test_what_is_wrong_is_said_with_file_line_and_column(net, tmp_path):
    """On one switch that runs, all kinds; the others show that it is the same
    at the start."""
    net.reload(rules_text(MARK_RULE, "drop dst-port 9"))
    wrong = []
    for text, line, column, word in ERRORS:
        said = net.refused_reload(text + "\n")
        found = re.match(rf"(?:.*ringswitch: )?(?:.*: )?"
                         rf"{re.escape(str(net.rules))}:(\d+):(\d+): (.+)\n",
                         said)
        if not (found and int(found.group(1)) == line
                and (column or int(found.group(2))) == int(found.group(2))
                and 1 <= int(found.group(2)) <= 1 + len(
                    text.split("\n")[line - 1])
                and word in found.group(3)):
            wrong.append((text, line, column, word, said))
    assert not wrong, "\n".join(map(str, wrong))
    # And after all of them what was in force still is.
    for direction in DIRECTIONS:
        assert net.passed(direction, [v4(UDP(dport=9)), arp()]) == [arp()]


@pytest.mark.parametrize("text, line, column", [
    ("deny src 10.0.0.1\n", 1, 1),
    ("accept\n\n\tdrop src 10.0.0.0/33", 3, 11),
    ("default to-host drop\ndefault to-host drop\n", 2, 9)])
def test_a_wrong_file_is_an_error_at_the_start(tmp_path, text, line, column):
    rules = RuleFile(tmp_path / "rules", text)
    said = refused_start(tmp_path, rules)
    assert said.startswith(f"ringswitch: {rules}:{line}:{column}: "), said


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "/dev/zero",
                                  "binary", "huge", "not readable"])
def test_what_is_no_rule_file_is_refused(tmp_path, kind):
    path = tmp_path / "rules"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "/dev/zero":
        path = kind
    elif kind == "binary":
        path.write_bytes(random.Random(1).randbytes(100000))
    elif kind == "huge":
        path.touch()
        os.truncate(path, 1 << 30)
    elif kind == "not readable":
        # For root there is little else: reading is an error.
        path = "/proc/self/mem"
    said = refused_start(tmp_path, path)
    assert str(path) in said
    if kind == "missing":
        assert "No such file" in said
    if kind == "directory":
        assert "directory" in said.lower()


def test_files_that_are_odd_but_right_are_taken(net):
    frames = [v4(UDP(dport=9)), arp()]
    for text in ("", "\n", "# nothing", "\n" * 1000 + "# end\n", b"",
                 "# \u2460 first\n"):
        net.reload(text)
        for direction in DIRECTIONS:
            assert net.passed(direction, frames) == frames
    for text in ("drop dst-port 9", "drop dst-port 9#no blank\n",
                 " \t drop  \t dst-port\t9 \t \n", "drop dst-port 0x9\n",
                 "accept arp 1-65535\r\ndrop dst-port 9\r\n",
                 "drop dst-port " + ",".join(map(str, range(9, 12000, 2)))):
        net.reload(text)
        for direction in DIRECTIONS:
            assert net.passed(direction, frames) == frames[1:], text


def test_rules_and_filter_exclude_each_other(tmp_path):
    rules = RuleFile(tmp_path / "rules", "")
    code, said = lab.run_switch(
        "--unix", tmp_path / "ctl", "--tap",
        f"tap9,rules={rules},filter={tmp_path / 'x.o'}")
    assert code == 2
    assert said.count("\n") == 1 and "rules" in said and "filter" in said


def test_rules_are_for_taps_only(tmp_path):
    rules = RuleFile(tmp_path / "rules", "")
    for option in ("--listen", f"bess:{tmp_path / 'b'},rules={rules}"), (
            "--port", f"connect-bess:{tmp_path / 'c'},rules={rules}"):
        code, said = lab.run_switch("--unix", tmp_path / "ctl", *option)
        assert code == 2
        assert "rules" in said and said.count("\n") == 1


def test_rule_files_with_commas_in_their_names_can_be_named(tmp_path):
    (tmp_path / "a,b").mkdir()
    file = RuleFile(tmp_path / "a,b" / "rules,1", "drop")
    doubled = str(file).replace(",", ",,")
    with lab.Switch("--tap", f"tap1,rules={doubled}", workdir=tmp_path
                    ) as switch:
        assert f"{file}: 1 rules in force\n" in switch.said()


def test_a_rules_file_does_not_stop_the_switch_from_ending_well(tmp_path):
    for sig in signal.SIGTERM, signal.SIGINT:
        with Filtered(tmp_path, "drop\n", tap="tap1") as net:
            assert net.switch.stop(sig) == 0
        assert "tap1" not in lab.links()


def test_the_example_in_the_readme_is_taken(tmp_path):
    text = (lab.ROOT / "README.md").read_text()
    example = text[text.index("    # To the guests: answers"):
                   text.index("| statement | |")]
    file = RuleFile(tmp_path / "rules", textwrap.dedent(example))
    with lab.Switch("--tap", f"tap1,rules={file}", workdir=tmp_path) as switch:
        assert f"{file}: 12 rules in force\n" in switch.said()
