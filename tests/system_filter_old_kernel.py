"""Rule files on an old kernel: inside a guest, as system_old_kernel does it.

    +- guest, Linux 6.1 ----------------------------------------+
    |  192.0.2.1                               (a namespace)    |
    |    tap0 --- rules=FILE --- ringswitch --- tap1 10.83.171.5|
    |                 translate 10.83.171.5 <-> 192.0.2.5       |
    +-----------------------------------------------------------+

Both programs have to get past that kernel's verifier, and run without a compiler
for BPF, which this architecture does not have.
"""

import pytest

import lab
from lab_filter import IN_FORCE, rules_text
from system_old_kernel import inside

assert inside       # the fixture

INNER, OUTER, HOST = "10.83.171.5", "192.0.2.5", "192.0.2.1"
RULES = "/run/rules"
TRANSLATE = f"translate {INNER} <-> {OUTER}"


def write_rules(inside, *lines):
    # In pieces: the guest's terminal takes no long lines.
    inside.guest.check("rm -f /tmp/new")
    text = rules_text(*lines).splitlines()
    for start in range(0, len(text), 50):
        words = "\\n".join(text[start:start + 50])
        inside.guest.check(f"printf '{words}\\n' >>/tmp/new")
    inside.guest.check(f"mv /tmp/new /host{RULES}")


def reload_rules(inside, *lines):
    write_rules(inside, *lines)
    before = inside.said().count(IN_FORCE)
    inside.guest.check(
        f"kill -HUP $(pidof ringswitch); n=0; until [ $(grep -c '{IN_FORCE}' "
        f"/tmp/switch) -gt {before} ]; do n=$((n+1)); [ $n -lt 200 ] || "
        "exit 1; sleep 0.05; done")


def ping(inside, count=3, size=56):
    """How many of @count pings are answered, all sent within a second."""
    _, said = inside.guest.run(
        f"ping -q -c {count} -i 0.01 -W 1 -s {size} {OUTER}")
    return int(said.partition(" packets received")[0].split()[-1])


@pytest.fixture
def filtered(inside):
    inside.load_tap_driver()
    write_rules(inside, TRANSLATE, "drop to-guests icmp-type 13")
    try:
        inside.start_switch("--tap", f"tap0,rules={RULES}", "--tap", "tap1")
    except lab.LabError:
        pytest.fail(f"the switch did not start: {inside.said()}")
    inside.guest.check(
        f"ip address add {HOST}/24 dev tap0; "
        "unshare -n sleep 1000 & other=$!; "
        "until [ $(readlink /proc/$other/ns/net) != "
        "$(readlink /proc/self/ns/net) ]; do :; done; "
        "ip link set tap1 netns $other && nsenter -n -t $other sh -c '"
        f"ip address add {INNER}/24 dev tap1; ip link set tap1 up; "
        "ip route add 192.0.2.0/24 dev tap1'")
    return inside


def test_rules_and_translation_work_in_both_directions(filtered):
    assert f"{RULES}: 1 translations and 1 {IN_FORCE}" in filtered.said()
    lab.wait_until(lambda: ping(filtered), "the first ping")
    assert ping(filtered) == 3
    # Fragments, both ways.
    assert ping(filtered, size=4000) == 3

    reload_rules(filtered, TRANSLATE, f"drop to-guests dst {INNER} "
                 "icmp-type echo-request")
    assert ping(filtered) == 0
    reload_rules(filtered, TRANSLATE, f"drop to-host src {INNER} "
                 "icmp-type echo-reply")
    assert ping(filtered) == 0
    reload_rules(filtered, TRANSLATE, "rate-limit 1 packets/s burst 5 packets "
                 "to-guests icmp-type echo-request", *(
                     f"drop src 10.1.{n}.0/24 dst-port {n}-{n + 9}"
                     for n in range(200)))
    assert 5 <= ping(filtered, 20) < 20

    filtered.guest.check("kill -USR1 $(pidof ringswitch); sleep 0.1; "
                         "until grep -q ^mac /tmp/switch; do sleep 0.1; done")
    said = filtered.said()
    assert "direction=to-guests action=rate-limit frames=20 " in said
    assert "direction=to-host action=translate frames=" in said
    assert "\ndropped tap=tap0 line=2 direction=to-guests " in said
    filtered.guest.check("kill $(pidof ringswitch); "
                         "until grep -q 'exit 0' /tmp/switch; do sleep 0.1; "
                         "done")
