"""Control clients that are slow, silent, many, or not in their right mind.

     ninety that never read     ten that do
              \\                  /
               ctl.control, .monitor
                       |
     a ---------- ringswitch ---------- b     frames, all of which arrive

The rule: what a control client does holds up neither frames nor the others,
costs the switch a bounded amount of memory, and leaves nothing behind.
"""

import array
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

import lab
from lab_clients import connected, reach
from lab_control import (CLIENTS_MAX, Control, Monitor, control_of,
                         control_path, events_of, monitor_of, monitor_path,
                         request_line, send_counted)

MIB = 1 << 20

# What a hundred clients may cost: 64 KiB of answers and as much of a request
# each, and what one answer of some hundred KiB takes while it is made.
MEMORY_BYTES = 48 * MIB

# Of any number of requests, one after another.
GROWTH_BYTES = 4 * MIB

# A sanitizer keeps freed memory for a while, on purpose.
SANITIZED_BYTES = 512 * MIB


@pytest.fixture
def control(switch):
    with control_of(switch) as control:
        yield control


@pytest.fixture
def pair(switch, cleanup):
    """Two guests that know each other."""
    a, b = (cleanup.enter_context(lab.Client(switch.socket))
            for _ in range(2))
    reach(b, a, 2)
    return a, b


@pytest.fixture
def allowed():
    """What an allowance of memory is for the build under test."""
    with open(lab.ringswitch(), "rb") as program:
        sanitized = b"__asan_init" in program.read()
    return lambda size: SANITIZED_BYTES if sanitized else size


def frames(count):
    return [lab.frame(lab.mac(2), lab.mac(1), b"%08d" % n, 1514)
            for n in range(count)]


def push(client, data):
    """As much of @data, again and again, as the switch takes at once."""
    client.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            client.socket.send(data)


# Clients that do not read ----------------------------------------------------

def test_ninety_of_a_hundred_never_read_and_nobody_is_held_up(
        switch, control, pair, cleanup, allowed):
    """They ask for much: the statistics of a hundred ports, again and again."""
    for _ in range(100):
        cleanup.enter_context(lab.Client(switch.socket))
    control.wait_ports(102)
    before = lab.resident_bytes(switch.pid)
    request = request_line("stats.show") * 100
    deaf = [cleanup.enter_context(open_(switch))
            for _ in range(45) for open_ in (control_of, monitor_of)]
    for client in deaf:
        push(client, request)
    good = [control, *(cleanup.enter_context(open_(switch))
                       for _ in range(5) for open_ in (control_of, monitor_of))]
    a, b = pair
    for _ in range(5):
        for client in deaf:
            push(client, request)
        assert send_counted(a, b, frames(300)) == 300
        for client in good:
            assert len(client.request("stats.show")["ports"]) == 102
    assert lab.resident_bytes(switch.pid) - before < allowed(MEMORY_BYTES)
    # They are still there, and get all that they have asked for, whole.
    stats = control.request("stats.show")["control"]
    assert (stats["clients"], stats["monitors"]) == (51, 50)
    for client in deaf[:4]:
        assert len(client.reply()["return"]["ports"]) == 102


def test_unread_answers_are_bounded_by_not_reading_requests(switch, control,
                                                            cleanup):
    """What the switch does not take stays with who has sent it."""
    deaf = cleanup.enter_context(control_of(switch))
    sent = 0
    deaf.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while sent < 100_000:
            deaf.socket.send(request_line("help", id=sent))
            sent += 1
    assert sent < 100_000, "the switch takes requests without end"
    assert control.request("stats.show")["control"]["requests"] < sent
    # Now it reads, and is answered to the last.
    deaf.finish()
    assert [deaf.reply()["id"] for _ in range(sent)] == list(range(sent))
    assert deaf.ended()


def test_watchers_that_never_read_lose_events_and_nothing_else_happens(
        switch, control, pair, cleanup, allowed):
    before = lab.resident_bytes(switch.pid)
    for _ in range(90):
        cleanup.enter_context(events_of(switch))
    quick = cleanup.enter_context(events_of(switch, "mac-learned"))
    a, b = pair
    for number in range(100, 5100):
        reach(a, b, number)
    told = 0
    while told < 5000:
        event = quick.next()
        told += event.get("events", 1)  # of those that are lost
    assert control.request("stats.show")["control"]["events_lost"] > 0
    assert lab.resident_bytes(switch.pid) - before < allowed(MEMORY_BYTES)


# Many clients ----------------------------------------------------------------

@pytest.mark.parametrize("path_of", [control_path, monitor_path])
def test_when_too_many_come_the_one_silent_for_longest_goes(switch, cleanup,
                                                            path_of):
    clients = [cleanup.enter_context(Control(path_of(switch)))
               for _ in range(CLIENTS_MAX)]
    for client in clients:
        assert client.request("version")
    for client in clients[:2]:
        client.request("version")
    newcomers = [cleanup.enter_context(Control(path_of(switch)))
                 for _ in range(3)]
    for client in newcomers:
        assert client.request("version")
    for client in clients[2:5]:
        assert client.ended()
    for client in clients[:2] + clients[5:]:
        assert client.request("version")


def test_both_sockets_have_room_of_their_own(switch, control, cleanup):
    for _ in range(2 * CLIENTS_MAX):
        cleanup.enter_context(monitor_of(switch)).request("version")
    assert control.request("version")
    stats = control.request("stats.show")["control"]
    assert (stats["clients"], stats["monitors"]) == (1, CLIENTS_MAX)


def test_silent_clients_do_not_keep_others_out(switch, pair, cleanup):
    for _ in range(3 * CLIENTS_MAX):
        cleanup.enter_context(connected_client(switch))
    with control_of(switch) as control:
        assert control.request("version")
    reach(*pair)


def connected_client(switch):
    """One that waits until there is room among those not yet accepted."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(control_path(switch))
    client.settimeout(lab.STEP_S)
    return client


def test_thousands_that_come_and_go_leave_nothing(switch, pair):
    a, b = pair
    with control_of(switch) as control:
        files = control.open_files()
    for number in range(3000):
        with connected_client(switch) as client:
            if number % 3 == 1:
                client.sendall(request_line("stats.show"))
            if number % 3 == 2:
                client.sendall(b'{"execute":')
        if number % 500 == 0:
            assert send_counted(a, b, frames(100)) == 100
    with control_of(switch) as control:
        control.wait(
            lambda c: c.request("stats.show")["control"]["clients"] == 1,
            "all of them to be forgotten")
        assert control.open_files() == files


def test_clients_that_have_gone_push_nobody_out(switch, control):
    """However many of them have not been looked at yet."""
    control.request("version")
    for _ in range(1000):
        connected_client(switch).close()
    assert control.request("version")


def test_memory_does_not_grow_with_the_number_of_requests(switch, control,
                                                          allowed):
    def once(count):
        for _ in range(count):
            control.request("stats.show")
            control.request("help")

    once(100)
    before = lab.resident_bytes(switch.pid)
    once(2000)
    assert lab.resident_bytes(switch.pid) - before < allowed(GROWTH_BYTES)


# Ends without a word ---------------------------------------------------------

# Says something, reads ten bytes, and then says more, or waits for its end.
KILLED = """
import signal, socket, sys
c = socket.socket(socket.AF_UNIX)
c.connect(sys.argv[1])
c.sendall(sys.argv[2].encode())
print(len(c.recv(10)), flush=True)
while sys.argv[3]:
    c.sendall(sys.argv[3].encode())
signal.pause()
"""


@pytest.mark.parametrize("first, then", [
    ('{"execute":"monitor"}\n', ""), ('{"execute":"stats.show"}\n' * 50, ""),
    ('{"execute":"help"}\n', '{"execute":"help"}\n'),
    ('{"execute":"capture","arguments":{"port":"all"}}\n', ""),
    ('{"execute":"version"}\n{"execu', "")],
    ids=["events", "answers", "requests", "capture", "half"])
def test_clients_that_are_killed_leave_nothing(switch, control, pair, first,
                                               then):
    a, b = pair
    files = control.open_files()
    for _ in range(5):
        client = subprocess.Popen(
            [sys.executable, "-c", KILLED, control_path(switch), first,
             then], stdout=subprocess.PIPE, text=True)
        with client:
            assert client.stdout.readline() == "10\n"
            assert send_counted(a, b, frames(100)) == 100
            client.send_signal(signal.SIGKILL)
    assert send_counted(a, b, frames(100)) == 100
    control.wait(lambda c: (s := c.request("stats.show")["control"])[
        "clients"] == 1 and s["captures"] == 0, "their end")
    lab.wait_until(lambda: lab.open_files(switch.pid) == files,
                   "their descriptors to be closed")


def test_ends_in_the_middle_of_answers_and_requests_hurt_nobody(switch,
                                                                control, pair):
    for _ in range(300):
        with connected_client(switch) as client:
            client.sendall(request_line("help") * 20 + b'{"half')
            client.recv(100)
    assert control.request("version")
    reach(*pair)


# Descriptors in messages -----------------------------------------------------

def test_descriptors_sent_along_are_not_kept(switch, control, pair):
    files = control.open_files()
    mine = array.array("i", [os.open("/dev/null", os.O_RDONLY)
                             for _ in range(50)])
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, mine)]
    try:
        for path in control_path(switch), monitor_path(switch):
            with contextlib.closing(
                    connected(socket.SOCK_STREAM, path)) as client:
                for _ in range(20):
                    with contextlib.suppress(OSError):
                        client.sendmsg([request_line("version")], rights)
                # Refused, by the kernel where it can, or answered; but
                # nothing is taken.
                with contextlib.suppress(OSError):
                    client.sendall(request_line("version"))
                    client.recv(4096)
                assert lab.open_files(switch.pid) <= files + 1
    finally:
        for fd in mine:
            os.close(fd)
    control.wait(lambda c: lab.open_files(switch.pid) == files, "the end")
    reach(*pair)


# Everything at once ----------------------------------------------------------

GARBAGE = [b"\0" * 1000, b"{" * 5000, b"\n" * 10000, b'{"execute":1}\n',
           request_line("version") * 10, b"\xff\n", b'{"execute":"monitor"}\n',
           request_line("port.del", {"port": "nobody"}), b"[" * 70000,
           b'{"execute":"capture","arguments":{"port":"all"}}\n']


def disturb(path, ending, seed):
    number = seed
    while not ending.is_set():
        with contextlib.suppress(OSError), contextlib.closing(
                connected(socket.SOCK_STREAM, path)) as client:
            client.setblocking(False)
            for _ in range(10):
                client.send(GARBAGE[number % len(GARBAGE)])
                number += seed
            client.recv(100)


def test_frames_pass_while_all_of_it_goes_on(switch, pair):
    """Every frame arrives, in order, while four threads do what they can."""
    ending = threading.Event()
    threads = [threading.Thread(target=disturb, args=(path, ending, seed))
               for path in (control_path(switch), monitor_path(switch))
               for seed in (3, 7)]
    for thread in threads:
        thread.start()
    try:
        assert send_counted(*pair, frames(5000)) == 5000
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    with control_of(switch) as control:
        control.wait(lambda c: (s := c.request("stats.show")["control"])[
            "clients"] == 1 and s["monitors"] == 0, "the end of all others")
        counters = control.counters("uml1")
        assert counters["dropped"] == 0
    with Monitor(monitor_path(switch), "port-up") as events:
        with lab.Client(switch.socket):
            assert events.next()["port"] == "uml3"
