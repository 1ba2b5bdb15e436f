"""The host's network on the switch, through tap devices.

     host 10.0.0.254                web1 10.0.0.1      clients (raw frames)
          |                             |                 |
        tap0, tap1 ------- ringswitch --+-----------------+

Raw frames on the host's side of a tap go through lab.HostSide. Reading a tap
has two ways, by what the kernel can do; the tests of traffic run with both.
"""

import os
import shutil
import signal
import subprocess

import pytest

import lab

pytestmark = pytest.mark.usefixtures("tap_device")

READS = {"multishot reads": (), "single reads":
         ("--without", "multishot-read")}


@pytest.fixture(params=READS)
def reads(request):
    """Options that choose how taps are read."""
    return READS[request.param]


def hello(text, size=60, src=lab.mac(1)):
    return lab.frame(lab.BROADCAST, src, text.encode(), size=size)


def assert_connected(one, other, text="both ways", size=60):
    """Frames pass between the two ends, in both directions."""
    one.send(hello(text + " there", size))
    other.recv_until(hello(text + " there", size))
    other.send(hello(text + " back", size, lab.mac(2)))
    one.recv_until(hello(text + " back", size, lab.mac(2)))


def host_pings(ip, count=3):
    lab.sh("busybox", "ping", "-c", str(count), "-A", "-w", "10", ip)


# Real guests -----------------------------------------------------------------

def test_host_and_guest_ping_each_other_and_talk_tcp(reads, initrd, tmp_path,
                                                     cleanup):
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", *reads, workdir=tmp_path))
    lab.sh("ip", "address", "add", "10.0.0.254/24", "dev", "tap0")
    web1 = cleanup.enter_context(lab.Guest(
        "web1", switch.socket, ip="10.0.0.1", initrd=initrd, workdir=tmp_path))
    assert web1.pings("10.0.0.254")
    host_pings("10.0.0.1")
    for direction in [], ["-R"]:
        web1.serve_iperf3()
        assert "receiver" in lab.sh("iperf3", "-c", "10.0.0.1", "-t", "1",
                                    *direction)


# Frames ----------------------------------------------------------------------

def test_the_switch_makes_the_tap_brings_it_up_and_takes_it_along(tmp_path):
    with lab.Switch("--tap", "tap0", workdir=tmp_path) as switch:
        assert lab.link_flags("tap0") & lab.IFF_UP
        assert "tap0" in switch.stats()
    assert "tap0" not in lab.links()


def test_a_persistent_tap_stays_when_the_switch_goes(tmp_path):
    with lab.Tap("tap0"):
        with lab.Switch("--tap", "tap0", workdir=tmp_path):
            assert lab.link_flags("tap0") & lab.IFF_UP
        assert "tap0" in lab.links()
        # And is free for the next one.
        with lab.Switch("--tap", "tap0", workdir=tmp_path) as switch, \
                lab.HostSide("tap0") as host, \
                lab.Client(switch.socket) as client:
            assert_connected(host, client)


def test_a_switch_that_was_killed_is_started_again_at_once(tmp_path, cleanup):
    """With the same socket, tap and pid file: nothing of the first is waited
    for, though the kernel takes some time to give all of it back."""
    cleanup.enter_context(lab.Tap("tap0"))
    for _ in range(10):
        with lab.Switch("--tap", "tap0", "--pidfile", str(tmp_path / "pid"),
                        workdir=tmp_path) as switch, \
                lab.Client(switch.socket) as client, \
                lab.HostSide("tap0") as host:
            assert_connected(client, host)
            switch.kill()


@pytest.mark.parametrize("size", [14, 42, 60, 1514])
def test_frames_pass_between_host_and_clients(reads, size, tmp_path, cleanup):
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", *reads, workdir=tmp_path))
    host = cleanup.enter_context(lab.HostSide("tap0"))
    client = cleanup.enter_context(lab.Client(switch.socket))
    assert_connected(host, client, "" if size == 14 else "x", max(size, 24))


def test_a_burst_from_the_host_arrives_whole_and_in_order(reads, tmp_path,
                                                          cleanup):
    """More than one read's worth, so that reads are armed again and again."""
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", *reads, workdir=tmp_path))
    host = cleanup.enter_context(lab.HostSide("tap0"))
    client = cleanup.enter_context(lab.Client(switch.socket))
    for start in range(0, 3000, 100):
        burst = [hello("%06d" % n, 1514) for n in range(start, start + 100)]
        for frame in burst:
            host.send(frame)
        assert [client.recv() for _ in burst] == burst


def test_two_taps_are_two_ports(reads, tmp_path, cleanup):
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", "--tap", "tap1", *reads, workdir=tmp_path))
    host0 = cleanup.enter_context(lab.HostSide("tap0"))
    host1 = cleanup.enter_context(lab.HostSide("tap1"))
    client = cleanup.enter_context(lab.Client(switch.socket))
    assert_connected(host0, host1)
    assert_connected(host0, client)
    assert_connected(host1, client)
    assert {"tap0", "tap1", "uml1"} < set(switch.stats())


def test_the_mtu_of_the_tap_is_a_limit_for_what_guests_send(tmp_path, cleanup):
    tap = cleanup.enter_context(lab.Tap("tap0", mtu=1000))
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", workdir=tmp_path))
    host = cleanup.enter_context(lab.HostSide(tap.name))
    client = cleanup.enter_context(lab.Client(switch.socket))
    longest = 1000 + lab.ETH_HEADER_BYTES

    client.send(hello("too long", longest + 1))
    client.send(hello("fits", longest))
    assert host.recv_until(hello("fits", longest)) == []

    tagged = vlan_frame(longest + 4)
    client.send(vlan_frame(longest + 5))
    client.send(tagged)
    # The kernel takes the tag out and hands it over beside the frame.
    assert len(host.recv()) in (len(tagged), len(tagged) - 4)
    assert switch.stats()["tap0"]["drop.too_long"] == 2


def vlan_frame(size):
    tag = (7).to_bytes(2, "big") + lab.ETHERTYPE.to_bytes(2, "big")
    return lab.frame(lab.BROADCAST, lab.mac(1), tag, size, ethertype=0x8100)


def test_an_mtu_that_was_said_is_set_as_the_switch_starts(tmp_path, cleanup):
    """Later it may not: a device that is made again is taken as it is."""
    tap = cleanup.enter_context(lab.Tap("tap0"))
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0,mtu=900", workdir=tmp_path))
    assert " mtu 900 " in lab.sh("ip", "link", "show", "tap0")
    tap.close()
    again = cleanup.enter_context(lab.Tap("tap0"))
    again.set("up")
    lab.wait_until(
        lambda: "its MTU is 1500: setting it to 900 is not permitted: "
                "ip link set tap0 mtu 900" in switch.said(),
        "the switch to say what to do")
    host = cleanup.enter_context(lab.HostSide("tap0"))
    client = cleanup.enter_context(lab.Client(switch.socket))
    assert_connected(client, host, size=1514)


def test_a_change_of_the_mtu_is_noticed(tmp_path, cleanup):
    tap = cleanup.enter_context(lab.Tap("tap0"))
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", workdir=tmp_path))
    host = cleanup.enter_context(lab.HostSide(tap.name))
    client = cleanup.enter_context(lab.Client(switch.socket))
    assert_connected(client, host, size=1514)
    tap.set("mtu", "500")

    def refused():
        client.send(hello("long", 1514))
        return switch.stats()["tap0"].get("drop.too_long")

    lab.wait_until(refused, "the new MTU to be respected")
    assert_connected(client, host, "short", size=514)


# What may happen to a tap while the switch runs ------------------------------

@pytest.fixture
def running(reads, tmp_path, cleanup):
    """A switch with the taps tap0 and tap1, and two clients."""
    taps = [cleanup.enter_context(lab.Tap(name)) for name in ("tap0", "tap1")]
    switch = cleanup.enter_context(
        lab.Switch("--tap", "tap0", "--tap", "tap1", *reads, workdir=tmp_path))
    clients = [cleanup.enter_context(lab.Client(switch.socket))
               for _ in range(2)]
    return switch, taps, clients


def test_a_tap_that_is_down_hurts_nobody_and_works_again(running):
    switch, (tap0, _), (a, b) = running
    with lab.HostSide("tap0") as host:
        assert_connected(a, host)
    tap0.set("down")

    def noticed():
        a.send(hello("down?"))
        return switch.stats()["tap0"].get("drop.link_down")

    lab.wait_until(noticed, "the switch to notice")
    assert switch.stats()["tap0"]["state"] == "down"
    with lab.HostSide("tap1") as other:
        assert_connected(a, other)
    assert_connected(a, b)
    tap0.set("up")
    with lab.HostSide("tap0") as host:
        assert_reconnects(a, host)


def assert_reconnects(client, host):
    """The switch learns of devices by messages, and the kernel sends nothing to
    one that has just been attached to: both may take a moment."""
    def passes(sender, receiver):
        sender.send(hello("again?"))
        return receiver.recv(0.05)

    lab.wait_until(lambda: passes(client, host), "the first frame to the tap")
    lab.wait_until(lambda: passes(host, client), "the first frame from it")
    assert_connected(client, host, "and again")


def test_a_tap_that_is_renamed_works_on(running):
    _, (tap0, tap1), (a, b) = running
    # Older kernels rename only what is down.
    tap0.set("down")
    tap0.set("name", "uplink")
    tap0.set("up")
    with lab.HostSide("uplink") as host, lab.HostSide(tap1.name) as other:
        assert_reconnects(a, host)
        assert_connected(b, other)


def test_a_tap_that_is_deleted_hurts_nobody_and_is_taken_again(running):
    switch, (tap0, _), (a, b) = running
    tap0.close()
    with lab.HostSide("tap1") as other:
        for n in range(100):
            assert_connected(a, b, f"round {n}")
            assert_connected(a, other, f"round {n}")
        before = lab.cpu_seconds(switch.pid)
        with lab.Tap("tap0") as again:
            again.set("up")
            with lab.HostSide("tap0") as host:
                assert_reconnects(a, host)
                assert_connected(host, other)
        assert lab.cpu_seconds(switch.pid) - before < 1


def test_a_tap_deleted_in_full_traffic_hurts_nobody(running):
    switch, (tap0, tap1), (a, b) = running
    with lab.HostSide("tap1") as host1:
        for n in range(2000):
            a.send(hello(f"{n}"))
            host1.send(hello(f"host {n}"))
            if n == 1000:
                tap0.close()
            a.drain()
            b.drain()
        tap1.close()
    assert_connected(a, b)


def test_deleted_and_made_again_many_times_leaks_nothing(running):
    switch, (tap0, _), (a, _) = running
    # The opener's, too, which is who attaches again.
    processes = [switch.pid, *lab.children_of(switch.pid)]

    def descriptors():
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in processes]

    before = descriptors()
    assert len(before) == 2
    for _ in range(10):
        tap0.close()
        with lab.Tap("tap0") as again:
            again.set("up")
            with lab.HostSide("tap0") as host:
                assert_reconnects(a, host)
    lab.wait_until(lambda: descriptors() <= before,
                   "the descriptors of the deleted taps to be closed")


def test_what_is_lost_while_the_switch_sleeps_is_asked_for(running, tmp_path):
    """More happens to devices than the kernel keeps messages for."""
    switch, (tap0, _), (a, _) = running
    changes = tmp_path / "changes"
    changes.write_text("".join(f"link set lo mtu {mtu}\n"
                               for mtu in (60000, 65536) * 500))
    os.kill(switch.pid, signal.SIGSTOP)
    try:
        tap0.set("mtu", "500")
        lab.sh("ip", "-batch", str(changes))
        tap0.set("mtu", "600")
    finally:
        os.kill(switch.pid, signal.SIGCONT)

    def respected():
        a.send(hello("long", 615))
        return switch.stats()["tap0"].get("drop.too_long")

    lab.wait_until(respected, "the new MTU to be respected")
    with lab.HostSide("tap0") as host:
        assert_connected(a, host, "short", size=614)


# Taps that cannot be had -----------------------------------------------------

def refused_start(tmp_path, *arguments, wrapper=()):
    """(exit code, what it said) of a switch that is not to start."""
    path = tmp_path / "refused-ctl"
    done = subprocess.run(
        [*wrapper, lab.ringswitch(), "-unix", str(path), *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=lab.STEP_S)
    assert not path.exists()
    assert not done.stdout
    return done.returncode, done.stderr


def test_a_tap_in_use_is_refused_with_the_reason(tmp_path):
    with lab.Switch("--tap", "tap0", workdir=tmp_path) as switch:
        code, said = refused_start(tmp_path, "--tap", "tap0")
        assert code == 1
        assert "tap0" in said and "busy" in said.lower()
        assert "tap0" in switch.stats()


def test_a_device_that_is_no_tap_is_refused(tmp_path):
    code, said = refused_start(tmp_path, "--tap", "lo")
    assert code == 1
    assert "lo" in said


@pytest.mark.parametrize("name", ["a-name-of-16-byt", "has space", "a/b", ""])
def test_a_name_no_device_can_have_is_refused(tmp_path, name):
    code, said = refused_start(tmp_path, "--tap", name)
    assert code in (1, 2)
    assert "tap" in said


def test_the_same_tap_twice_is_refused(tmp_path):
    code, _ = refused_start(tmp_path, "--tap", "tap0", "--tap", "tap0")
    assert code in (1, 2)


# An ordinary user ------------------------------------------------------------

@pytest.fixture
def as_nobody(other_user, public_dir, monkeypatch):
    """Words to put before a command that nobody is to run.

    /dev/net/tun is open to all on Debian, but not everywhere: the command
    gets one that is, in a mount namespace of its own.
    """
    # The checkout may be in a home directory that is closed to others.
    shutil.copy(lab.ringswitch(), public_dir)
    monkeypatch.setenv("RINGSWITCH", str(
        public_dir / os.path.basename(lab.ringswitch())))
    device = public_dir / "tun"
    os.mknod(device, 0o600 | 0o020000, os.makedev(10, 200))
    device.chmod(0o666)
    return ["unshare", "--mount", "sh", "-c",
            f"mount --bind {device} /dev/net/tun && exec setpriv "
            '--reuid=nobody --regid=nogroup --clear-groups "$0" "$@"']


def test_a_user_can_use_a_tap_that_is_his(as_nobody, public_dir):
    with lab.Tap("tap0", owner="nobody") as tap:
        # Bringing it up is for root; the recipe for users says so.
        tap.set("up")
        with lab.Switch("--tap", "tap0", workdir=public_dir,
                        wrapper=as_nobody) as switch, \
                lab.HostSide("tap0") as host, \
                lab.Client(switch.socket) as client:
            assert_connected(client, host)


def test_a_user_without_the_right_is_told_what_to_do(as_nobody, public_dir):
    # A tap without an owner is everybody's, so this one has another.
    with lab.Tap("tap0", owner="root"):
        code, said = refused_start(public_dir, "--tap", "tap0",
                                   wrapper=as_nobody)
        assert code == 1
        assert "tap0" in said and "another user" in said
    code, said = refused_start(public_dir, "--tap", "tap1", wrapper=as_nobody)
    assert code == 1
    assert "tap1" in said and "ip tuntap add" in said
