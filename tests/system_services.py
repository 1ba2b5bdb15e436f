"""ringswitch as a service: of systemd, and of init and scripts without it.

     ringswitch@lab ---- systemd in a copy of this machine (lab_services.py)
          |
     clients (raw frames), taps
"""

import json
import os
import re
import signal

import pytest

import lab
import lab_install
from lab_services import SOCKETS, UNIT, machine, sealed, service



# The units -------------------------------------------------------------------

@pytest.fixture(scope="module")
def installed(request, build, tmp_path_factory):
    lab_install.only_first(request, build)
    root = tmp_path_factory.mktemp("installed")
    lab_install.install(build, root, "PREFIX=/usr")
    return root


@pytest.mark.parametrize("unit, most", [("ringswitch@", "1.0"),
                                        ("ringswitch-sealed@", "0.2")])
def test_the_units_expose_little(installed, unit, most):
    """Their marks by systemd-analyze, of 10.0."""
    path = installed / f"usr/lib/systemd/system/{unit}.service"
    said = lab.sh("systemd-analyze", "security", "--no-pager",
                  "--offline=true", str(path))
    exposure = re.search(r"Overall exposure level for .*: (\S+)", said)[1]
    assert float(exposure) <= float(most), said


# A systemd -------------------------------------------------------------------

def test_systemd_finds_nothing_wrong_with_the_units(machine, service):
    service.configure("")
    for unit in UNIT, "ringswitch@lab.socket", "ringswitch-sealed@lab.service":
        code, said = machine.run("systemd-analyze", "verify", "--man=yes", unit)
        assert (code, said) == (0, "")


def test_it_has_started_when_guests_can_attach(service):
    service.start()
    service.assert_passes()
    assert service.show("StatusText")
    assert service.show("Result") == "success"


def test_it_ends_as_asked_and_its_sockets_go(machine, service):
    service.start()
    machine.run("systemctl", "stop", UNIT)
    assert service.show("Result") == "success"
    assert service.show("ExecMainStatus") == "0"
    left = machine.run("find", SOCKETS, "-type", "s", check=False)[1]
    assert "/uml.ctl" not in left and "/control" not in left


def test_the_group_attaches_and_watches_and_root_commands(machine, service):
    service.start()
    modes = machine.run("stat", "-c", "%n %U:%G %a",
                        *(f"{SOCKETS}/{name}" for name in
                          ("uml.ctl", "control", "monitor")))[1]
    assert modes.splitlines() == [
        f"{SOCKETS}/uml.ctl ringswitch:ringswitch 660",
        f"{SOCKETS}/control ringswitch:ringswitch 600",
        f"{SOCKETS}/monitor ringswitch:ringswitch 660"]
    assert "lab" in machine.run("ringctl", "-n", "lab", "config", "show")[1]
    member = ("setpriv", "--reuid", "nobody", "--regid", "ringswitch",
              "--clear-groups", "ringctl", "-n", "lab")
    machine.run(*member, "port", "show")
    assert machine.run(*member, "stop", check=False)[0] == 2


def test_it_has_no_privileges(service):
    service.start()
    assert service.status("NoNewPrivs") == "1"
    assert service.status("Seccomp") == "2"
    for which in "CapEff", "CapPrm", "CapBnd", "CapAmb":
        assert int(service.status(which), 16) == 0


def test_it_takes_a_tap_that_was_made_for_it(machine, service):
    machine.run("ringtap", "add", "tap0", "user", "ringswitch", "up")
    service.start("tap tap0\nlisten uml:/run/ringswitch/lab/uml.ctl\n")
    service.assert_passes(tap=["tap0"])
    machine.run("systemctl", "stop", UNIT)
    machine.run("ringtap", "del", "tap0")


def test_a_tap_that_it_may_not_make_is_said(service):
    assert "tap tap7: " in service.fails_to_start("tap tap7\n")


@pytest.fixture
def privileged(machine):
    return machine.run("cat", "/usr/share/ringswitch/privileged.conf")[1]


def test_privileged_conf_lets_it_make_a_tap_with_rules(machine, service,
                                                       privileged):
    machine.write("/etc/ringswitch/rules", "drop ethertype ipv6\n")
    service.start("port tap:tap3,mtu=1400,rules=/etc/ringswitch/rules\n"
                  "listen uml:/run/ringswitch/lab/uml.ctl\n", privileged)
    service.assert_passes(tap=["tap3"])
    assert " mtu 1400 " in machine.run("ip", "link", "show", "tap3")[1]


def test_reload_reads_the_rules_again_or_says_why_not(machine, service,
                                                      privileged):
    machine.write("/etc/ringswitch/rules", "drop ethertype ipv6\n")
    service.start("port tap:tap3,rules=/etc/ringswitch/rules\n"
                  "listen uml:/run/ringswitch/lab/uml.ctl\n", privileged)
    pid = service.show("MainPID")

    def counted():
        said = machine.run("ringctl", "-n", "lab", "-j", "filter", "show")[1]
        return {line["text"] for line in json.loads(said)[0]["counters"]
                if line["line"]}

    machine.write("/etc/ringswitch/rules", "drop ethertype arp\ncount\n")
    machine.run("systemctl", "reload", UNIT)
    service.assert_passes(tap=["tap3"])
    assert counted() == {"count"}

    machine.write("/etc/ringswitch/rules", "nonsense\n")
    code, _ = machine.run("systemctl", "reload", UNIT, check=False)
    assert code != 0
    assert "/etc/ringswitch/rules:1:1: " in service.said()
    assert counted() == {"count"}
    assert service.show("ActiveState") == "active"
    assert service.show("MainPID") == pid


def test_sighup_does_not_end_it(machine, service):
    """Many reload a service so, whatever its unit says."""
    service.start()
    machine.run("systemctl", "kill", "--signal=HUP", UNIT)
    service.assert_passes()
    assert service.show("NRestarts") == "0"


def test_ringctl_starts_it_anew_in_place_and_stops_it_for_good(machine,
                                                               service):
    service.start(drop_in="[Service]\nTimeoutStopSec=2\n")
    pid = service.show("MainPID")
    before = lab.children_of(service.pid)
    machine.run("ringctl", "-n", "lab", "restart")
    lab.wait_until(lambda: lab.children_of(service.pid) not in (before, []),
                   "the new switch")
    service.assert_passes()
    assert service.show("MainPID") == pid
    # systemd must not take it for one that ends.
    assert service.show("ActiveState") == "active"
    assert service.show("SubState") == "running"
    machine.run("ringctl", "-n", "lab", "stop")
    lab.wait_until(lambda: service.show("ActiveState") == "inactive",
                   "the switch to end")
    assert service.show("Result") == "success"


def test_a_hanging_switch_is_started_anew(service):
    service.start(drop_in="[Service]\nWatchdogSec=1\n")
    first = service.show("WatchdogTimestampMonotonic")
    lab.wait_until(
        lambda: service.show("WatchdogTimestampMonotonic") != first,
        "the watchdog to be fed")
    os.kill(service.pid, signal.SIGSTOP)
    lab.wait_until(lambda: service.show("NRestarts") == "1"
                   and service.show("ActiveState") == "active",
                   "a new switch")
    service.assert_passes()


def test_a_crash_is_over_before_systemd_hears_of_it(service):
    service.start()
    keeper = service.pid
    before = lab.children_of(keeper)
    os.kill(before[0], signal.SIGKILL)
    lab.wait_until(lambda: lab.children_of(keeper) not in (before, []),
                   "the next switch")
    service.assert_passes()
    assert service.pid == keeper and service.show("NRestarts") == "0"


def test_a_killed_switch_is_started_anew(service):
    service.start()
    os.kill(service.pid, signal.SIGKILL)
    lab.wait_until(lambda: service.show("NRestarts") == "1"
                   and service.show("ActiveState") == "active",
                   "a new switch")
    service.assert_passes()


def test_a_wrong_option_is_said_once(service):
    said = service.fails_to_start("listen nonsense:/x\n")
    assert "/etc/ringswitch/lab.conf:1: " in said
    assert service.show("ExecMainStatus") == "2"
    assert service.show("ActiveState") == "failed"


def test_a_socket_where_no_guest_would_find_it_is_refused(service):
    """The service's /tmp is its own."""
    assert "/tmp/uml.ctl" in service.fails_to_start("unix /tmp/uml.ctl\n")


def test_a_first_guest_starts_it_by_its_socket(machine, service):
    service.configure("")
    machine.run("systemctl", "start", "ringswitch@lab.socket")
    try:
        assert service.show("ActiveState") == "inactive"
        service.assert_passes()
        assert service.show("ActiveState") == "active"
        # The socket is systemd's: it outlives the switch.
        machine.run("systemctl", "restart", UNIT)
        service.assert_passes()
        machine.run("systemctl", "stop", UNIT)
        assert machine.exists(f"{SOCKETS}/uml.ctl")
        service.assert_passes()
    finally:
        machine.run("systemctl", "stop", "ringswitch@lab.socket", UNIT)
    assert not machine.exists(f"{SOCKETS}/uml.ctl")


def test_metrics_conf_lets_it_serve_on_a_port(machine, service):
    machine.run("ip", "link", "set", "lo", "up")
    service.start("metrics 127.0.0.1:9100\n", machine.run(
        "cat", "/usr/share/ringswitch/metrics.conf")[1])
    said = machine.python(
        "import urllib.request as r;"
        "print(r.urlopen('http://127.0.0.1:9100/metrics', timeout=10)"
        ".read().decode())")
    assert "ringswitch_build_info" in said


@pytest.mark.parametrize("kind", ["stream", "bess", "vde"])
def test_the_sealed_one_serves_without_the_hosts_network(machine, sealed, kind):
    sealed.start(f"listen {kind}:{SOCKETS}/{kind}\n")
    sealed.assert_passes(kind, kind)
    links = machine.run("nsenter", "--target", sealed.show("MainPID"),
                        "--net", "ip", "-brief", "link")[1]
    assert [line.split()[0] for line in links.splitlines()] == ["lo"]


# Without systemd -------------------------------------------------------------

def example(name):
    """A script of the manual page, as it is shown there."""
    page = (lab.ROOT / "switch/ringswitch.8").read_text()
    text = re.search(rf'^\.\\" example: {name}\n\.EX\n(.*?)^\.EE', page,
                     re.M | re.S)[1]
    return text.replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\e", "\\")


def test_the_manuals_plain_script_runs(machine):
    machine.write("/root/lab.sh", example("script"))
    code, said = machine.run("sh", "/root/lab.sh", check=False)
    assert code == 0, said
    assert not machine.exists("/tmp/lab.ctl")


def test_the_manuals_init_script_starts_reloads_and_stops(machine):
    script = "/etc/init.d/ringswitch-lab"
    machine.write(script, example("sysvinit"))
    machine.write("/etc/ringswitch/lab.conf", "hub\n")
    machine.run("chmod", "755", script)
    machine.run(script, "start")
    pid = (machine.root / "run/ringswitch-lab.pid").read_text()
    for word in "status", "reload":
        machine.run(script, word)
    machine.run(script, "restart")
    assert (machine.root / "run/ringswitch-lab.pid").read_text() != pid
    machine.run(script, "stop")
    assert machine.run(script, "status", check=False)[0] != 0
    assert not machine.exists("/run/ringswitch-lab.pid")
    machine.run(script, "stop")
    machine.run("rm", script)
