"""Captures of a running switch, and what the tests need to judge them.

    Capture          the command `capture`: a connection that carries a file
    CaptureFile      that file, read strictly: every length, every padding
    tshark_rows()    the same file as Wireshark's programs understand it
    capinfos()       and what capinfos says of it
    counters()       of some ports, when the books balance
    acquainted()     clients that know each other

The format: draft-ietf-opsawg-pcapng.
"""

import dataclasses
import os
import struct
import subprocess
import tempfile

import lab
from lab_control import Control, control_of, control_path
from lab_schema import assert_books_balance

SECTION, INTERFACE, STATISTICS, PACKET = 0x0a0d0d0a, 1, 5, 6
DIRECTIONS = {0: None, 1: "in", 2: "out"}


class Capture(Control):
    """A capture of @port, from the reply on.

    Nothing of it is read before read_bytes() or end(): what is small waits in
    the switch.
    """

    def __init__(self, switch, port, **arguments):
        super().__init__(control_path(switch))
        try:
            self.request("capture", port=port, **arguments)
        except BaseException:
            self.close()
            raise

    def read_some(self, most):
        """Up to @most bytes, if no more than that have been read before."""
        if not self.received:
            self.socket.settimeout(lab.STEP_S)
            self.received = self.socket.recv(most)
        data, self.received = self.received, b""
        return data

    def end(self):
        """End it as a client does that wants it whole: the CaptureFile."""
        self.finish()
        return CaptureFile(self.rest())


def introduce(number, newcomer, others):
    """@newcomer has the address lab.mac(@number), and all have seen that.
    Nothing is left to be received."""
    hello = lab.frame(lab.BROADCAST, lab.mac(number), os.urandom(8), 60)
    newcomer.send(hello)
    for other in others:
        if other is not newcomer:
            other.recv_until(hello)


def acquainted(switch, cleanup, count):
    """@count clients, with addresses from lab.mac(1) on, all of them known."""
    clients = [cleanup.enter_context(lab.Client(switch.socket))
               for _ in range(count)]
    for number, client in enumerate(clients, 1):
        introduce(number, client, clients)
    return clients


def counters(switch, *ports):
    """The counters of @ports, or of all by name, when the books balance."""
    with control_of(switch) as control:
        stats = control.request("stats.show")
    assert_books_balance(stats)
    by_name = {port["name"]: port for port in stats["ports"]}
    return [by_name[name] for name in ports] if ports else by_name


def control_counters(switch):
    with control_of(switch) as control:
        return control.request("stats.show")["control"]


def captures_there(switch, count):
    """Wait until @switch has @count captures; the counters then."""
    def look():
        now = control_counters(switch)
        return now if now["captures"] == count else None
    return lab.wait_until(look, f"{count} captures")


# The file --------------------------------------------------------------------

@dataclasses.dataclass
class Interface:
    name: str
    description: str
    snaplen: int


@dataclasses.dataclass
class Packet:
    port: str
    time_ns: int
    data: bytes
    bytes: int  # of the frame before it was cut
    direction: str
    comment: str

    @property
    def reason(self):
        """Why it was dropped, or None."""
        return self.comment and self.comment.removeprefix("dropped: ")


@dataclasses.dataclass
class Statistics:
    port: str
    time_ns: int
    received: int
    dropped: int


def expect(condition, what):
    if not condition:
        raise lab.LabError(f"not a good pcapng file: {what}")


class CaptureFile:
    """A pcapng file as the switch writes it: .interfaces, .packets,
    .statistics, all in order. LabError if a byte is not as it must be."""

    def __init__(self, data):
        self.data = data
        self.application = None
        self.interfaces, self.packets, self.statistics = [], [], []
        readers = {SECTION: self._section, INTERFACE: self._interface,
                   PACKET: self._packet, STATISTICS: self._statistics}
        for kind, body in blocks(data):
            expect((kind == SECTION) == (self.application is None),
                   "it begins with its only section")
            expect(kind in readers, f"block type {kind}")
            readers[kind](body)

    def _section(self, body):
        expect(body[:16] == struct.pack("=IHHq", 0x1a2b3c4d, 1, 0, -1),
               "section header")
        self.application = options(body[16:])[4].decode()

    def _interface(self, body):
        linktype, zero, snaplen = struct.unpack("=HHI", body[:8])
        values = options(body[8:])
        expect((linktype, zero) == (1, 0), f"link type {linktype}")
        expect(values[9] == b"\x09", "times in ns")
        self.interfaces.append(Interface(
            values[2].decode(), values.get(3, b"").decode(), snaplen))

    def _packet(self, body):
        number, high, low, captured, length = struct.unpack("=5I", body[:20])
        end = 20 + captured
        padded = end + -end % 4
        expect(number < len(self.interfaces), f"interface {number}")
        expect(captured <= length and padded <= len(body), "captured length")
        expect(not any(body[end:padded]), "padding of zeros")
        values = options(body[padded:])
        flags, = struct.unpack("=I", values.get(2, bytes(4)))
        self.packets.append(Packet(
            self.interfaces[number].name, high << 32 | low, body[20:end],
            length, DIRECTIONS[flags], values[1].decode() if 1 in values
            else None))

    def _statistics(self, body):
        number, high, low = struct.unpack("=3I", body[:12])
        values = options(body[12:])
        self.statistics.append(Statistics(
            self.interfaces[number].name, high << 32 | low,
            *(struct.unpack("=Q", values[code])[0] for code in (4, 5))))

    def frames(self, port=None, direction=None):
        """The frames that were not dropped, of one port or direction."""
        return [p.data for p in self.packets if not p.comment
                and port in (None, p.port)
                and direction in (None, p.direction)]

    def dropped(self, reason=None):
        """The frames that were, for @reason or any."""
        return [p for p in self.packets if p.comment
                and reason in (None, p.reason)]

    def statistics_of(self, port):
        found = [s for s in self.statistics if s.port == port]
        expect(found, f"statistics of {port}")
        return found[-1]

    def save(self, path):
        path.write_bytes(self.data)
        return path


def blocks(data):
    """The (type, body) of every block."""
    at = 0
    while at < len(data):
        expect(len(data) - at >= 12, f"{len(data) - at} bytes at the end")
        kind, length = struct.unpack_from("=II", data, at)
        expect(length % 4 == 0 and 12 <= length <= len(data) - at,
               f"length {length} at {at} of {len(data)}")
        expect(struct.unpack_from("=I", data, at + length - 4)[0] == length,
               f"length at the end of the block at {at}")
        yield kind, data[at + 8:at + length - 4]
        at += length


def options(data):
    """{code: value}; the list must end in opt_endofopt and nothing more."""
    values, at = {}, 0
    while True:
        expect(at + 4 <= len(data), "options without an end")
        code, length = struct.unpack_from("=HH", data, at)
        if not code:
            expect(not length and at + 4 == len(data), "end of options")
            return values
        end = at + 4 + length
        padded = end + -end % 4
        expect(padded <= len(data) and not any(data[end:padded]),
               f"option {code}")
        expect(code not in values, f"option {code} twice")
        values[code] = data[at + 4:end]
        at = padded


# Other people's opinion ------------------------------------------------------

ROW = {"port": "frame.interface_name", "time": "frame.time_epoch",
       "bytes": "frame.len", "captured": "frame.cap_len",
       "direction": "frame.packet_flags_direction", "comment": "frame.comment"}


def tool(*words, stdin=None):
    """What a program of Wireshark's printed; it must not complain."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            list(map(str, words)), input=stdin or b"", capture_output=True,
            timeout=lab.STEP_S, env={**os.environ, "HOME": home})
    # As root, tshark says that this is dangerous.
    said = [line for line in done.stderr.decode().splitlines()
            if not line.startswith("Running as user")]
    if done.returncode or said:
        raise lab.LabError(f"{words}: exit {done.returncode}: {said}")
    return done.stdout.decode()


def tshark_rows(path, stdin=None):
    """A dict of ROW for every packet that tshark sees in the file @path."""
    fields = [word for name in ROW.values() for word in ("-e", name)]
    text = tool("tshark", "-n", "-r", path, "-T", "fields", *fields,
                stdin=stdin)
    rows = [dict(zip(ROW, line.split("\t"))) for line in text.splitlines()]
    for row in rows:
        row["direction"] = DIRECTIONS[int(row["direction"] or "0", 16)]
        row["bytes"], row["captured"] = int(row["bytes"]), int(row["captured"])
    return rows


def assert_tshark_agrees(file, path):
    """tshark sees in the CaptureFile @file, saved as @path, what we see."""
    assert tshark_rows(path) == [
        {"port": p.port, "time": "%d.%09d" % divmod(p.time_ns, 10 ** 9),
         "bytes": p.bytes, "captured": len(p.data), "direction": p.direction,
         "comment": p.comment or ""} for p in file.packets]


def capinfos(path):
    """{"Number of packets": "7", ...}; what every interface has is that of
    the first."""
    found = {}
    for line in tool("capinfos", "-M", path).splitlines():
        key, _, value = line.replace(" = ", ":", 1).partition(":")
        found.setdefault(key.strip(), value.strip())
    return found
