"""Events: every one provoked, with what it tells.

     uml1 (a)   uml2 (b)         ctl.monitor --> Monitor: all events
        \\          |               |
         +---- ringswitch ---------+ -- ctl.control
"""

import itertools
import os
import signal
import time

import pytest

import lab
from lab_clients import BessClient, reach
from lab_control import (Monitor, Refused, control_of, control_path,
                         events_of, monitor_path, request_line)
from lab_filter import MARK_RULE, RuleFile, bpf, rules_text
from lab_schema import EVENTS

assert bpf      # the fixture

A, B, C, D = map(lab.mac, range(1, 5))


@pytest.fixture
def control(switch):
    with control_of(switch) as control:
        yield control


@pytest.fixture
def events(switch):
    with events_of(switch) as events:
        yield events


@pytest.fixture
def ab(switch, cleanup):
    return [cleanup.enter_context(lab.Client(switch.socket))
            for _ in range(2)]


# Ports and addresses ---------------------------------------------------------

def test_a_guest_that_comes_and_goes_is_told_of(switch, events):
    before = time.time()
    with lab.Client(switch.socket):
        up = events.wait("port-up", port="uml1")
        assert up["kind"] == "uml"
        assert (up["pid"], up["uid"]) == (os.getpid(), os.getuid())
        assert abs(up["time"] - before) < lab.STEP_S
    down = events.wait("port-down", port="uml1")
    assert down["kind"] == "uml" and down["why"]
    assert down["time"] >= up["time"]


def test_a_deleted_port_is_told_of_once(control, events, ab):
    control.request("port.del", port="uml1")
    events.wait("port-down", port="uml1")
    control.request("port.del", port="uml2")
    events.wait("port-down", port="uml2")
    assert [e["port"] for e in events.seen if e["event"] == "port-down"] == [
        "uml1", "uml2"]


def test_a_port_that_is_set_is_told_of(control, events, ab):
    control.set("uml1", isolated=True)
    events.wait("port-set", port="uml1", set={"isolated": True})
    control.set("uml1", name="web1", queue=7)
    events.wait("port-set", port="web1", set={"name": "web1", "queue": 7})
    control.request("port.down", port="uml2")
    events.wait("port-set", port="uml2", set={"admin": "down"})
    control.request("port.up", port="uml2")
    events.wait("port-set", port="uml2", set={"admin": "up"})


def test_addresses_that_are_learned_and_move_are_told_of(events, ab):
    a, b = ab
    reach(a, b, 1)
    events.wait("mac-learned", address=A, port="uml1")
    reach(b, a, 1)
    events.wait("mac-moved", address=A, **{"from": "uml1", "to": "uml2"})
    reach(b, a, 1)
    reach(b, a, 2)
    events.wait("mac-learned", address=B, port="uml2")
    assert len([e for e in events.seen if e["event"].startswith("mac")]) == 3


def test_listeners_are_told_of(control, events, tmp_path):
    name = f"bess:{tmp_path}/b"
    control.request("listener.add", endpoint=f"{name},mtu=9000")
    events.wait("listener-add", listener=name)
    control.request("listener.del", listener=name)
    events.wait("listener-del", listener=name)


# Drops and stalls ------------------------------------------------------------

def test_drops_are_told_of_by_port_and_reason_and_add_up(events, ab):
    a, b = ab
    for _ in range(50):
        a.send(b"runt")
    for _ in range(20):
        b.send(lab.frame(B, B, size=60))
    left = {("uml1", "runt"): 50, ("uml2", "same_port"): 20}
    while any(left.values()):
        event = events.wait("drops")
        left[event["port"], event["reason"]] -= event["frames"]
        assert min(left.values()) >= 0


def test_a_quiet_switch_has_no_drops_to_tell(events, ab):
    a, b = ab
    a.send(b"runt")
    events.wait("drops", port="uml1", frames=1)
    b.send(b"runt")
    events.wait("drops", port="uml2", frames=1)
    assert len([e for e in events.seen if e["event"] == "drops"]) == 2


def test_a_port_that_stalls_and_reads_again_is_told_of(switch, events, ab,
                                                       cleanup):
    a, b = ab
    sleeper = cleanup.enter_context(lab.Client(switch.socket))
    number = iter(range(1 << 30))

    def send():
        frame = lab.frame(lab.BROADCAST, A, b"%08d" % next(number), 60)
        a.send(frame)
        b.recv_until(frame)

    def told(name):
        send()
        return [e for e in events.so_far() if e["event"] == name]

    [stall] = lab.wait_until(lambda: told("stall"), "a stall")
    assert stall["port"] == "uml3"

    def awake():
        sleeper.drain()
        return told("stall-end")

    end, *_ = lab.wait_until(awake, "the end of the stall")
    assert end["port"] == "uml3" and end["time"] >= stall["time"]


# Reload ----------------------------------------------------------------------

@pytest.mark.usefixtures("bpf")
def test_a_reload_is_told_of_whether_it_succeeds_or_not(tmp_path, cleanup):
    rules = RuleFile(tmp_path / "rules", rules_text(MARK_RULE))
    switch = cleanup.enter_context(lab.Switch(
        "--tap", f"tap0,rules={rules}", workdir=tmp_path))
    events = cleanup.enter_context(events_of(switch, "reload"))
    control = cleanup.enter_context(control_of(switch))

    switch.process.send_signal(signal.SIGHUP)
    assert events.wait("reload")["ok"]
    rules.write("drop bogus\n")
    switch.process.send_signal(signal.SIGHUP)
    event = events.wait("reload", port="tap0")
    assert not event["ok"] and f"{rules}:1" in event["message"]
    error = control.refusal("filter.load", port="tap0")
    assert error.code == "refused" and f"{rules}:1" in error.message
    assert not events.wait("reload")["ok"]

    rules.write(rules_text(MARK_RULE, "drop dst-port 22"))
    [loaded] = control.request("filter.load", port="tap0")
    assert events.wait("reload")["ok"]
    assert loaded == control.request("filter.show", port="tap0")[0]
    assert " 2 rules in force" in loaded["in_force"]
    assert control.port("tap0")["filter"]
    assert control.refusal("filter.load", port="nobody").code == "not-found"


@pytest.mark.usefixtures("bpf")
def test_filters_count_what_they_drop(tmp_path, cleanup):
    rules = RuleFile(tmp_path / "rules", rules_text(
        f"drop to-host ethertype {lab.ETHERTYPE:#06x}"))
    switch = cleanup.enter_context(lab.Switch(
        "--tap", f"tap0,rules={rules}", workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    a = cleanup.enter_context(lab.Client(switch.socket))
    b = cleanup.enter_context(lab.Client(switch.socket))
    for _ in range(5):
        reach(a, b)
    [shown] = control.request("filter.show")
    assert (shown["port"], shown["rules"]) == ("tap0", str(rules))
    [counter] = [c for c in shown["counters"] if c["frames"]]
    assert (counter["direction"], counter["action"], counter["frames"],
            counter["bytes"], counter["over"]) == (
        "to-host", "drop", 5, 300, None)
    assert 1 <= len(shown["dropped"]) <= 5
    assert shown["dropped"][0]["frame"].startswith("f" * 12)


# Asking for events -----------------------------------------------------------

def test_without_names_all_events_are_told(events):
    assert set(events.names) | {"lost"} == set(EVENTS)


def test_only_what_was_asked_for_is_told(switch, control):
    with events_of(switch, "port-down", "mac-learned") as events:
        assert set(events.names) - {"lost"} == {"port-down", "mac-learned"}
        with lab.Client(switch.socket) as a, lab.Client(switch.socket) as b:
            reach(a, b, 1)
            reach(b, a, 1)
        for _ in range(2):
            events.wait("port-down")
        assert [e["event"] for e in events.seen] == [
            "mac-learned", "port-down", "port-down"]


@pytest.mark.parametrize("names", [["bogus"], ["port-up", "bogus"], [5],
                                   [None], "port-up", {}, 5], ids=str)
def test_events_that_do_not_exist_are_refused(control, names):
    error = control.refusal("monitor", events=names)
    assert error.code == "argument"
    assert control.request("version")


def test_who_has_nothing_more_to_say_still_gets_events(switch, events):
    events.finish()
    with lab.Client(switch.socket):
        events.wait("port-up")
    events.wait("port-down")


def test_what_is_said_after_asking_for_events_is_ignored(switch, cleanup):
    events = cleanup.enter_context(Monitor(control_path(switch), "port-up"))
    events.send_bytes(request_line("stop") + b"garbage\n\xff\n" * 1000)
    with lab.Client(switch.socket):
        assert events.next()["event"] == "port-up"
    assert switch.process.poll() is None


def test_requests_sent_together_with_monitor_are_answered_before(switch,
                                                                 control):
    control.send_bytes(request_line("version", id=1)
                       + request_line("monitor", id=2))
    assert [control.reply()["id"] for _ in range(2)] == [1, 2]
    with lab.Client(switch.socket):
        assert control.reply()["event"] == "port-up"


def test_many_watchers_are_told_the_same(switch, cleanup):
    watchers = [cleanup.enter_context(events_of(switch, "port-up"))
                for _ in range(50)]
    for _ in range(3):
        with lab.Client(switch.socket):
            seen = [watcher.next() for watcher in watchers]
            assert all(event == seen[0] for event in seen)


def test_who_is_too_slow_is_told_how_much_it_has_lost(tmp_path, cleanup):
    """A watcher who reads loses no more than what are too many a second."""
    switch = cleanup.enter_context(lab.Switch("--mac-table", "262144",
                                              workdir=tmp_path))
    slow = cleanup.enter_context(events_of(switch, "mac-learned"))
    quick = cleanup.enter_context(events_of(switch, "mac-learned"))
    a = cleanup.enter_context(lab.Client(switch.socket))
    b = cleanup.enter_context(lab.Client(switch.socket))
    count = 20000
    for number in range(count):
        reach(a, b, number)
        if number % 100 == 0:
            quick.so_far()
    told, lost = tally(slow, count)
    assert told and lost and told + lost == count
    quick_told, quick_lost = tally(quick, count)
    assert quick_told > told and quick_told + quick_lost == count
    with control_of(switch) as control:
        assert control.request("stats.show")["control"]["events_lost"] == (
            lost + quick_lost)
    # It goes on with what comes now.
    lab.wait_until(lambda: learned(slow, a, b), "an event to be told again")


def tally(events, count):
    """(events told, events lost) of @count."""
    told = lost = 0
    for event in itertools.chain(list(events.seen), iter(events.next, None)):
        lost += event["events"] if event["event"] == "lost" else 0
        told += event["event"] != "lost"
        if told + lost >= count:
            return told, lost


def learned(events, sender, receiver):
    """Whether a new address has been told of, and not lost."""
    reach(sender, receiver, 100_000 + next(lab.numbers))
    return any(event.get("address", "") >= lab.mac(100_000)
               for event in events.so_far())


def test_there_is_no_event_for_a_refused_change(control, events, ab):
    with pytest.raises(Refused):
        control.request("port.set", port="uml1", name="uml2")
    control.set("uml1", flood=False)
    events.wait("port-set", port="uml1")
    assert len([e for e in events.seen if e["event"] == "port-set"]) == 1


def test_the_end_of_the_switch_is_the_end_of_the_events(switch_that_ends,
                                                        cleanup):
    events = cleanup.enter_context(
        Monitor(monitor_path(switch_that_ends)))
    assert switch_that_ends.stop() == 0
    while (event := events.next()) is not None:
        assert event["event"] in EVENTS


@pytest.fixture
def switch_that_ends(tmp_path):
    with lab.Switch("--listen", f"bess:{tmp_path}/b", workdir=tmp_path
                    ) as switch, BessClient(tmp_path / "b"):
        yield switch
