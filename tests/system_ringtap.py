"""ringtap: persistent taps, made, deleted and listed."""

import json
import os
import re
import shutil
import subprocess

import jsonschema
import pytest

import lab
from lab_ringtap import (IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, TUNSETIFF,
                         as_nobody, does, ip_links, opened, refuses,
                         ringtap_fixture, run, taps)


# add ---------------------------------------------------------------------------

def test_add_makes_a_tap_that_stays_for_who_runs_it(ringtap):
    assert does(ringtap, "add", "tap0") == ""
    tap = taps()["tap0"]
    assert tap["type"] == "tap" and tap["persist"] and not tap["pi"]
    assert tap["user"] in ("root", os.geteuid()) and not tap["group"]
    assert "UP" not in tap["flags"] and tap["mtu"] == 1500


def test_add_sets_owner_group_mtu_and_brings_it_up(ringtap, other_user):
    does(ringtap, "add", "tap0", "user", "nobody", "group", "daemon",
         "mtu", "9000", "up")
    tap = taps()["tap0"]
    assert (tap["user"], tap["group"]) == ("nobody", "daemon")
    assert tap["mtu"] == 9000 and "UP" in tap["flags"]


def test_users_and_groups_may_be_numbers_and_words_short(ringtap, other_user):
    does(ringtap, "a", "tap0", "m", "1400", "us", "4242", "g", "4343")
    tap = taps()["tap0"]
    assert (tap["user"], tap["group"]) == (4242, 4343)
    assert tap["mtu"] == 1400


def test_with_a_group_alone_the_tap_has_no_owner(ringtap):
    does(ringtap, "add", "tap0", "group", "0")
    tap = taps()["tap0"]
    assert tap["group"] in ("root", 0) and "user" not in tap


def test_a_name_with_a_number_to_find_is_told(ringtap):
    does(ringtap, "add", "web0")
    assert does(ringtap, "add", "web%d") == "web1\n"
    assert set(taps()) == {"web0", "web1"}


def test_add_with_json_tells_of_the_new_tap(ringtap):
    does(ringtap, "add", "tap0")
    told = json.loads(does(ringtap, "-j", "add", "tap%d", "up"))
    assert [tap["name"] for tap in told] == ["tap1"] and told[0]["up"]


@pytest.mark.parametrize("name", ["tap0", "lo"])
def test_add_refuses_a_name_that_is_taken(ringtap, name):
    does(ringtap, "add", "tap0")
    before = ip_links()
    assert name in refuses(ringtap, 2, "add", name, "mtu", "1400")
    assert ip_links() == before


WRONG_WORDS = {
    "no name": ["add"],
    "a blank": ["add", "a b"],
    "too long": ["add", "a-name-of-16-byt"],
    "a slash": ["add", "a/b"],
    "empty": ["add", ""],
    "two numbers": ["add", "a%db%d"],
    "another conversion": ["add", "a%s"],
    "no such user": ["add", "x", "user", "nobody-here"],
    "no user": ["add", "x", "user", ""],
    "a user below zero": ["add", "x", "user", "-5"],
    "a user that means none": ["add", "x", "user", "4294967295"],
    "no such group": ["add", "x", "group", "nobody-here"],
    "no value": ["add", "x", "user"],
    "small mtu": ["add", "x", "mtu", "67"],
    "large mtu": ["add", "x", "mtu", "65522"],
    "mtu that is none": ["add", "x", "mtu", "1500x"],
    "unknown word": ["add", "x", "blue"],
    "either word": ["add", "x", "u", "0"],
    "twice": ["add", "x", "up", "up"],
    "no command": ["frobnicate"],
    "no option": ["--frobnicate"],
    "no letter": ["-x"],
    "del without a name": ["del"],
    "del with two": ["del", "x", "y"],
    "show with two": ["show", "x", "y"],
    "a line of its own": ["show", "x", "y\nringtap: z"],
}


@pytest.mark.parametrize("words", WRONG_WORDS.values(), ids=WRONG_WORDS)
def test_a_wrong_command_line_is_told_on_one_line_and_does_nothing(ringtap,
                                                                   words):
    refuses(ringtap, 1, *words)
    assert not taps()


def test_the_longest_name_and_the_limits_of_the_mtu_are_taken(ringtap):
    does(ringtap, "add", "a-name-of-15-by", "mtu", "68")
    does(ringtap, "add", "x", "mtu", "65521")
    assert {tap["mtu"] for tap in taps().values()} == {68, 65521}


def test_what_cannot_be_finished_leaves_nothing_behind(ringtap):
    """A tap without its owner would be everybody's. In a user namespace with
    one user, there is no other to give it to."""
    show = f"exec {ringtap} -j show"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-c",
         f"{ringtap} add tap0 user 4242; echo $?; {show}"],
        capture_output=True, text=True)
    if "unshare" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    assert done.stdout == "2\n[]\n"
    assert "tap0" in done.stderr and "uid_map" in done.stderr


def test_without_the_right_add_says_what_to_do(ringtap, as_nobody, public_dir):
    program = shutil.copy(ringtap, public_dir)
    said = refuses(program, 2, "add", "tap0", wrapper=as_nobody)
    assert "tap0" in said and "CAP_NET_ADMIN" in said and "sudo" in said
    assert not taps()


# del ---------------------------------------------------------------------------

@pytest.mark.parametrize("words", [[], ["multi_queue"], ["vnet_hdr"], ["pi"],
                                   ["multi_queue", "vnet_hdr", "pi"]],
                         ids=" ".join)
def test_del_deletes_taps_of_every_sort(ringtap, words):
    lab.sh("ip", "tuntap", "add", "tap0", "mode", "tap", *words)
    does(ringtap, "add", "tap1")
    assert does(ringtap, "del", "tap0") == ""
    assert set(taps()) == {"tap1"}


@pytest.mark.parametrize("words,flags", [([], 0),
                                         (["multi_queue"], IFF_MULTI_QUEUE)])
def test_del_leaves_what_somebody_has_open_and_says_who(ringtap, words, flags):
    lab.sh("ip", "tuntap", "add", "tap0", "mode", "tap", *words)
    with opened("tap0", IFF_TAP | IFF_NO_PI | flags):
        said = refuses(ringtap, 2, "del", "tap0")
        assert taps()["tap0"]["persist"]
    assert f"({os.getpid()})" in said
    does(ringtap, "del", "tap0")


@pytest.mark.parametrize("name", ["lo", "tun0", "nothing"])
def test_del_and_show_refuse_what_is_no_tap(ringtap, name):
    lab.sh("ip", "tuntap", "add", "tun0", "mode", "tun")
    before = ip_links()
    for command in "del", "show":
        assert name in refuses(ringtap, 2, command, name)
    assert does(ringtap, "show") == ""
    assert ip_links() == before


def test_a_user_deletes_his_own_tap_and_no_other(ringtap, as_nobody,
                                                 public_dir):
    program = shutil.copy(ringtap, public_dir)
    does(ringtap, "add", "mine", "user", "nobody")
    does(ringtap, "add", "yours")
    assert "sudo" in refuses(program, 2, "del", "yours", wrapper=as_nobody)
    assert run(program, "del", "mine", wrapper=as_nobody) == (0, "", "")
    assert set(taps()) == {"yours"}


# show --------------------------------------------------------------------------

ID = {"type": ["integer", "null"], "minimum": 0}
TEXT = {"type": ["string", "null"]}
FLAG = {"type": "boolean"}
USER = {"type": "object", "additionalProperties": False,
        "required": ["pid", "program"],
        "properties": {"pid": {"type": "integer"},
                       "program": {"type": "string"}}}
FIELDS = {
    "name": {"type": "string"}, "up": FLAG, "carrier": FLAG,
    "mtu": {"type": "integer"},
    "address": {"type": "string", "pattern": "^([0-9a-f]{2}:){5}[0-9a-f]{2}$"},
    "uid": ID, "user": TEXT, "gid": ID, "group": TEXT,
    "persist": FLAG, "multi_queue": FLAG, "vnet_hdr": FLAG, "pi": FLAG,
    "master": TEXT,
    "opened_by": {"type": ["array", "null"], "items": USER}}
SCHEMA = {"type": "array", "items": {
    "type": "object", "additionalProperties": False,
    "required": list(FIELDS), "properties": FIELDS}}


def shown(program, *words, wrapper=()):
    """name: tap, as `show -j` tells it."""
    code, out, said = run(program, "show", "-j", *words, wrapper=wrapper)
    assert (code, said) == (0, "") and out.count("\n") == 1
    told = json.loads(out)
    jsonschema.validate(told, SCHEMA)
    return {tap["name"]: tap for tap in told}


@pytest.fixture
def some_taps(ringtap, cleanup):
    does(ringtap, "add", "tap0")
    does(ringtap, "add", "a-name-of-15-by", "group", "0", "mtu", "65521", "up")
    lab.sh("ip", "tuntap", "add", "tapq", "mode", "tap", "multi_queue",
           "vnet_hdr", "pi")
    cleanup.callback(lab.sh, "ip", "link", "del", "br0")
    lab.sh("ip", "link", "add", "br0", "type", "bridge")
    lab.sh("ip", "link", "set", "tap0", "master", "br0")
    cleanup.enter_context(opened("passing"))


def test_show_tells_what_ip_tells(ringtap, some_taps):
    told = shown(ringtap)
    found = taps()
    assert list(told) == list(found)
    assert [tap["name"] for tap in told.values() if tap["up"]] == [
        "a-name-of-15-by"]
    for name, tap in found.items():
        mine = told[name]
        for flag in "persist", "multi_queue", "vnet_hdr", "pi":
            assert mine[flag] == tap.get(flag, False), (name, flag)
        assert mine["user"] == tap.get("user")
        assert mine["group"] == tap.get("group")
        assert mine["master"] == tap.get("master")
        assert (mine["mtu"], mine["address"]) == (tap["mtu"], tap["address"])
    assert (told["tap0"]["uid"], told["tap0"]["gid"]) == (os.geteuid(), None)
    assert told["tapq"]["user"] is told["tapq"]["uid"] is None


def test_the_table_lines_up_and_has_every_tap(ringtap, some_taps):
    head, *lines = does(ringtap, "show").splitlines()
    starts = [found.start() for found in re.finditer(r"\S+( BY)?", head)]
    assert len(lines) == len(taps()) and len(starts) == 8
    for line in lines:
        # The MTU, the third, is aligned on the right.
        for column in (start for n, start in enumerate(starts) if n != 2):
            assert (" " + line)[column] == " " != line[column], line
        assert re.fullmatch(r" *\d+ ", line[starts[1] + 5:starts[2] + 4])
    assert f"({os.getpid()})" in lines[-1]
    assert lines[0].split()[:7] == ["tap0", "down", "1500",
                                    told_owner(ringtap), "-", "persist", "br0"]


def told_owner(ringtap):
    tap = shown(ringtap, "tap0")["tap0"]
    return tap["user"] or str(tap["uid"])


def test_show_is_the_default_and_can_be_of_one_tap(ringtap, some_taps):
    assert does(ringtap) == does(ringtap, "show") == does(ringtap, "s")
    assert list(shown(ringtap, "tapq")) == ["tapq"]
    assert does(ringtap, "show", "tap0").count("\n") == 2


def test_no_taps_are_no_lines_and_an_empty_array(ringtap):
    assert does(ringtap, "show") == ""
    assert shown(ringtap) == {}


def test_pretty_json_says_the_same_on_more_lines(ringtap, some_taps):
    pretty = does(ringtap, "show", "-j", "-p")
    assert pretty.count("\n") > 20
    assert json.loads(pretty) == list(shown(ringtap).values())


def test_show_tells_that_the_switch_has_it_open(ringtap, tmp_path):
    does(ringtap, "add", "tap0")
    assert shown(ringtap)["tap0"]["opened_by"] == []
    with lab.Switch("--tap", "tap0", workdir=tmp_path) as switch:
        tap = shown(ringtap)["tap0"]
        assert tap["carrier"] and tap["up"]
        assert tap["opened_by"] == [{"pid": switch.pid,
                                     "program": "ringswitch"}]
        line = does(ringtap, "show").splitlines()[1]
        assert line.endswith(f"  ringswitch({switch.pid})")
        assert len(line) <= 80
    assert shown(ringtap)["tap0"]["opened_by"] == []


def test_a_process_with_many_queues_is_told_once_for_each_tap(ringtap,
                                                              cleanup):
    for name in "tap0", "tap0", "tap1":
        cleanup.enter_context(
            opened(name, IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE))
    told = shown(ringtap)
    for name in "tap0", "tap1":
        assert [user["pid"] for user in told[name]["opened_by"]] == [
            os.getpid()]


def test_a_program_that_we_may_not_see_is_not_nobody(ringtap, as_nobody,
                                                     public_dir):
    program = shutil.copy(ringtap, public_dir)
    does(ringtap, "add", "tap0")
    with opened("tap0"):
        assert shown(program, wrapper=as_nobody)["tap0"]["opened_by"] is None
        _, table, _ = run(program, "show", wrapper=as_nobody)
        assert table.splitlines()[1].endswith("  ?")
        assert shown(ringtap)["tap0"]["opened_by"]


def test_a_tap_of_that_name_in_another_namespace_is_not_ours(ringtap):
    does(ringtap, "add", "tap0")
    code = ("import fcntl,os,struct;f=os.open('/dev/net/tun',2);"
            f"fcntl.ioctl(f,{TUNSETIFF},struct.pack('16sH22x',b'tap0',0x1002));"
            "print('open',flush=True);input()")
    with subprocess.Popen(["unshare", "--net", "python3", "-c", code],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as other:
        assert other.stdout.readline() == "open\n"
        assert shown(ringtap)["tap0"]["opened_by"] == []
        other.communicate("\n", timeout=lab.STEP_S)


def test_hundreds_of_taps_are_all_listed(ringtap):
    """More than one message of netlink's holds."""
    names = [f"many{n}" for n in range(200)]
    for name in names:
        does(ringtap, "add", name)
    assert list(shown(ringtap)) == names
    for name in names:
        does(ringtap, "del", name)


def test_a_full_disk_is_an_error(ringtap):
    with open("/dev/full", "w") as full:
        done = subprocess.run([ringtap, "help"], stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and "space" in done.stderr


def test_help_is_printed_on_demand_and_version_too(ringtap):
    assert does(ringtap, "help") == does(ringtap, "--help") == does(
        ringtap, "-h", "show")
    assert re.fullmatch(r"ringtap \S+\n", does(ringtap, "--version"))


MANUAL = lab.ROOT / "tap" / "ringtap.8"


def manual():
    """The manual page as text of 80 columns."""
    if not shutil.which("man"):
        pytest.skip("no man(1) here")
    done = subprocess.run(["man", "-E", "ascii", "-l", MANUAL], text=True,
                          capture_output=True,
                          env=os.environ | {"MANWIDTH": "80"})
    return re.sub(".\b", "", done.stdout)


def test_the_manual_has_the_commands_and_options_of_the_help(ringtap):
    page = manual()
    told = does(ringtap, "--help")
    option = r"^ +-(\w), --(\w+)"
    mine = page[page.index("\nOPTIONS"):page.index("\nOUTPUT")]
    assert re.findall(option, mine, re.M) == re.findall(option, told, re.M)
    command = r"^ {2,7}(add|del|show|help)\b ?(\[?NAME\]?)?"
    mine = page[page.index("\nCOMMANDS"):page.index("\nOPTIONS")]
    assert re.findall(command, mine, re.M) == re.findall(command, told, re.M)
    assert len(re.findall(command, told, re.M)) == 4
