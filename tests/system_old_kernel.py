"""The switch on an old kernel: inside a guest.

The kernel of Debian's user-mode-linux is the oldest that the switch has to run
on (6.1 in Debian 12), and it has io_uring. So the switch and two clients run
in a guest, on the host's files:

    +- guest, Linux 6.1 ------------------------------+
    |  ringbench uml1 ---+                            |
    |                    |-- ringswitch -- tap0 ping  |
    |  ringbench uml2 ---+                            |
    +-------------------------------------------------+
"""

import json
import os
import pathlib
import shlex

import pytest

import lab

CONTROL = "/run/ctl"
BENCH = str(lab.ROOT / "build" / "ringbench")


class Inside:
    """Runs the host's programs in a guest whose root is the host's."""

    def __init__(self, guest):
        self.guest = guest
        guest.check("mkdir /host && mount -t hostfs none /host -o /")
        # Of the guest's own, not the host's: nothing there is changed.
        guest.check("mount -t tmpfs run /host/run && mount -t proc p /host/proc"
                    " && mount -t devtmpfs dev /host/dev")

    def command(self, *words):
        return "chroot /host " + shlex.join(words)

    def load_tap_driver(self):
        version = self.guest.check("uname -r").strip()
        for name in "tun.ko", "tun.ko.xz":
            path = f"/usr/lib/uml/modules/{version}/kernel/drivers/net/{name}"
            if pathlib.Path(path).exists():
                self.guest.check(f"insmod /host{path}")
                return
        pytest.skip(f"no tap driver for the guest's kernel {version}")

    def start_switch(self, *options):
        command = self.command(lab.ringswitch(), "--unix", CONTROL, *options)
        self.guest.check(f"({command} >/tmp/switch 2>&1; echo exit $? "
                         ">>/tmp/switch) & "
                         "until grep -q attached /tmp/switch; do "
                         "grep exit /tmp/switch && exit 1; sleep 0.1; done",
                         timeout=60)

    def said(self):
        return self.guest.check("cat /tmp/switch")

    def bench(self, *words):
        code, output = self.guest.run(
            self.command(BENCH, *words, "--json", "--quiet"), timeout=60)
        assert code == 0, output + self.said()
        return json.loads(output)


@pytest.fixture
def inside(build, initrd, tmp_path):
    if "asan" in build.name:
        # It maps terabytes of shadow memory, and a UML process has no room.
        pytest.skip("the address sanitizer does not run in a UML guest")
    if not os.access(BENCH, os.X_OK):
        pytest.fail(f"{BENCH} is not there: run make")
    with lab.Guest("old", None, initrd=initrd, workdir=tmp_path,
                   mem="256M") as guest:
        yield Inside(guest)


def test_ports_come_and_go_and_lose_nothing(inside):
    inside.start_switch()
    # Twice as many frames as buffers each time, so that every round leaves
    # its buffers somewhere else: the next port in the same place must start
    # with a clean ring.
    for count in 1000, 1033, 1071:
        result = inside.bench("rate", CONTROL, "--count", str(count))
        assert (result["sent"], result["delivered"]) == (count, count)
        assert result["corrupt"] == result["reordered"] == 0
    result = inside.bench("stalled", CONTROL)
    assert result["delivered"] == 2000
    assert "filled a buffer" not in inside.said()


def test_every_kind_of_port_loses_nothing(inside):
    inside.start_switch(
        "--listen", "vde:/run/vde", "--listen", "bess:/run/bess,mtu=9000",
        "--listen", "stream:/run/stream",
        "--port", "dgram:/run/d.0,remote=/run/d.0.peer",
        "--port", "dgram:/run/d.1,remote=/run/d.1.peer")
    for client, path in (("vde", "/run/vde/ctl"), ("bess", "/run/bess"),
                         ("stream", "/run/stream"), ("dgram", "/run/d")):
        for count in 1000, 1033:
            result = inside.bench("rate", path, "--client", client,
                                  "--count", str(count))
            assert (result["sent"], result["delivered"]) == (count, count)
            assert result["corrupt"] == result["reordered"] == 0
            if client == "dgram":
                break   # its paths are taken up again only a moment later
    result = inside.bench("rate", "/run/bess", "--client", "bess", "--count",
                          "1000", "--size", "9014")
    assert result["delivered"] == 1000
    assert "filled a buffer" not in inside.said()


def test_guests_do_not_notice_that_the_switch_is_killed(inside, build):
    inside.start_switch("--listen", "bess:/run/bess", "--listen",
                        "stream:/run/stream")
    ringctl = inside.command(str(pathlib.Path(build).resolve() / "ringctl"),
                             "--socket", f"{CONTROL}.control", "-j", "version")
    for client, path in (("uml", CONTROL), ("bess", "/run/bess"),
                         ("stream", "/run/stream")):
        inside.guest.check(
            "(" + inside.command(BENCH, "rate", path, "--client", client,
                                 "--seconds", "3", "--pause-us", "100",
                                 "--quiet")
            + " >/tmp/bench; echo $? >/tmp/code) & sleep 1")
        switch = json.loads(inside.guest.check(ringctl))["process"]
        inside.guest.check(f"kill -9 {switch}")
        code, result = inside.guest.check(
            "while [ ! -e /tmp/code ]; do sleep 0.1; done; cat /tmp/code "
            "/tmp/bench; rm /tmp/code", timeout=60).split("\n", 1)
        result = json.loads(result)
        assert code == "0" and result["sent"] > 1000
        assert result["delivered"] > result["sent"] / 2
        assert result["corrupt"] == result["reordered"] == 0
    assert inside.said().count("the switch is back") == 3


def test_the_ring_can_be_used_for_what_the_switch_needs_only(inside, build):
    unit = pathlib.Path(build).resolve() / "tests" / "test_loop_ring"
    code, output = inside.guest.run(inside.command(str(unit)), timeout=60)
    assert code == 0 and "PASSED" in output, output


def test_tap_is_read_one_frame_at_a_time(inside):
    inside.load_tap_driver()
    inside.start_switch("--tap", "tap0", "--tap", "tap1")
    assert "tap reads single" in inside.said()
    # The other tap is in a namespace of its own, or the kernel would answer
    # itself.
    inside.guest.check("ip address add 10.9.0.1/24 dev tap0;"
                       "unshare -n sleep 1000 & echo $! >/tmp/other; sleep 1;"
                       "ip link set tap1 netns $(cat /tmp/other);"
                       "nsenter -n -t $(cat /tmp/other) sh -c '"
                       "ip address add 10.9.0.2/24 dev tap1;"
                       "ip link set tap1 up'")
    assert inside.guest.pings("10.9.0.2")
    code, output = inside.guest.run("ping -c 200 -A -s 1400 -w 20 10.9.0.2", 40)
    assert code == 0 and " 0% packet loss" in output, output
