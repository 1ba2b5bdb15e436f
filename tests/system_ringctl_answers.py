"""ringctl and a switch that answers what no good one does.

     ringctl -- FakeSwitch
"""

import json
import socket
import struct
import subprocess

import pytest

import lab
from lab_ringctl import FakeSwitch, environment, error, program, ringctl

READS = ["version", "port", "port show a", "listener", "mac", "mirror",
         "stats", "stats show a", "stats words", "stats words a",
         "stats -w 0.01 --count 1", "filter", "config", "config lines"]
CHANGES = ["port add tap:x", "port del a", "port set a queue 1", "port up a",
           "mac add 02:00:00:00:00:01 a", "mac flush", "filter load"]
STREAMS = ["monitor", "capture all -w /dev/null"]
ENDS = ["restart", "stop"]


class Anything(dict):
    """The same answer to every command."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def get(self, key):
        return self.value


@pytest.fixture
def strange(tmp_path, cleanup):
    """What ringctl makes of an answer: (exit code, stderr)."""
    fake = cleanup.enter_context(FakeSwitch(tmp_path / "fake", {}))

    def run(answer, *words, timeout=lab.STEP_S):
        fake.answers = Anything(answer)
        code, _, said = ringctl("--timeout", timeout, "--socket", fake.path,
                                *words)
        assert "Sanitizer" not in said and "runtime error" not in said
        assert code in (0, 2) and said.count("\n") == (code != 0), said
        return code, said
    return run


NO_ANSWERS = [
    b"hello\n", b"\n", b"{}\n", b"[]\n", b'{"version":1}\n', b"\xff\xfe\n",
    b'{"return":\n', b'{"error":{}}\n', b'{"error":"x"}\n', b"\0\n",
    b'{"return":{}} x\n', b"[" * 100000 + b"\n"]


@pytest.mark.parametrize("words", READS + STREAMS + CHANGES + ENDS)
def test_an_answer_that_is_none_is_one_line_and_exit_2(strange, words):
    for answer in NO_ANSWERS:
        code, said = strange(answer, *words.split())
        assert code == 2 and said.startswith("ringctl: "), answer


VALUES = [
    {}, [], None, "text", 1, True, [{}], [None], [[]], [1], {"ports": []},
    {"ports": [{}], "total": {}}, {"ports": [1], "total": []},
    {"ports": [{"latency": {"samples": 1, "buckets": [1, [], [1], [1, "x"]]},
                "drops": [], "name": 7}], "total": {}, "mac": 3},
    {"ports": [{"latency": {"samples": 1, "buckets": [[1, 1e300]]},
                "queued": 1e300, "received": -5}], "uptime": -1},
    {"words": []}, {"words": [1]}, {"words": ["ringswitch", "x\n", "--", ""]},
    {"started": 1e300, "flushed": "x", "name": [1]},
    [{"name": None, "mac_limit": "x", "state": [], "counters": {},
      "dropped": [1, {}], "mirror": {"a": 1}, "address": 1, "port": 3}]]


@pytest.mark.parametrize("words", READS + CHANGES)
def test_members_that_are_not_there_are_survived(strange, words):
    for value in VALUES:
        strange(value, *words.split())


def test_events_that_are_none_are_survived(strange):
    begin = b'{"version":1,"return":{}}\n'
    for event in b"{}", b'{"event":1,"time":"x"}', b'{"time":1e300}':
        code, said = strange(begin + event + b"\nx\n", "monitor")
        assert code == 2 and "no JSON" in said


def test_a_capture_that_is_none_is_one_line(strange):
    begin = b'{"version":1,"return":{"format":"pcapng"}}\n'
    section = bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000"
                            "ffffffffffffffff1c000000")
    interface = struct.pack("=IIHHII", 1, 20, 1, 0, 0, 20)
    too_much = struct.pack("=IIIIIIII", 6, 32, 0, 0, 0, 1 << 20, 60, 32)
    bad = [b"x" * 100, bytes(64), section[:8] + bytes(20),
           section[:4] + b"\0\0\0\xff" + section[8:],
           section + interface + too_much,
           section + b"\6\0\0\0\x20\0\0\0" + bytes(20) + b"\x20\0\0\0",
           section + b"\1\0\0\0\x0c\0\0\0\x0c\0\0\0"]
    for file in bad:
        for words in "-j", "-w /dev/null":
            code, said = strange(begin + file, "capture", "all",
                                 *words.split())
            assert code == 2 and "no pcapng" in said, file


def test_a_port_that_comes_has_no_rate_yet(tmp_path, cleanup):
    """What it has counted before was not in this second."""
    old = {"name": "old", "received": 5}
    clock = iter([1, 2])
    looks = iter([[old], [{"name": "new", "received": 10**9}, old]])

    def stats(request):
        return {"ports": next(looks), "total": {}, "uptime": next(clock)}
    fake = cleanup.enter_context(FakeSwitch(tmp_path / "fake",
                                            {"stats.show": stats}))
    code, out, _ = ringctl("--socket", fake.path, "-j", "stats", "-w", "0.01",
                           "--count", "1")
    assert code == 0
    assert {port["name"]: port["received_rate"] for port in
            json.loads(out)["ports"]} == {"new": 0, "old": 0}


def test_an_error_is_told_in_its_words(strange):
    assert strange(error("not-found", "port 'x': there is none"), "port") == (
        2, "ringctl: port 'x': there is none\n")


def test_a_switch_that_says_nothing_is_given_up(strange):
    code, said = strange(b"", "port", timeout=0.3)
    assert code == 2 and "no answer within 0.3 s" in said


def test_half_an_answer_is_given_up_too(strange):
    assert "no answer" in strange(b'{"return":[', "port", timeout=0.3)[1]


def test_a_socket_that_ends_is_told(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        path = str(tmp_path / "x")
        listener.bind(path)
        listener.listen()
        with subprocess.Popen([program(), "--socket", path, "port"],
                              stderr=subprocess.PIPE, text=True,
                              env=environment()) as asking:
            client = listener.accept()[0]
            client.recv(1 << 16)
            client.close()
            assert asking.wait(lab.STEP_S) == 2
            assert "closed the connection" in asking.stderr.read()
