"""Everything in any order: commands, guests and frames, drawn by lot.

     up to 8 guests (uml, bess, stream), dgram ports, mirrors, captures
                 \\          |          /
                  +---- ringswitch ----+ -- ctl.control, a watcher

Whatever is asked is done or refused with a reason; nothing ends the switch;
the books balance after every step that looks at them; and at the end, when all
is taken away again, nothing is left.
"""

import contextlib
import random

import pytest

import lab
from lab_clients import BessClient, StreamClient, reach
from lab_control import Control, Refused, control_of, control_path, events_of
from lab_schema import assert_books_balance

STEPS = 600
NAMES = ["web1", "web2", "web3", "probe"]
ADDRESSES = [lab.mac(number) for number in range(1, 7)]


class Lot:
    """A switch, what is attached to it, and what may happen next."""

    def __init__(self, seed, tmp_path, stack):
        self.random = random.Random(seed)
        self.tmp_path = tmp_path
        self.stack = stack
        self.switch = stack.enter_context(lab.Switch(
            "--listen", f"bess:{tmp_path}/b", "--listen",
            f"stream:{tmp_path}/s,isolated=on,mirror=probe",
            workdir=tmp_path))
        self.control = stack.enter_context(control_of(self.switch))
        self.files = self.control.open_files()
        self.guests, self.captures = [], []
        self.done = self.refused = 0

    def ask(self, command, **arguments):
        try:
            self.control.request(command, **arguments)
            self.done += 1
        except Refused as error:
            assert error.code in ("not-found", "exists", "refused",
                                  "argument"), (command, arguments, error)
            self.refused += 1

    def port(self):
        names = list(self.control.ports())
        return self.random.choice(names + ["nobody"])

    # What may happen.

    def join(self):
        if len(self.guests) < 8:
            kind, path = self.random.choice(
                [(lab.Client, self.switch.socket),
                 (BessClient, self.tmp_path / "b"),
                 (StreamClient, self.tmp_path / "s")])
            with contextlib.suppress(OSError):
                self.guests.append(self.stack.enter_context(kind(path)))

    def leave(self):
        if self.guests:
            self.guests.pop(self.random.randrange(len(self.guests))).close()

    def frames(self):
        if not self.guests:
            return
        guest = self.random.choice(self.guests)
        for _ in range(self.random.randrange(1, 60)):
            frame = lab.frame(self.random.choice([lab.BROADCAST, *ADDRESSES]),
                              self.random.choice(ADDRESSES),
                              size=self.random.choice([14, 60, 1514]))
            with contextlib.suppress(OSError):
                guest.try_send(frame)

    def read(self):
        for guest in self.guests[::2]:
            # One that has been thrown out reads an empty frame for ever.
            with contextlib.suppress(OSError):
                while guest.recv(0):
                    pass

    def set(self):
        choices = {
            "isolated": self.flag, "learning": self.flag, "flood": self.flag,
            "locked": self.flag, "queue": lambda: self.random.randrange(9000),
            "mac_limit": lambda: self.random.randrange(4),
            "no_spoof": self.flag,
            "storm_broadcast": lambda: self.random.randrange(20),
            "storm_multicast": lambda: self.random.randrange(20),
            "storm_unknown": lambda: self.random.randrange(20),
            "mirror": lambda: self.random.choice([None, self.port(), "probe"]),
            "name": lambda: self.random.choice(NAMES)}
        chosen = self.random.sample(list(choices), self.random.randrange(1, 4))
        self.ask("port.set", port=self.port(),
                 **{name: choices[name]() for name in chosen})

    def flag(self):
        return self.random.random() < 0.5

    def up_or_down(self):
        self.ask(self.random.choice(["port.up", "port.down", "port.up"]),
                 port=self.port())

    def add(self):
        number = self.random.randrange(3)
        self.ask("port.add", endpoint=f"dgram:{self.tmp_path}/d{number},"
                 f"remote={self.tmp_path}/r{number},mirror=web1,"
                 f"name={self.random.choice(NAMES)}")

    def delete(self):
        self.ask("port.del", port=self.port())

    def listener(self):
        name = f"bess:{self.tmp_path}/l{self.random.randrange(3)}"
        if self.flag():
            self.ask("listener.add", endpoint=f"{name},locked=on")
        else:
            self.ask("listener.del", listener=name)

    def address(self):
        address = self.random.choice(ADDRESSES)
        self.random.choice([
            lambda: self.ask("mac.add", address=address, port=self.port()),
            lambda: self.ask("mac.del", address=address),
            lambda: self.ask("mac.flush"),
            lambda: self.ask("mac.flush", port=self.port())])()

    def capture(self):
        if len(self.captures) < 3 and self.flag():
            capture = self.stack.enter_context(
                Control(control_path(self.switch)))
            with contextlib.suppress(Refused):
                capture.request("capture",
                                port=self.random.choice(["all", self.port()]),
                                buffer=65536, expression="ether[0] & 1 = 0")
                self.captures.append(capture)
                return
            capture.close()
        elif self.captures:
            capture = self.captures.pop(0)
            if self.flag():
                capture.finish()
                capture.rest()
            capture.close()

    def look(self):
        for command in "port.show", "listener.show", "mac.show", "config.show":
            self.control.request(command)
        assert_books_balance(self.control.request("stats.show"))

    def step(self):
        self.random.choices(
            [self.join, self.leave, self.frames, self.read, self.set,
             self.up_or_down, self.add, self.delete, self.listener,
             self.address, self.capture, self.look],
            weights=[8, 3, 20, 8, 12, 6, 5, 4, 4, 6, 4, 3])[0]()

    def take_all_away(self):
        for one in self.guests + self.captures:
            one.close()
        for n in range(3):
            self.ask("listener.del", listener=f"bess:{self.tmp_path}/l{n}")
        for name, port in self.control.ports().items():
            if port["kind"] == "dgram":
                self.control.request("port.del", port=name)
        self.control.wait_ports(0)


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_everything_leaves_a_working_switch(seed, tmp_path,
                                                         cleanup):
    lot = Lot(seed, tmp_path, cleanup)
    watcher = cleanup.enter_context(events_of(lot.switch))
    for _ in range(STEPS):
        lot.step()
        watcher.so_far()                # checked against the schema
    assert lot.done > STEPS // 10 and lot.refused
    lot.look()
    lot.take_all_away()
    stats = lot.control.request("stats.show")
    assert_books_balance(stats)
    assert stats["total"]["queued"] == stats["control"]["captures"] == 0
    watcher.close()
    lot.control.wait(lambda c: c.open_files() <= lot.files,
                     "all descriptors to be closed")
    with lab.Client(lot.switch.socket) as a, lab.Client(lot.switch.socket) as b:
        reach(a, b)
    assert lot.switch.stop() == 0, lot.switch.said()
