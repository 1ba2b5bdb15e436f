"""ringtap under the name of tunctl, side by side with that of Debian's
uml-utilities.

Both are given the same words as argv[0], in turns, in one network namespace;
what is left of one is deleted before the other begins.
"""

import os
import shutil
import subprocess

import pytest

import lab
from lab_ringtap import (as_nobody, delete_taps, does, opened, ringtap_fixture,
                         run, taps)


@pytest.fixture(scope="session")
def peer():
    """Debian's tunctl, from the peers."""
    found = shutil.which("tunctl")
    if not found or os.path.realpath(found).endswith("ringtap"):
        pytest.skip("no tunctl to compare with: make peers")
    return found


def state():
    """What the kernel has, but for the addresses that it makes up."""
    return [(name, tap["flags"], tap["mtu"], tap["linkinfo"])
            for name, tap in taps().items()]


def tell(program, *commands):
    """What @program says to each of @commands, and what then is there."""
    told = []
    for words in commands:
        told.append((words, run(program, *words, name="tunctl"), state()))
    delete_taps()
    return told


ALIKE = {
    "alone": [[]],
    "twice alone": [[], []],
    "a name": [["-t", "foo"]],
    "a name of a pattern": [["-t", "web%d"], ["-t", "web%d"]],
    "an empty name": [["-t", ""]],
    "the longest name": [["-t", "a-name-of-15-by"]],
    "brief": [["-b"], ["-b", "-t", "foo"]],
    "brief in one word": [["-btfoo"]],
    "a group alone": [["-g", "0", "-t", "foo"]],
    "user and group": [["-u", "root", "-g", "root", "-t", "foo"]],
    "numbers of other bases": [["-u", "0x0", "-t", "foo"], ["-g", "000"]],
    "what is there again": [["-t", "foo", "-g", "0"], ["-t", "foo"]],
    "delete": [["-t", "foo"], ["-d", "foo"]],
    "delete briefly": [["-t", "foo"], ["-b", "-d", "foo"]],
    "delete with a user": [["-t", "foo"], ["-u", "root", "-d", "foo"]],
    "delete and make one": [["-t", "foo"], ["-d", "foo", "-t", "foo"]],
    "delete twice": [["-t", "foo"], ["-d", "foo"], ["-d", "foo"]],
    "delete the last one of two": [["-t", "foo"], ["-t", "bar"],
                                   ["-d", "foo", "-d", "bar"]],
    "delete what is not there": [["-d", "foo"]],
    "delete a pattern": [["-d", "web%d"]],
    "delete what is no tap": [["-d", "lo"]],
    "make what is no tap": [["-t", "lo"]],
    "a name that cannot be": [["-t", "a b"], ["-t", "a/b"], ["-t", "%s"]],
    "the device said": [["-f", "/dev/net/tun", "-t", "foo"]],
    "a device that is none": [["-f", "/dev/null", "-t", "foo"],
                              ["-f", "/dev/null", "-d", "foo"]],
    "a device that is not there": [["-f", "/nowhere", "-t", "foo"]],
    "a user that is not there": [["-u", "nobody-here"], ["-u", "0x"],
                                 ["-u", "12x"]],
    "a group that is not there": [["-g", "nobody-here"], ["-g", "12x"]],
    "an option that is none": [["-q"], ["--help"], ["-h"]],
    "an option without a value": [["-u"], ["-t"], ["-d"], ["-f"], ["-g"]],
    "one word more": [["extra"], ["-t", "foo", "extra"],
                      ["extra", "-t", "foo"], ["--", "extra"]],
}

ALIKE_WITH_OTHERS = {
    "a user": [["-u", "nobody"]],
    "the last user": [["-u", "nobody", "-u", "root", "-t", "foo"]],
    "a user by number": [["-u", "4242", "-t", "foo"], ["-u", " 010"],
                         ["-u", "0x10"]],
    "a user and a group": [["-u", "nobody", "-g", "daemon", "-b"]],
    "another user later": [["-t", "foo", "-u", "nobody"], ["-t", "foo"],
                           ["-t", "foo", "-g", "daemon"]],
}


@pytest.mark.parametrize("commands", ALIKE.values(), ids=ALIKE)
def test_tunctl_says_and_does_what_the_old_one_did(ringtap, peer, commands):
    assert tell(ringtap, *commands) == tell(peer, *commands)


@pytest.mark.parametrize("commands", ALIKE_WITH_OTHERS.values(),
                         ids=ALIKE_WITH_OTHERS)
def test_tunctl_gives_taps_to_others_as_the_old_one_did(ringtap, peer,
                                                        commands, other_user):
    told = tell(ringtap, *commands)
    assert told == tell(peer, *commands)
    assert all(code == 0 for _, (code, _, _), _ in told)


def test_tunctl_leaves_what_is_open_as_the_old_one_did(ringtap, peer):
    for program in ringtap, peer:
        lab.sh("ip", "tuntap", "add", "tap0", "mode", "tap")
        with opened("tap0"):
            for words in ["-d", "tap0"], ["-t", "tap0"]:
                assert run(program, *words, name="tunctl") == (
                    1, "", "TUNSETIFF: Device or resource busy\n")
        delete_taps()


def test_tunctl_without_the_right_says_what_the_old_one_said(
        ringtap, peer, as_nobody, public_dir):
    os.symlink(shutil.copy(ringtap, public_dir), public_dir / "tunctl")
    shutil.copy(peer, public_dir / "old")
    does(ringtap, "add", "yours")
    for words in [], ["-t", "foo"], ["-d", "yours"]:
        told = [run(str(public_dir / name), *words, wrapper=as_nobody)
                for name in ("tunctl", "old")]
        assert told[0] == told[1] == (
            1, "", "TUNSETIFF: Operation not permitted\n")
    does(ringtap, "add", "mine", "user", "nobody")
    assert run(str(public_dir / "tunctl"), "-d", "mine", wrapper=as_nobody) == (
        0, "Set 'mine' nonpersistent\n", "")


def test_a_link_of_the_name_is_tunctl_wherever_it_is(ringtap, tmp_path):
    link = tmp_path / "tunctl"
    link.symlink_to(ringtap)
    done = subprocess.run([link, "-b", "-t", "foo"], capture_output=True,
                          text=True)
    assert (done.returncode, done.stdout) == (0, "foo\n")
    done = subprocess.run([link, "-x"], capture_output=True, text=True)
    assert done.stderr.startswith(f"{link}: invalid option -- 'x'\n"
                                  f"Create: {link} [-b] ")


# Where the old one was plainly wrong (ringtap(8) lists them) -------------------

DIFFERENT = {
    "a name that is too long": (
        ["-t", "a-name-of-16-byt"],
        "Set 'a-name-of-16-by' persistent and owned by uid 0\n"),
    "an empty user": (["-t", "foo", "-u", ""],
                      "Set 'foo' persistent and owned by uid 0\n"),
    "an empty group": (["-t", "foo", "-g", ""],
                       "Set 'foo' persistent and owned by gid 0\n"),
    "a user beyond all": (["-t", "foo", "-u", "4294967296"],
                          "Set 'foo' persistent and owned by uid 0\n"),
    "a user below zero": (["-t", "foo", "-u", "-1"],
                          "Set 'foo' persistent and owned by uid 0\n"),
}


@pytest.mark.parametrize("words,old", DIFFERENT.values(), ids=DIFFERENT)
def test_words_that_the_old_tunctl_mistook_are_refused(ringtap, peer, words,
                                                       old, other_user):
    assert run(peer, *words, name="tunctl") == (0, old, "")
    delete_taps()
    code, out, said = run(ringtap, *words, name="tunctl")
    assert (code, out) == (1, "") and f"'{words[-1]}' is " in said
    assert "\nCreate: tunctl " in said
    assert not taps()


def test_tunctl_deletes_no_other_than_it_was_told(ringtap, peer):
    words = ["-d", "foo", "-t", "bar"]
    for name in "foo", "bar":
        lab.sh("ip", "tuntap", "add", name, "mode", "tap")
    code, out, said = run(ringtap, *words, name="tunctl")
    assert (code, out) == (1, "") and said.startswith("-d 'foo' and -t 'bar'")
    assert set(taps()) == {"foo", "bar"}
    assert run(peer, *words, name="tunctl")[1] == "Set 'bar' nonpersistent\n"


def test_tunctl_tells_a_large_user_id_as_it_is(ringtap, peer, other_user):
    words = ["-t", "foo", "-u", "3000000000"]
    assert run(ringtap, *words, name="tunctl") == (
        0, "Set 'foo' persistent and owned by uid 3000000000\n", "")
    assert taps()["foo"]["user"] == 3000000000
    assert "uid -1294967296\n" in run(peer, *words, name="tunctl")[1]


def test_tunctl_leaves_no_tap_without_the_owner_that_was_asked_for(ringtap,
                                                                   peer):
    """In a user namespace with one user, there is no other to give it to."""
    script = ('(exec -a tunctl "$0" -t foo -u 4242); echo $?; '
              'ip link show foo 2>/dev/null | grep -c foo:')
    told = []
    for program in ringtap, peer:
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--net", "bash", "-c",
             script, program], capture_output=True, text=True)
        if "unshare" in done.stderr:
            pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
        told.append((done.stdout, done.stderr))
    assert told == [("1\n0\n", "TUNSETOWNER: Invalid argument\n"),
                    ("1\n1\n", "TUNSETPERSIST: Invalid argument\n")]
