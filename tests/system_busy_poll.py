"""--busy-poll: a switch that looks for the next frame before it sleeps.

That it gains anything is for bench/ to show.
"""

import re
import time

import pytest

import lab
from lab_clients import BessClient

FRAMES = 400
POLLS = "--busy-poll", "1000"


def sleeps(pid):
    """How often it has gone to sleep so far."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)$",
                             status.read(), re.M)[1])


def numbered(number):
    return lab.frame(lab.BROADCAST, lab.mac(1), number.to_bytes(4, "big"), 60)


def one_by_one(sender, receiver, count):
    for number in range(count):
        frame = numbered(number)
        sender.send(frame)
        assert receiver.recv() == frame


@pytest.mark.parametrize("option, often", [((), True), (POLLS, False)],
                         ids=["sleeps", "polls"])
def test_while_frames_flow_it_does_not_sleep_between_them(
        option, often, tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(*option, workdir=tmp_path))
    sender, receiver = (cleanup.enter_context(lab.Client(switch.socket))
                        for _ in range(2))

    def sleeps_often():
        before = sleeps(switch.switch_pid())
        one_by_one(sender, receiver, FRAMES)
        return sleeps(switch.switch_pid()) - before > FRAMES / 2

    one_by_one(sender, receiver, 10)
    # Where others keep the machine busy, a frame may be late for long.
    lab.wait_until(lambda: sleeps_often() == often, "the switch to " + (
        "sleep between frames" if often else "look for frames"))


def test_when_frames_have_ceased_it_sleeps(tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(*POLLS, workdir=tmp_path))
    sender, receiver = (cleanup.enter_context(lab.Client(switch.socket))
                        for _ in range(2))
    one_by_one(sender, receiver, FRAMES)
    before = lab.cpu_seconds(switch.switch_pid())
    time.sleep(1)
    assert lab.cpu_seconds(switch.switch_pid()) - before < 0.1


def test_whoever_is_slow_and_whoever_leaves_is_seen_all_the_same(
        tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        *POLLS, "--listen", f"bess:{tmp_path}/bess", workdir=tmp_path))
    sender, receiver, other = (
        cleanup.enter_context(BessClient(f"{tmp_path}/bess"))
        for _ in range(3))
    switch.wait_ports(3)
    frames = [numbered(number) for number in range(FRAMES)]
    for frame in frames:
        sender.send(frame)
    for client in receiver, other:
        assert [client.recv() for _ in frames] == frames
    other.close()
    switch.wait_ports(2)
    lab.assert_books_balance(switch.stats())
