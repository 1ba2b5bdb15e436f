"""Real User-Mode Linux guests on one switch.

     web1 10.0.0.1    web2 10.0.0.2    client (raw frames, in some tests)
           \\               |               /
            +--------- ringswitch --------+
"""

import contextlib
import types

import pytest

import lab


@pytest.fixture(scope="module")
def net(initrd, tmp_path_factory):
    """The switch and two guests, for all tests that leave them as they are."""
    workdir = tmp_path_factory.mktemp("guests")
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(lab.Switch(workdir=workdir))

        def boot(name, number):
            return lab.Guest(name, switch.socket, mac=lab.mac(number),
                             ip=f"10.0.0.{number}/24", initrd=initrd,
                             workdir=workdir)

        web1 = stack.enter_context(boot("web1", 1))
        web2 = stack.enter_context(boot("web2", 2))
        web1.wait_ready()
        web2.wait_ready()
        yield types.SimpleNamespace(switch=switch, web1=web1, web2=web2,
                                    boot=boot)


def test_two_guests_ping_each_other(net):
    assert net.web1.pings("10.0.0.2")
    assert net.web2.pings("10.0.0.1")


@pytest.mark.parametrize("size", [0, 1472, 4000, 65507])
def test_pings_of_any_size_get_through(net, size):
    net.web1.check(f"ping -c 3 -A -w 10 -s {size} 10.0.0.2")


@pytest.mark.parametrize("direction", ["", "-R"], ids=["forth", "back"])
def test_tcp_flows_between_guests(net, direction):
    net.web2.serve_iperf3()
    report = net.web1.check(f"iperf3 -c 10.0.0.2 -t 1 -f k {direction}")
    assert "receiver" in report


def test_what_arrives_by_tcp_is_what_was_sent(net):
    net.web1.check("dd if=/dev/urandom of=/tmp/sent bs=64k count=80")
    net.web1.check("httpd -p 8000 -h /tmp")
    net.web2.check("wget -q -O /tmp/received http://10.0.0.1:8000/sent")
    sent = net.web1.check("sha256sum </tmp/sent")
    assert net.web2.check("sha256sum </tmp/received") == sent


def test_a_guest_killed_and_started_again_gets_through(net):
    """The old port goes with its guest, the new guest takes its place."""
    with net.boot("web3", 3) as web3:
        assert web3.pings("10.0.0.1")
        ports = set(net.switch.stats())
        web3.kill()
        after = net.switch.wait_stats(lambda stats: set(stats) < ports,
                                      "the killed guest's port to go")
    assert ports - set(after) == {"uml3"}
    assert after["mac"]["entries"] == 2
    with net.boot("web3", 3) as web3:
        assert web3.pings("10.0.0.1")
        assert net.web1.pings("10.0.0.3")
        assert set(net.switch.stats()) == ports


def test_guests_that_stand_still_do_not_touch_the_others(net):
    """Two guests stopped, flooded until nothing more fits; two others ping."""
    with net.boot("web3", 3) as web3, net.boot("web4", 4) as web4:
        assert web3.pings("10.0.0.1") and web4.pings("10.0.0.1")
        web3.pause()
        web4.pause()
        with lab.Client(net.switch.socket) as client:
            flood = lab.frame(lab.BROADCAST, lab.mac(9), size=1514)
            for _ in range(2000):
                client.send(flood)
            # The two that live get the flood as well; let them digest it. A
            # UML guest sometimes sleeps through a burst, with its queue full,
            # until its next timer: then it is stalled for a moment as well.
            net.switch.wait_stats(
                lambda stats: all(stats[port]["state"] == "up"
                                  and not stats[port]["queued"]
                                  for port in ("uml1", "uml2")),
                "the running guests to take the flood")
            report = net.web1.check("ping -c 100 -i 0.01 -w 20 10.0.0.2")
        assert " 0% packet loss" in report
        stats = net.switch.stats()
        assert stats["uml3"]["undelivered"] > 0
        assert stats["uml4"]["undelivered"] > 0
        web3.resume()
        web4.resume()
        assert web3.pings("10.0.0.1") and web4.pings("10.0.0.2")


def test_a_guest_that_is_down_and_up_again_gets_through(net):
    net.web2.check("ip link set eth0 down")
    net.web1.run("ping -c 1 -W 1 10.0.0.2")
    net.web2.check("ip link set eth0 up")
    assert net.web1.pings("10.0.0.2")


def test_counters_of_real_traffic_add_up(net):
    assert net.web1.pings("10.0.0.2")

    def settled(stats):
        return stats["total"]["queued"] == 0

    stats = net.switch.wait_stats(settled, "the queues to empty")
    stats.pop("mac")
    for port in stats.values():
        assert port["received"] == port["forwarded"] + port["dropped"]
        assert port["offered"] == (port["sent"] + port["undelivered"]
                                   + port["queued"])


def test_guests_behind_a_hub_reach_each_other_and_all_see_it(initrd, tmp_path):
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(lab.Switch("--hub", workdir=tmp_path))
        web1, web2 = [stack.enter_context(
            lab.Guest(f"web{n}", switch.socket, mac=lab.mac(n),
                      ip=f"10.0.0.{n}", initrd=initrd, workdir=tmp_path))
            for n in (1, 2)]
        web2.wait_ready()
        assert web1.pings("10.0.0.2")
        with lab.Client(switch.socket) as client:
            # Both know each other's address by now: what comes is unicast.
            web1.check("ping -c 1 -W 5 10.0.0.2")
            frames = [client.recv(), client.recv()]
    unicast = [bytes.fromhex(lab.mac(n).replace(":", "")) for n in (1, 2)]
    assert sorted(frame[:6] for frame in frames) == unicast
