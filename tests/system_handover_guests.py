"""Real guests of every kind do not notice that the switch is killed: their TCP
connections go on, and what arrives is what was sent.

     web1 eth0=daemon --+                +-- web2 vec0:transport=bess
                        +-- ringswitch --+
     plug vde_plug -----+                +-- vm  QEMU -netdev stream
"""

import contextlib
import itertools
import time
import types

import pytest

import lab
from lab_control import control_of
from lab_peers import QemuBridge, VdePlug, stream_netdev
from system_handover import kill_switch

FILE_BYTES = 16 << 20


@pytest.fixture(scope="module")
def net(initrd, tap_device, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("handover")
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        switch = enter(lab.Switch(
            "--listen", f"bess:{workdir}/bess", "--listen",
            f"vde:{workdir}/vde", "--listen", f"stream:{workdir}/stream",
            workdir=workdir, keeper=True))
        web1 = enter(lab.Guest("web1", switch.socket, mac=lab.mac(1),
                               ip="10.0.0.1/24", initrd=initrd,
                               workdir=workdir))
        web2 = enter(lab.Guest("web2", cards=[lab.bess_card(
            f"{workdir}/bess", mac=lab.mac(2))], ip="10.0.0.2/24",
            initrd=initrd, workdir=workdir))
        plug = enter(VdePlug("plug", workdir / "vde", workdir, "10.0.0.3/24"))
        vm = enter(QemuBridge("vm", stream_netdev(f"{workdir}/stream"),
                              workdir, "10.0.0.4/24"))
        web1.wait_ready()
        web2.wait_ready()
        yield types.SimpleNamespace(switch=switch, workdir=workdir,
                                    hosts=[web1, web2, plug, vm], web1=web1,
                                    web2=web2, plug=plug, vm=vm)


def all_reach_all(net):
    for host in net.hosts:
        for number in range(1, 5):
            assert host.pings(f"10.0.0.{number}", count=1)


def test_everybody_reaches_everybody_after_kills_and_restarts(net):
    all_reach_all(net)
    for _ in range(2):
        kill_switch(net.switch)
        all_reach_all(net)
    with control_of(net.switch) as control:
        control.request("restart")
        assert control.ended()
    all_reach_all(net)


ports = itertools.count(8000)


def fetch_while(server, client, disturb):
    """A file from @server to @client again and again, and meanwhile
    disturb(), four times: no connection may end early or carry anything else."""
    port, there = next(ports), server.check("pwd").strip()
    server.check(f"dd if=/dev/urandom of={there}/sent bs=64k "
                 f"count={FILE_BYTES >> 16}")
    server.serve_files(there, port)
    client.check("rm -f sums stop done")
    client.check("(while [ ! -e stop ]; do "
                 f"wget -q -O - http://{server.ip}:{port}/sent | sha256sum; "
                 "done >sums 2>&1; touch done) >/dev/null 2>&1 &")
    for _ in range(4):
        time.sleep(0.3)
        disturb()
    client.check("touch stop")
    lab.wait_until(lambda: not client.run("[ -e done ]")[0], "the last file",
                   timeout=40)
    sums = client.check("cat sums").split("\n")[:-1]
    assert sums
    assert set(sums) == {server.check(f"sha256sum <{there}/sent").strip()}


@pytest.mark.parametrize("server, client", [
    ("web1", "web2"), ("web2", "web1"), ("vm", "plug"), ("plug", "vm")])
def test_tcp_goes_on_when_the_switch_is_killed(net, server, client):
    fetch_while(getattr(net, server), getattr(net, client),
                   lambda: kill_switch(net.switch))


def test_tcp_goes_on_when_the_switch_is_restarted(net):
    def restart():
        with control_of(net.switch) as control:
            control.request("restart")
            assert control.ended()

    fetch_while(net.vm, net.plug, restart)
