"""ringctl: what it asks and tells, and how a script gets along with it.

     script -- ringctl -- ctl.control -- ringswitch --+-- a (uml1)
                                                      +-- b (uml2)

How commands are written is in system_ringctl_words.py, what they look like on a
terminal in system_ringctl_terminal.py, which switch is meant in
system_ringctl_which.py, events and frames in system_ringctl_streams.py.
"""

import json
import shlex
import socket
import subprocess

import pytest

import lab
from lab_clients import connected, reach
from lab_control import control_of, control_path
from lab_ringctl import environment, program, ringctl
from lab_ringctl import ask, pair, tell  # noqa: F401 (fixtures)
from lab_schema import check_reply

A, B = lab.mac(1), lab.mac(2)


@pytest.fixture
def control(switch, cleanup):
    return cleanup.enter_context(control_of(switch))


def rows(table):
    """The lines of a table as lists of words, without the titles."""
    return [line.split() for line in table.splitlines()[1:]]


# -j everywhere ---------------------------------------------------------------

@pytest.mark.parametrize("words, command, arguments", [
    ("version", "version", {}),
    ("port", "port.show", {}),
    ("port show uml1", "port.show", {"port": "uml1"}),
    ("listener show", "listener.show", {}),
    ("mac show dev uml1", "mac.show", {"port": "uml1"}),
    ("stats show", "stats.show", {}),
    ("stats words uml2", "stats.show", {"port": "uml2"}),
    ("filter show", "filter.show", {}),
    ("config show", "config.show", {}),
    ("config lines", "config.show", {}),
])
def test_json_is_what_the_switch_returns(pair, tell, control, words, command,
                                         arguments):
    value = json.loads(tell("-j", *words.split()))
    check_reply(command, value)
    asked = control.request(command, **arguments)
    if command not in ("version", "stats.show"):  # which have the time in them
        assert without_ages(value) == without_ages(asked)


def without_ages(value):
    """Addresses grow older while one looks."""
    if isinstance(value, list):
        return [without_ages(one) for one in value]
    if isinstance(value, dict):
        return {key: without_ages(value[key]) for key in set(value) - {"age"}}
    return value


@pytest.mark.parametrize("words", [
    "port set uml1 flood off", "port down uml1", "port up uml1",
    "port del uml1", "mac add 02:00:00:00:00:09 uml1", "mac del %s" % A,
    "mac flush", "filter load", "mirror add uml1 uml2", "mirror show",
    "listener del uml:{socket}"])
def test_what_changes_something_answers_json_too(pair, tell, switch, words):
    words = words.format(socket=switch.socket).split()
    json.loads(tell("-j", *words))


def test_json_may_be_asked_for_behind_the_command(pair, tell):
    assert json.loads(tell("mac", "show", "-j")) and \
        json.loads(tell("mac", "-j")) and json.loads(tell("mac", "--json"))


def test_pretty_is_the_same_in_more_lines(pair, tell):
    pretty = tell("-j", "-p", "port")
    assert json.loads(pretty) == json.loads(tell("-j", "port"))
    assert tell("-j", "port").count("\n") == 1 < pretty.count("\n")


# Ports -----------------------------------------------------------------------

def test_ports_are_shown_with_what_is_unusual_about_them(pair, tell):
    tell("port", "set", "dev", "uml1", "isolated", "on", "learning", "off",
         "mac-limit", "7")
    first, second = rows(tell("port"))
    assert first[:2] == ["uml1", "up"]
    assert "isolated,no-learning,mac-limit=7" in first
    assert second[:2] == ["uml2", "up"]
    assert not any("isolated" in word for word in second)


def test_every_key_of_a_port_can_be_set(pair, tell, control):
    tell("port", "set", "uml1", "name", "web", "queue", "64", "isolated", "on",
         "learning", "off", "flood", "off", "locked", "on", "mac-limit", "3",
         "no-spoof", "on", "storm-broadcast", "100", "storm-multicast", "50",
         "storm-unknown", "1000000", "mirror", "uml2")
    port = control.port("web")
    assert {key: port[key] for key in (
        "queue", "isolated", "learning", "flood", "locked", "mac_limit",
        "no_spoof", "storm_broadcast", "storm_multicast", "storm_unknown",
        "mirror")} == {"queue": 64, "isolated": True, "learning": False,
                       "flood": False, "locked": True, "mac_limit": 3,
                       "no_spoof": True, "storm_broadcast": 100,
                       "storm_multicast": 50, "storm_unknown": 1000000,
                       "mirror": "uml2"}
    assert "mac-limit=3,no-spoof,storm" in tell("port")
    tell("port", "set", "web", "mirror", "none", "locked", "off")
    assert control.port("web")["mirror"] is None
    assert not control.port("web")["locked"]


def test_down_and_up(pair, tell, control):
    a, b = pair
    tell("port", "down", "uml1")
    assert control.port("uml1")["state"] == "admin-down"
    tell("port", "up", "dev", "uml1")
    reach(a, b, 1)


def test_a_port_is_added_under_the_name_that_is_printed(tell, control,
                                                        tmp_path):
    name = tell("port", "add", f"dgram:{tmp_path}/x,remote={tmp_path}/y")
    assert control.port(name.rstrip("\n"))["kind"] == "dgram"
    tell("port", "del", name.strip())
    assert control.ports() == {}


def test_a_guest_whose_port_is_deleted_is_disconnected(pair, tell):
    tell("port", "del", "uml1")
    assert pair[0].closed_by_switch(lab.STEP_S)


def test_all_about_one_port_is_a_line_each(pair, tell):
    lines = tell("port", "show", "uml1").splitlines()
    shown = dict((line.split(None, 1) + [""])[:2] for line in lines[1:])
    assert lines[0] == "uml1"
    assert shown["kind"] == "uml" and shown["learning"] == "on"


# Listeners, addresses, mirrors -----------------------------------------------

def test_listeners_come_and_go(tell, switch, tmp_path):
    path = tmp_path / "more"
    tell("listener", "add", f"uml:{path}")
    assert [row[0] for row in rows(tell("listener"))] == [
        f"uml:{switch.socket}", f"uml:{path}"]
    with lab.Client(path):
        tell("listener", "del", f"uml:{path}")
        assert not lab.can_connect(path)
        assert len(rows(tell("port"))) == 1


def test_addresses_are_shown_in_order_added_and_deleted(pair, tell):
    tell("mac", "add", "02:00:00:00:00:00", "dev", "uml2", "static")
    shown = rows(tell("mac"))
    assert [row[:2] for row in shown] == [
        ["02:00:00:00:00:00", "uml2"], [A, "uml1"], [B, "uml2"]]
    assert shown[0][2] == "static"
    assert tell("mac", "flush", "dev", "uml1") == "1 flushed\n"
    tell("mac", "del", B)
    more = [lab.mac(number) for number in range(99, 60, -1)]
    tell("-b", "-", stdin="".join(f"mac add {address} uml1\n"
                                  for address in more))
    assert [row[0] for row in rows(tell("mac"))] == [
        "02:00:00:00:00:00", *reversed(more)]


def test_a_mirror_is_a_property_of_its_port(pair, tell):
    assert tell("mirror") == ""
    tell("mirror", "add", "uml1", "to", "uml2")
    assert rows(tell("mirror")) == [["uml1", "uml2"]]
    assert json.loads(tell("-j", "mirror")) == [
        {"name": "uml1", "mirror": "uml2"}]
    tell("mirror", "del", "uml1")
    assert tell("mirror") == ""


# Statistics ------------------------------------------------------------------

def test_drops_are_listed_with_their_reasons(pair, tell):
    pair[0].send(b"short")
    lab.wait_until(lambda: "runt" in tell("stats"), "the drop")
    assert ["uml1", "runt", "1"] in rows(tell("stats"))
    # The counters of one port are all there, a line each.
    assert ["received", "2"] in [line.split() for line in
                                 tell("stats", "show", "uml1").splitlines()]


def test_words_are_numbers_on_one_line(pair, tell, control):
    for words in [], ["uml1"]:
        line = tell("stats", "words", *words)
        assert line == " ".join(line.split()) + "\n"
        pairs = dict(word.split(":") for word in line.split())
        assert all(value.isdigit() for value in pairs.values())
        # What an RRD can have as a name.
        assert max(map(len, pairs)) <= 19
        assert pairs["received"] == ("1" if words else "2")
        assert pairs["drop_runt"] == "0"
    now = control.request("stats.show")
    pairs = dict(word.split(":") for word in tell("stats", "words").split())
    assert pairs["ports"] == "2" and pairs["mac_learned"] == "2"
    assert pairs["mac_entries"] == str(now["mac"]["entries"])


def test_words_are_called_as_those_of_the_page_for_pollers(tmp_path):
    page = tmp_path / "metrics"
    with lab.Switch("--metrics", f"unix:{page}", workdir=tmp_path) as switch, \
            lab.Client(switch.socket):
        for port in [], ["uml1"]:
            _, line, _ = ringctl("--socket", control_path(switch), "stats",
                                 "words", *port)
            path = "/".join(["/words", *port])
            assert names(line) == [name for name in names(get(page, path))
                                   if name != "cpu_ms"]


def names(line):
    return [word.split(":")[0] for word in line.split()]


def get(page, path):
    """The body of an answer."""
    with connected(socket.SOCK_STREAM, page) as http:
        http.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: http.recv(65536), b""))
    return answer.decode().partition("\r\n\r\n")[2]


def test_rates_are_told_as_often_as_asked(pair, tell):
    text = tell("-j", "stats", "-w", "0.05", "--count", "3")
    reports = [json.loads(line) for line in text.splitlines()]
    assert len(reports) == 3
    for report in reports:
        assert [port["name"] for port in report["ports"]] == ["uml1", "uml2"]
        assert report["seconds"] > 0
    assert tell("stats", "show", "uml1", "--watch", "0.01", "--count", "2"
                ).count("uml1") == 2


def test_rates_are_of_what_has_passed(pair, switch):
    """As much as was sent, whatever the time that it took."""
    with subprocess.Popen(
            [program(), "--socket", control_path(switch), "-j", "stats", "-w",
             "0.05"], stdout=subprocess.PIPE, text=True,
            env=environment()) as watch:
        frames = 0

        def report():
            now = json.loads(watch.stdout.readline())
            return now["ports"][0]["received_rate"] * now["seconds"]
        report()
        for _ in range(10):
            reach(*pair, 1)
        while frames < 9.99:
            frames += report()
        assert frames < 10.01
        watch.kill()


# The configuration -----------------------------------------------------------

def test_the_configuration_is_a_command_line_for_a_shell(tmp_path):
    path = tmp_path / "it's a $HOME `dir`"
    path.mkdir()
    with lab.Switch("--hub", workdir=path) as switch:
        shell, _ = both_configurations(switch)
        assert shlex.split(shell) == json.loads(
            ringctl("--socket", control_path(switch), "config", "-j")[1]
        )["words"]
        assert f"uml:{switch.socket}" in shlex.split(shell)
        assert "--hub" in shlex.split(shell)


def both_configurations(switch):
    return [ringctl("--socket", control_path(switch), "config", how)[1]
            for how in ("show", "lines")]


def test_its_lines_are_a_configuration_file(tmp_path):
    with lab.Switch("--hub", "--ageing", "7", workdir=tmp_path) as switch:
        before = both_configurations(switch)
    (tmp_path / "file").write_text(before[1])
    assert "ageing 7\n" in before[1]
    with lab.Switch("--config", tmp_path / "file", socket=None,
                    workdir=tmp_path) as again:
        again.socket = switch.socket
        assert both_configurations(again) == before


# The process -----------------------------------------------------------------

def test_restart_returns_when_the_new_switch_answers(tmp_path):
    with lab.Switch(workdir=tmp_path, keeper=True) as switch:
        def tell(*words):
            code, out, said = ringctl("--socket", control_path(switch), *words)
            assert (code, said) == (0, "")
            return out

        tell("listener", "add", f"uml:{tmp_path}/more")
        assert json.loads(tell("-j", "version"))["starts"] == 1
        tell("restart")
        assert json.loads(tell("-j", "version"))["starts"] == 2
        assert len(rows(tell("listener"))) == 2
        lab.Client(tmp_path / "more").close()


def test_a_switch_that_nobody_starts_again_is_told(tmp_path):
    with lab.Switch(workdir=tmp_path) as switch:
        code, _, said = ringctl("--socket", control_path(switch), "restart")
        assert code == 2 and "no keeper" in said


def test_stop_returns_when_the_switch_is_gone(tmp_path):
    with lab.Switch(workdir=tmp_path) as switch:
        path = control_path(switch)
        assert ringctl("--socket", path, "stop") == (0, "", "")
        # A dead child of ours, or on its way there: nothing listens.
        assert not lab.can_connect(switch.socket)
        assert not lab.is_running(switch.pid)
        assert switch.process.wait(lab.STEP_S) == 0
        code, _, said = ringctl("--socket", path, "version")
        assert code == 2 and "running" in said
