"""How ringctl is spoken to: help, abbreviations, mistakes, batches.

     script -- ringctl -- ctl.control -- ringswitch --+-- a (uml1)
                                                      +-- b (uml2)
"""

import json
import re
import shlex
import subprocess

import pytest

import lab
from lab_control import control_of, control_path
from lab_ringctl import environment, program, ringctl
from lab_ringctl import ask, pair, tell  # noqa: F401 (fixtures)

A = lab.mac(1)


@pytest.fixture
def control(switch, cleanup):
    return cleanup.enter_context(control_of(switch))


# Help, abbreviations, exit codes ---------------------------------------------

OBJECTS = {
    "port": ["show", "add", "del", "set", "up", "down"],
    "listener": ["show", "add", "del"], "mac": ["show", "add", "del", "flush"],
    "mirror": ["show", "add", "del"], "stats": ["show", "words"],
    "filter": ["show", "load"], "config": ["show", "lines"], "capture": [],
    "monitor": [], "top": [], "restart": [], "stop": [], "version": [],
    "help": []}


def assert_help(text, *words):
    assert " ".join(["ringctl", *words]) in text
    assert max(map(len, text.splitlines())) <= 80


def test_help_is_json_as_well():
    everything = json.loads(ringctl("-j", "help")[1])
    assert {line["object"] for line in everything} >= {"port", "capture"}
    assert all(set(line) == {"object", "command", "words", "help"}
               for line in everything)
    [one] = json.loads(ringctl("-j", "port", "set", "help")[1])
    assert one["command"] == "set" and "isolated" in one["help"]


def test_help_is_everywhere_and_asks_no_switch():
    for words in [["help"], ["--help"], ["-h"]]:
        code, text, said = ringctl(*words)
        assert (code, said) == (0, "")
        assert all(f"\n  {name} " in text for name in OBJECTS)
        assert max(map(len, text.splitlines())) <= 80
    for name, commands in OBJECTS.items():
        assert_help(ringctl(name, "help")[1], name, *commands[:1])
        assert_help(ringctl("help", name)[1], name, *commands[:1])
        for command in commands:
            assert_help(ringctl(name, command, "help")[1], name, command)
            assert_help(ringctl(name, "help")[1], name, command)
            assert_help(ringctl("help", name, command)[1], name, command)


@pytest.mark.parametrize("words, same", [
    ("p sh", "port show"), ("po sh uml1", "port show uml1"),
    ("ma", "mac show"), ("li", "listener show"), ("conf", "config show"),
    ("mi sh", "mirror show"), ("he po", "help port")])
def test_words_may_be_shortened_as_long_as_they_are_unique(pair, tell, words,
                                                           same):
    def shown(words):
        # Without the ages of addresses, which go on.
        return re.sub(r"\d+$", "", tell(*words.split()), flags=re.M)

    assert shown(words) == shown(same)


def test_keys_and_events_may_be_shortened_too(pair, tell, control):
    tell("port", "set", "uml1", "iso", "on", "mac", "9")
    assert control.port("uml1")["isolated"]
    assert control.port("uml1")["mac_limit"] == 9


@pytest.mark.parametrize("words, candidates", [
    ("m", "mac, mirror, monitor"), ("s", "stats, stop"),
    ("c", "capture, config"), ("port s uml1", "show, set"),
    ("port d x", "del, down"), ("port se uml1 l on", "learning, locked"),
    ("port se uml1 m 1", "mac-limit, mirror")])
def test_what_is_not_unique_is_refused_with_the_candidates(pair, ask, words,
                                                           candidates):
    code, out, said = ask(*words.split())
    assert (code, out) == (1, "")
    assert said.endswith(f": {candidates}\n") and said.count("\n") == 1


@pytest.mark.parametrize("words", [
    "", "nonsense", "port nonsense", "port add", "port add a b", "port set",
    "port set uml1", "port set uml1 queue", "port set uml1 queue many",
    "port set uml1 isolated yes", "port set uml1 queue 1 queue 2",
    "port up", "port show a b", "mac add", "mac add %s" % A, "mac del",
    "listener add", "mirror add", "mirror add a", "mirror del", "capture",
    "capture uml1 -c", "capture uml1 -c 0", "capture uml1 -Q x",
    "monitor nonsense", "top nonsense", "stats show -w 0", "stats -w 1s",
    "stats --count 1", "config show x", "stop now", "-x port", "-n",
    "--socket /a -n b port", "--timeout 0 port", "-c=x port",
    "-b /no/such/file", "-b - port", "help nonsense", "help port nonsense"])
def test_a_wrong_command_line_is_one_line_and_exit_1(pair, ask, words):
    code, out, said = ask(*words.split())
    assert (code, out) == (1, "")
    assert said.startswith("ringctl: ") and said.count("\n") == 1


@pytest.mark.parametrize("words, what", [
    ("port show nobody", "nobody"), ("port up nobody", "nobody"),
    ("port add tap", "tap"), ("port add nonsense:x", "nonsense"),
    ("port set uml1 queue 0", "queue"), ("port set uml1 name uml2", "uml2"),
    ("mac add nonsense uml1", "nonsense"), ("mac del 02:00:00:00:99:99", "99"),
    ("listener del uml:/nowhere", "/nowhere"), ("mirror add uml1 uml1", ""),
    ("capture nobody -w /dev/null", "nobody"),
    ("capture uml1 and and -w /dev/null", "expression"),
    ("stats words nobody", "nobody"), ("filter load nobody", "nobody")])
def test_what_the_switch_refuses_is_one_line_and_exit_2(pair, ask, words,
                                                        what):
    code, out, said = ask(*words.split())
    assert (code, out) == (2, "")
    assert said.startswith("ringctl: ") and said.count("\n") == 1
    assert what in said


# Batches ---------------------------------------------------------------------

def test_a_batch_is_carried_out_line_by_line(pair, tell, control, tmp_path):
    (tmp_path / "batch").write_text(
        "# comment\n\n  port set uml1 name 'web'  # another\n"
        'p set "web" iso on\n\tmac flush\nport show -j\nconfig\n')
    out = tell("-b", tmp_path / "batch").splitlines()
    assert control.port("web")["isolated"]
    assert out[0] == "2 flushed"
    assert json.loads(out[1])[0]["name"] == "web"
    # That it was to be JSON was said for one line.
    assert out[2].startswith("ringswitch ")


def test_a_batch_ends_at_the_first_failure(pair, ask, control, tmp_path):
    path = tmp_path / "batch"
    path.write_text("port set uml1 isolated on\nport set nobody queue 1\n"
                    "port set uml2 isolated on\n")
    code, _, said = ask("-b", path)
    assert code == 2
    assert said.startswith(f"{path}:2: ") and said.count("\n") == 1
    assert [port["isolated"] for port in control.ports().values()] == [
        True, False]


@pytest.mark.parametrize("force", ["-force", "--force"])
def test_force_goes_on_and_tells_all_failures(pair, ask, control, force):
    code, _, said = ask(force, "-b", "-", stdin=(
        "nonsense\nport set nobody queue 1\n'open\nport set uml2 isolated on"))
    assert code == 1  # of the first
    assert [line.split(" ")[0] for line in said.splitlines()] == [
        "-:1:", "-:2:", "-:3:"]
    assert control.port("uml2")["isolated"]


def test_a_batch_that_is_typed_answers_at_once(pair, switch):
    with subprocess.Popen(
            [program(), "--socket", control_path(switch), "-b", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment()) as batch:
        for _ in range(3):
            batch.stdin.write("mac flush uml1\n")
            batch.stdin.flush()
            assert batch.stdout.readline().endswith(" flushed\n")
        batch.stdin.close()
        assert batch.wait(lab.STEP_S) == 0


def test_quotes_and_backslashes_in_a_batch_are_as_in_a_shell(ask):
    words = r"""port show 'a b'"c\"'d"\ e'\'"""
    code, _, said = ask("-b", "-", stdin=words + "\n")
    assert code == 2
    assert "'" + shlex.split(words)[2] + "'" in said
