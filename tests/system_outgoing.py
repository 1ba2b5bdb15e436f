"""The switch as the client: connect-bess and connect-stream.

     web1                 plug
     eth0=daemon          vde_plug       clients
         \\                 |                |
          +---------- ringswitch -----------+
                           |
             connect-stream:PATH, connect-bess:PATH
                           |
             passt and the world, or a server of ours
"""

import contextlib
import os
import socket
import subprocess
import types

import pytest

import lab
from lab_clients import BessServer, StreamServer, reach
from lab_peers import Passt, Slirp, VdePlug

KINDS = pytest.mark.parametrize(
    "kind, server_of", [("connect-bess", BessServer),
                        ("connect-stream", StreamServer)],
    ids=["bess", "stream"])


def outgoing(tmp_path, kind, options="", **more):
    return lab.Switch("--port", f"{kind}:{tmp_path}/server,name=up{options}",
                      workdir=tmp_path, **more)


def wait_state(switch, state):
    return switch.wait_stats(lambda stats: stats["up"]["state"] == state,
                             f"the port to be {state}")


@KINDS
def test_frames_go_both_ways(kind, server_of, tmp_path):
    with server_of(tmp_path / "server") as server, \
            outgoing(tmp_path, kind) as switch, \
            server.accept() as up, lab.Client(switch.socket) as guest:
        for size in 14, 60, 1514:
            reach(guest, up, size=size)
            reach(up, guest, 2, size=size)
        stats = switch.stats()
        assert stats["up"]["state"] == "up"
        assert stats["up"]["received"] == stats["up"]["sent"] == 3
        lab.assert_books_balance(stats)


@KINDS
def test_a_server_that_is_not_there_at_start_is_an_error(kind, server_of,
                                                         tmp_path):
    code, said = lab.run_switch("--unix", tmp_path / "ctl", "--port",
                                f"{kind}:{tmp_path}/server")
    assert code == 1
    assert said.count("\n") == 1 and f"{tmp_path}/server" in said
    assert not (tmp_path / "ctl").exists()


@KINDS
def test_a_server_that_goes_and_comes_back_is_found_again(kind, server_of,
                                                          tmp_path):
    with contextlib.ExitStack() as stack:
        with server_of(tmp_path / "server") as server:
            switch = stack.enter_context(outgoing(tmp_path, kind))
            guest = stack.enter_context(lab.Client(switch.socket))
            other = stack.enter_context(lab.Client(switch.socket))
            with server.accept() as up:
                reach(guest, up)
                reach(up, guest, 2)
        wait_state(switch, "detached")
        # Nobody is hindered meanwhile, and nothing is kept for later.
        for _ in range(50):
            reach(guest, other)
        detached = switch.stats()
        assert detached["up"]["queued"] == 0
        lab.assert_books_balance(detached)

        for _ in range(2):
            with server_of(tmp_path / "server") as server:
                with server.accept() as up:
                    wait_state(switch, "up")
                    reach(up, guest, 2)
                    reach(guest, up)
            wait_state(switch, "detached")
        stats = switch.stats()
        assert stats["up"]["received"] == 3
        assert stats["up"]["sent"] >= 3
        lab.assert_books_balance(stats)


@KINDS
def test_a_daemon_finds_the_way_back_that_was_a_relative_path(
        kind, server_of, tmp_path):
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(server_of(tmp_path / "server"))
        pidfile = tmp_path / "pid"
        subprocess.run([lab.ringswitch(), "--daemon", "--pidfile", pidfile,
                        "--unix", "ctl", "--port", f"{kind}:server,name=up"],
                       cwd=tmp_path, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        stack.callback(lab.end_process, int(pidfile.read_text()))
        with server.accept(), lab.Client(tmp_path / "ctl"):
            pass
        with server.accept() as up, lab.Client(tmp_path / "ctl") as guest:
            reach(guest, up)


@KINDS
def test_a_server_that_ends_every_connection_is_not_asked_all_the_time(
        kind, server_of, tmp_path):
    """The pause doubles: eight connections take longer than eight ticks."""
    with server_of(tmp_path / "server") as server, \
            outgoing(tmp_path, kind) as switch:
        for _ in range(8):
            server.accept().close()
        wait_state(switch, "detached")
        assert switch.said().count("connecting again") >= 8
        server.listener.settimeout(0.3)
        with pytest.raises(socket.timeout):
            server.accept()


@KINDS
def test_a_server_that_accepts_nobody_hinders_nobody(kind, server_of,
                                                     tmp_path):
    with contextlib.ExitStack() as stack:
        with server_of(tmp_path / "server") as server:
            switch = stack.enter_context(outgoing(tmp_path, kind))
            server.accept().close()
            # It is connected again at once, to nobody's benefit.
            guest = stack.enter_context(lab.Client(switch.socket))
            other = stack.enter_context(lab.Client(switch.socket))
            for _ in range(50):
                reach(guest, other)
            assert lab.cpu_seconds(switch.pid) < 1
        lab.assert_books_balance(switch.stats())


def test_a_bad_length_from_the_server_ends_that_connection_only(tmp_path):
    with StreamServer(tmp_path / "server") as server, \
            outgoing(tmp_path, "connect-stream") as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b:
        with server.accept() as up:
            up.send_bytes(b"\xff" * 100)
            assert up.closed_by_switch(lab.STEP_S)
        with server.accept() as up:
            reach(up, a, 2)
        reach(a, b)


def test_a_switch_leaves_the_servers_socket_alone(tmp_path):
    with BessServer(tmp_path / "server") as server, \
            outgoing(tmp_path, "connect-bess") as switch, server.accept():
        assert switch.stop() == 0
        assert (tmp_path / "server").exists()


# passt -----------------------------------------------------------------------

# What is on its way to a host at once, in bytes: less than its socket holds by
# itself. A host that a busy machine does not let run for a second then loses
# nothing, whereas with a longer queue its port would be stalled, as it should
# be. Once frames are lost, passt (2023-03) sends all of it again and again, and
# may end in a loop in which it reads nothing any more.
WINDOW = 14000


@pytest.fixture(scope="module")
def net(initrd, tap_device, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("passt")
    (workdir / "www").mkdir()
    (workdir / "www" / "file").write_bytes(os.urandom(3 << 20))
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        passt = enter(Passt(workdir / "passt.socket", workdir, "10.0.0.77",
                            "10.0.0.254"))
        passt.world.serve_files(workdir / "www", port=80)
        switch = enter(lab.Switch(
            "--port", f"connect-stream:{passt.path},name=up",
            "--listen", f"vde:{workdir}/vde", workdir=workdir))
        web1 = enter(lab.Guest("web1", switch.socket, mac=lab.mac(1),
                               ip="10.0.0.1/24", initrd=initrd,
                               workdir=workdir))
        plug = enter(VdePlug("plug", workdir / "vde", workdir, "10.0.0.2/24"))
        for host in web1, plug:
            host.check("ip route add default via 10.0.0.254; "
                       f"echo 4096 {WINDOW} {WINDOW} "
                       ">/proc/sys/net/ipv4/tcp_rmem")
        yield types.SimpleNamespace(
            switch=switch, passt=passt, web1=web1, plug=plug,
            file=workdir / "www" / "file")
        lab.assert_books_balance(switch.stats())


def fetches(net, host):
    host.check(f"wget -q -O received http://{Passt.WEB}/file")
    expected = net.passt.world.check(f"sha256sum <{net.file}")
    assert host.check("sha256sum <received") == expected


def test_guests_reach_a_web_server_in_the_world_through_passt(net):
    """One after the other: passt knows one guest, the one it heard last."""
    for host in net.web1, net.plug, net.web1:
        fetches(net, host)
    # It may be behind with reading: blocked, for a moment.
    stats = wait_state(net.switch, "up")
    assert stats["total"]["undelivered"] == 0


def test_guests_use_slirp4netns_at_the_same_time(net, initrd, tmp_path):
    """As many as like: it answers for its own addresses only."""
    with Slirp(tmp_path / "slirp.socket", tmp_path) as slirp, \
            lab.Switch("--port", f"connect-bess:{slirp.path},name=up",
                       "--listen", f"bess:{tmp_path}/bess",
                       workdir=tmp_path) as switch, \
            contextlib.ExitStack() as stack:
        slirp.world.serve_files(net.file.parent, port=80)
        expected = slirp.world.check(f"sha256sum <{net.file}")
        guests = [stack.enter_context(lab.Guest(
            f"web{n}", ip=f"10.0.0.1{n}/24", initrd=initrd, workdir=tmp_path,
            cards=[card(path, lab.mac(n))])) for n, card, path in
            ((1, lab.daemon_card, switch.socket),
             (2, lab.bess_card, tmp_path / "bess"))]
        for guest in guests:
            guest.check(f"ip route add default via {Slirp.GATEWAY}; "
                        f"(wget -q -O received http://{Slirp.WEB}/file; "
                        "echo done >ended) >/dev/null 2>&1 &")
        for guest in guests:
            guest.check("until [ -e ended ]; do sleep 0.1; done")
            assert guest.check("sha256sum <received") == expected
        lab.assert_books_balance(switch.stats())


def test_a_passt_that_is_killed_and_started_again_serves_on(net):
    net.passt.kill()
    wait_state(net.switch, "detached")
    net.passt.start()
    wait_state(net.switch, "up")
    fetches(net, net.web1)
