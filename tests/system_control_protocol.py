"""The control socket's protocol: what is a request, what is an answer.

     test -- requests, one a line --> ctl.control --+
     test -- the same, but to read -> ctl.monitor --+-- ringswitch
"""

import json
import os
import time

import pytest

import lab
from lab_control import (REQUEST_BYTES, Refused, control_of, monitor_of,
                         request_line)
from lab_schema import ARGUMENTS, READ_ONLY, REPLIES, check_line, check_reply


@pytest.fixture
def control(switch):
    with control_of(switch) as control:
        yield control


@pytest.fixture
def monitor(switch):
    with monitor_of(switch) as monitor:
        yield monitor


def code_of(reply):
    return reply["error"]["code"]


def assert_serves(switch):
    with control_of(switch) as control:
        assert control.request("version")["pid"] == switch.pid


# What the switch says of itself ----------------------------------------------

def test_version_tells_who_answers(switch, control):
    before = time.time()
    version = control.request("version")
    assert version["pid"] == switch.pid
    assert version["name"] is None
    assert version["kernel"].startswith(os.uname().release.split("-")[0])
    assert 0 <= version["uptime"] < lab.STEP_S
    # The clock may be set while a machine runs: some slack.
    assert abs(version["started"] + version["uptime"] - before) < lab.STEP_S


def test_the_release_is_that_of_the_option_version(control):
    code, said = lab.run_switch("--version")
    assert code == 0
    assert control.request("version")["release"] in said


def test_help_names_every_command_with_its_arguments(control):
    shown = {entry["command"]: entry for entry in control.request("help")}
    assert set(shown) == set(REPLIES)
    for command, entry in shown.items():
        assert set(entry["arguments"]) == ARGUMENTS.get(command, set()), command
        assert len(set(entry["arguments"])) == len(entry["arguments"])
        assert entry["read_only"] == (command in READ_ONLY), command


# Envelopes -------------------------------------------------------------------

@pytest.mark.parametrize("number", [
    0, -1, 1.5, "", "web", None, True, [1, [2]], {"a": {"b": None}},
    "\u00e4\U0001f600", 2 ** 53, "x" * 1000])
def test_any_id_comes_back_as_it_was(control, number):
    reply = control.raw(request_line("version", id=number))
    assert reply["id"] == number and isinstance(reply["id"], type(number))


def test_an_error_has_the_id_too(control):
    assert control.raw(request_line("dance", id="x"))["id"] == "x"


def test_without_an_id_there_is_none_in_the_answer(control):
    assert "id" not in control.raw(request_line("version"))
    assert "id" not in control.raw(request_line("dance"))


def test_version_1_may_be_said_and_no_other(control):
    assert "return" in control.raw(request_line("version", version=1))
    for other in 0, 2, 99:
        reply = control.raw(request_line("version", version=other, id=7))
        assert code_of(reply) == "version" and reply["id"] == 7
        assert "1" in reply["error"]["message"]
    # The connection lives on.
    assert "return" in control.raw(request_line("version"))


@pytest.mark.parametrize("arguments", [{}, None])
def test_no_arguments_and_empty_arguments_are_the_same(control, arguments):
    members = {} if arguments is None else {"arguments": arguments}
    reply = control.raw(request_line("port.show", **members))
    assert reply["return"] == []


def test_blank_lines_are_ignored(control):
    reply = control.raw(b"\n\r\n  \n\t\n" + request_line("version", id=1))
    assert reply["id"] == 1


def test_a_line_may_end_as_on_other_systems(control):
    reply = control.raw(request_line("version", id=1)[:-1] + b"\r\n")
    assert reply["id"] == 1


def test_a_request_may_come_in_pieces(control):
    for byte in request_line("version", id="pieces"):
        control.send_bytes(bytes([byte]))
    assert control.reply()["id"] == "pieces"


def test_half_a_request_is_answered_when_the_other_half_has_come(switch,
                                                                control):
    line = request_line("version", id=1)
    control.send_bytes(line[:10])
    with control_of(switch) as other:
        assert other.request("version")
    assert not control.received
    assert control.raw(line[10:])["id"] == 1


@pytest.mark.parametrize("many", [2, 1000])
def test_requests_sent_at_once_are_answered_in_order(control, many):
    control.send_bytes(b"".join(request_line("version", id=n)
                                for n in range(many)))
    assert [control.reply()["id"] for _ in range(many)] == list(range(many))


def test_a_client_that_has_said_all_is_answered_and_sent_off(control):
    control.send_bytes(b"".join(request_line("help", id=n)
                                for n in range(100)))
    control.finish()
    assert [control.reply()["id"] for _ in range(100)] == list(range(100))
    assert control.ended()


def test_a_last_line_may_lack_its_end(control):
    control.send_bytes(request_line("help", id=1)
                       + request_line("version", id=2)[:-1])
    control.finish()
    assert [control.reply()["id"] for _ in range(2)] == [1, 2]
    assert control.ended()


def test_half_a_last_line_is_no_request(switch, control):
    control.send_bytes(request_line("stop")[:-2])
    control.finish()
    assert b'"return"' not in control.rest()
    assert_serves(switch)


def test_clients_do_not_see_each_others_answers(switch, cleanup):
    clients = [cleanup.enter_context(control_of(switch)) for _ in range(20)]
    for number, client in enumerate(clients):
        client.send_bytes(request_line("version", id=f"of {number}"))
    for number, client in enumerate(clients):
        assert client.reply()["id"] == f"of {number}"


# What is no request ----------------------------------------------------------

@pytest.mark.parametrize("line", [
    b"hello", b"{", b"}", b'"version"', b"5", b"null", b"[]", b"true",
    b'[{"execute":"version"}]', b'{"execute":"version"', b"{'execute':1}",
    b'{"execute":"version"} {"execute":"version"}',
    b'{"execute":"version"}x', b'{"execute":"version",}',
    b'{"execute":"vers\xffion"}', b'{"execute":"\xc0\xaf"}',
    b'{"execute":"\xed\xa0\x80"}', b"\xff\xfe", b"\0", b"\0" * 100,
    b'{"execute":"ver\0sion"}', b'{"execute":"version"}\0',
    b"[" * 60000, b'{"a":' * 10000, b"[" * 30000 + b"]" * 30000,
    b'{"id":' + b"[" * 30000 + b"]" * 30000 + b"}",
    b'{"execute":"version","id":1e999}',
    b'{"execute":"version","id":' + b"9" * 1000 + b"}",
    b'{"execute":"version","id":NaN}', b'{"execute":"version","id":01}',
    b"GET / HTTP/1.1\r\nHost: x\r\n\r",
], ids=lambda line: repr(line[:40]))
def test_what_is_no_json_object_is_said_and_ends_the_connection(switch, line):
    with control_of(switch) as control:
        assert code_of(control.raw(line + b"\n")) == "syntax"
        assert control.ended()
    assert_serves(switch)


def test_what_follows_a_line_that_is_no_json_is_not_done(switch):
    with control_of(switch) as control:
        control.send_bytes(b"hello\n" + request_line("stop"))
        assert code_of(control.reply()) == "syntax"
        assert control.ended()
    assert_serves(switch)


def test_what_stood_before_a_line_that_is_no_json_is_answered(control):
    control.send_bytes(request_line("version", id=1) + b"hello\n")
    assert control.reply()["id"] == 1
    assert code_of(control.reply()) == "syntax"
    assert control.ended()


def padded_request(total):
    """A request of @total bytes, the end of the line not counted."""
    empty = len(request_line("version", id="")) - 1
    return request_line("version", id="x" * (total - empty))


def test_the_longest_line_is_answered_whole(control):
    reply = control.raw(padded_request(REQUEST_BYTES))
    assert reply["id"] == "x" * len(reply["id"])
    assert len(reply["id"]) > REQUEST_BYTES - 100
    # And again: the room is free again.
    assert control.raw(padded_request(REQUEST_BYTES))["id"] == reply["id"]


def test_a_longer_line_is_refused_and_ends_the_connection(switch, control):
    assert code_of(control.raw(padded_request(REQUEST_BYTES + 1))) == "syntax"
    assert control.ended()
    assert_serves(switch)


def test_a_line_without_an_end_is_refused_when_it_is_too_long(switch, control):
    """It is not waited for, and not kept."""
    try:
        for _ in range(100):
            control.send_bytes(b"x" * REQUEST_BYTES)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert code_of(control.reply()) == "syntax"
    assert control.ended()
    assert_serves(switch)


# Commands and arguments ------------------------------------------------------

@pytest.mark.parametrize("command", [
    "dance", "", "VERSION", "version ", "port", "port.", "port.show.x",
    "stop\n", "x" * 60000, "\u00e4"], ids=lambda command: repr(command[:20]))
def test_an_unknown_command_is_refused_and_the_connection_goes_on(control,
                                                                  command):
    reply = control.raw(request_line(command))
    assert code_of(reply) == "command"
    assert len(reply["error"]["message"]) < 1000
    assert control.request("version")


@pytest.mark.parametrize("request_", [
    {}, {"execute": 5}, {"execute": None}, {"execute": ["version"]},
    {"execute": "version", "arguments": []},
    {"execute": "version", "arguments": "port"},
    {"execute": "version", "argument": {}},
    {"execute": "version", "x": 1}], ids=str)
def test_a_request_of_another_shape_is_refused_and_no_more(control, request_):
    reply = control.raw(json.dumps(request_).encode() + b"\n")
    assert code_of(reply) in ("command", "argument")
    assert control.request("version")


def test_a_version_of_another_type_is_refused(control):
    for version in "1", [1], 1.5, None, True:
        reply = control.raw(request_line("version", version=version))
        assert code_of(reply) in ("version", "argument"), version


@pytest.mark.parametrize("command", sorted(REPLIES))
def test_an_unknown_argument_is_refused_with_its_name(switch, control,
                                                      command):
    """Nothing of the command is done: not even to stop."""
    error = control.refusal(command, bogus=1)
    assert error.code == "argument" and "bogus" in error.message
    assert_serves(switch)


REQUIRED = {"port.add": {"endpoint"}, "port.del": {"port"},
            "port.set": {"port"}, "port.up": {"port"}, "port.down": {"port"},
            "listener.add": {"endpoint"}, "listener.del": {"listener"},
            "mac.add": {"address", "port"}, "mac.del": {"address"},
            "capture": {"port"}}


@pytest.mark.parametrize("command, missing", [
    (command, name) for command, names in sorted(REQUIRED.items())
    for name in sorted(names)])
def test_a_missing_argument_is_named(control, command, missing):
    values = {"port": "uml1", "address": lab.mac(1), "endpoint": "uml:/x",
              "listener": "uml:/x"}
    given = {name: values[name] for name in REQUIRED[command] - {missing}}
    error = control.refusal(command, **given)
    assert error.code == "argument" and missing in error.message


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], {}, ["uml1"]],
                         ids=str)
@pytest.mark.parametrize("command, name", sorted(
    (command, name) for command, names in ARGUMENTS.items() for name in names
    if name in ("port", "listener", "endpoint", "address", "expression")))
def test_an_argument_of_another_type_is_refused(control, command, name, value):
    values = {"port": "uml1", "address": lab.mac(1), "endpoint": "uml:/x",
              "listener": "uml:/x"}
    given = {key: values[key] for key in REQUIRED.get(command, ())}
    error = control.refusal(command, **{**given, name: value})
    assert error.code == "argument" and name in error.message


@pytest.mark.parametrize("command", sorted(
    command for command, names in ARGUMENTS.items() if "port" in names))
@pytest.mark.parametrize("port", ["nobody", "", "x" * 60000, "a\nb"],
                         ids=["nobody", "empty", "long", "line"])
def test_a_port_that_is_not_there_is_not_found(control, command, port):
    more = {"port.set": {"isolated": True},
            "mac.add": {"address": lab.mac(1)}}.get(command, {})
    error = control.refusal(command, port=port, **more)
    assert error.code == "not-found"
    assert len(error.message) < 1000


@pytest.mark.parametrize("command", ["listener.show", "listener.del"])
def test_a_listener_that_is_not_there_is_not_found(switch, control, command):
    for name in "uml:/nowhere", "nothing", "", f"bess:{switch.socket}":
        error = control.refusal(command, listener=name)
        assert error.code == "not-found", name


# The monitor socket ----------------------------------------------------------

@pytest.mark.parametrize("command", sorted(READ_ONLY - {"monitor"}))
def test_what_only_reads_is_answered_on_the_monitor_socket(monitor, command):
    assert check_reply(command, monitor.request(command)) is not None


def test_events_are_to_be_had_on_both_sockets(control, monitor):
    assert control.request("monitor")["events"]
    assert monitor.request("monitor")["events"]


@pytest.mark.parametrize("command", sorted(set(REPLIES) - READ_ONLY))
def test_what_changes_something_is_refused_on_the_monitor_socket(
        switch, monitor, command):
    values = {"port": "uml1", "address": lab.mac(1), "endpoint": "uml:/x",
              "listener": f"uml:{switch.socket}"}
    given = {name: values[name] for name in REQUIRED.get(command, ())}
    error = monitor.refusal(command, **given)
    assert error.code == "read-only" and command in error.message
    assert monitor.request("listener.show")
    assert switch.process.poll() is None


def test_commands_that_do_not_exist_are_unknown_on_the_monitor_socket(monitor):
    assert monitor.refusal("dance").code == "command"


# Nothing at all --------------------------------------------------------------

def test_an_empty_switch_has_no_ports_and_no_addresses(control):
    assert control.request("port.show") == []
    assert control.request("mac.show") == []
    assert control.request("filter.show") == []
    stats = control.request("stats.show")
    assert stats["ports"] == [] and stats["total"]["received"] == 0


def test_a_refusal_is_an_exception_with_code_and_message(control):
    with pytest.raises(Refused, match="^not-found: .*nobody"):
        control.request("port.del", port="nobody")


def test_duplicate_members_do_not_hide_anything(switch, control):
    """One reads the first, another the last: so neither is done."""
    control.send_bytes(b'{"execute":"version","execute":"stop"}\n')
    assert code_of(check_line(control.line())) == "syntax"
    assert_serves(switch)
