"""Ports of kind bess: one SOCK_SEQPACKET message is one frame.

     web1, web2 (mtu 9000)      web3 (mtu 1500)      clients
     vec0:transport=bess        vec0:transport=bess     |
              \\                       |                 |
               bess:jumbo,mtu=9000   bess:plain  -------+
                          \\           /
                           ringswitch
"""

import contextlib
import os
import signal
import socket
import types

import pytest

import lab
from lab_clients import (BessClient, attached, connected, reach,
                         receive_when_full)


@pytest.fixture
def plain(tmp_path):
    """A switch with one listener, and its path as .path."""
    path = tmp_path / "bess"
    with lab.Switch("--listen", f"bess:{path}", socket=None,
                    workdir=tmp_path) as switch:
        switch.path = path
        yield switch
        if switch.process.poll() is None:
            lab.assert_books_balance(switch.stats())


def pair(switch):
    """Two clients, both there already."""
    return attached(switch, BessClient(switch.path), BessClient(switch.path))


# Clients ---------------------------------------------------------------------

@pytest.mark.parametrize("size", [14, 42, 60, 1514, 1518])
def test_a_message_is_a_frame_to_the_byte(plain, size):
    ethertype = 0x8100 if size == 1518 else lab.ETHERTYPE
    frame = lab.frame(lab.BROADCAST, lab.mac(1), size=size,
                      ethertype=ethertype)
    with pair(plain) as (a, b):
        a.send(frame)
        assert b.recv() == frame


def test_frames_stay_in_order_and_none_is_lost_however_fast_they_come(plain):
    """A full switch makes the sender wait, where a datagram would be lost."""
    frames = [lab.frame(lab.mac(2), lab.mac(1), n.to_bytes(4, "big"), size=600)
              for n in range(3000)]
    with pair(plain) as (a, b):
        reach(b, a, 2)
        assert receive_when_full(a, b, frames) == frames
        stats = plain.stats()
    assert stats["bess1"]["received"] == 3000
    assert stats["bess2"]["undelivered"] == 0


def test_an_empty_message_is_a_runt_and_not_the_end(plain):
    with pair(plain) as (a, b):
        a.socket.send(b"")
        reach(a, b)
        assert plain.stats()["bess1"]["drop.runt"] == 1
        assert plain.stats()["bess1"]["state"] == "up"


def test_no_empty_message_is_ever_sent(plain):
    """A guest's kernel would spin on it for ever."""
    with pair(plain) as (a, b):
        a.socket.send(b"")
        a.send(b"x" * 13)
        frame = lab.frame(lab.BROADCAST, lab.mac(1), size=60)
        a.send(frame)
        assert b.recv_until(frame) == []
        assert plain.stats()["bess1"]["drop.runt"] == 2


def test_connections_are_accepted_two_hundred_at_once(plain):
    """One that waits for it freezes its whole guest: none does, even while
    the switch stands still."""
    with contextlib.ExitStack() as stack:
        os.kill(plain.pid, signal.SIGSTOP)
        stack.callback(os.kill, plain.pid, signal.SIGCONT)
        clients = []
        for _ in range(200):
            connection = stack.enter_context(
                socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            connection.setblocking(False)
            connection.connect(str(plain.path))
            clients.append(BessClient(connection=connection))
        os.kill(plain.pid, signal.SIGCONT)
        plain.wait_stats(lambda stats: sum(name.startswith("bess")
                                           for name in stats) == 200,
                         "two hundred ports")
        for other in clients[1], clients[-1]:
            reach(clients[0], other)


def test_a_stream_client_cannot_connect_to_it(plain):
    with pytest.raises(OSError):
        connected(socket.SOCK_STREAM, plain.path)


def test_a_frame_of_the_whole_mtu_passes_and_a_longer_one_is_counted(tmp_path):
    """Dropped where it does not fit, delivered where it does."""
    with lab.Switch(
            "--listen", f"bess:{tmp_path}/jumbo,mtu=9000,name=jumbo",
            "--listen", f"bess:{tmp_path}/plain,name=plain",
            "--listen", f"uml:{tmp_path}/ctl,name=uml", socket=None,
            workdir=tmp_path) as switch, \
            attached(switch, BessClient(tmp_path / "jumbo"),
                     BessClient(tmp_path / "jumbo"),
                     BessClient(tmp_path / "plain"),
                     lab.Client(tmp_path / "ctl")) as (a, b, c, d):
        long = lab.frame(lab.BROADCAST, lab.mac(1), size=9014)
        a.send(long)
        last = reach(a, b)
        assert c.recv_until(last) == []
        assert d.recv_until(last) == []
        stats = switch.stats()
        assert stats["jumbo"]["forwarded"] == 2
        assert stats["jumbo"]["dropped"] == 0
        assert stats["jumbo.2"]["undelivered"] == 0
        assert stats["plain"]["drop.too_long"] == 1
        assert stats["uml"]["drop.too_long"] == 1
        lab.assert_books_balance(stats)


def test_the_configured_mtu_is_the_limit_in_both_directions(tmp_path):
    with lab.Switch("--listen", f"bess:{tmp_path}/jumbo,mtu=9000", socket=None,
                    workdir=tmp_path) as switch, \
            attached(switch, BessClient(tmp_path / "jumbo"),
                     BessClient(tmp_path / "jumbo")) as (a, b):
        for size, ethertype in ((9014, lab.ETHERTYPE), (9018, 0x8100)):
            frame = lab.frame(lab.BROADCAST, lab.mac(1), size=size,
                              ethertype=ethertype)
            a.send(frame)
            assert b.recv() == frame
        a.send(lab.frame(lab.BROADCAST, lab.mac(1), size=9015))
        a.send(lab.frame(lab.BROADCAST, lab.mac(1), size=40000))
        last = lab.frame(lab.BROADCAST, lab.mac(1), b"last", size=60)
        a.send(last)
        assert b.recv_until(last) == []
        stats = switch.stats()
    assert stats["bess1"].get("drop.rx_too_long", 0) \
        + stats["bess2"].get("drop.too_long", 0) == 2
    assert stats["bess1"]["drop.rx_too_long"] >= 1


# Names -----------------------------------------------------------------------

def test_a_client_that_has_a_path_gives_its_port_the_name(plain, tmp_path):
    with attached(plain, BessClient(plain.path, src=tmp_path / "web1"),
                  BessClient(plain.path)) as (a, b):
        reach(a, b)
        assert {"web1", "bess1"} < set(plain.stats())


def test_a_name_that_is_taken_is_not_given_twice(plain, tmp_path):
    for directory in "a", "b":
        (tmp_path / directory).mkdir()
    with attached(plain, BessClient(plain.path, src=tmp_path / "a" / "web1"),
                  BessClient(plain.path, src=tmp_path / "b" / "web1")
                  ) as (a, b):
        reach(a, b)
        assert {"web1", "bess1"} < set(plain.stats())


def test_a_listeners_name_is_its_ports_name_and_comes_back_with_its_counters(
        tmp_path):
    path = tmp_path / "bess"
    with lab.Switch("--listen", f"bess:{path},name=web", socket=None,
                    workdir=tmp_path) as switch, \
            attached(switch, BessClient(path)) as (first,):
        with BessClient(path) as second:
            switch.wait_ports(2)
            reach(second, first)
            assert {"web", "web.2"} < set(switch.stats())
        switch.wait_stats(lambda stats: "web.2" not in stats, "a port to go")
        with BessClient(path) as again:
            assert switch.wait_stats(
                lambda stats: stats.get("web.2"), "a port to come back"
            )["web.2"]["received"] == 1
            reach(again, first)
            assert switch.stats()["web.2"]["received"] == 2
        lab.assert_books_balance(switch.stats())


@contextlib.contextmanager
def held(switch):
    """What clients do meanwhile, the switch finds done."""
    switch.process.send_signal(signal.SIGSTOP)
    lab.wait_until(lambda: lab.process_stat(switch.pid)[0] in "Tt",
                   "the switch to stop")
    try:
        yield
    finally:
        switch.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("asks", ["the listener's name", "its own path"])
def test_a_guest_that_comes_back_at_once_has_its_name_and_counters_back(
        tmp_path, asks):
    """Before the switch has read what it sent last, more than it can."""
    path, src = tmp_path / "bess", None
    frame = lab.frame(lab.BROADCAST, lab.mac(1), size=60)
    option = f"bess:{path},name=web"
    if asks == "its own path":
        option, src = f"bess:{path}", tmp_path / "web"
    with lab.Switch("--listen", option, workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as other:
        client = BessClient(path, src=src)
        reach(client, other)
        for visit in range(2, 6):
            with held(switch):
                sent = 0
                while client.try_send(frame):
                    sent += 1
                assert sent > 128
                client.close()
                if src:
                    src.unlink()
                client = BessClient(path, src=src)
            switch.wait_stats(
                lambda stats: "web" in stats
                and switch.said().count("port web: pid") == visit,
                "the port to be there again")
            reach(client, other)
        with client:
            stats = switch.stats()
            assert sorted(name for name in stats if stats[name].get("kind")
                          ) == ["uml1", "web"], switch.said()
            assert stats["web"]["received"] >= 5
            lab.assert_books_balance(stats)


def test_what_is_behind_an_empty_message_is_read_before_the_end(tmp_path):
    path = tmp_path / "bess"
    with lab.Switch("--listen", f"bess:{path}", workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as other:
        client = BessClient(path)
        reach(client, other)
        frames = [lab.frame(lab.BROADCAST, lab.mac(1), bytes([n]), size=60)
                  for n in range(4)]
        with held(switch):
            for frame in frames:
                client.send(b"")
                client.send(frame)
            client.send(b"")
            client.close()
        assert [other.recv() for _ in frames] == frames
        switch.wait_stats(lambda stats: "bess2" not in stats
                          and "bess1" not in stats, "the port to go")


def test_only_the_users_named_may_attach(tmp_path):
    path = tmp_path / "bess"
    with lab.Switch("--listen", f"bess:{path}", "--allow-uid", "65534",
                    socket=None, workdir=tmp_path) as switch:
        with BessClient(path) as stranger:
            assert stranger.closed_by_switch(lab.STEP_S)
        assert "65534" in switch.said() or "uid" in switch.said()
    with lab.Switch("--listen", f"bess:{path}", "--allow-uid",
                    str(os.geteuid()), socket=None,
                    workdir=tmp_path) as switch, \
            attached(switch, BessClient(path), BessClient(path)) as (a, b):
        reach(a, b)


# What is left behind ---------------------------------------------------------

def test_ports_that_go_leave_no_descriptors(plain):
    with pair(plain) as (a, b):
        reach(a, b)
        before = lab.open_files(plain.pid)
        for _ in range(20):
            with BessClient(plain.path) as c:
                reach(c, a)
        lab.wait_until(lambda: lab.open_files(plain.pid) == before,
                       "the descriptors of ports that have gone to close")


def test_the_socket_goes_with_the_switch(plain):
    assert plain.stop() == 0
    assert not plain.path.exists()


def test_a_dead_switchs_socket_is_taken_over_and_a_living_ones_is_not(
        plain, tmp_path):
    code, said = lab.run_switch("--listen", f"bess:{plain.path}")
    assert code == 1 and str(plain.path) in said
    with pair(plain) as (a, b):
        reach(a, b)
    plain.kill()
    assert plain.path.exists()
    with lab.Switch("--listen", f"bess:{plain.path}", socket=None,
                    workdir=tmp_path, name="again") as again:
        again.path = plain.path
        with pair(again) as (a, b):
            reach(a, b)


# Guests ----------------------------------------------------------------------

@pytest.fixture(scope="module")
def net(initrd, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("bess")
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(lab.Switch(
            "--listen", f"bess:{workdir}/jumbo,mtu=9000,name=jumbo",
            "--listen", f"bess:{workdir}/plain,name=plain",
            socket=None, workdir=workdir))

        def boot(number, path, mtu):
            return stack.enter_context(lab.Guest(
                f"web{number}", ip=f"10.0.0.{number}/24", initrd=initrd,
                workdir=workdir,
                cards=[lab.bess_card(workdir / path, lab.mac(number), mtu)]))

        guests = [boot(1, "jumbo", 9000), boot(2, "jumbo", 9000),
                  boot(3, "plain", None)]
        for guest in guests:
            guest.wait_ready()
        yield types.SimpleNamespace(switch=switch, web1=guests[0],
                                    web2=guests[1], web3=guests[2])
        lab.assert_books_balance(switch.stats())


def test_guests_of_any_mtu_ping_each_other(net):
    for guest in net.web1, net.web2, net.web3:
        for number in 1, 2, 3:
            assert guest.pings(f"10.0.0.{number}")


def test_eight_thousand_bytes_are_one_frame_between_jumbo_guests(net):
    before = net.switch.stats()["jumbo"]
    net.web1.check("ping -c 5 -A -w 10 -s 8900 10.0.0.2")
    after = net.switch.stats()["jumbo"]
    assert 10 <= after["received"] + after["sent"] \
        - before["received"] - before["sent"] <= 20


def test_a_frame_too_long_for_one_guest_is_counted_there(net):
    before = net.switch.stats()
    assert net.web1.pings("10.0.0.3")
    code, _ = net.web1.run("ping -c 3 -i 0.1 -W 1 -s 8000 10.0.0.3")
    assert code != 0
    after = net.switch.stats()
    assert after["plain"]["drop.too_long"] \
        - before["plain"].get("drop.too_long", 0) == 3
    for name in "jumbo", "jumbo.2":
        assert after[name]["dropped"] == before[name]["dropped"]
    assert net.web1.pings("10.0.0.3")
    assert net.web2.pings("10.0.0.3")


def test_tcp_between_jumbo_guests_is_byte_exact(net):
    net.web1.check("dd if=/dev/urandom of=/tmp/sent bs=64k count=160")
    net.web1.serve_files("/tmp")
    net.web2.check("wget -q -O /tmp/received http://10.0.0.1:8000/sent")
    sent = net.web1.check("sha256sum </tmp/sent")
    assert net.web2.check("sha256sum </tmp/received") == sent


def test_a_guest_that_downs_its_card_attaches_again_when_it_ups_it(net):
    net.web3.check("ip link set vec0 down")
    net.switch.wait_stats(lambda stats: "plain" not in stats,
                          "the port to go")
    net.web3.check("ip link set vec0 up")
    assert net.web3.pings("10.0.0.1")
    assert net.switch.stats()["plain"]["received"] > 3
