"""That lab_flows.py sees what it is for: a network that is not right.

     a --- Queues, which lose, double, swap, cut, change --- b
"""

import collections
import os

import pytest

import lab
from lab_flows import WINDOW, Broken, Flows


class Wire:
    """An end whose frames go through @treat (a list in, a list out)."""

    def __init__(self, treat):
        self.treat = treat
        self.arrived = collections.deque()
        self.peer = None
        # Always readable, for select().
        self.socket = open("/dev/zero", "rb")

    def try_send(self, frame):
        self.peer.arrived.extend(self.treat(frame))
        return True

    send = try_send

    def drain(self):
        return [self.arrived.popleft() for _ in range(len(self.arrived))]


def flows_through(treat):
    a, b = Wire(treat), Wire(lambda frame: [frame])
    a.peer, b.peer = b, a
    return Flows({"a": a, "b": b})


def nth(number, treat):
    """@treat for the @number'th frame, nothing for others."""
    seen = iter(range(1 << 30))
    return lambda frame: treat(frame) if next(seen) == number else [frame]


def test_a_network_that_is_right_loses_nothing():
    flows = flows_through(lambda frame: [frame])
    flows.exchange(0.1)
    flows.settle()
    assert flows.received == flows.sent > 2 * WINDOW and flows.lost == 0


def test_what_is_lost_is_counted_and_the_flow_goes_on():
    flows = flows_through(nth(20, lambda frame: []))
    flows.exchange(0.1)
    flows.settle(1)
    assert flows.lost == 1 and flows.received > 40


def test_a_network_that_swallows_all_for_a_while_is_tried_again():
    """All that was under way is gone: nothing would come to count on."""
    closed = [True]
    flows = flows_through(lambda frame: [] if closed[0] else [frame])
    flows.exchange(0.1)
    closed[0] = False
    lab.wait_until(lambda: flows.exchange(0.1) or flows.flows[0].received,
                   "the flow to go on")
    flows.settle()
    assert flows.lost == WINDOW


@pytest.mark.parametrize("treat", [
    lambda frame: [frame, frame], lambda frame: [frame[:-1]],
    lambda frame: [frame + b"\0"], lambda frame: [frame[:20]],
    lambda frame: [b""], lambda frame: [frame[:13]],
    lambda frame: [frame[:-1] + bytes([frame[-1] ^ 1])],
    lambda frame: [frame[:-1] + bytes([frame[-1] ^ 1]), frame]],
    ids=["twice", "cut", "longer", "header", "empty", "runt", "changed",
         "spoilt and right"])
def test_what_must_not_be_ends_the_exchange(treat):
    with pytest.raises(Broken):
        flows_through(nth(20, treat)).exchange(lab.STEP_S)


def test_a_frame_that_overtakes_ends_the_exchange():
    held = []

    def swap(frame):
        """The 20th comes behind the 21st."""
        held.append(frame)
        if len(held) == 20:
            return []
        return [frame, held[19]] if len(held) == 21 else [frame]

    with pytest.raises(Broken):
        flows_through(swap).exchange(lab.STEP_S)


def test_what_others_send_is_thrown_away():
    noise = lab.frame(lab.BROADCAST, lab.mac(7), os.urandom(30))
    flows = flows_through(lambda frame: [noise, frame, noise])
    flows.exchange(0.1)
    flows.settle()
    assert flows.lost == 0 and flows.foreign > 40
