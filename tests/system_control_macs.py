"""The address table over the control socket: mac.show, flush, add, del.

     uml1 (a)   uml2 (b)   uml3 (c)
        \\          |          /
         +---- ringswitch ----+
"""

import pytest

import lab
from lab_clients import reach
from lab_control import Refused, control_of

A, B, C, D = map(lab.mac, range(1, 5))


@pytest.fixture
def control(switch):
    with control_of(switch) as control:
        yield control


@pytest.fixture
def abc(switch, cleanup):
    return [cleanup.enter_context(lab.Client(switch.socket))
            for _ in range(3)]


def entry(control, address):
    [entry] = [e for e in control.request("mac.show")
               if e["address"] == address]
    return entry


def frame(dst, src, text=b"x"):
    return lab.frame(dst, src, text, size=60)


def test_what_was_learned_is_shown_with_its_port_and_age(control, abc):
    a, b, _ = abc
    reach(a, b, 1)
    reach(b, a, 2)
    assert control.macs() == {A: "uml1", B: "uml2"}
    assert not entry(control, A)["static"]
    assert 0 <= entry(control, A)["age"] <= lab.STEP_S
    assert [e["address"] for e in control.request("mac.show", port="uml2")
            ] == [B]
    assert control.request("mac.show", port="uml3") == []


def test_age_counts_from_the_last_frame(control, abc):
    a, b, _ = abc
    reach(a, b, 1)
    control.wait(lambda c: entry(c, A)["age"] >= 1, "an age")
    reach(a, b, 1)
    assert entry(control, A)["age"] <= 1


def test_a_flush_empties_a_port_or_all(control, abc):
    a, b, c = abc
    for number in range(10, 15):
        reach(a, b, number)
    reach(b, a, 2)
    reach(c, a, 3)
    assert control.request("mac.flush", port="uml1") == {"flushed": 5}
    assert set(control.macs().values()) == {"uml2", "uml3"}
    assert control.request("mac.flush") == {"flushed": 2}
    assert control.macs() == {}
    assert control.request("mac.flush") == {"flushed": 0}
    # What is not known goes to all, and is learned again.
    c.drain()
    unicast = frame(A, B)
    b.send(unicast)
    c.recv_until(unicast)
    assert control.macs() == {B: "uml2"}


def test_a_static_address_has_its_frames_without_having_sent(control, abc):
    a, b, c = abc
    assert control.request("mac.add", address=D, port="uml2") == {}
    assert entry(control, D) == {"address": D, "port": "uml2", "age": None,
                                 "static": True}
    unicast = frame(D, A)
    a.send(unicast)
    assert b.recv() == unicast
    mark = frame(lab.BROADCAST, A)
    a.send(mark)
    assert c.recv_until(mark) == []


def test_a_static_address_does_not_move_and_is_not_flushed(control, abc):
    a, b, c = abc
    control.request("mac.add", address=D, port="uml2")
    reach(c, a, 4)                      # c says that it is D
    assert control.macs()[D] == "uml2"
    control.request("mac.flush")
    control.request("mac.flush", port="uml2")
    assert control.macs() == {D: "uml2"}


def test_a_static_address_does_not_age(tmp_path):
    with lab.Switch("--ageing", "1", workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b, \
            control_of(switch) as control:
        control.request("mac.add", address=D, port="uml2")
        reach(a, b, 1)
        control.wait(lambda c: A not in c.macs(), "the other one to age")
        assert control.macs() == {D: "uml2"}


def test_a_learned_address_becomes_static_where_it_is_added(control, abc):
    a, b, c = abc
    reach(a, b, 1)
    control.request("mac.add", address=A, port="uml3")
    assert entry(control, A)["static"] and entry(control, A)["port"] == "uml3"
    reach(a, b, 1)
    assert control.macs() == {A: "uml3"}


def test_adding_it_again_elsewhere_moves_or_refuses_but_says_which(control,
                                                                  abc):
    control.request("mac.add", address=D, port="uml2")
    control.request("mac.add", address=D, port="uml3")
    assert control.macs() == {D: "uml3"}


def test_static_addresses_go_with_their_port(control, abc):
    a, b, c = abc
    control.request("mac.add", address=D, port="uml2")
    b.close()
    control.wait_ports(2)
    assert control.macs() == {}
    unicast = frame(D, A)
    a.send(unicast)
    assert c.recv() == unicast          # to all: unknown again


def test_an_address_is_deleted_static_or_not(control, abc):
    a, b, c = abc
    reach(a, b, 1)
    control.request("mac.add", address=D, port="uml2")
    for address in A, D:
        assert control.request("mac.del", address=address) == {}
        error = control.refusal("mac.del", address=address)
        assert error.code == "not-found" and address in error.message
    assert control.macs() == {}


def test_addresses_may_be_written_with_capitals(control, abc):
    control.request("mac.add", address="02:AB:cD:00:00:EF", port="uml1")
    assert control.macs() == {"02:ab:cd:00:00:ef": "uml1"}
    control.request("mac.del", address="02:AB:CD:00:00:EF")


@pytest.mark.parametrize("address", [
    "", "x", "02:00:00:00:00", "02:00:00:00:00:00:00", "02-00-00-00-00-0g",
    "02:00:00:00:00:1", "02:00:00:00:00:001", " 02:00:00:00:00:01",
    "02:00:00:00:00:01 ", lab.BROADCAST, "01:00:5e:00:00:01",
    "33:33:00:00:00:01", "00:00:00:00:00:00"])
@pytest.mark.parametrize("command", ["mac.add", "mac.del"])
def test_what_is_no_stations_address_is_refused(control, abc, command,
                                                address):
    more = {"port": "uml1"} if command == "mac.add" else {}
    error = control.refusal(command, address=address, **more)
    # A group's address is one, but nobody's: it cannot be there.
    assert error.code in ("argument", "not-found")
    assert command == "mac.del" or error.code == "argument"
    assert control.macs() == {}


def test_thousands_of_addresses_are_shown_whole(tmp_path):
    """An answer far longer than what may be unread at once. In a table so
    large that no row of it is full."""
    with lab.Switch("--mac-table", "262144", workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b, \
            control_of(switch) as control:
        for n in range(5000):
            one = frame(lab.BROADCAST, lab.mac(n))
            a.send(one)
            b.recv_until(one)
        shown = control.request("mac.show")
        assert len(shown) == 5000
        assert {e["address"] for e in shown} == {
            lab.mac(n) for n in range(5000)}
        assert control.request("stats.show")["mac"]["entries"] == 5000
        assert control.port("uml1")["macs"] == 5000
        assert control.request("mac.flush", port="uml1") == {"flushed": 5000}


def test_a_table_full_of_static_addresses_is_said(tmp_path):
    with lab.Switch("--mac-table", "64", workdir=tmp_path) as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b, \
            control_of(switch) as control:
        added = 0
        while added < 1000:
            try:
                control.request("mac.add", address=lab.mac(added),
                                port="uml1")
            except Refused as error:
                assert error.code == "refused", error
                break
            added += 1
        assert 0 < added <= 64
        assert len(control.macs()) == added
        reach(a, b, 5000)
        reach(b, a, 5001)
