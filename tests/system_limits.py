"""Too much of everything: guests that do not read, floods, no descriptors left.

     two that live     up to hundreds that do not read
          \\                 /
           +-- ringswitch --+

The rule they all check: what one does must not touch the others, and nothing
grows without a limit.
"""

import os
import resource
import socket
import threading
import time

import pytest

import lab

# Frames under way between two clients that take turns. Small enough that
# nothing but the switch can lose one.
WINDOW = 32


@pytest.fixture
def crowd(switch, cleanup):
    """Join @n clients; they stay until the end of the test."""
    return lambda n: [cleanup.enter_context(lab.Client(switch.socket))
                      for _ in range(n)]


def broadcasts(count, size=1514):
    return [lab.frame(lab.BROADCAST, lab.mac(1), b"%08d" % n, size)
            for n in range(count)]


def delivered(sender, receiver, frames):
    """How many of @frames arrive, sent with a window and received in turn."""
    arrived = 0
    for start in range(0, len(frames), WINDOW):
        window = frames[start:start + WINDOW]
        for frame in window:
            sender.send(frame)
        for frame in window:
            if receiver.recv(5) != frame:
                return arrived
            arrived += 1
    return arrived


def introduce(client, others, address):
    """Send a broadcast from @address, and see that all @others have it."""
    hello = lab.frame(lab.BROADCAST, address, os.urandom(8), size=60)
    client.send(hello)
    for other in others:
        if other is not client:
            other.recv_until(hello)


# Receivers that do not read --------------------------------------------------

@pytest.mark.parametrize("idle", [0, 1, 12, 100])
def test_clients_that_do_not_read_cost_the_others_nothing(crowd, idle):
    sender, receiver, *_ = crowd(2 + idle)
    assert delivered(sender, receiver, broadcasts(2000)) == 2000


def test_dead_receivers_behind_a_hub_cost_the_others_nothing(tmp_path, cleanup):
    hub = cleanup.enter_context(lab.Switch("--hub", workdir=tmp_path))
    sender, receiver, *_ = [cleanup.enter_context(lab.Client(hub.socket))
                            for _ in range(14)]
    assert delivered(sender, receiver, broadcasts(2000)) == 2000


def test_newcomers_live_beside_the_dead(crowd):
    """Not only the one whose frames have filled the dead ones' queues."""
    sender, receiver, *_ = crowd(14)
    assert delivered(sender, receiver, broadcasts(1000)) == 1000
    for _ in range(3):
        sender, receiver = crowd(2)
        assert delivered(sender, receiver, broadcasts(1000)) == 1000


def test_what_a_dead_receiver_misses_is_counted(switch, crowd):
    sender, receiver, dead = crowd(3)
    assert delivered(sender, receiver, broadcasts(2000)) == 2000
    stats = switch.stats()["uml3"]
    assert stats["offered"] == 2000
    assert stats["sent"] + stats["undelivered"] + stats["queued"] == 2000
    assert stats["undelivered"] == (stats.get("drop.queue_full", 0)
                                    + stats.get("drop.stalled", 0)) > 0
    assert stats["sent"] == len(dead.drain())


def test_a_receiver_that_reads_again_gets_frames_again(switch, crowd):
    sender, receiver, sleeper = crowd(3)
    assert delivered(sender, receiver, broadcasts(2000)) == 2000
    sleeper.drain()
    last = lab.frame(lab.BROADCAST, lab.mac(1), b"awake?", size=60)

    def gets_it():
        sender.send(last)
        return last in sleeper.drain()

    lab.wait_until(gets_it, "the first frame after the sleep")


def test_a_short_pause_of_a_receiver_loses_nothing(crowd):
    """The switch's queue is for exactly this: a guest that is not scheduled."""
    sender, receiver = crowd(2)
    frames = broadcasts(100)
    for frame in frames:
        sender.send(frame)
    assert [receiver.recv(5) for _ in frames] == frames


def test_one_busy_sender_is_slowed_down_instead_of_losing_frames(crowd):
    """It sends as fast as it can; the switch takes what the receiver takes."""
    sender, receiver = crowd(2)
    frames = broadcasts(5000)

    def send_all():
        for frame in frames:
            sender.send(frame)

    busy = threading.Thread(target=send_all)
    busy.start()
    arrived = list(map(lambda _: receiver.recv(5), frames))
    busy.join()
    assert arrived == frames


def test_dead_receivers_do_not_hold_the_memory_of_the_switch(switch, crowd):
    sender, receiver, *_ = crowd(102)
    # Warm: queues and pools have been touched once.
    delivered(sender, receiver, broadcasts(3000))
    before = lab.resident_bytes(switch.pid)
    assert delivered(sender, receiver, broadcasts(3000)) == 3000
    assert lab.resident_bytes(switch.pid) - before < 1 << 20


def test_ports_that_close_with_full_queues_give_everything_back(switch, crowd,
                                                                cleanup):
    sender, receiver = crowd(2)
    for _ in range(20):
        dead = [lab.Client(switch.socket) for _ in range(10)]
        assert delivered(sender, receiver, broadcasts(200)) == 200
        for client in dead:
            client.close()
    stats = switch.wait_stats(lambda stats: "uml3" not in stats,
                              "the ports to close")
    assert stats["closed"]["queued"] == 0
    assert delivered(sender, receiver, broadcasts(2000)) == 2000


def test_a_crowd_that_all_talks_at_once_is_served(switch, crowd):
    """Everybody sends broadcasts and reads; the account must come out even."""
    clients = crowd(12)
    rounds = 100
    for n in range(rounds):
        for number, client in enumerate(clients):
            client.send(lab.frame(lab.BROADCAST, lab.mac(number + 1),
                                  b"%d" % n, size=200))
        for client in clients:
            client.drain()
    stats = switch.wait_stats(
        lambda stats: stats["total"]["received"] == rounds * len(clients),
        "all frames to be received")
    assert stats["total"]["offered"] == rounds * 12 * 11


# The address table -----------------------------------------------------------

def test_two_hundred_thousand_source_addresses_cost_no_memory(switch, crowd):
    flooder, a, b = clients = crowd(3)
    introduce(a, clients, lab.mac(1))
    introduce(b, clients, lab.mac(2))
    frame = bytearray(60)

    def flood(first, last):
        # To the address it comes from, so that it fills no queue.
        for number in range(first, last):
            frame[0:12] = (b"\x06\0" + number.to_bytes(4, "big")) * 2
            flooder.send(frame)
        switch.wait_stats(lambda stats: stats["uml1"]["received"] == last,
                          "the flood to be received")

    flood(0, 20000)
    before = lab.resident_bytes(switch.pid)
    flood(20000, 200000)
    # A few pages for the statistics; a growing table would need megabytes.
    assert lab.resident_bytes(switch.pid) - before < 256 << 10
    assert switch.stats()["mac"]["entries"] <= 16384

    # Who was there before the flood is still known: nothing for the flooder.
    unicast = lab.frame(lab.mac(1), lab.mac(2), b"found?", size=60)
    b.send(unicast)
    end = lab.frame(lab.BROADCAST, lab.mac(2), b"end", size=60)
    b.send(end)
    a.recv_until(unicast)
    assert unicast not in flooder.recv_until(end)


@pytest.mark.parametrize("entries", [64, 1000])
def test_the_table_is_as_large_as_was_asked_for(entries, tmp_path, cleanup):
    switch = cleanup.enter_context(
        lab.Switch("--mac-table", str(entries), workdir=tmp_path))
    client = cleanup.enter_context(lab.Client(switch.socket))
    for number in range(5000):
        client.send(lab.frame(lab.mac(1), lab.mac(number + 10), size=60))
    stats = switch.wait_stats(lambda stats: stats["uml1"]["received"] == 5000,
                              "the flood to be received")
    # Rounded up to a power of two.
    assert entries <= stats["mac"]["capacity"] < entries * 2
    assert stats["mac"]["entries"] <= stats["mac"]["capacity"]


# Descriptors -----------------------------------------------------------------

def try_to_join(path):
    try:
        return lab.Client(path, timeout=0.2)
    except (OSError, lab.LabError):
        return None


def test_without_descriptors_the_switch_neither_spins_nor_forgets(tmp_path,
                                                                  cleanup):
    """More clients want in than the limit on open files lets in."""
    switch = cleanup.enter_context(lab.Switch(
        workdir=tmp_path, wrapper=["sh", "-c", 'ulimit -n 32; exec "$0" "$@"']))
    a, b = [cleanup.enter_context(lab.Client(switch.socket)) for _ in range(2)]
    more = [client for client in
            (try_to_join(switch.socket) for _ in range(20)) if client]
    # And some who only knock and wait.
    waiting = [cleanup.enter_context(
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(10)]
    for knocking in waiting:
        knocking.setblocking(False)
        try:
            knocking.connect(switch.socket)
        except BlockingIOError:
            pass
    assert len(more) < 20, "the limit was not reached: nothing is tested"

    before = lab.cpu_seconds(switch.pid)
    start = time.monotonic()
    while time.monotonic() - start < 1:
        assert delivered(a, b, broadcasts(WINDOW, 60)) == WINDOW
        for client in more:
            client.drain()
        time.sleep(0.1)
    assert lab.cpu_seconds(switch.pid) - before < 0.5

    for client in [*more, *waiting]:
        client.close()
    newcomer = lab.wait_until(lambda: try_to_join(switch.socket),
                              "room for a new client")
    newcomer.close()
    assert delivered(a, b, broadcasts(WINDOW)) == WINDOW
    # One line for each that was turned away would fill disks.
    assert len(switch.log.read_text()) < 20000


def test_an_idle_switch_sleeps(switch, crowd):
    crowd(20)
    before = lab.cpu_seconds(switch.pid)
    time.sleep(1)
    assert lab.cpu_seconds(switch.pid) - before < 0.1


def test_two_hundred_ports_work_and_fit_in_little_memory(switch, crowd):
    sender, receiver, *_ = crowd(200)
    assert delivered(sender, receiver, broadcasts(200)) == 200
    assert lab.resident_bytes(switch.pid) < 64 << 20


def test_clients_that_leave_give_their_descriptors_back(switch):
    fds = f"/proc/{switch.pid}/fd"
    before = len(os.listdir(fds))
    for _ in range(3):
        clients = [lab.Client(switch.socket) for _ in range(50)]
        for client in clients:
            client.close()
    lab.wait_until(lambda: len(os.listdir(fds)) <= before,
                   "the descriptors of gone clients to be closed")


def test_joining_and_leaving_amid_traffic_loses_nothing(switch, crowd):
    sender, receiver = crowd(2)
    stop = threading.Event()

    def come_and_go():
        while not stop.is_set():
            lab.Client(switch.socket).close()

    restless = threading.Thread(target=come_and_go)
    restless.start()
    try:
        assert delivered(sender, receiver, broadcasts(2000)) == 2000
    finally:
        stop.set()
        restless.join()


def test_locked_memory_is_not_needed_much(tmp_path, cleanup):
    """8 MiB, what systemd gives a service, is enough also without root."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and soft < 8 << 20:
        pytest.skip(f"only {soft} bytes of locked memory allowed here")
    drop = ["setpriv", "--bounding-set=-ipc_lock"] if os.geteuid() == 0 else []
    switch = cleanup.enter_context(lab.Switch(
        workdir=tmp_path,
        wrapper=["sh", "-c", 'ulimit -l 8192; exec "$0" "$@"', *drop]))
    a, b, *_ = [cleanup.enter_context(lab.Client(switch.socket))
                for _ in range(50)]
    assert delivered(a, b, broadcasts(200)) == 200
