"""ringswitch-control(7): what it says is so, and its examples work.

The examples are taken from the page as `man` shows it, since that is what
people copy.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

import lab
from lab_clients import reach
from lab_control import control_of, control_path
from lab_schema import ARGUMENTS, ERROR_CODES, EVENTS, REPLIES, READ_ONLY

PAGE = lab.ROOT / "switch" / "ringswitch-control.7"


@pytest.fixture(scope="module")
def page():
    """The page as text, without the marks of bold and underlined words."""
    if not shutil.which("groff"):
        pytest.skip("no groff here (package groff-base)")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-P-cbou", "-rLL=200n", "-rHY=0", "-ww",
         str(PAGE)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def section(page, title):
    """The lines below the heading @title, up to the next heading."""
    found = re.search(rf"^ {{0,3}}{re.escape(title)}\n((?: {{7}}.*\n|\n)*)",
                      page, re.M)
    assert found, f"{PAGE} has no heading {title}"
    return found.group(1)


def example(page, title):
    """The script in a section: from its first line on, as one types it."""
    lines = section(page, title).splitlines()
    start = next(n for n, line in enumerate(lines) if "#!/" in line)
    return "\n".join(line[7:] for line in lines[start:]).rstrip() + "\n"


@pytest.fixture
def script(page, tmp_path):
    """Writes the example of a section into a file."""
    def write(title):
        path = tmp_path / "example"
        path.write_text(example(page, title))
        return str(path)
    return write


def members_of(schema):
    """All names of members that occur anywhere in a schema."""
    if isinstance(schema, list):
        return set().union(*map(members_of, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", ())).union(
        *map(members_of, schema.values()))


# What it says ----------------------------------------------------------------

def commands_of(page):
    """{command: (whether it only reads, its arguments)} by the headings."""
    text = page[page.index("\nCOMMANDS\n"):page.index("\nEXAMPLES\n")]
    # Beside a short one its description begins.
    headings = re.findall(r"^ {7}([a-z.]+)(?: (\(R\)))?(?:  +([a-z_?, ]+))?"
                          r"(?:   +[A-Z].*)?$", text, re.M)
    return {command: (bool(reads), set(re.findall(r"[a-z_]+", arguments)))
            for command, reads, arguments in headings}


def test_every_command_is_described_with_its_arguments_and_who_may(page):
    described = commands_of(page)
    for command in REPLIES:
        assert described[command] == (command in READ_ONLY,
                                      ARGUMENTS.get(command, set())), command


def test_every_member_event_and_code_is_named(page):
    words = set(re.findall(r"[a-z][a-z_.-]*[a-z]|id", page))
    wanted = set(EVENTS) | set(ERROR_CODES)
    for schema in [*REPLIES.values(), *EVENTS.values()]:
        wanted |= members_of(schema)
    assert wanted - words == set()


def test_the_commands_of_the_switch_are_those_of_the_page(switch):
    with control_of(switch) as control:
        shown = {entry["command"] for entry in control.request("help")}
    assert shown == set(REPLIES)


def test_answers_have_no_blanks_between_their_parts(switch, cleanup):
    a, b = (cleanup.enter_context(lab.Client(switch.socket)) for _ in "ab")
    reach(a, b)
    with control_of(switch) as control:
        for command in sorted(READ_ONLY - {"monitor", "help", "version"}):
            control.send_bytes(b'{"execute":"%s"}\n' % command.encode())
            outside = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", control.line())
            assert not re.search(rb"\s", outside), command


# Examples --------------------------------------------------------------------

def asked_by_others(control):
    requests = control.request("stats.show")["control"]["requests"]
    return requests - control.asked


def test_the_python_example_shows_ports_and_who_comes_and_goes(switch, script,
                                                               cleanup):
    a, b = (cleanup.enter_context(lab.Client(switch.socket)) for _ in "ab")
    reach(a, b)
    with subprocess.Popen(
            [sys.executable, script("A Python script"), control_path(switch)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True) as process:
        try:
            assert process.stdout.readline().startswith("uml1 1 0 {")
            assert process.stdout.readline().startswith("uml2 0 1 {")
            with control_of(switch) as control:
                control.wait(lambda c: asked_by_others(c) == 2,
                             "it to ask for events")
            with lab.Client(switch.socket):
                assert process.stdout.readline() == "port-up uml3\n"
            assert process.stdout.readline() == "port-down uml3\n"
        finally:
            process.kill()


@pytest.fixture
def socat():
    if not shutil.which("socat"):
        pytest.skip("no socat here (package socat)")


def test_the_shell_example_isolates_all_ports(socat, switch, script, cleanup):
    for _ in range(3):
        cleanup.enter_context(lab.Client(switch.socket))
    said = lab.sh("sh", script("A shell script"), control_path(switch))
    assert said == "".join(f"uml{n} is isolated\n" for n in (1, 2, 3))
    with control_of(switch) as control:
        assert all(p["isolated"] for p in control.request("port.show"))


def test_the_capture_example_writes_a_capture(socat, switch, script, tmp_path,
                                              cleanup):
    a, b = (cleanup.enter_context(lab.Client(switch.socket)) for _ in "ab")
    control = cleanup.enter_context(control_of(switch))
    with open(tmp_path / "capture", "wb") as to, subprocess.Popen(
            ["sh", script("A capture"), control_path(switch)],
            stdin=subprocess.PIPE, stdout=to) as process:
        control.wait(lambda c: c.request("stats.show")["control"]["captures"],
                     "the capture to begin")
        frame = reach(a, b, size=200)
        process.stdin.close()
        assert process.wait(lab.STEP_S) == 0
    data = (tmp_path / "capture").read_bytes()
    assert data[:4] == b"\x0a\x0d\x0d\x0a"
    assert data.count(frame) == 2       # as it came, and as it went
    assert b"uml1" in data and os.path.exists(control_path(switch))
