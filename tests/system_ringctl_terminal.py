"""ringctl on a terminal: tables that line up, colours, and the live view.

     Screen (80 or 200 columns) -- ringctl -- a switch, or FakeSwitch

What comes from guests is what they like it to be; FakeSwitch says it.
"""

import json
import re
import signal

import pytest

import lab
from lab_clients import reach
from lab_control import control_path
from lab_ringctl import FakeSwitch, Screen, ringctl
from lab_ringctl import ask, pair, tell  # noqa: F401 (fixtures)

LONG = "a-name-of-exactly-31-characters"
# An escape sequence, a line's end, what turns text around, wide letters.
HOSTILE = "\x1b[2J\x1b]0;owned\x07 x\ny\r\x9b31m \u202e 日本 é end"


def port(number, **more):
    return {"name": f"uml{number}", "id": number, "kind": "uml", "state": "up",
            "admin": "up", "endpoint": "uml:/run/user/1000/lab/uml.ctl",
            "description": "", "pid": 1234567, "uid": 1000, "frame_max": 1526,
            "queue": 4096, "queued": 4096, "isolated": False, "learning": True,
            "flood": True, "locked": False, "mac_limit": 0,
            "no_spoof": False, "storm_broadcast": 0, "storm_multicast": 0,
            "storm_unknown": 0, "mirror": None,
            "macs": 1, "captures": 0, "filter": False, **more}


PORTS = [port(1), port(2, name=LONG, state="admin-down", isolated=True,
                       locked=True, learning=False, flood=False, captures=1,
                       mac_limit=65535, mirror=LONG),
         port(3, description=HOSTILE, pid=None, uid=None)]


def counters(**more):
    big = 123456789012345
    return {"received": big, "received_bytes": big * 1000, "forwarded": big,
            "flooded": 0, "dropped": 5, "offered": big, "sent": big,
            "sent_bytes": big * 1000, "undelivered": 7, "queued": 1,
            "queue_high": 99, "queue_limit": 512, "stalls": 3, "credits": 128,
            "credits_max": 128, "drops": {"runt": 5, "queue_full": 7},
            "latency": {"samples": 30, "sum_ns": 60000,
                        "buckets": [[1024, 10], [2048, 0], [4096, 19],
                                    [None, 1]]}, **more}


def stats(request):
    return {"ports": [counters(name=one["name"], kind="uml", state="stalled")
                      for one in PORTS if request.get("arguments", {}).get(
                          "port", one["name"]) == one["name"]],
            "closed": counters(), "total": counters(),
            "mac": {"entries": 3, "capacity": 16384, "learned": 3, "moved": 1,
                    "expired": 0, "evicted": 0, "refused": 0},
            "loop": {"rounds": 10**12, "completions": 10**12, "frames": 10**12,
                     "submissions": 10**12, "frames_max": 64},
            "control": {"clients": 1, "monitors": 0, "requests": 1},
            "uptime": len(LONG), "time": 1.7e9}


ANSWERS = {
    "port.show": lambda request: PORTS[1:2] if "arguments" in request
    else PORTS,
    "listener.show": [{"listener": "vde:/a" + "/very-long-directory" * 5,
                       "kind": "vde", "state": "listening", "ports": 4096,
                       "name": HOSTILE, "queue": 4096, "mtu": 65535}],
    "mac.show": [{"address": f"02:00:00:00:00:0{n}", "port": LONG, "age": n,
                  "static": n == 2} for n in range(3)],
    "stats.show": stats,
    "filter.show": [{"port": "tap0", "rules": "/etc/" + "r" * 100,
                     "object": None, "accept_to_guests": "not dst port 22",
                     "in_force": "text as at start",
                     "counters": [{"line": 3, "direction": "to-host",
                                   "action": "drop", "frames": 10**15,
                                   "bytes": 10**18, "over": 10**15,
                                   "text": "drop to-host src " + "1.2.3.4,"
                                   * 20}],
                     "dropped": [{"line": 3, "direction": "to-host",
                                  "age_ms": 12, "bytes": 128,
                                  "frame": "0f" * 128}]}],
}

TABLES = ["port", "port show uml2", "listener", "mac", "stats",
          "stats show uml1", "filter", "mirror", "stats -w 0.01 --count 1",
          "help", "port help", "capture help"]


@pytest.fixture
def fake(tmp_path, cleanup):
    return cleanup.enter_context(FakeSwitch(tmp_path / "fake", ANSWERS))


def shown(fake, words, columns, **more):
    """The lines on a terminal so wide, without colours' sequences."""
    with Screen("--socket", fake.path, *words.split(), columns=columns,
                lines=100, **more) as screen:
        assert screen.wait_end() == 0
        return [line for line in screen.lines() if line], screen.text()


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("words", TABLES)
def test_no_line_is_longer_than_the_terminal_is_wide(fake, words, columns):
    if columns == 40 and "help" in words:
        columns = 80  # as README and manual are
    _, text = shown(fake, words, columns)
    plain = re.sub(r"\033\[[0-9;]*[mHJ]", "", text).split("\r\n")
    # The terminal would wrap silently: what was written tells.
    assert 0 < max(map(width, plain)) <= columns, plain


def width(line):
    """Columns of a line of text, in which some letters take two."""
    return sum(2 if "\u2e80" <= letter <= "\uffdc" else 1 for letter in line)


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("words, left", [
    ("port", ["STATE", "KIND", "FLAGS"]), ("mac", ["PORT"]),
    ("stats", ["STATE"]), ("mirror", ["MIRROR"])])
def test_columns_line_up(fake, words, left, columns):
    lines, _ = shown(fake, words, columns)
    titles = lines[0]
    for title in left:
        at = titles.index(title)
        for line in lines[1:4]:
            # A blank before every column, and none in its first place unless
            # there is nothing in it.
            assert line.ljust(at + 1)[at - 1] == " "
            assert line.ljust(at + 1)[at] != " " or not line[at:at + 4].strip()


@pytest.mark.parametrize("columns", [80, 200])
def test_numbers_end_below_their_title(fake, columns):
    lines, _ = shown(fake, "stats", columns)
    for title in "RECEIVED", "SENT":
        end = lines[0].index(title) + len(title)
        for line in lines[1:6]:
            assert line[end - 1].isdigit() and line[end:end + 1] in " "


def test_a_wide_terminal_shows_more(fake):
    narrow, wide = [shown(fake, "port", columns)[0] for columns in (80, 200)]
    assert len(narrow[0].split()) < len(wide[0].split())
    assert "ENDPOINT" in wide[0] and "ENDPOINT" not in narrow[0]
    # Names are what one types: they are not the first to be cut.
    assert any(line.startswith(LONG + " ") for line in narrow)


def test_a_pipe_has_everything(fake):
    code, out, _ = ringctl("--socket", fake.path, "port")
    assert code == 0 and "DESCRIPTION" in out and "…" not in out


def test_a_width_may_be_said_for_a_pipe(fake):
    _, out, _ = ringctl("--socket", fake.path, "port", COLUMNS="60")
    assert max(map(len, out.splitlines())) <= 60


# What guests say -------------------------------------------------------------

@pytest.mark.parametrize("words", ["port", "port show uml3", "listener"])
def test_what_guests_say_does_nothing_to_the_terminal(fake, words):
    fake.answers = {**ANSWERS, "port.show": PORTS[2:]}
    lines, text = shown(fake, words, 400)
    assert not set(re.sub(r"\033\[[0-9;]*m|\r\n", "", text)) & set(
        "\x1b\x07\x9b\n\r\u202e")
    assert r"\x1b[2J\x1b]0;owned\x07 x\x0ay\x0d" in "\n".join(lines)


def test_letters_of_other_languages_are_shown_where_the_locale_has_them(fake):
    assert "日本 é end" in ringctl("--socket", fake.path, "port")[1]
    _, out, _ = ringctl("--socket", fake.path, "port", LC_ALL="C")
    assert out.isascii() and r"\xc3\xa9 end" in out


def test_json_is_ascii_and_means_the_same(fake):
    _, out, _ = ringctl("--socket", fake.path, "-j", "port")
    assert out.isascii()
    assert json.loads(out) == PORTS


def test_a_command_line_with_a_strange_name_is_one_that_bash_reads(fake):
    words = ["ringswitch", "--port", "tap:x\x1b[1m'\\é\n", "", "a b", "--hub"]
    fake.answers = {"config.show": {"words": words}}
    _, out, _ = ringctl("--socket", fake.path, "config")
    assert "\x1b" not in out and out.count("\n") == 1
    again = lab.sh("bash", "-c", f"printf '%s\\0' {out}")
    assert again.split("\0")[:-1] == words


def test_an_error_of_the_switch_is_one_line_whatever_it_says(fake):
    line = json.dumps({"version": 1, "error": {"code": "refused",
                                               "message": HOSTILE}})
    fake.answers = {"port.show": line.encode() + b"\n"}
    code, _, said = ringctl("--socket", fake.path, "port")
    assert code == 2 and said.count("\n") == 1 and "\x1b" not in said


# Colours ---------------------------------------------------------------------

@pytest.mark.parametrize("words, more, coloured", [
    ("port", {}, True), ("-j port", {}, False), ("-c -j port", {}, False),
    ("-c=never port", {}, False), ("port --color=never", {}, False),
    ("port", {"NO_COLOR": "1"}, False), ("port", {"TERM": "dumb"}, False)])
def test_colours_are_for_a_terminal(fake, words, more, coloured):
    _, text = shown(fake, words, 80, **more)
    assert ("\033[" in text) == coloured


@pytest.mark.parametrize("words, coloured", [
    ("port", False), ("-c port", True), ("-color=always port", True),
    ("-c=auto port", False), ("-c -j port", False)])
def test_a_pipe_has_colours_only_if_they_are_asked_for(fake, words, coloured):
    code, out, _ = ringctl("--socket", fake.path, *words.split())
    assert code == 0
    assert ("\033[" in out) == coloured


# top -------------------------------------------------------------------------

@pytest.fixture
def top(pair, switch, cleanup):
    """Starts it on a terminal of a size; shows both ports."""
    def start(columns=80, lines=24, **more):
        screen = cleanup.enter_context(Screen(
            "--socket", control_path(switch), "top", "-d", "0.05",
            columns=columns, lines=lines, **more))
        screen.wait(lambda text: "uml1" in text and "uml2" in text,
                    "both ports")
        return screen
    return start


@pytest.mark.parametrize("columns", [80, 200])
def test_top_shows_what_passes_and_its_past(pair, top, columns):
    screen = top(columns)

    def lively(text):
        reach(*pair, 1, 1000)
        line = next((line for line in text.splitlines()
                     if line.startswith("uml1")), "")
        return re.search(r"up +\d", line) and re.search("[▁▂▃▄▅▆▇█]", line)
    screen.wait(lively, "a rate and a sparkline")
    assert "STALL" in screen.lines()[2]


def test_top_without_utf8_draws_with_letters(pair, top):
    screen = top(LC_ALL="C")

    def lively(text):
        reach(*pair, 1, 1000)
        return re.search(r"uml1 .*@", text)
    screen.wait(lively, "a sparkline")
    assert screen.bytes.isascii()


def test_top_sorts_by_what_is_asked_for(pair, top):
    screen = top()

    def first(name):
        return lambda text: text.splitlines()[3].startswith(name)

    def busy(text):
        # Only b sends, to nobody: its port has the rate.
        pair[1].send(lab.frame(lab.mac(2), lab.mac(2), size=1000))
        return first("uml2")(text)
    screen.wait(busy, "the busy port first")
    screen.press("ss")
    screen.wait(lambda text: "by name" in text and first("uml1")(text),
                "the ports by name")


def test_top_follows_ports_that_go(pair, top):
    screen = top()
    pair[1].close()
    screen.wait(lambda text: "1 port," in text and "uml2" not in text,
                "one port only")


def test_top_says_why_it_ends_where_it_can_be_read(tmp_path):
    """Not on the screen that goes with it."""
    with lab.Switch(workdir=tmp_path) as switch, \
            Screen("--socket", control_path(switch), "top", "-d",
                   "0.05") as screen:
        screen.wait(lambda text: "PORT" in text, "the head of the table")
        switch.stop()
        assert screen.wait_end() == 2
        behind = screen.bytes.split(b"\x1b[?1049l")[-1]
        assert b"ringctl: " in behind


def test_top_fits_a_terminal_of_any_size_and_follows_it(top):
    screen = top()
    for columns, lines in (20, 5), (3, 2), (120, 40), (80, 24):
        screen.resize(columns, lines)
        screen.press("s")
    screen.wait(lambda text: "uml2" in text and "QUEUE" in text,
                "everything again")
    screen.press("q")
    assert screen.wait_end() == 0


@pytest.mark.parametrize("end", [
    lambda screen: screen.press("q"),
    lambda screen: screen.press("\x03"),
    lambda screen: screen.process.kill(signal.SIGTERM)],
    ids=["q", "control-C", "SIGTERM"])
def test_top_leaves_the_terminal_as_it_was(top, end):
    screen = top(TERM="xterm-256color")
    end(screen)
    assert screen.wait_end() == 0
    # The alternate screen is left, the cursor is there again.
    assert b"\033[?1049l" in screen.bytes
    assert screen.bytes.rindex(b"\033[?25h") > screen.bytes.rindex(
        b"\033[?25l")


def test_top_says_why_it_ends_when_the_switch_does(tmp_path, cleanup):
    fake = FakeSwitch(tmp_path / "fake", ANSWERS)
    screen = cleanup.enter_context(
        Screen("--socket", fake.path, "top", "-d", "0.05"))
    screen.wait(lambda text: "uml3" in text, "the ports")
    fake.__exit__()
    assert screen.wait_end() == 2
    assert "ringctl: " in screen.text()


def test_top_elsewhere_is_refused_or_said(ask):
    code, _, said = ask("top")
    assert code == 1 and "terminal" in said
    with Screen("top", TERM="nonsense") as screen:
        assert screen.wait_end() == 2
        assert "nonsense" in screen.text()
    code, out, _ = ask("-j", "stats", "-w", "0.01", "--count", "1")
    assert code == 0 and json.loads(out)["ports"] == []
