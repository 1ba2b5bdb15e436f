"""The manual pages: they render, and say what the programs say.

     program --help, requests, complaints, probes  ---- the same words ----  page
"""

import json
import os
import re
import shutil
import subprocess

import pytest

import lab
import lab_install
import lab_systemd

PAGES = {"ringswitch": "switch/ringswitch.8", "ringctl": "switch/ringctl.8",
         "ringtap": "tap/ringtap.8", "ringbench": "bench/ringbench.1",
         "ringswitch-control": "switch/ringswitch-control.7",
         "ringswitch-rules": "switch/ringswitch-rules.5"}
PROGRAMS = ["ringswitch", "ringctl", "ringtap", "ringbench"]

OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")


@pytest.fixture(autouse=True)
def first_build(request, build):
    lab_install.only_first(request, build)


def rendered(page, *options):
    """The page as man shows it, in long lines, and what man complains about."""
    done = subprocess.run(
        ["man", "-E", "ascii", "--nh", "--nj", *options, "-l",
         str(lab.ROOT / PAGES[page])], text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "MANWIDTH": "1000", "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stderr
    return re.sub(".\b", "", done.stdout), done.stderr


def words_of(page):
    """All that is between blanks and punctuation on it."""
    text = rendered(page)[0]
    return set(re.findall(r"[\w.-]*\w", text)) | set(OPTION.findall(text))


def help_of(build, name):
    return subprocess.run([build / name, "--help"], text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout


def defined(text):
    """The options that a page explains: with them a paragraph begins."""
    heads = re.findall(r"^ {2,}(-.*?)(?: {2,}.*)?$", text, re.M)
    return {word for head in heads for word in OPTION.findall(head)}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", ["80", "200"])
def test_a_page_renders_without_warnings(page, width):
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", str(lab.ROOT / PAGES[page])],
        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "MANWIDTH": width,
                                     "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_has_no_warnings_either(page):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not there (apt-get install mandoc)")
    said = lab.sh("mandoc", "-T", "lint", "-W", "warning",
                  str(lab.ROOT / PAGES[page]), check=False)
    # A date would only grow old.
    assert [line for line in said.splitlines()
            if "missing date" not in line] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_is_named_exists(page):
    text = (lab.ROOT / PAGES[page]).read_text().replace("\\-", "-")
    known = {os.path.basename(path) for path in PAGES.values()}
    named = re.findall(r"\b(ring[a-z-]+)[ \"]*\((\d)\)", text)
    assert {f"{name}.{section}" for name, section in named} <= known


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_page_has_every_option_of_its_program(build, name):
    offered = set(OPTION.findall(help_of(build, name)))
    assert offered - words_of(name) == set()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_every_option_of_its_page(build, name, tmp_path):
    offered = set(OPTION.findall(help_of(build, name)))
    if name == "ringtap":
        # The page is also that of the other name.
        (tmp_path / "tunctl").symlink_to(build / "ringtap")
        offered |= set(OPTION.findall(help_of(tmp_path, "tunctl")))
    assert defined(rendered(name)[0]) - offered == set()


def test_ringswitchs_page_has_every_kind_and_key(build):
    text = help_of(build, "ringswitch")
    kinds = set(re.findall(r"\b([a-z-]+):[A-Z]", text))
    keys = set(re.findall(r",([a-z-]+)=", text))
    assert {"vde", "tap"} <= kinds and {"mtu", "isolated"} <= keys
    page = rendered("ringswitch")[0]
    assert [kind for kind in kinds if f"{kind}:" not in page] == []
    assert [key for key in keys if f"{key}=" not in page] == []


def test_ringswitchs_page_has_every_reason_for_a_drop(switch, build):
    said = lab.sh(str(build / "ringctl"), "--socket", f"{switch.socket}.control",
                  "-j", "stats", "show")
    reasons = set(json.loads(said)["total"]["drops"])
    assert "runt" in reasons
    assert reasons - words_of("ringswitch") == set()


def test_ringswitchs_page_has_every_probe(build):
    notes = lab.sh("readelf", "--notes", str(build / "ringswitch"))
    probes = set(re.findall(r"Provider: ringswitch\s+Name: (\w+)", notes))
    assert "frame__received" in probes
    assert probes - words_of("ringswitch") == set()


def test_the_protocols_page_has_every_command_and_argument(switch, build):
    said = lab.sh("/usr/bin/python3", "-c", """
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'{"execute":"help"}\\n')
print(s.makefile().readline())
""", f"{switch.socket}.control")
    words = words_of("ringswitch-control")
    commands = json.loads(said)["return"]
    assert {"port.show"} <= {command["command"] for command in commands}
    for command in commands:
        assert command["command"] in words
        assert set(command["arguments"]) - words == set(), command["command"]


# The rules -------------------------------------------------------------------

@pytest.fixture
def complaint(tap_device, tmp_path, build):
    """complaint(statement): what ringswitch says about it."""
    if not lab_systemd.is_machines_root():
        pytest.skip("rules at a tap need the machine's root")

    def ask(text):
        rules = tmp_path / "rules"
        rules.write_text(text + "\n")
        return lab.sh(str(build / "ringswitch"), "--unix",
                      str(tmp_path / "rules.ctl"), "--port",
                      f"tap:tap0,rules={rules}", check=False)
    return ask


def listed(said):
    """The words that it lists behind the last colon."""
    return re.findall(r"[a-z][\w/-]*", said.rsplit(":", 1)[1].split(";")[0])


def test_the_rules_page_has_every_match_and_every_value(complaint):
    words = words_of("ringswitch-rules")
    matches = listed(complaint("accept nonsense 1"))
    assert "dst-port" in matches
    for match in matches:
        assert match in words
        said = complaint(f"accept {match} ?")
        assert f"'?' is not " in said, said
        values = re.search(r": ((?:[\w-]+, )+)", said.split(" is not ")[1])
        for value in values[1].rstrip(", ").split(", ") if values else ():
            assert value in words, (match, value)


@pytest.mark.parametrize("statement", [
    "nonsense", "rate-limit 5 nonsense", "rate-limit 5 bit/s burst 5 nonsense"])
def test_the_rules_page_has_every_statement_and_unit(statement, complaint):
    page = rendered("ringswitch-rules")[0]
    said = complaint(statement)
    named = re.split(r"[,: ]+| or ", said.split(" is not ")[1].strip())
    unknown = {word for word in named if word and word not in page}
    assert unknown - {"a", "unit", "or"} == set()


def test_the_rules_pages_examples_are_rules(complaint, tmp_path):
    text = (lab.ROOT / PAGES["ringswitch-rules"]).read_text()
    examples = re.findall(r"^\.EX\n(.*?)^\.EE", text, re.M | re.S)
    assert len(examples) == 2
    for example in examples:
        # A mistake behind them: all before it was understood.
        good = example.replace("\\-", "-")
        line = good.count("\n") + 1
        assert f"rules:{line}:1: 'end' is not" in complaint(good + "end")
