"""Objects that cannot be used: --tap tap0,filter=FILE.o does not start.

One line says what, where and why, the exit status is not zero, nothing is left
attached. What does work is in system_filter_object.py.
"""

import os
import shutil
import subprocess
import sys

import pytest

import lab
from lab_filter import bpf  # noqa: F401 (a fixture)
from lab_object import (SOCKET, XDP, assert_bare, assert_judged, built,
                        filtered, refused, refused_filter)

pytestmark = pytest.mark.usefixtures("bpf")


def test_what_the_command_line_shows_to_be_wrong(tmp_path):
    path = built("bpf_both")
    rules = tmp_path / "rules"
    rules.write_text("default to-host accept\n")
    for arguments, word in (
            (["--tap", f"tap0,filter={path},rules={rules}"], "rules="),
            (["--tap", f"tap0,filter={path},filter={path}"], "filter="),
            (["--tap", "tap0,filter="], "filter="),
            (["--listen", f"uml:{tmp_path}/uml,filter={path}"], "filter"),
            (["--port", f"dgram:{tmp_path}/d,remote={tmp_path}/e,"
              f"filter={path}"], "filter")):
        code, said = refused(tmp_path, *arguments)
        assert code == 2, said
        assert word in said


# Objects that do not do -------------------------------------------------------

@pytest.mark.parametrize("name, words", [
    ("bpf_two", ["first_one", "second_one", "to the guests"]),
    ("bpf_two_kinds", ["by_socket", "by_tc", "to the guests"]),
    ("bpf_two_xdp", ["first_one", "second_one", "to the host"]),
    ("bpf_other_section", ["socket", "tc", "xdp"]),
    ("bpf_no_program", ["socket", "tc", "xdp"])])
def test_an_object_must_have_one_program_a_direction(name, words, tmp_path):
    said = refused_filter(tmp_path, built(name))
    for word in words:
        assert word in said


@pytest.mark.parametrize("name, words", [
    ("bpf_refused", ["reads_beyond", "outside of the packet"]),
    ("bpf_endless", ["takes_too_long", "too large"]),
    # The verifier does not begin with it, and so has no reason either.
    ("bpf_too_long", ["is_too_long", "Argument list too long"]),
    ("bpf_relocation", ["for_another_kernel", "sk_buff.of_another_kernel",
                        "another kernel"]),
    ("bpf_map_type", ["strange", "Invalid argument", "another kernel"])])
def test_what_the_kernel_refuses_is_shown_with_its_reason(name, words,
                                                          tmp_path):
    said = refused_filter(tmp_path, built(name))
    for word in words:
        assert word in said, said


def make_nothing(path):
    pass


def make_empty(path):
    path.touch()


def make_text(path):
    path.write_text("SEC(\"xdp\") int drop() { return 1; }\n" * 100)


def make_program(path):
    shutil.copy(lab.ringswitch(), path)


def make_machine_code(path):
    source = path.with_suffix(".s")
    source.write_text(".section xdp, \"ax\"\n.globl judge\njudge: ret\n")
    subprocess.run(["gcc", "-c", source, "-o", path], check=True)


def make_wrong_endian(path):
    """As for a processor that has its bytes the other way round."""
    target = "bpfeb" if sys.byteorder == "little" else "bpfel"
    source = path.with_suffix(".c")
    source.write_text('__attribute__((section("xdp"), used)) '
                      'int judge(void *ctx) { return 2; }\n')
    subprocess.run(["clang", "-O2", "-target", target, "-c", source,
                    "-o", path], check=True)


def make_huge(path):
    with open(path, "wb") as file:
        file.truncate(1 << 30)


def make_huge_with_a_good_beginning(path):
    shutil.copy(built("bpf_both"), path)
    os.truncate(path, 1 << 30)


@pytest.mark.parametrize("make, words", [
    (make_nothing, "No such file or directory"),
    (os.mkdir, "directory"),
    (os.mkfifo, "not a regular file"),
    (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    (make_empty, "object"),
    (make_text, "object"),
    (make_program, "BPF"),
    (make_machine_code, "BPF"),
    (make_wrong_endian, "byte order"),
    (make_huge, "larger than"),
    (make_huge_with_a_good_beginning, "larger than")],
    ids=["no file", "directory", "fifo", "device", "empty",
         "text", "program", "machine code", "wrong endian", "huge",
         "huge with a good beginning"])
def test_a_file_that_is_no_object_is_refused_with_the_reason(make, words,
                                                             tmp_path):
    path = tmp_path / "file.o"
    make(path)
    assert words in refused_filter(tmp_path, path)


def test_a_file_that_may_not_be_read_is_refused(other_user, public_dir):
    path = public_dir / "file.o"
    shutil.copy(built("bpf_both"), path)
    path.chmod(0)
    # Root, but without what lets root read everything.
    said = refused_filter(public_dir, path, wrapper=without(
        "dac_override", "dac_read_search"))
    assert "Permission denied" in said


def test_a_truncated_object_is_refused_wherever_it_ends(tmp_path):
    data = built("bpf_both").read_bytes()
    path = tmp_path / "half.o"
    for end in [4, 16, 63, 64, *range(100, len(data), len(data) // 12),
                len(data) - 1]:
        path.write_bytes(data[:end])
        refused_filter(tmp_path, path)


def test_one_bad_filter_of_two_and_nothing_starts(tmp_path):
    with lab.Tap("tap0") as tap:
        tap.set("up")
        code, said = refused(
            tmp_path, "--tap", f"tap0,filter={built('bpf_both')}",
            "--tap", f"tap1,filter={built('bpf_refused')}", lines=2)
        assert code == 1
        # The first is that tap0 has its filter.
        assert "tap1" in said and "outside of the packet" in said
        assert_bare(tap)


def test_a_daemon_that_cannot_load_its_filter_says_why_and_fails(tmp_path):
    code, said = refused(tmp_path, "--daemon", "--tap",
                         f"tap0,filter={built('bpf_refused')}")
    assert code == 1
    assert "reads_beyond" in said


# Rights -----------------------------------------------------------------------

def without(*capabilities):
    """Words to put before a command that is to run as root, but not quite."""
    return ["setpriv", "--inh-caps=-all", "--bounding-set="
            + ",".join("-" + name for name in capabilities)]


def only(*capabilities):
    return ["setpriv", "--inh-caps=-all", "--bounding-set="
            + ",".join(["-all", *("+" + name for name in capabilities)])]

def test_without_the_right_to_load_programs_it_says_which(tmp_path):
    # bpf(2): CAP_SYS_ADMIN has every right that CAP_BPF has.
    said = refused_filter(tmp_path, built("bpf_both"),
                          wrapper=without("bpf", "sys_admin"))
    assert "CAP_BPF" in said and "root" in said


def test_without_the_right_to_attach_programs_it_says_which(tmp_path):
    with lab.Tap("tap0") as tap:
        tap.set("up")
        code, said = refused(tmp_path, "--tap",
                             f"tap0,filter={built('bpf_both')}",
                             wrapper=without("net_admin", "sys_admin"))
        assert code == 1
        assert "tap0" in said and "CAP_NET_ADMIN" in said
        assert_bare(tap)


def test_the_two_rights_are_enough(tmp_path):
    with filtered(built("bpf_both"), tmp_path,
                  wrapper=only("bpf", "net_admin")) as (_, *sides):
        assert_judged(*sides, SOCKET, XDP)
