"""Flows of frames that are checked: each has a number, a length and a sum.

    flows = Flows({"a": end, "b": end, "c": end})     of any kind
    flows.exchange(seconds)       everybody sends to both neighbours
    flows.sent, flows.lost        after it

     a <--> b
      \\     /        every arrow is a flow
       v   v
         c

A frame that comes twice, late, cut or changed is an error at once (Broken). One
that does not come is counted: there are losses that a test allows, and it says
which. Frames of others, floods above all, are counted and thrown away.
"""

import random
import select
import struct
import time
import zlib

import lab

# The second of IEEE 802's two for local experiments; whoever disturbs keeps
# away from it, so that what is found in it is ours or broken.
ETHERTYPE = 0x88b6
HEADER = struct.Struct(">6s6sHIQHI")
SIZE_MIN, SIZE_MAX = 60, 1514

# Frames under way in each flow. Both flows to one end fit together into what
# the smallest socket holds (eleven frames), so that an end that a busy machine
# does not let run is not stalled because of us.
WINDOW = 5

# After this without any progress what is under way is taken for lost.
GIVE_UP_S = 0.5

PATTERN = bytes(range(256)) * 300


class Broken(AssertionError):
    """A frame that must not be: twice, out of order, cut or changed."""


def pack(dst, src, flow, number, size):
    """A frame of @size bytes; @dst and @src are bytes."""
    start = (flow * 31 + number) % 256
    body = PATTERN[start:start + size - HEADER.size]
    head = HEADER.pack(dst, src, ETHERTYPE, flow, number, size, 0)
    return head[:-4] + struct.pack(">I", zlib.crc32(body, zlib.crc32(head))
                                   ) + body


def unpack(frame):
    """(dst, flow, number) of a frame, None if it is not of a flow."""
    if frame[12:14] != ETHERTYPE.to_bytes(2, "big"):
        return None
    if len(frame) < HEADER.size:
        raise Broken(f"cut to {len(frame)} bytes: {frame.hex()}")
    dst, _, _, flow, number, size, crc = HEADER.unpack_from(frame)
    head = frame[:HEADER.size - 4] + bytes(4)
    if len(frame) != size or crc != zlib.crc32(frame[HEADER.size:],
                                               zlib.crc32(head)):
        raise Broken(f"flow {flow}, frame {number}: {len(frame)} bytes of "
                     f"{size}, changed or cut: {frame[:64].hex()}")
    return dst, flow, number


class Flow:
    """One direction between two ends."""

    def __init__(self, number, src, dst):
        self.number, self.src, self.dst = number, src, dst
        self.sent = self.received = 0
        self.next = 0        # the lowest number that may still come
        self.given_up = 0    # what is below is not waited for
        self.progress = time.monotonic()

    def next_frame(self, size):
        return pack(self.dst, self.src, self.number, self.sent, size)

    def may_send(self, now):
        if self.sent - max(self.next, self.given_up) < WINDOW:
            return True
        if now - self.progress < GIVE_UP_S:
            return False
        self.given_up = self.sent
        self.progress = now
        return True

    def take(self, number):
        if number < self.next:
            raise Broken(f"flow {self.number}: frame {number} comes behind "
                         f"{self.next - 1}: twice or out of order")
        if number >= self.sent:
            raise Broken(f"flow {self.number}: frame {number} has never been "
                         "sent")
        self.received += 1
        self.next = number + 1
        self.progress = time.monotonic()

    @property
    def under_way(self):
        return self.sent - self.next

    @property
    def lost(self):
        """What has not come; once nothing is under way any more."""
        return self.sent - self.received


def descriptor(end):
    return (getattr(end, "data", None) or end.socket).fileno()


class Flows:
    """@ends: {name: what has try_send() and recv()}, two or more."""

    def __init__(self, ends, seed=0):
        self.ends = list(ends.values())
        self.random = random.Random(seed)
        self.macs = [bytes([2, 0xf1, 0, 0, 0, n + 1])
                     for n in range(len(self.ends))]
        self.foreign = 0
        count = len(self.ends)
        # Pairs of neighbours; two ends are neighbours of each other once.
        pairs = {(n, (n + step) % count)
                 for n in range(count) for step in (1, -1)}
        self.from_end = [[] for _ in self.ends]
        self.flows = []
        for src, dst in sorted(pairs):
            flow = Flow(len(self.flows), self.macs[src], self.macs[dst])
            self.flows.append(flow)
            self.from_end[src].append(flow)
        self.hold = None
        self.longest_pause_s = 0.0

    sent = property(lambda self: sum(flow.sent for flow in self.flows))
    received = property(lambda self: sum(f.received for f in self.flows))
    lost = property(lambda self: sum(flow.lost for flow in self.flows))

    def _send(self, now):
        some = False
        for end, flows in zip(self.ends, self.from_end):
            for flow in flows:
                while flow.may_send(now):
                    size = self.random.randint(SIZE_MIN, SIZE_MAX)
                    if not end.try_send(flow.next_frame(size)):
                        break
                    flow.sent += 1
                    some = True
        return some

    def _take(self, index, frame):
        if len(frame) < lab.ETH_HEADER_BYTES:
            raise Broken(f"a frame of {len(frame)} bytes")
        ours = unpack(frame)
        # Before an address is learned, others get what is for it.
        if not ours or ours[0] != self.macs[index]:
            self.foreign += 1
            return
        self.flows[ours[1]].take(ours[2])

    def _receive(self, timeout):
        """All that has come; false if nothing came in time."""
        ready, _, _ = select.select([descriptor(end) for end in self.ends],
                                    [], [], timeout)
        for index, end in enumerate(self.ends):
            if descriptor(end) in ready:
                for frame in end.drain():
                    self._take(index, frame)
        return bool(ready)

    def introduce(self):
        """Let the switch learn where everybody is."""
        for end, mac in zip(self.ends, self.macs):
            end.send(bytes(6 * [255]) + mac + b"\x88\xb5" + bytes(46))

    def exchange(self, seconds):
        """Send and receive for @seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = self.received
            self._send(time.monotonic())
            self._receive(0.02)
            if self.received > before:
                self._note_pause()

    def _note_pause(self):
        """The longest time in which nothing came, over all flows."""
        now = time.monotonic()
        if self.hold is not None:
            self.longest_pause_s = max(self.longest_pause_s, now - self.hold)
        self.hold = now

    def settle(self, seconds=lab.STEP_S):
        """Receive what is under way, as long as any comes."""
        end = time.monotonic() + seconds
        while (any(flow.under_way for flow in self.flows)
               and time.monotonic() < end):
            if not self._receive(1.0):
                break
        self.hold = None
