"""What bash and zsh offer behind ringswitch, ringctl, ringtap and ringbench.

It is compared with what the programs themselves say there is: in their help,
and in what they say to something that there is not.
"""

import json
import re
import socket
import subprocess
import threading

import pytest

import lab
import lab_install
import lab_shells


@pytest.fixture(autouse=True)
def first_build(request, build):
    lab_install.only_first(request, build)


@pytest.fixture(params=["bash", "zsh"])
def shell(request, build, tmp_path, cleanup):
    """A shell that has just been started; nothing is loaded yet."""
    running = getattr(lab_shells, request.param)(tmp_path, build)
    cleanup.callback(running.close)
    yield running
    assert not re.search(r"\berror|invalid|: line \d", running.said())


@pytest.fixture
def bash(build, tmp_path, cleanup):
    running = lab_shells.bash(tmp_path, build)
    cleanup.callback(running.close)
    return running


def said(build, program, *words):
    done = subprocess.run([build / program, *words], capture_output=True,
                          text=True, timeout=lab.STEP_S)
    return done.stdout + done.stderr


def options_of(text):
    """The options in a help text, long and short, each once."""
    found = re.findall(r"^ +((?:-\w, )?--?[\w-]+)", text, re.M)
    return sorted({option for pair in found for option in pair.split(", ")})


OPTION_LINES = {"ringswitch": "ringswitch -", "ringctl": "ringctl -",
                "ringtap": "ringtap show -",
                "ringbench": "ringbench rate /tmp/ctl -"}


# Options -----------------------------------------------------------------------

@pytest.mark.parametrize("program", OPTION_LINES)
def test_the_options_offered_are_those_of_the_help(shell, build, program):
    there_are = options_of(said(build, program, "--help"))
    assert len(there_are) > 5
    assert shell.offers(OPTION_LINES[program]) == there_are


def test_what_is_typed_narrows_down_what_is_offered(shell):
    assert shell.offers("ringswitch --hub --pidf") == ["--pidfile"]
    assert shell.offers("ringswitch -hub -pidf") == ["--pidfile"]
    assert shell.offers("ringswitch --no-such") == []
    assert shell.offers("ringtap --pre") == ["--pretty"]


def test_a_program_that_is_not_there_offers_nothing(shell, tmp_path):
    (tmp_path / "ringctl").write_text("#!/bin/sh\necho error >&2; exit 1\n")
    (tmp_path / "ringctl").chmod(0o755)
    shell.offers("ringctl -")
    assert shell.offers("./ringctl port show ") == []


def test_the_program_that_is_typed_is_asked(shell, build, tmp_path):
    """Not the one on the path; also from the home directory."""
    other = tmp_path / "bin" / "ringtap"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho '  --other  of another'\n")
    other.chmod(0o755)
    shell.offers("ringtap -")  # bash loads nothing when a path is typed first
    for typed in "bin/ringtap", "~/bin/ringtap", str(other):
        assert shell.offers(f"{typed} --") == ["--other"]


@pytest.mark.parametrize("option", ["--config", "--pidfile", "--control"])
def test_files_are_offered_where_files_are_wanted(shell, tmp_path, option):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "switch.conf").touch()
    assert shell.offers(f"ringswitch {option} lab/sw") in (
        ["lab/switch.conf"], ["switch.conf"])


def test_users_and_groups_are_offered_where_they_are_wanted(shell):
    assert "nobody" in shell.offers("ringswitch --allow-uid no")
    assert "daemon" in shell.offers("ringswitch --group dae")
    assert "nobody" in shell.offers("ringtap add tap0 user no")
    assert "daemon" in shell.offers("ringtap add tap0 up group dae")


def test_values_of_ringbench_are_those_that_it_names(shell, build):
    def words(text):
        return sorted(re.findall(r"[a-z]+", text.partition(": not")[2]
                                 .replace(" or ", " ")))

    base = "ringbench rate /tmp/ctl"
    for option in "--client", "--refused":
        told = said(build, *f"{base} {option} none".split())
        assert shell.offers(f"{base} {option} ") == words(told)
    modes = re.findall(r"^  ([a-z]+) ", said(build, "ringbench", "--help")
                       .partition("clients:")[0], re.M)
    assert shell.offers("ringbench ") == sorted(modes + ["--help"])


# Endpoints ---------------------------------------------------------------------

LISTEN, PORT = ("--listen", ["uml", "vde", "bess", "stream", "fd"]), (
    "--port", ["tap", "dgram", "connect-stream", "connect-bess", "fd"])


@pytest.mark.parametrize("option,kinds", [LISTEN, PORT])
def test_the_kinds_and_keys_offered_are_those_that_there_are(shell, build,
                                                             option, kinds):
    told = said(build, "ringswitch", option, "none:x")
    assert re.findall(r"[\w-]+", told.partition("the kinds")[2]) == kinds
    assert shell.offers(f"ringswitch {option} ") == sorted(
        f"{kind}:" for kind in kinds)
    for kind in kinds:
        told = said(build, "ringswitch", option, f"{kind}:3,none=1")
        keys = re.findall(r"[\w-]+", told.partition(" are ")[2])
        assert len(keys) > 5
        offered = shell.offers(f"ringswitch {option} {kind}:3,mtu=900,")
        assert sorted(re.split("[,:]", word)[-1].rstrip("=")
                      for word in offered) == sorted(keys)


def test_values_of_keys_are_offered(shell):
    def ends(line):
        return sorted(re.split("[=,:]", word)[-1]
                      for word in shell.offers(line))

    assert ends("ringswitch --listen uml:/tmp/ctl,isolated=") == ["off", "on"]
    assert ends("ringswitch --port tap:tap0,name=a,flood=o") == ["off", "on"]
    assert "daemon" in ends("ringswitch --listen uml:/tmp/ctl,group=dae")
    assert ends("ringswitch --listen uml:/tmp/ctl,name=") in ([], [""])


def test_paths_of_endpoints_are_offered(shell, tmp_path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "uplink").touch()
    offered = shell.offers("ringswitch --port connect-stream:lab/up")
    assert len(offered) == 1 and offered[0].endswith("uplink")


# ringctl -----------------------------------------------------------------------

def objects(build):
    text = said(build, "ringctl", "help")
    return re.findall(r"^  ([a-z]+) ", text.partition("Options:")[0], re.M)


def commands(build, name):
    text = said(build, "ringctl", name, "help")
    return re.findall(rf"^ringctl {name} ([a-z]+)\b", text, re.M)


def test_objects_and_commands_offered_are_those_of_the_help(shell, build):
    there_are = objects(build)
    assert "port" in there_are and len(there_are) > 10
    assert shell.offers("ringctl ") == sorted(there_are)
    for name in there_are:
        found = commands(build, name)
        if found:
            assert shell.offers(f"ringctl {name} ") == sorted(
                found + ["help"])
    assert shell.offers("ringctl help ") == sorted(there_are)
    assert shell.offers("ringctl help port ") == sorted(
        commands(build, "port"))


def test_the_options_of_commands_are_those_of_their_help(shell, build):
    for command in "capture web1", "stats show", "top":
        text = said(build, "ringctl", *command.split()[:1], "help")
        if command == "stats show":
            text = said(build, "ringctl", "stats", "show", "help")
        there_are = options_of(text) or re.findall(r" \[(-\w)", text)
        assert there_are
        assert sorted(set(shell.offers(f"ringctl {command} -"))) == sorted(
            {*there_are, "-j", "-p"})


def test_keys_of_port_set_are_those_of_the_help(shell, build):
    keys = re.findall(r"^ {8}(\S+)", said(build, "ringctl", "port", "set",
                                          "help"), re.M)
    assert "isolated" in keys
    assert shell.offers("ringctl port set web1 ") == sorted(keys)
    assert shell.offers("ringctl p se dev web1 locked on ") == sorted(keys)
    assert shell.offers("ringctl port set web1 locked ") == ["off", "on"]
    assert shell.offers("ringctl port set web1 queue ") == []


@pytest.fixture
def lab1(tmp_path, cleanup):
    """The words for a running switch with three ports and an address."""
    control = tmp_path / "control"
    switch = cleanup.enter_context(lab.Switch(
        "--control", str(control), "--listen", f"bess:{tmp_path}/bess",
        workdir=tmp_path))
    clients = [cleanup.enter_context(lab.Client(switch.socket))
               for _ in range(3)]
    switch.wait_ports(3)
    clients[0].send(lab.frame(lab.BROADCAST, lab.mac(1), size=60))
    clients[1].recv()
    return f"ringctl --socket {control}"


def test_ports_are_those_of_the_running_switch(shell, lab1):
    ports = ["uml1", "uml2", "uml3"]
    for words in ("port show", "port show dev", "port del", "p u", "stats show",
                  "mac show", "mac flush", "mirror add", "filter load",
                  "mirror add uml1", "mirror add dev uml1 to", "-j port down",
                  "mac add 02:00:00:00:00:09"):
        assert shell.offers(f"{lab1} {words} ") == ports, words
    assert shell.offers(f"{lab1} port set uml3") == ["uml3"]
    assert shell.offers(f"{lab1} port show uml1 ") == []
    assert shell.offers(f"{lab1} capture ") == ["all", *ports]
    assert shell.offers(f"{lab1} port set uml1 mirror ") == [
        "none", *ports]


def test_addresses_and_listeners_are_those_of_the_running_switch(shell, lab1,
                                                                 tmp_path):
    assert shell.offers(f"{lab1} mac del ") == [lab.mac(1)]
    assert shell.offers(f"{lab1} listener del ") == [
        f"bess:{tmp_path}/bess", f"uml:{tmp_path}/ctl"]
    # Behind a colon, bash is told the rest of the word.
    assert shell.offers(f"{lab1} listener del be") == [f"bess:{tmp_path}/bess"]
    assert shell.offers(f"{lab1} listener del bess:") in (
        [f"bess:{tmp_path}/bess"], [f"{tmp_path}/bess"])


def test_names_of_running_switches_are_offered(shell, tmp_path, cleanup):
    for name in "lab1", "lab2":
        (tmp_path / "ringswitch" / name).mkdir(parents=True)
        listener = cleanup.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(tmp_path / "ringswitch" / name / "control"))
    (tmp_path / "ringswitch" / "gone").mkdir()
    for option in "-n", "--name":
        assert {"lab1", "lab2"} <= set(shell.offers(f"ringctl {option} "))
        assert "gone" not in shell.offers(f"ringctl {option} ")


def test_without_a_switch_nothing_is_offered_and_nothing_said(shell, tmp_path):
    words = f"ringctl --socket {tmp_path}/nothing"
    assert shell.offers(f"{words} port show ") == []
    assert shell.offers(f"{words} port ")


def serve(listener, answer):
    """A switch that has the same answer to everything."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, connection.makefile("rw") as lines:
            for line in lines:
                request = json.loads(line)
                reply = {"version": 1, "return": answer}
                if "id" in request:
                    reply["id"] = request["id"]
                lines.write(json.dumps(reply) + "\n")
                lines.flush()


def test_a_name_is_never_a_command(bash, tmp_path, cleanup):
    """Guests choose names; here is a switch that lets them choose any. (zsh
    quotes all that it is offered.)"""
    name = "$(touch${IFS}pwned)`touch${IFS}pwned`;touch${IFS}pwned"
    listener = cleanup.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(tmp_path / "control"))
    listener.listen()
    cleanup.callback(listener.shutdown, socket.SHUT_RDWR)
    threading.Thread(target=serve, args=(listener, [{"name": name}]),
                     daemon=True).start()
    line = f"ringctl --socket {tmp_path}/control port show "
    word = bash.told(line).strip()[len(line):]
    read = subprocess.run(["bash", "-c", f"printf %s {word}"], cwd=tmp_path,
                          capture_output=True, text=True)
    assert (read.stdout, read.stderr) == (name, "")
    assert not (tmp_path / "pwned").exists()


# ringtap, and the old names ----------------------------------------------------

@pytest.fixture
def taps(tap_device, cleanup):
    for name in "tap0", "tap1":
        cleanup.enter_context(lab.Tap(name))


def test_taps_are_offered_where_they_are_wanted(shell, taps):
    for line in ("ringtap del ", "ringtap show ", "ringtap -j s ",
                 "ringswitch --tap ", "ringswitch --tap t"):
        assert shell.offers(line) == ["tap0", "tap1"], line
    offered = shell.offers("ringswitch --port tap:")
    assert sorted(word[-4:] for word in offered) == ["tap0", "tap1"]


def test_commands_and_words_of_ringtap_are_those_of_its_help(shell, build):
    text = said(build, "ringtap", "--help")
    assert shell.offers("ringtap ") == sorted(
        re.findall(r"^  ([a-z]+)\b", text, re.M))
    words = re.findall(r"\[([a-z]+)", re.search("add NAME.*", text).group())
    assert shell.offers("ringtap add tap0 ") == sorted(words)
    assert shell.offers("ringtap add tap0 mtu 900 ") == sorted(words)
    assert shell.offers("ringtap add ") == []


def test_bash_completes_the_old_names_as_well(bash, build, taps, tmp_path):
    for name, program in ("uml_switch", "ringswitch"), ("tunctl", "ringtap"):
        (tmp_path / name).symlink_to(build / program)
        bash.offers(f"{name} ")  # loads it, which a path does not at first
    assert bash.offers("./uml_switch -ta") == ["--tap"]
    assert bash.offers("./uml_switch -tap tap1") == ["tap1"]
    assert bash.offers("./tunctl -") == [
        "-b", "-d", "-f", "-g", "-t", "-u"]
    assert bash.offers("./tunctl -d ") == ["tap0", "tap1"]
