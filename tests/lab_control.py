"""A client of the switch's control socket, and what tests need beside it.

    Control            requests and replies, checked against lab_schema
    Monitor            events
    control_of(switch) a Control of a lab.Switch; monitor_of: read-only

     test -- Control -- PATH.control --+
     test -- Monitor -- PATH.monitor --+-- ringswitch -- guests

One object a line in both directions; see ringswitch-control(7).
"""

import json
import select
import socket
import time

import lab
from lab_clients import connected
from lab_schema import assert_books_balance, check_line, check_reply

REQUEST_BYTES = 65536
CLIENTS_MAX = 128


class Refused(Exception):
    """The switch has answered with an error."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]
        self.message = error["message"]


def request_line(command, arguments=None, **members):
    """A request as bytes; without "arguments" if there are none."""
    request = {"execute": command, **members}
    if arguments:
        request["arguments"] = arguments
    return json.dumps(request).encode() + b"\n"


class Lines:
    """A connection of lines. Everything received is checked, and kept apart
    from what has not come to its end yet."""

    def __init__(self, path, timeout=lab.STEP_S):
        self.socket = connected(socket.SOCK_STREAM, path, timeout)
        self.received = b""

    def send_bytes(self, data):
        self.socket.settimeout(lab.STEP_S)
        self.socket.sendall(data)

    def _receive(self, timeout):
        """Some more bytes; False at the end, LabError if nothing comes."""
        if not select.select([self.socket], [], [], max(0, timeout))[0]:
            raise lab.LabError(f"no line within {timeout:.1f} s; so far: "
                               f"{self.received[:200]}")
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            return False
        self.received += data
        return bool(data)

    def line(self, timeout=lab.STEP_S):
        """The next line, without its end; None when the connection ends."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self.received:
            if not self._receive(deadline - time.monotonic()):
                assert not self.received, f"half a line: {self.received}"
                return None
        line, _, self.received = self.received.partition(b"\n")
        return line

    def rest(self, timeout=lab.STEP_S):
        """All bytes until the connection ends."""
        deadline = time.monotonic() + timeout
        while self._receive(deadline - time.monotonic()):
            pass
        rest, self.received = self.received, b""
        return rest

    def read_bytes(self, timeout=lab.STEP_S):
        """What has come; waits for the first of it."""
        while not self.received and self._receive(timeout):
            pass
        data, self.received = self.received, b""
        return data

    def ended(self, timeout=lab.STEP_S):
        """True if nothing comes but the end."""
        return self.line(timeout) is None

    def finish(self):
        """Nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Control(Lines):
    """Requests: request("port.set", port="uml1", isolated=True)."""

    def __init__(self, path, timeout=lab.STEP_S):
        super().__init__(path, timeout)
        self.asked = 0

    def reply(self, timeout=lab.STEP_S):
        """The next reply, a whole one; None when the connection ends."""
        line = self.line(timeout)
        return line if line is None else check_line(line)

    def request(self, command, timeout=lab.STEP_S, **arguments):
        """What @command returns; raises Refused if it is an error."""
        self.asked += 1
        self.send_bytes(request_line(command, arguments, id=self.asked))
        reply = self.reply(timeout)
        assert reply is not None, f"{command}: no answer but the end"
        assert reply["id"] == self.asked
        if "error" in reply:
            raise Refused(reply["error"])
        return check_reply(command, reply["return"])

    def refusal(self, command, **arguments):
        """The Refused that @command must lead to."""
        try:
            value = self.request(command, **arguments)
        except Refused as error:
            return error
        raise AssertionError(f"{command} {arguments} returned {value}")

    def raw(self, data):
        """The reply to any bytes."""
        self.send_bytes(data)
        return self.reply()

    # What tests ask for again and again.

    def ports(self):
        return {port["name"]: port for port in self.request("port.show")}

    def port(self, name):
        [port] = self.request("port.show", port=name)
        return port

    def set(self, port, **settings):
        """port.set; the port as it is then, and as it is shown."""
        port = self.request("port.set", port=port, **settings)
        assert self.port(port["name"])["id"] == port["id"]
        return port

    def macs(self):
        """{address: port}"""
        return {entry["address"]: entry["port"]
                for entry in self.request("mac.show")}

    def counters(self, port):
        """The counters of one port, which balance."""
        stats = self.request("stats.show")
        assert_books_balance(stats)
        [counters] = [c for c in stats["ports"] if c["name"] == port]
        return counters

    def open_files(self):
        """Descriptors of the switch, when it has ours: it has answered."""
        return lab.open_files(self.request("version")["pid"])

    def wait(self, condition, what):
        """The first true value of condition(self)."""
        return lab.wait_until(lambda: condition(self), what)

    def wait_ports(self, count):
        return self.wait(lambda c: len(c.ports()) == count, f"{count} ports")


class Monitor(Lines):
    """Events: Monitor(path, "port-up", "port-down"); without names, all."""

    def __init__(self, path, *names):
        super().__init__(path)
        self.seen = []
        arguments = {"events": list(names)} if names else None
        self.send_bytes(request_line("monitor", arguments))
        reply = check_line(self.line())
        if "error" in reply:
            raise Refused(reply["error"])
        self.names = check_reply("monitor", reply["return"])["events"]

    def next(self, timeout=lab.STEP_S):
        """The next event; None when the connection ends."""
        line = self.line(timeout)
        if line is None:
            return None
        event = check_line(line)
        self.seen.append(event)
        return event

    def wait(self, name, **members):
        """The next event @name with these members; others are passed by."""
        deadline = time.monotonic() + lab.STEP_S
        while True:
            try:
                event = self.next(deadline - time.monotonic())
            except lab.LabError:
                raise lab.LabError(f"no event {name} {members}; but: "
                                   f"{self.seen}") from None
            assert event, f"the events ended before {name} {members}"
            if event["event"] == name and members.items() <= event.items():
                return event

    def so_far(self):
        """Events that have come by now."""
        while b"\n" in self.received or select.select(
                [self.socket], [], [], 0)[0]:
            if not self.next():
                break
        return self.seen


def control_path(switch):
    return switch.socket + ".control"


def monitor_path(switch):
    return switch.socket + ".monitor"


def control_of(switch):
    return Control(control_path(switch))


def monitor_of(switch):
    """A Control of the socket that only tells."""
    return Control(monitor_path(switch))


def events_of(switch, *names):
    return Monitor(monitor_path(switch), *names)


def send_counted(sender, receiver, frames):
    """Send @frames in turns with receiving them; how many came, in order."""
    came = 0
    for start in range(0, len(frames), 32):
        some = frames[start:start + 32]
        for frame in some:
            sender.send(frame)
        for frame in some:
            if receiver.recv(5) != frame:
                return came
            came += 1
    return came
