"""Real guests under control: who they are, kept apart, cut off, let in again.

     web1 10.0.0.1     web2 10.0.0.2     web3 10.0.0.3
     eth0=daemon       eth0=daemon       vec0=bess
          \\                 |                /
           +--------- ringswitch -----------+ -- ctl.control
"""

import lab
from lab_control import control_of, events_of
from lab_schema import assert_books_balance


def boot(number, switch, initrd, workdir, **card):
    return lab.Guest(f"web{number}", ip=f"10.0.0.{number}/24", initrd=initrd,
                     workdir=workdir, **card)


def cannot_ping(guest, ip):
    return guest.run(f"ping -c 2 -W 1 {ip}")[0] != 0


def test_real_guests_are_told_of_set_cut_off_and_let_in_again(
        initrd, tmp_path, cleanup):
    switch = cleanup.enter_context(lab.Switch(
        "--listen", f"bess:{tmp_path}/bess", workdir=tmp_path))
    control = cleanup.enter_context(control_of(switch))
    events = cleanup.enter_context(events_of(switch, "port-up", "port-down",
                                             "mac-learned"))
    cards = [{"cards": [card]} for card in (
        lab.daemon_card(switch.socket, lab.mac(1)),
        lab.daemon_card(switch.socket, lab.mac(2)),
        lab.bess_card(tmp_path / "bess", lab.mac(3)))]
    web1, web2, web3 = guests = [
        cleanup.enter_context(boot(number, switch, initrd, tmp_path, **card))
        for number, card in enumerate(cards, 1)]
    for guest in guests:
        guest.wait_ready()
    assert web1.pings("10.0.0.2") and web2.pings("10.0.0.3")

    # Who they are.
    by_mac = {entry["address"]: entry["port"]
              for entry in control.request("mac.show")}
    names = [by_mac[lab.mac(number)] for number in (1, 2, 3)]
    ports = control.ports()
    assert set(ports) == set(names)
    assert [ports[name]["kind"] for name in names] == ["uml", "uml", "bess"]
    for name, guest in zip(names, guests):
        assert ports[name]["pid"] in lab.session_members(guest.pid)
        assert any(e["port"] == name for e in events.so_far()
                   if e["event"] == "port-up")

    # Kept apart, and together again.
    one, two, three = names
    for name in one, two:
        control.set(name, isolated=True)
    assert cannot_ping(web1, "10.0.0.2")
    assert web1.pings("10.0.0.3") and web2.pings("10.0.0.3")
    control.set(one, isolated=False)
    assert web1.pings("10.0.0.2")

    # Cut off, and let in again.
    control.request("port.down", port=three)
    assert cannot_ping(web1, "10.0.0.3")
    control.request("port.up", port=three)
    assert web3.pings("10.0.0.1") and web1.pings("10.0.0.3")

    # Held to its own address.
    control.request("mac.add", address=lab.mac(2), port=two)
    control.set(two, locked=True)
    assert web2.pings("10.0.0.1")
    web2.check(f"ip link set eth0 down; ip link set eth0 address {lab.mac(9)};"
               " ip link set eth0 up")
    assert cannot_ping(web2, "10.0.0.1")
    assert control.counters(two)["drops"]["locked"] > 0

    # The listener goes, the guests stay; one is thrown out.
    control.request("listener.del", listener=f"bess:{tmp_path}/bess")
    assert web3.pings("10.0.0.1")
    control.set(three, name="web3")
    assert web3.pings("10.0.0.1")
    control.request("port.del", port="web3")
    events.wait("port-down", port="web3")
    assert cannot_ping(web1, "10.0.0.3")

    assert_books_balance(control.request("stats.show"))
    assert switch.stop() == 0
