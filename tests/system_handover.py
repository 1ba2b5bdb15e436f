"""The switch is killed, or restarted, and guests do not notice: every kind of
port is the same connection as before, with its name, counters and addresses.

     guests == sockets == ringswitch   <- killed here
                  \\
                   `---- keeper, which has them too, and starts the next
"""

import contextlib
import os
import re
import signal
import threading
import time

import pytest

import lab
from hostile import judge_losses
from lab_clients import (BessClient, BessServer, DgramClient, StreamClient,
                         StreamServer, VdeClient, reach)
from lab_control import control_of
from lab_schema import assert_books_balance

KINDS = ("uml", "vde", "bess", "stream", "dgram", "connect-bess",
         "connect-stream", "tap")


class Everybody:
    """A switch with a keeper, and one client of each kind; by kind."""

    def __init__(self, workdir, stack):
        enter = stack.enter_context
        at = {kind: workdir / kind for kind in KINDS}
        servers = (enter(BessServer(at["connect-bess"])),
                   enter(StreamServer(at["connect-stream"])))
        self.switch = enter(lab.Switch(
            "--listen", f"vde:{at['vde']}", "--listen", f"bess:{at['bess']}",
            "--listen", f"stream:{at['stream']}", "--tap", "tap0",
            "--port", f"dgram:{at['dgram']},remote={workdir}/peer",
            "--port", f"connect-bess:{at['connect-bess']},name=up-bess",
            "--port", f"connect-stream:{at['connect-stream']},name=up-stream",
            workdir=workdir, keeper=True))
        self.by_kind = {
            "uml": enter(lab.Client(self.switch.socket)),
            "vde": enter(VdeClient(at["vde"], description="a plug")),
            "bess": enter(BessClient(at["bess"])),
            "stream": enter(StreamClient(at["stream"])),
            "dgram": enter(DgramClient(workdir / "peer", at["dgram"])),
            "connect-bess": enter(servers[0].accept()),
            "connect-stream": enter(servers[1].accept()),
            "tap": enter(lab.HostSide("tap0")),
        }
        self.clients = list(self.by_kind.values())
        self.switch.wait_stats(lambda s: len(s) == 3 + len(KINDS) and
                               "detached" not in {p.get("state") for p in
                                                  s.values()}, "all ports")

    def all_reach_all(self):
        for number, sender in enumerate(self.clients, 1):
            frame = lab.frame(lab.BROADCAST, lab.mac(number),
                              next(lab.numbers).to_bytes(4, "big"), size=200)
            sender.send(frame)
            for receiver in self.clients:
                if receiver is not sender:
                    receiver.recv_until(frame)

    def name(self, kind):
        [name] = [name for name in ports_of(self.switch)
                  if re.fullmatch(kind + "[0-9]+", name)]
        return name

    def kill(self):
        kill_switch(self.switch)

    def crash(self):
        """As by a mistake of its own; it may be stopped."""
        kill_switch(self.switch, signal.SIGSEGV, signal.SIGCONT)


def kill_switch(switch, *signals):
    """Kill it, and wait until the next one is there. Returns how long that
    took, in seconds."""
    told = switch.said().count("started again after a crash")
    start = time.monotonic()
    pid = switch.switch_pid()
    for sig in signals or [signal.SIGKILL]:
        os.kill(pid, sig)
    lab.wait_until(lambda: switch.said().count("started again after a crash")
                   > told, f"the next switch: {switch.log}")
    return time.monotonic() - start


@pytest.fixture
def everybody(tmp_path, tap_device, cleanup):
    cleanup.enter_context(lab.Tap("tap0"))
    lab.sh("ip", "link", "set", "tap0", "up")
    return Everybody(tmp_path, cleanup)


def ports_of(switch):
    with control_of(switch) as control:
        return {port["name"]: port for port in control.request("port.show")}


def test_everybody_goes_on_when_the_switch_is_killed(everybody):
    everybody.all_reach_all()
    before = ports_of(everybody.switch)
    keeper, switch = everybody.switch.pid, everybody.switch.switch_pid()
    everybody.kill()
    assert everybody.switch.pid == keeper
    assert everybody.switch.switch_pid() != switch
    everybody.all_reach_all()
    after = ports_of(everybody.switch)
    assert after.keys() == before.keys()
    for name, port in after.items():
        # What changes by itself apart.
        for key in ("queued", "macs"):
            port.pop(key), before[name].pop(key)
        assert port == before[name]


def test_everybody_goes_on_after_many_kills(everybody):
    # From the fourth on in short order, the next one is started later.
    for _ in range(6):
        everybody.kill()
        everybody.all_reach_all()


def test_everybody_goes_on_after_a_planned_restart(everybody):
    everybody.all_reach_all()
    for starts in range(2, 6):
        with control_of(everybody.switch) as control:
            control.request("restart")
            assert control.ended()
        everybody.all_reach_all()
        with control_of(everybody.switch) as control:
            assert control.request("version")["starts"] == starts


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_counters_and_addresses_stay(everybody, how):
    everybody.all_reach_all()
    with control_of(everybody.switch) as control:
        stats = control.request("stats.show")
        macs = {(m["address"], m["port"]) for m in control.request("mac.show")}
    if how == "kill":
        everybody.kill()
    else:
        with control_of(everybody.switch) as control:
            control.request("restart")
            assert control.ended()
    with control_of(everybody.switch) as control:
        after = control.request("stats.show")
        assert {(m["address"], m["port"])
                for m in control.request("mac.show")} >= macs
    was = {p["name"]: p for p in stats["ports"]}
    for port in after["ports"]:
        for counter in "received", "forwarded", "offered", "sent":
            assert port[counter] >= was[port["name"]][counter]
        # Frames were not under way, so none was lost.
        assert not port["drops"].get("crash_queued")
    assert after["mac"]["learned"] >= stats["mac"]["learned"]
    assert_books_balance(after)


def test_names_and_settings_stay(everybody):
    uml, stream, bess = map(everybody.name, ("uml", "stream", "bess"))
    with control_of(everybody.switch) as control:
        control.set(bess, name="db", isolated=True, queue=77)
        control.set(uml, mac_limit=3)
        control.request("port.down", port=stream)
        control.request("listener.add",
                        endpoint=f"bess:{everybody.switch.workdir}/late")
        control.request("mac.add", address=lab.mac(99), port="db")
        words = control.request("config.show")
    everybody.kill()
    ports = ports_of(everybody.switch)
    assert (ports["db"]["isolated"], ports["db"]["queue"]) == (True, 77)
    assert ports[uml]["mac_limit"] == 3
    assert ports[stream]["admin"] == "down"
    with control_of(everybody.switch) as control:
        assert control.request("config.show") == words
        [fixed] = [m for m in control.request("mac.show") if m["static"]]
        assert (fixed["address"], fixed["port"]) == (lab.mac(99), "db")
    with BessClient(everybody.switch.workdir / "late") as late:
        reach(late, everybody.by_kind["uml"])


def test_who_leaves_after_a_kill_is_seen_to_leave(everybody):
    everybody.kill()
    for kind in "uml", "vde", "bess", "stream":
        everybody.by_kind[kind].close()
    ports = lab.wait_until(
        lambda: (lambda p: p if len(p) == len(KINDS) - 4 else None)(
            ports_of(everybody.switch)), "four ports to go")
    assert {port["kind"] for port in ports.values()} == {
        "dgram", "tap", "bess", "stream"}


def test_who_is_deleted_sees_the_end(everybody):
    """Though the keeper has a duplicate of the connection."""
    names = [everybody.name(kind) for kind in ("bess", "stream", "uml")]
    everybody.kill()
    with control_of(everybody.switch) as control:
        for name in names:
            control.request("port.del", port=name)
    for kind in "bess", "stream", "uml":
        assert everybody.by_kind[kind].closed_by_switch(lab.STEP_S)


def test_an_orderly_end_leaves_nothing(everybody, tmp_path):
    everybody.kill()
    assert everybody.switch.stop() == 0
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"switch.out", "switch.log", "peer", "connect-bess",
                    "connect-stream"}


def test_who_has_just_joined_has_a_port_after_a_kill(tmp_path, cleanup):
    """The keeper has it before the guest hears that it is attached."""
    switch = cleanup.enter_context(lab.Switch(workdir=tmp_path, keeper=True))
    for _ in range(3):
        pid = switch.switch_pid()
        guest = cleanup.enter_context(lab.Client(switch.socket))
        os.kill(pid, signal.SIGSTOP)
        kill_switch(switch)
        other = cleanup.enter_context(lab.Client(switch.socket))
        reach(guest, other)


def joining(path, directory, stop, replies):
    """A VDE client that joins and leaves, again and again."""
    while not stop.is_set():
        with contextlib.suppress(OSError, lab.LabError):
            with VdeClient(directory):
                replies.append(1)


def test_who_is_just_joining_is_no_hindrance_to_a_restart(tmp_path):
    """His request is in the switch, and is answered by the next."""
    stop, replies = threading.Event(), []
    with lab.Switch("--listen", f"vde:{tmp_path}/vde", workdir=tmp_path,
                    keeper=True) as switch, \
            lab.Client(switch.socket) as one, lab.Client(switch.socket) as two:
        threads = [threading.Thread(target=joining, args=(
            tmp_path, tmp_path / "vde", stop, replies)) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(6):
                before = len(replies)
                with control_of(switch) as control:
                    control.request("restart")
                    assert control.ended()
                lab.wait_until(lambda: len(replies) > before + 5, "joins")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        reach(one, two)
        assert "crash" not in switch.said()


def test_at_the_limit_of_descriptors_it_is_started_again(tmp_path, cleanup):
    """Guests use up the switch's, not the keeper's."""
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/bess", workdir=tmp_path, keeper=True,
        wrapper=["prlimit", "--nofile=96:96"]))
    one, two = (cleanup.enter_context(lab.Client(switch.socket))
                for _ in range(2))
    for _ in range(120):
        cleanup.enter_context(BessClient(tmp_path / "bess"))
    lab.wait_until(lambda: lab.open_files(switch.switch_pid()) == 72,
                   "the limit")
    kill_switch(switch)
    reach(one, two), reach(two, one, 2)


# Frames on their way ---------------------------------------------------------

class Flow:
    """Numbered frames from @sender to @receiver; what has come in is checked
    to be whole, in order and no duplicate."""

    def __init__(self, sender, receiver, number, size):
        self.sender, self.receiver, self.size = sender, receiver, size
        self.source, self.target = lab.mac(2 * number), lab.mac(2 * number + 1)
        self.sent = self.received = self.lost = 0
        receiver.send(lab.frame(lab.BROADCAST, self.target))
        sender.recv_until(lab.frame(lab.BROADCAST, self.target))

    def frame(self, number):
        return lab.frame(self.target, self.source, number.to_bytes(8, "big"),
                         size=self.size)

    def send(self):
        while self.sender.try_send(self.frame(self.sent)):
            self.sent += 1
            if self.sent % 64 == 0:
                return

    def take(self):
        for frame in self.receiver.drain():
            if frame[:6] != bytes.fromhex(self.target.replace(":", "")):
                continue
            number = int.from_bytes(frame[14:22], "big")
            assert number >= self.received, "out of order, or twice"
            assert frame == self.frame(number)
            self.lost += number - self.received
            self.received = number + 1


PAIRS = [("uml", "bess"), ("stream", "vde"), ("connect-bess", "stream"),
         ("vde", "connect-stream"), ("bess", "uml")]


def flows_of(everybody, pairs):
    return [Flow(everybody.by_kind[a], everybody.by_kind[b], 10 + i,
                 (60, 1514, 700)[i % 3]) for i, (a, b) in enumerate(pairs)]


def finish(flows):
    """Let everything arrive that is on its way."""
    quiet = time.monotonic() + 1
    while time.monotonic() < quiet:
        before = sum(flow.received for flow in flows)
        for flow in flows:
            flow.take()
        if sum(flow.received for flow in flows) != before:
            quiet = time.monotonic() + 1


def run_flows(flows, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for flow in flows:
            flow.send()
            flow.take()


def test_killed_under_load_frames_are_lost_but_nothing_else(everybody):
    flows = flows_of(everybody, PAIRS)
    for _ in range(6):
        run_flows(flows, 0.1)
        before = [flow.received for flow in flows]
        everybody.kill()
        # At once, if the machine lets us run at all.
        for _ in range(50):
            run_flows(flows, 0.1)
            if all(f.received > n for f, n in zip(flows, before)):
                break
        else:
            pytest.fail("it does not flow again")
    finish(flows)
    with control_of(everybody.switch) as control:
        assert_books_balance(control.request("stats.show"))
    assert sum(flow.lost for flow in flows) < sum(f.sent for f in flows) / 4


def test_restarted_under_load_no_frame_is_lost(everybody):
    # A stream's sender sends pieces of frames, and all receivers read.
    flows = flows_of(everybody, PAIRS)
    for _ in range(8):
        run_flows(flows, 0.1)
        with control_of(everybody.switch) as control:
            control.request("restart")
            run_flows(flows, 0.1)
            assert control.ended()
    finish(flows)
    # None, but those of an end that a busy machine did not let read for long.
    stats = everybody.switch.stats()
    judge_losses(sum(flow.lost for flow in flows), stats,
                 set(stats) - {"closed", "total", "mac"})
    assert [flow.received + flow.lost for flow in flows] == [
        flow.sent for flow in flows]
    with control_of(everybody.switch) as control:
        assert_books_balance(control.request("stats.show"))


def test_queues_of_guests_that_do_not_read_are_handed_on(everybody):
    """Frames that wait inside the switch, and half a frame of a stream."""
    sender, receiver = everybody.by_kind["uml"], everybody.by_kind["stream"]
    flow, name = Flow(sender, receiver, 50, 1514), everybody.name("stream")
    for _ in range(200):
        sender.send(flow.frame(flow.sent))
        flow.sent += 1
    everybody.switch.wait_stats(lambda s: s[name]["queued"] > 0,
                                "a queue")
    half = StreamClient.packed(lab.frame(lab.BROADCAST, lab.mac(7), size=600))
    receiver.send_bytes(half[:333])
    with control_of(everybody.switch) as control:
        control.request("restart")
        assert control.ended()
    with control_of(everybody.switch) as control:
        queued = control.request("stats.show", port=name)["ports"][0]
        assert queued["queued"] and not queued["drops"]["crash_queued"]
    receiver.send_bytes(half[333:])
    sender.recv_until(lab.frame(lab.BROADCAST, lab.mac(7), size=600))
    finish([flow])
    assert (flow.lost, flow.received) == (0, 200)


# More than the switch dies ---------------------------------------------------

def settled(switch):
    """The keeper has written down what it has been told so far."""
    with control_of(switch) as control:
        control.set("uml2", name="settled")
    lab.wait_until(lambda: any(b"settled" in p.read_bytes() for p in
                               switch.workdir.glob("*state*")), "a record")


def kill_both(switch):
    pids = [switch.pid, switch.switch_pid()]
    # The keeper first, or there would be another switch at once.
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    switch.process.wait()
    lab.wait_until(lambda: not any(map(lab.is_running, pids)), "the end")


def test_daemon_guests_go_on_when_keeper_and_switch_are_killed(tmp_path,
                                                               cleanup):
    switch = lab.Switch(workdir=tmp_path, keeper=True)
    with switch:
        one, other = (cleanup.enter_context(lab.Client(switch.socket))
                      for _ in range(2))
        reach(one, other)
        with control_of(switch) as control:
            control.set("uml1", isolated=True)
        settled(switch)
        kill_both(switch)
    with lab.Switch(workdir=tmp_path, keeper=True) as switch:
        reach(one, other), reach(other, one, 2)
        ports = ports_of(switch)
        assert ports["uml1"]["isolated"] and not ports["settled"]["isolated"]
        # And once more, by the keeper.
        kill_switch(switch)
        reach(one, other), reach(other, one, 2)
        with lab.Client(switch.socket) as new:
            reach(new, other, 3)
        assert switch.stop() == 0
        assert not list(tmp_path.glob("*state*"))


def test_a_guest_that_has_gone_meanwhile_is_not_waited_for(tmp_path):
    switch = lab.Switch(workdir=tmp_path, keeper=True)
    with switch, lab.Client(switch.socket) as stays:
        with lab.Client(switch.socket) as goes:
            reach(goes, stays)
            lab.wait_until(lambda: any(b"uml2" in p.read_bytes() for p in
                                       tmp_path.glob("*state*")), "a record")
            kill_both(switch)
        with lab.Switch(workdir=tmp_path, keeper=True, name="next") as after:
            lab.wait_until(lambda: "has gone" in after.said(), "a line")
            assert len(ports_of(after)) == 1
            with lab.Client(after.socket) as new:
                reach(stays, new)


def test_a_switch_that_lost_its_keeper_makes_room_for_a_new_start(tmp_path):
    """Whoever starts it anew knows the keeper's pid, and that is dead."""
    with lab.Switch(workdir=tmp_path, keeper=True) as first, \
            lab.Client(first.socket) as one, lab.Client(first.socket) as two:
        settled(first)
        alone = first.switch_pid()
        os.kill(first.pid, signal.SIGKILL)
        first.process.wait()
        lab.wait_until(lambda: "the keeper has ended" in first.said(), "a line")
        reach(one, two)
        with control_of(first) as control:
            assert control.request("version")["pid"] == alone
        # Somebody who is not its successor gets no further than he did.
        code, said = lab.run_switch("--no-keeper", "-unix", first.socket)
        assert code == 1 and f"in use by another process ({alone})" in said
        with lab.Switch(workdir=tmp_path, keeper=True, name="next") as second:
            assert f"({alone}): ending it" in second.said()
            assert not lab.is_running(alone)
            reach(one, two), reach(two, one, 2)
            assert second.stop() == 0
        assert not list(tmp_path.glob("ctl*"))


def blame(switch, port):
    """Make it look as if a frame of @port's were being handled."""
    os.kill(switch.switch_pid(), signal.SIGSTOP)
    for fd in os.listdir(f"/proc/{switch.pid}/fd"):
        path = f"/proc/{switch.pid}/fd/{fd}"
        with contextlib.suppress(OSError):
            if "blame" in os.readlink(path):
                with open(path, "r+b") as page:
                    page.write(port.to_bytes(4, "little"))
                return
    raise lab.LabError("no page of blame")


def test_a_guest_whose_frames_crash_the_switch_is_quarantined(everybody):
    name = everybody.name("bess")
    bad = ports_of(everybody.switch)[name]["id"]
    for _ in range(3):
        assert ports_of(everybody.switch)[name]["state"] == "up"
        blame(everybody.switch, bad)
        everybody.crash()
    said = everybody.switch.said()
    assert len(re.findall(name, said)) >= 3
    with control_of(everybody.switch) as control:
        assert control.port(name)["state"] == "quarantined"
        sender = everybody.by_kind["bess"]
        sender.send(lab.frame(lab.BROADCAST, lab.mac(3), b"bad"))
        others = [c for c in everybody.clients if c is not sender]
        reach(others[0], others[1])
        counters = control.request("stats.show", port=name)["ports"][0]
        assert counters["received"] == 0
        # Somebody has looked after it.
        control.request("port.up", port=name)
        assert control.port(name)["state"] == "up"
        others[0].recv_until(lab.frame(lab.BROADCAST, lab.mac(3), b"bad"))
        reach(others[0], sender)


def test_a_switch_without_a_keeper_says_why_it_is_not_restarted(tmp_path):
    with lab.Switch(workdir=tmp_path) as switch:
        with control_of(switch) as control:
            error = control.refusal("restart")
        assert error.code == "refused" and "keeper" in error.message
