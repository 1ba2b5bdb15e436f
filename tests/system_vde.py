"""VDE clients: a directory with ctl in it, port numbers, descriptions.

     web1           plug, plug2        qemu              clients
     eth0=vde       vde_plug and tap   -netdev vde          |
        \\                |              |                   |
         +---------------+-- vde:DIR ---+-------------------+
                               |
                           ringswitch

What vde_switch does with modes, groups and numbers is seen side by side.
"""

import contextlib
import grp
import os
import signal
import socket
import stat
import subprocess
import sys
import types

import pytest

import lab
from lab_clients import (VDE_NEW_PORT0, VdeClient, connected, mode_of, reach,
                         vde_request)
from lab_peers import QemuBridge, VdePlug, vde_netdev


@pytest.fixture
def switch(tmp_path):
    """A switch with a VDE directory, which is .dir."""
    with vde(tmp_path) as running:
        yield running
        if running.process.poll() is None:
            lab.assert_books_balance(running.stats())


def vde(tmp_path, options="", **more):
    directory = tmp_path / "vde"
    running = lab.Switch("--listen", f"vde:{directory}{options}", socket=None,
                         workdir=tmp_path, **more)
    running.dir = directory
    return running


@contextlib.contextmanager
def vde_switch(directory, *options, umask=0o022):
    """The real one; it ends when its input does."""
    with subprocess.Popen(
            ["vde_switch", "-s", str(directory), *options],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, umask=umask) as process:
        try:
            lab.wait_until(lambda: lab.can_connect(directory / "ctl"),
                           "vde_switch to listen")
            yield process
        finally:
            process.kill()


# The directory ---------------------------------------------------------------

def looks(directory):
    return [(oct(mode_of(path)), os.stat(path).st_gid)
            for path in (directory, directory / "ctl")]


@pytest.mark.parametrize("mode", [None, "600", "660", "666", "700", "770",
                                  "777", "640", "0644", "006"])
@pytest.mark.parametrize("umask", [0o022, 0o077], ids=["022", "077"])
def test_permissions_are_those_of_vde_switch(mode, umask, tmp_path):
    with vde_switch(tmp_path / "real", *(["-m", mode] if mode else []),
                    umask=umask):
        expected = looks(tmp_path / "real")
    before = os.umask(umask)
    try:
        with vde(tmp_path, f",mode={mode}" if mode else "") as ours:
            assert looks(ours.dir) == expected
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [None, "660", "770"])
def test_groups_are_those_of_vde_switch(mode, tmp_path, other_user):
    group = grp.getgrgid(1).gr_name
    with vde_switch(tmp_path / "real", "-g", group,
                    *(["-m", mode] if mode else [])):
        expected = looks(tmp_path / "real")
    with vde(tmp_path, f",group={group}"
             + (f",mode={mode}" if mode else "")) as ours:
        assert looks(ours.dir) == expected


def test_the_directory_goes_with_the_switch_that_made_it(switch):
    with VdeClient(switch.dir) as a, VdeClient(switch.dir) as b:
        reach(a, b)
        assert switch.stop() == 0
        assert not switch.dir.exists()


def test_a_directory_with_other_things_in_it_stays(switch):
    (switch.dir / "notes").write_text("mine")
    assert switch.stop() == 0
    assert os.listdir(switch.dir) == ["notes"]


def test_a_killed_switchs_directory_is_used_again(switch, tmp_path):
    with VdeClient(switch.dir), VdeClient(switch.dir, 7):
        switch.kill()
    assert (switch.dir / "ctl").exists()
    with vde(tmp_path, name="again") as again:
        with VdeClient(again.dir) as a, VdeClient(again.dir, 7) as b:
            reach(a, b)
        assert again.stop() == 0
        # Empty, but there: it was not this switch that made it.
        assert os.listdir(again.dir) == []


def test_a_directory_that_was_there_stays_as_it_is(tmp_path):
    (tmp_path / "vde").mkdir()
    (tmp_path / "vde").chmod(0o1751)
    with vde(tmp_path, ",mode=666") as ours:
        assert mode_of(ours.dir) == 0o1751
        assert mode_of(ours.dir / "ctl") == 0o666
        assert ours.stop() == 0
    assert mode_of(tmp_path / "vde") == 0o1751


def test_a_client_cannot_have_frames_sent_to_anothers_socket(
        public_dir, other_user):
    """A socket of root's that nobody else may write to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as victim:
        victim.bind(str(public_dir / "victim"))
        (public_dir / "victim").chmod(0o600)
        with lab.Switch("--listen", f"uml:{public_dir}/ctl,mode=777",
                        socket=None, workdir=public_dir) as switch:
            asked = subprocess.run(
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                 sys.executable, "-c", ASK, public_dir / "ctl"],
                input=vde_request(public_dir / "victim"),
                stdout=subprocess.PIPE, check=True)
            assert asked.stdout == b""
            assert "cannot connect" in switch.said()


# Says what it reads, and writes what it is answered.
ASK = """if True:
    import socket, sys
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(sys.argv[1])
        control.sendall(sys.stdin.buffer.read())
        sys.stdout.buffer.write(control.recv(4096))
"""


def test_a_living_switchs_directory_is_refused(switch):
    before = looks(switch.dir)
    code, said = lab.run_switch("--listen", f"vde:{switch.dir},mode=777")
    assert code == 1 and str(switch.dir) in said
    assert looks(switch.dir) == before
    with VdeClient(switch.dir) as a, VdeClient(switch.dir) as b:
        reach(a, b)


def test_what_is_no_directory_is_refused_and_left_alone(tmp_path):
    (tmp_path / "vde").write_text("mine")
    code, said = lab.run_switch("--listen", f"vde:{tmp_path}/vde")
    assert code == 1 and f"{tmp_path}/vde" in said
    assert (tmp_path / "vde").read_text() == "mine"


# Clients ---------------------------------------------------------------------

@pytest.mark.parametrize("size", [14, 42, 60, 1514, 1518])
def test_frames_arrive_as_they_were_sent(switch, size):
    frame = lab.frame(
        lab.BROADCAST, lab.mac(1), size=size,
        ethertype=0x8100 if size == 1518 else lab.ETHERTYPE)
    with VdeClient(switch.dir) as a, VdeClient(switch.dir) as b:
        for sender, receiver in ((a, b), (b, a)):
            sender.send(frame)
            assert receiver.recv() == frame


def test_a_client_gets_the_port_it_asks_for_and_is_described(switch):
    with VdeClient(switch.dir, 7, "UML user=root pid=4711") as a, \
            VdeClient(switch.dir, 3) as b, VdeClient(switch.dir) as c:
        reach(a, b)
        reach(a, c)
        stats = switch.stats()
        assert {"vde7", "vde3"} < set(stats)
        assert stats["vde7"]["description"] == "UML user=root pid=4711"
        assert len([name for name in stats if name.startswith("vde")]) == 3


def test_a_port_asked_for_twice_serves_both(switch, tmp_path):
    """As with vde_switch, where two clients may share a port."""
    with vde_switch(tmp_path / "real") as _, \
            VdeClient(tmp_path / "real", 5) as a, \
            VdeClient(tmp_path / "real", 5) as b, \
            VdeClient(tmp_path / "real", 6) as c:
        assert reach(c, a) and reach(a, c) and reach(b, c)
    with VdeClient(switch.dir, 5) as a, VdeClient(switch.dir, 5) as b, \
            VdeClient(switch.dir, 6) as c:
        assert reach(c, a) and reach(a, c) and reach(b, c) and reach(c, b)
        assert {"vde5", "vde6"} < set(switch.stats())


def test_port_zero_is_served_too(switch):
    """What vde_plug's vde://DIR[0] and old sniffers ask for."""
    with VdeClient(switch.dir, kind=VDE_NEW_PORT0) as a, \
            VdeClient(switch.dir) as b:
        reach(a, b)
        reach(b, a)


@pytest.mark.parametrize("text", ["x" * 127, 'a"b=c d\\', "tab\there\nport=x",
                                  "\x1b[31mred", "h\u00e4"])
def test_a_description_cannot_spoil_the_statistics(switch, text):
    with VdeClient(switch.dir, 9, text) as a, VdeClient(switch.dir) as b:
        reach(a, b)
        stats = switch.stats()
        assert stats["vde9"]["received"] == 1
        assert "x" not in stats
        lines = switch.out.read_bytes().splitlines()
        assert all(byte >= 0x20 for line in lines for byte in line)
        lab.assert_books_balance(stats)


def test_the_reply_is_an_address_that_others_may_not_send_to(switch):
    with VdeClient(switch.dir) as a, VdeClient(switch.dir) as b, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        with pytest.raises(PermissionError):
            stranger.sendto(lab.frame(lab.BROADCAST, lab.mac(9), size=60),
                            a.peer)
        last = reach(a, b)
        assert b.drain() == [] and last


def test_a_sender_waits_while_the_switch_takes_nothing(switch):
    with VdeClient(switch.dir) as a, VdeClient(switch.dir) as b:
        os.kill(switch.pid, signal.SIGSTOP)
        a.socket.setblocking(False)
        frames = []
        with contextlib.suppress(BlockingIOError):
            while len(frames) < 1000:
                frame = lab.frame(lab.BROADCAST, lab.mac(1),
                                  len(frames).to_bytes(4, "big"), size=600)
                a.socket.send(frame)
                frames.append(frame)
        os.kill(switch.pid, signal.SIGCONT)
        assert b.recv_until(frames[-1]) == frames[:-1]


def test_clients_that_go_leave_nothing_behind(switch):
    with VdeClient(switch.dir) as a, VdeClient(switch.dir) as b:
        reach(a, b)
        files = sorted(os.listdir(switch.dir))
        open_files = lab.open_files(switch.pid)
        for number in range(10, 30):
            with VdeClient(switch.dir, number) as c:
                reach(c, a)
        lab.wait_until(lambda: sorted(os.listdir(switch.dir)) == files,
                       "the files of clients that have gone to go")
        lab.wait_until(lambda: lab.open_files(switch.pid) == open_files,
                       "their descriptors to close")
        assert not any(name.startswith("vde1") and len(name) == 5
                       for name in switch.stats())


def test_joining_again_with_the_same_socket_leaves_no_file_behind(switch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data, \
            contextlib.ExitStack() as stack:
        before = set(os.listdir(switch.dir))
        data.bind(str(switch.dir / ".data"))
        replies = []
        for _ in range(3):
            control = stack.enter_context(
                connected(socket.SOCK_STREAM, switch.dir / "ctl"))
            control.sendall(vde_request(switch.dir / ".data"))
            replies.append(control.recv(4096))
        assert replies[0] and replies[1:] == [b"", b""]
        os.unlink(switch.dir / ".data")
        assert sorted(set(os.listdir(switch.dir)) - before) == ["001.0"]


def test_a_client_that_comes_back_to_its_port_gets_its_counters(switch):
    with VdeClient(switch.dir) as a:
        with VdeClient(switch.dir, 7, "first") as b:
            reach(b, a)
        switch.wait_stats(lambda stats: "vde7" not in stats, "the port to go")
        with VdeClient(switch.dir, 7, "second") as b:
            reach(b, a)
            stats = switch.stats()["vde7"]
        assert stats["received"] == 2
        assert stats["description"] == "second"


def test_uml_and_vde_clients_share_a_socket(tmp_path):
    """On a uml: listener as on DIR/ctl, told apart by what they say."""
    with lab.Switch("--listen", f"uml:{tmp_path}/both",
                    "--listen", f"vde:{tmp_path}/vde", socket=None,
                    workdir=tmp_path) as switch:
        for path in tmp_path / "both", tmp_path / "vde" / "ctl":
            with lab.Client(path) as uml, lab.Client(path, lab.request_v1), \
                    VdeClient(tmp_path, 4, "x", socket_path=path) as plug:
                reach(uml, plug)
                reach(plug, uml)
                assert "vde4" in switch.stats()
            switch.wait_stats(lambda stats: "vde4" not in stats,
                              "the port to go")


@pytest.mark.parametrize("request_", [
    vde_request("/nonexistent/dir/.1-1"),
    vde_request("relative"),
    vde_request("/dev/null"),
    vde_request("/" + "x" * 107, description="y" * 127),
    vde_request("/tmp/x", description="y" * 4000),
    vde_request("/tmp/x", kind=7),
], ids=["no such directory", "relative", "no socket", "long path",
        "endless description", "another type"])
def test_a_bad_request_ends_that_connection_only(switch, request_):
    with VdeClient(switch.dir) as a, VdeClient(switch.dir) as b:
        with connected(socket.SOCK_STREAM, switch.dir / "ctl") as bad:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                bad.sendall(request_)
            assert lab.ends(bad, 10)
        reach(a, b)


# The real ones ---------------------------------------------------------------

@pytest.fixture(scope="module")
def net(initrd, tap_device, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("vde")
    directory = workdir / "vde"
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(lab.Switch(
            "--listen", f"vde:{directory}", socket=None, workdir=workdir))
        enter = stack.enter_context
        web1 = enter(lab.Guest(
            "web1", ip="10.0.0.1/24", initrd=initrd, workdir=workdir,
            cards=[lab.vde_card(directory, lab.mac(1), 11, "kitchen")]))
        plug = enter(VdePlug("plug", directory, workdir, "10.0.0.2/24",
                             port=12, description="a plug"))
        plug2 = enter(VdePlug("plug2", directory, workdir, "10.0.0.3/24",
                              program="vde_plug2tap"))
        qemu = enter(QemuBridge("qemu", vde_netdev(directory, 14), workdir,
                                "10.0.0.4/24"))
        web1.wait_ready()
        switch.wait_stats(lambda stats: sum(
            name.startswith("vde") for name in stats) == 4, "four ports")
        yield types.SimpleNamespace(switch=switch, dir=directory, web1=web1,
                                    plug=plug, plug2=plug2, qemu=qemu)
        lab.assert_books_balance(switch.stats())


def test_real_clients_reach_each_other(net):
    for host in net.web1, net.plug, net.plug2, net.qemu:
        for number in 1, 2, 3, 4:
            assert host.pings(f"10.0.0.{number}"), (host.name, number)


def test_real_clients_get_their_numbers_and_are_described(net):
    stats = net.switch.stats()
    assert {"vde11", "vde12", "vde14"} < set(stats)
    assert stats["vde11"]["description"].startswith("kitchen")
    assert stats["vde12"]["description"].startswith("a plug")
    assert "QEMU" in stats["vde14"]["description"]
    assert any("pid=" in port.get("description", "")
               for port in stats.values())


def test_real_clients_leave_only_the_switchs_socket(net):
    names = [name for name in os.listdir(net.dir)
             if stat.S_ISSOCK(os.stat(net.dir / name).st_mode)]
    assert "ctl" in names and not any(name[0] == "." for name in names)


def test_tcp_between_unlike_real_clients_is_byte_exact(net, tmp_path):
    (tmp_path / "sent").write_bytes(os.urandom(3 << 20))
    net.plug.serve_files(tmp_path)
    sent = net.plug.check(f"sha256sum <{tmp_path}/sent")
    for host in net.web1, net.plug2, net.qemu:
        host.check("wget -q -O received http://10.0.0.2:8000/sent")
        assert host.check("sha256sum <received") == sent


def test_a_real_client_that_ends_frees_its_port(net, tmp_path):
    with VdePlug("brief", net.dir, tmp_path, "10.0.0.9/24", port=19) as plug:
        net.switch.wait_ports(5)
        assert plug.pings("10.0.0.2")
        assert "vde19" in net.switch.stats()
    net.switch.wait_stats(lambda stats: "vde19" not in stats,
                          "the port to go")
    with VdePlug("again", net.dir, tmp_path, "10.0.0.9/24", port=19) as plug:
        net.switch.wait_ports(5)
        assert plug.pings("10.0.0.2")
        assert net.switch.stats()["vde19"]["state"] == "up"
