"""Every kind of port on one switch, everyone reaching everyone.

    1 web1    uml      eth0=daemon                5 stream   QEMU and a tap
    2 web2    vde      eth0=vde                   6 dgram    QEMU and a tap
    3 web3    bess     vec0:transport=bess        7 host     our own tap
    4 plug    vde      vde_plug and a tap         254        passt, the world

                          all at ringswitch

passt answers ARP for the others, so they know each other beforehand.
"""

import contextlib
import grp
import os
import types

import pytest

import lab
from lab_clients import (BessClient, DgramClient, StreamClient, VdeClient,
                         mode_of, reach, receive_when_full)
from lab_peers import (Host, Passt, QemuBridge, VdePlug, dgram_netdev,
                       stream_netdev)

GATEWAY = "10.0.0.254"
FILE_BYTES = 1 << 20


@pytest.fixture(scope="module")
def net(initrd, tap_device, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("kinds")
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        passt = enter(Passt(workdir / "passt.socket", workdir, "10.0.0.77",
                            GATEWAY))
        host = enter(Host("host", workdir))
        host.add_tap("tap0", "10.0.0.7/24", lab.mac(7))
        switch = enter(lab.Switch(
            "--listen", f"uml:{workdir}/uml",
            "--listen", f"vde:{workdir}/vde",
            "--listen", f"bess:{workdir}/bess",
            "--listen", f"stream:{workdir}/stream",
            "--port", f"dgram:{workdir}/sw,remote={workdir}/vm",
            "--port", f"connect-stream:{passt.path},name=world",
            "--port", "tap:tap0", socket=None, workdir=workdir))

        def guest(number, card, path):
            return enter(lab.Guest(
                f"web{number}", ip=f"10.0.0.{number}/24", initrd=initrd,
                workdir=workdir, cards=[card(path, lab.mac(number))]))

        guests = [guest(1, lab.daemon_card, workdir / "uml"),
                  guest(2, lab.vde_card, workdir / "vde"),
                  guest(3, lab.bess_card, workdir / "bess")]
        ends = [
            *guests,
            enter(VdePlug("plug", workdir / "vde", workdir, "10.0.0.4/24",
                          lab.mac(4), port=44)),
            enter(QemuBridge("qemu5", stream_netdev(workdir / "stream"),
                             workdir, "10.0.0.5/24", lab.mac(5))),
            enter(QemuBridge("qemu6",
                             dgram_netdev(workdir / "vm", workdir / "sw"),
                             workdir, "10.0.0.6/24", lab.mac(6))),
            host]
        for end in ends:
            introduce(end)
        yield types.SimpleNamespace(switch=switch, passt=passt, host=host,
                                    ends=ends, workdir=workdir)
        lab.assert_books_balance(switch.stats())


def others(end):
    return [number for number in range(1, 8)
            if end.ip != f"10.0.0.{number}"]


def introduce(end):
    """Tell @end the hardware addresses of all the others."""
    end.check("; ".join(f"arp -s 10.0.0.{number} {lab.mac(number)}"
                        for number in others(end)))


def test_everyone_pings_everyone(net):
    for end in net.ends:
        for number in others(end):
            assert end.pings(f"10.0.0.{number}", count=2), (end.name, number)


def test_every_kind_of_port_is_there_and_up(net):
    stats = net.switch.stats()
    kinds = sorted(port["kind"] for port in stats.values() if "kind" in port
                   and port.get("state") == "up")
    assert kinds == ["bess", "dgram", "stream", "stream", "tap", "uml", "vde",
                     "vde"]


def test_tcp_between_any_two_is_byte_exact(net):
    sums = {}
    for end in net.ends:
        end.check(f"mkdir -p www && dd if=/dev/urandom of=www/file bs=64k "
                  f"count={FILE_BYTES >> 16}")
        sums[end.ip] = end.check("sha256sum <www/file")
        end.serve_files("www")
    for end in net.ends:
        for number in others(end):
            ip = f"10.0.0.{number}"
            end.check(f"wget -q -O received http://{ip}:8000/file")
            assert end.check("sha256sum <received") == sums[ip], \
                (end.name, number)


def test_guests_and_plugs_reach_the_world_through_passt(net):
    """Not those behind QEMU's taps: it fills short frames up to 60 bytes, and
    passt 2023-03 takes what is filled up for a part of the TCP stream."""
    (net.workdir / "world").mkdir()
    (net.workdir / "world" / "file").write_bytes(os.urandom(100000))
    net.passt.world.serve_files(net.workdir / "world", port=80)
    expected = net.passt.world.check(f"sha256sum <{net.workdir}/world/file")
    for end in net.ends[:4]:
        end.check(f"ip route add default via {GATEWAY}")
        end.check(f"wget -q -O received http://{Passt.WEB}/file")
        assert end.check("sha256sum <received") == expected, end.name


def test_a_client_of_every_kind_hears_a_broadcast(net):
    """And a frame too long for one of them is counted there alone."""
    with lab.Client(net.workdir / "uml") as a, \
            lab.Client(net.workdir / "uml") as b:
        before = net.switch.stats()
        reach(a, b)
        after = net.switch.stats()
        for name, port in before.items():
            if "kind" in port:
                assert after[name]["offered"] > port["offered"] \
                    or after[name]["received"] > port["received"], name


# Back-pressure ---------------------------------------------------------------

KINDS = "uml", "vde", "bess", "stream", "dgram"


def client_of(kind, directory, n):
    if kind == "dgram":
        return DgramClient(directory / f"vm{n}", directory / f"sw{n}")
    return {"uml": lab.Client, "vde": VdeClient, "bess": BessClient,
            "stream": StreamClient}[kind](directory / kind)


@pytest.fixture
def all_kinds(tmp_path):
    """A switch on which a client of any kind can join."""
    listeners = [word for kind in KINDS[:4]
                 for word in ("--listen", f"{kind}:{tmp_path}/{kind}")]
    ports = [word for n in (1, 2) for word in
             ("--port", f"dgram:{tmp_path}/sw{n},remote={tmp_path}/vm{n}")]
    with lab.Switch(*listeners, *ports, socket=None,
                    workdir=tmp_path) as switch:
        yield switch
        lab.assert_books_balance(switch.stats())


@pytest.mark.parametrize("receives", KINDS)
@pytest.mark.parametrize("sends", KINDS)
def test_a_receiver_that_waits_makes_the_sender_wait(all_kinds, tmp_path,
                                                     sends, receives):
    """Whatever the switch has taken from one, it delivers to the other."""
    frames = [lab.frame(lab.mac(2), lab.mac(1), n.to_bytes(4, "big"),
                        size=600) for n in range(1500)]
    with client_of(sends, tmp_path, 1) as a, \
            client_of(receives, tmp_path, 2) as b:
        reach_until_known(b, a, 2)
        received = receive_when_full(a, b, frames)
        assert len(received) == len(frames)
        assert received == frames


def reach_until_known(sender, receiver, number):
    """Some kinds of ports are there a moment after they have connected."""
    frame = lab.frame(lab.BROADCAST, lab.mac(number), b"hello", size=60)

    def arrives():
        sender.send(frame)
        return receiver.recv(0.01)
    lab.wait_until(arrives, "a frame from a new port")
    while receiver.recv(0.05):
        pass


# Words -----------------------------------------------------------------------

LISTENERS = "uml", "vde", "bess", "stream", "fd"
PORTS = "tap", "dgram", "connect-stream", "connect-bess", "fd"
KEYS = "name", "mode", "group", "mtu", "queue"


@pytest.mark.parametrize("option, kinds", [("--listen", LISTENERS),
                                           ("--port", PORTS)])
@pytest.mark.parametrize("word", ["nonsense:/tmp/x", "UML:/tmp/x", "/tmp/x",
                                  "", ":", "umls:/tmp/x"])
def test_an_unknown_kind_is_refused_with_those_that_exist(option, kinds,
                                                          word):
    code, said = lab.run_switch(option, word)
    assert code == 2 and said.count("\n") == 1
    assert all(kind in said for kind in kinds)


@pytest.mark.parametrize("option, word", [
    ("--listen", "bess:{}/x,nonsense=1"), ("--listen", "uml:{}/x,mtv=1500"),
    ("--port", "tap:x,colour=red")])
def test_an_unknown_key_is_refused_with_those_that_exist(option, word,
                                                         tmp_path):
    code, said = lab.run_switch(option, word.format(tmp_path))
    assert code == 2 and said.count("\n") == 1
    assert sum(key in said for key in KEYS) >= 3
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("key", ["mtu=0", "mtu=x", "mtu=1e3", "mtu=999999",
                                 "mtu=", "queue=0", "queue=4097", "queue=-1",
                                 "mode=8", "mode=77777", "mode=",
                                 "group=no-such-group", "name=", "name=a b",
                                 "name", "name=total", "name=closed"])
def test_a_bad_value_is_refused_in_one_line(key, tmp_path):
    code, said = lab.run_switch("--listen", f"bess:{tmp_path}/x,{key}")
    assert code == 2 and said.count("\n") == 1
    assert key.split("=")[0] in said
    assert os.listdir(tmp_path) == []


def test_a_comma_in_a_path_is_written_twice(tmp_path):
    with lab.Switch("--listen", f"uml:{tmp_path}/a,,b,name=x", socket=None,
                    workdir=tmp_path) as switch, \
            lab.Client(tmp_path / "a,b") as a, \
            lab.Client(tmp_path / "a,b") as b:
        reach(a, b)
        assert {"x", "x.2"} < set(switch.stats())


def test_two_listeners_cannot_have_one_path(tmp_path):
    code, said = lab.run_switch("--listen", f"uml:{tmp_path}/x",
                                "--listen", f"bess:{tmp_path}/x")
    assert code in (1, 2) and said.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_numbers_of_automatic_names_are_unique_over_all_kinds(tmp_path):
    with lab.Switch("--listen", f"bess:{tmp_path}/bess", workdir=tmp_path,
                    ) as switch, lab.Client(switch.socket), \
            BessClient(tmp_path / "bess"):
        switch.wait_ports(2)
        with lab.Client(switch.socket):
            assert {"uml1", "bess2", "uml3"} < set(switch.stats())


def test_an_automatic_name_is_none_that_somebody_has(tmp_path):
    with lab.Switch("--listen", f"uml:{tmp_path}/named,name=uml2",
                    workdir=tmp_path) as switch, \
            lab.Client(tmp_path / "named"), lab.Client(switch.socket), \
            lab.Client(switch.socket), lab.Client(tmp_path / "named"):
        assert len(switch.wait_ports(4)) == 4 + len(("closed", "total", "mac"))


# Permissions -----------------------------------------------------------------

SOCKETS = pytest.mark.parametrize("option, word", [
    ("--listen", "uml:{}"), ("--listen", "bess:{}"), ("--listen", "stream:{}"),
    ("--port", "dgram:{},remote={}.peer")],
    ids=["uml", "bess", "stream", "dgram"])


@SOCKETS
def test_every_kind_of_socket_gets_the_mode_that_was_said(option, word,
                                                          tmp_path):
    path = tmp_path / "socket"
    word = word.format(path, path)
    for words, mode in (([f"{word}"], 0o755),
                        ([f"{word},mode=620"], 0o620),
                        ([word, "--mode", "0640"], 0o640),
                        ([f"{word},mode=0700", "--mode", "0640"], 0o700)):
        with lab.Switch(option, *words, socket=None, workdir=tmp_path):
            assert mode_of(path) == mode, words


@SOCKETS
def test_every_kind_of_socket_gets_the_group_that_was_said(
        option, word, tmp_path, other_user):
    path = tmp_path / "socket"
    with lab.Switch(option, word.format(path, path) + ",group=daemon",
                    socket=None, workdir=tmp_path):
        assert path.stat().st_gid == grp.getgrnam("daemon").gr_gid
        assert mode_of(path) == 0o770


def test_a_queue_holds_as_many_frames_as_was_said(tmp_path):
    """The short one drops what the long one keeps."""
    with lab.Switch("--listen", f"uml:{tmp_path}/short,name=short,queue=16",
                    "--listen", f"uml:{tmp_path}/long,name=long,queue=100",
                    workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as sender, \
            lab.Client(tmp_path / "short"), lab.Client(tmp_path / "long"):
        for number in range(100):
            sender.send(lab.frame(lab.BROADCAST, lab.mac(1), size=60))
        stats = switch.wait_stats(
            lambda stats: stats["total"]["received"] == 100, "all frames")
        assert stats["short"]["drop.queue_full"] >= 60
        assert stats["long"].get("drop.queue_full", 0) == 0
