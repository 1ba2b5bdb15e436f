"""Statistics: what stats.show counts, and that it adds up.

     uml1 (a)   uml2 (b)   uml3 (c)
        \\          |          /
         +---- ringswitch ----+ -- stats.show
"""

import time

import pytest

import lab
from lab_clients import BessClient, reach
from lab_control import control_of, events_of, send_counted
from lab_schema import assert_books_balance

A, B, C, D = map(lab.mac, range(1, 5))


@pytest.fixture
def control(switch):
    with control_of(switch) as control:
        yield control


@pytest.fixture
def abc(switch, cleanup):
    return [cleanup.enter_context(lab.Client(switch.socket))
            for _ in range(3)]


def balanced(control, **arguments):
    stats = control.request("stats.show", **arguments)
    if not arguments:
        assert_books_balance(stats)
    return stats


def port_of(stats, name):
    [port] = [port for port in stats["ports"] if port["name"] == name]
    return port


def frames(count, dst, src, size=60):
    return [lab.frame(dst, src, b"%08d" % n, size) for n in range(count)]


# Ports -----------------------------------------------------------------------

def test_frames_and_bytes_are_counted_at_both_ends(control, abc):
    a, b, c = abc
    reach(b, a, 2, size=100)            # to all: a and c
    for frame in frames(10, B, A, size=1514):
        a.send(frame)
        assert b.recv() == frame
    stats = balanced(control)
    one, two, three = (port_of(stats, f"uml{n}") for n in (1, 2, 3))
    assert (one["received"], one["received_bytes"]) == (10, 15140)
    assert (one["sent"], one["sent_bytes"]) == (1, 100)
    assert (two["received"], two["flooded"], two["sent"]) == (1, 1, 10)
    assert two["sent_bytes"] == 15140
    assert (three["offered"], three["received"]) == (1, 0)
    assert stats["total"]["received"] == 11
    assert stats["total"]["sent"] == 12


@pytest.mark.parametrize("kind", ["uml", "bess"])
def test_every_reason_a_sender_can_cause_is_counted_under_its_name(
        kind, tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/b", workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    join = {"uml": lambda: lab.Client(switch.socket),
            "bess": lambda: BessClient(tmp_path / "b")}[kind]
    a = cleanup.enter_context(join())
    a.send(lab.frame(lab.BROADCAST, A, size=60))
    control.wait(lambda c: c.ports() and c.request("stats.show")["total"][
        "drops"]["no_port"] == 1, "a frame for nobody")
    b = cleanup.enter_context(join())
    control.wait_ports(2)
    a.send(b"too short")
    a.send(lab.frame(A, A, size=60))
    reach(a, b)
    drops = balanced(control)["total"]["drops"]
    assert drops["runt"] == 1 and drops["same_port"] == 1
    assert sum(drops.values()) == 3


def test_a_receiver_that_does_not_read_has_a_queue_and_then_drops(control,
                                                                  abc):
    a, b, c = abc
    burst = frames(2000, lab.BROADCAST, A)
    assert send_counted(a, b, burst) == 2000
    stats = balanced(control)
    dead = port_of(stats, "uml3")
    assert dead["offered"] == 2000
    assert 0 < dead["queue_high"] <= dead["queue_limit"] or dead["stalls"]
    assert dead["drops"]["queue_full"] + dead["drops"]["stalled"] > 0
    assert port_of(stats, "uml2")["undelivered"] == 0
    assert dead["sent"] == len(c.drain())


def test_credits_are_the_buffers_of_a_sender(control, abc):
    a, b, c = abc
    reach(a, b)
    for port in balanced(control)["ports"]:
        assert 0 < port["credits"] <= port["credits_max"] == 128


def test_one_port_is_shown_alone_and_the_sums_are_the_same(control, abc):
    a, b, c = abc
    reach(a, b)
    whole = balanced(control)
    alone = control.request("stats.show", port="uml1")
    assert alone["ports"] == [port_of(whole, "uml1")]
    for key in "closed", "total", "mac":
        assert alone[key] == whole[key]


def test_ports_that_are_gone_are_in_the_sums(control, abc):
    a, b, c = abc
    reach(a, b)
    a.close()
    control.wait_ports(2)
    stats = balanced(control)
    assert stats["closed"]["received"] == stats["total"]["received"] == 1


def test_the_lines_of_sigusr1_say_the_same(switch, control, abc):
    a, b, c = abc
    send_counted(a, b, frames(100, lab.BROADCAST, A))
    c.drain()
    a.send(b"runt")
    reach(a, b)
    lines = switch.stats()
    stats = balanced(control)
    for name in "uml1", "uml2", "uml3", "closed", "total":
        port = (stats[name] if name in stats else port_of(stats, name))
        for key in ("received", "forwarded", "dropped", "offered", "sent",
                    "undelivered", "queued", "flooded", "stalls"):
            assert lines[name][key] == port[key], (name, key)
        for reason, count in port["drops"].items():
            assert lines[name].get(f"drop.{reason}", 0) == count
    assert lines["mac"] == {key: stats["mac"][key] for key in lines["mac"]}


# Latency ---------------------------------------------------------------------

def bounds_ns(latency):
    """What the sum can be, by the buckets."""
    low = high = 0
    below = 0
    for upper, count in latency["buckets"]:
        low += count * below
        high = float("inf") if upper is None and count else (
            high + count * (upper or 0))
        below = upper
    return low, high


def assert_histogram(latency):
    uppers = [upper for upper, _ in latency["buckets"]]
    assert uppers[-1] is None
    assert uppers[:-1] == sorted(set(uppers[:-1]))
    assert all(upper & (upper - 1) == 0 for upper in uppers[:-1])
    assert latency["samples"] == sum(n for _, n in latency["buckets"])
    low, high = bounds_ns(latency)
    assert low <= latency["sum_ns"] <= high


def test_the_latency_histogram_adds_up(control, abc):
    a, b, c = abc
    for round_ in range(10):
        send_counted(a, b, frames(1000, lab.BROADCAST, A))
        c.drain()
    stats = balanced(control)
    parts = [*stats["ports"], stats["closed"], stats["total"]]
    for part in parts:
        assert_histogram(part["latency"])
    total = stats["total"]["latency"]
    for key in "samples", "sum_ns":
        assert total[key] == sum(p["latency"][key] for p in parts[:-1])
    for n, (_, count) in enumerate(total["buckets"]):
        assert count == sum(p["latency"]["buckets"][n][1] for p in parts[:-1])
    # Sampled: some, and not more than there were frames.
    assert 0 < total["samples"] <= stats["total"]["sent"]


def test_a_switch_that_has_seen_nothing_has_no_latency(control):
    latency = control.request("stats.show")["total"]["latency"]
    assert_histogram(latency)
    assert latency["samples"] == latency["sum_ns"] == 0


# The table, the loop, the socket itself --------------------------------------

def test_the_address_table_counts_what_came_and_went(control, abc):
    a, b, c = abc
    reach(a, b, 1)
    reach(a, b, 2)
    reach(b, a, 2)
    mac = balanced(control)["mac"]
    assert (mac["entries"], mac["learned"], mac["moved"]) == (2, 2, 1)
    assert mac["capacity"] == 16384
    assert mac["expired"] == mac["evicted"] == mac["refused"] == 0


def test_expired_addresses_are_counted(tmp_path):
    with lab.Switch("--ageing", "1", workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b, \
            control_of(switch) as control:
        reach(a, b)
        stats = control.wait(
            lambda c: (s := c.request("stats.show"))["mac"]["expired"] and s,
            "an address to expire")
        assert stats["mac"]["entries"] == 0


def test_the_loop_counts_its_work(control, abc):
    a, b, c = abc
    before = balanced(control)["loop"]
    send_counted(a, b, frames(500, lab.BROADCAST, A))
    after = balanced(control)["loop"]
    assert after["frames"] - before["frames"] == 500
    for key in "rounds", "completions", "submissions":
        assert after[key] > before[key], key
    assert after["completions"] - before["completions"] >= 500
    assert 1 <= after["frames_max"] <= after["frames"]


def test_clients_and_their_requests_are_counted(switch, control, cleanup):
    before = control.request("stats.show")["control"]
    assert (before["clients"], before["monitors"]) == (1, 0)
    others = [cleanup.enter_context(control_of(switch)) for _ in range(5)]
    for other in others:
        other.request("version")
    cleanup.enter_context(events_of(switch, "port-up"))
    after = control.request("stats.show")["control"]
    assert (after["clients"], after["monitors"]) == (6, 1)
    # Five, the one for events, and this one.
    assert after["requests"] - before["requests"] == 7
    for other in others:
        other.close()
    control.wait(lambda c: c.request("stats.show")["control"]["clients"] == 1,
                 "them to be gone")


def test_time_and_uptime_go_on(control):
    one = control.request("stats.show")
    two = control.request("stats.show")
    assert abs(one["time"] - time.time()) < lab.STEP_S
    assert two["uptime"] >= one["uptime"] and two["time"] >= one["time"]


def test_many_ports_are_shown_whole(switch, control, cleanup):
    """Some hundred KiB at once, more than is buffered for a client."""
    clients = [cleanup.enter_context(lab.Client(switch.socket))
               for _ in range(300)]
    stats = balanced(control)
    assert len(stats["ports"]) == len(clients)
    assert {port["name"] for port in stats["ports"]} == {
        f"uml{n}" for n in range(1, 301)} == set(control.ports())
