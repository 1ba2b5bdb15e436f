"""The configuration: from a file, as a command line; and the end.

     switch.conf --> ringswitch --> config.show --> ringswitch --> the same
"""

import os
import signal
import subprocess

import pytest

import lab
from lab_clients import (BessClient, BessServer, StreamServer, mode_of,
                         reach)
from lab_control import Control, control_of
from lab_filter import MARK_RULE, RuleFile, bpf, rules_text

assert bpf      # the fixture


@pytest.fixture
def config(tmp_path):
    """Writes a file of options; returns its path."""
    def write(*lines, end="\n"):
        path = tmp_path / "switch.conf"
        path.write_bytes(b"".join(
            (line if isinstance(line, bytes) else line.encode()) + end.encode()
            for line in lines))
        return str(path)
    return write


def one_line(said):
    return said.endswith("\n") and said.count("\n") == 1


def refused(*arguments):
    """lab.run_switch() for words that are no text."""
    done = subprocess.run([lab.ringswitch(), *arguments], timeout=lab.STEP_S,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def words_of(control):
    return control.request("config.show")["words"]


# From a file -----------------------------------------------------------------

def test_a_file_has_the_same_words_one_option_a_line(config, tmp_path):
    path = config("# what this lab needs", "", f"listen bess:{tmp_path}/b",
                  f"listen  \t uml:{tmp_path}/with blank", "hub",
                  "   ", "ageing 77", f"control {tmp_path}/c,mode=0640")
    with lab.Switch("--config", path, socket=None, workdir=tmp_path), \
            BessClient(tmp_path / "b") as a, \
            lab.Client(tmp_path / "with blank") as b, \
            Control(tmp_path / "c") as control:
        reach(a, b)
        words = words_of(control)
        assert "--hub" in words
        assert words[words.index("--ageing") + 1] == "77"
        assert mode_of(tmp_path / "c") == 0o640


def test_a_file_may_be_mixed_with_options(config, tmp_path):
    path = config(f"listen bess:{tmp_path}/b,name=web", "ageing 77")
    with lab.Switch("--hub", "--config", path, "--mode", "0700",
                    workdir=tmp_path) as switch, \
            BessClient(tmp_path / "b") as a, lab.Client(switch.socket) as b:
        reach(a, b)
        assert mode_of(tmp_path / "b") == mode_of(switch.socket) == 0o700


def test_the_last_line_needs_no_end(config, tmp_path):
    path = config(f"unix {tmp_path}/u", end="")
    with lab.Switch("--config", path, socket=None, workdir=tmp_path):
        lab.Client(tmp_path / "u").close()


def test_lines_may_end_as_on_other_systems(config, tmp_path):
    path = config("# comment", "", f"unix {tmp_path}/u", "hub", end="\r\n")
    with lab.Switch("--config", path, socket=None, workdir=tmp_path):
        lab.Client(tmp_path / "u").close()


def test_an_empty_file_is_no_option(config, tmp_path):
    with lab.Switch("--config", config(), workdir=tmp_path) as switch:
        lab.Client(switch.socket).close()


def test_a_second_file_is_refused(config, tmp_path):
    path = config("hub")
    code, said = refused("--config", path, "--config", path)
    assert code == 2 and one_line(said) and path in said


@pytest.mark.parametrize("line, says", [
    (b"bogus 5", "bogus"), (b"hub now", "hub"), (b"listen", "listen"),
    (b"listen bogus:/x", "bogus"), (b"ageing x", "ageing"),
    (b"ageing", "ageing"), (b"config /etc/other", "config"),
    (b"mac-table 1", "mac-table"), (b"\xff\xfe", ""),
    (b"--hub", "hub"), (b"help", "help"), (b"version", "version"),
    (b"port tap:" + b"x" * 70000, ""), (b"listen uml:/x,mtu=5", "mtu"),
    (b"=", "="), (b"; comment", ";"), (b"name a/b", "name")],
    ids=lambda value: repr(value[:20]))
def test_a_mistake_is_named_with_file_and_line(config, line, says):
    path = config("# first", "ageing 5", line, "hub")
    code, said = refused("--config", path)
    assert code == 2, said
    assert one_line(said) and f"{path}:3" in said and says in said
    assert len(said) < 2000


@pytest.mark.parametrize("make", [
    lambda path: None, lambda path: path.mkdir(),
    lambda path: path.symlink_to(path)], ids=["absent", "directory", "loop"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path, make):
    path = tmp_path / "switch.conf"
    make(path)
    code, said = lab.run_switch("--config", path)
    assert code in (1, 2) and one_line(said) and str(path) in said


def test_a_file_without_an_end_is_an_error():
    code, said = lab.run_switch("--config", "/dev/zero")
    assert code in (1, 2) and one_line(said) and "/dev/zero" in said


def test_a_pipe_is_a_file_too(tmp_path):
    """As a shell's <(...) is."""
    reader, writer = os.pipe()
    os.write(writer, f"listen bess:{tmp_path}/b\n".encode())
    os.close(writer)
    try:
        with lab.Switch("--config", f"/dev/fd/{reader}", socket=None,
                        workdir=tmp_path, pass_fds=[reader]):
            BessClient(tmp_path / "b").close()
    finally:
        os.close(reader)


def test_a_file_that_is_no_text_is_an_error(config):
    path = config("hub", b"ageing 5\0", "hub")
    code, said = refused("--config", path)
    assert code in (1, 2) and one_line(said) and path in said


def test_config_without_a_file_is_an_error():
    code, said = lab.run_switch("--config")
    assert code == 2 and one_line(said) and "config" in said


# As a command line -----------------------------------------------------------

def started_again(words, workdir):
    """A switch of the words of another one, which is gone."""
    return lab.Switch(*words[1:], socket=None, workdir=workdir, name="again")


def settled(words):
    """What is the same in two switches, in any order of options."""
    return sorted(words[1:])


def test_the_words_start_a_switch_that_has_the_same(tmp_path, cleanup):
    first = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/b,mtu=9000,queue=77,isolated=on",
        "--listen", f"stream:{tmp_path}/with,,comma,name=web",
        "--port", f"dgram:{tmp_path}/sw,remote={tmp_path}/vm,mac-limit=5",
        "--hub", "--ageing", "99", "--mac-table", "256", "--mode", "0770",
        "--allow-uid", "0", "--pidfile", str(tmp_path / "pid"),
        "--control", f"{tmp_path}/c,mode=0640", workdir=tmp_path))
    with Control(tmp_path / "c") as control:
        words = words_of(control)
        ports = control.request("port.show")
        listeners = control.request("listener.show")
    assert first.stop() == 0
    cleanup.enter_context(started_again(words, tmp_path))
    with Control(tmp_path / "c") as control:
        assert settled(words_of(control)) == settled(words)
        assert control.request("listener.show") == listeners
        again = control.request("port.show")
        assert [{**port, "id": 0} for port in again] == [
            {**port, "id": 0} for port in ports]
    assert mode_of(tmp_path / "c") == 0o640


def test_what_was_changed_since_the_start_is_in_the_words(tmp_path):
    """Added, set, deleted: ports and listeners."""
    with BessServer(tmp_path / "s1"), StreamServer(tmp_path / "s2"), \
            lab.Switch(workdir=tmp_path) as switch:
        with control_of(switch) as control:
            add = control.request
            add("listener.add", endpoint=f"bess:{tmp_path}/b,queue=9")
            add("listener.add", endpoint=f"vde:{tmp_path}/gone")
            add("port.add", endpoint=f"connect-bess:{tmp_path}/s1,name=one")
            add("port.add", endpoint=f"connect-stream:{tmp_path}/s2,name=two")
            control.set("one", isolated=True, mac_limit=4, name="uplink",
                        learning=False, queue=66)
            add("port.down", port="uplink")
            add("port.del", port="two")
            add("listener.del", listener=f"vde:{tmp_path}/gone")
            words = words_of(control)
            before = control.port("uplink")
        said = " ".join(words)
        assert "gone" not in said and "s2" not in said and "fd:" not in said
        assert switch.stop() == 0
        with started_again(words, tmp_path), \
                Control(f"{switch.socket}.control") as control:
            assert settled(words_of(control)) == settled(words)
            after = control.port("uplink")
            for key in ("isolated", "mac_limit", "learning", "queue",
                        "endpoint", "frame_max"):
                assert after[key] == before[key], key
            assert len(control.request("listener.show")) == 2


def test_guests_are_no_part_of_the_configuration(switch):
    with control_of(switch) as control:
        before = words_of(control)
        with lab.Client(switch.socket) as a, lab.Client(switch.socket) as b:
            reach(a, b)
            control.set("uml1", isolated=True)
            assert words_of(control) == before


def test_a_default_configuration_is_short(switch):
    with control_of(switch) as control:
        words = words_of(control)
    assert words == ["ringswitch", "--listen", f"uml:{switch.socket}",
                     "--control", f"{switch.socket}.control",
                     "--monitor", f"{switch.socket}.monitor", "--no-keeper"]


# The end ---------------------------------------------------------------------

def test_stop_is_the_end_in_good_order(tmp_path, cleanup):
    with lab.Switch("--pidfile", f"{tmp_path}/pid", workdir=tmp_path
                    ) as switch, lab.Client(switch.socket) as a, \
            lab.Client(switch.socket) as b, control_of(switch) as control:
        reach(a, b)
        assert control.request("stop") == {}
        assert control.ended()
        assert switch.process.wait(lab.STEP_S) == 0
        assert switch.final_stats()["total"]["received"] == 1
    assert {path.name for path in tmp_path.iterdir()} == {
        "switch.out", "switch.log"}


def test_sighup_reads_rules_again_and_the_control_socket_stays(
        bpf, tmp_path, cleanup):
    rules = RuleFile(tmp_path / "rules", rules_text(MARK_RULE))
    switch = cleanup.enter_context(lab.Switch(
        "--tap", f"tap0,rules={rules}", workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    for number in range(2, 5):
        rules.write(rules_text(MARK_RULE, *["drop dst-port 1"] * number))
        switch.process.send_signal(signal.SIGHUP)
        control.wait(lambda c: f" {number + 1} rules" in c.request(
            "filter.show")[0]["in_force"], "the new rules")
    assert f"tap:tap0,rules={rules}" in words_of(control)
