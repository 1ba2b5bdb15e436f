"""TCP between two real UML guests through each switch.

All guests are booted first and stay up, so that the rounds can be interleaved
without a boot in each of them; a guest that waits at its shell costs next to
nothing. What lab.py (tests/) does is booting one guest.
"""
import contextlib
import dataclasses

import switches
import tcp

SCENARIO = "tcp"
BOOT_TIMEOUT_S = 60


@dataclasses.dataclass(frozen=True)
class Wiring:
    """How both guests of a pair are attached, and to which switch."""
    scenario: str
    kind: switches.Kind
    way: str
    mtu: int | None = None      # bess; None: eth0=daemon

    def card(self, lab, control, mac):
        if self.mtu is None:
            return lab.daemon_card(control, mac)
        return lab.bess_card(control, mac, self.mtu)


def wirings(kinds):
    """One with eth0=daemon for each switch; bess is ringswitch's alone."""
    own = [kind for kind in kinds if kind.has("bess")]
    return [
        *(Wiring(SCENARIO, kind, "uml") for kind in kinds),
        *(Wiring(f"{SCENARIO}/bess-1500", kind, "bess", 1500) for kind in own),
        *(Wiring(f"{SCENARIO}/bess-9000", kind, "bess-9000", 9000)
          for kind in own),
    ]


class Pair:
    """Two guests on one switch: one serves, one sends."""

    def __init__(self, lab, wiring, initrd, directory, stack):
        workdir = directory / f"{wiring.kind.name}-{wiring.way}"
        workdir.mkdir(exist_ok=True)
        _, control = stack.enter_context(
            switches.running(wiring.kind, wiring.way))
        guests = []
        for number in (1, 2):
            card = wiring.card(lab, control, f"02:00:00:00:00:{number:02x}")
            guests.append(lab.Guest(
                f"guest{number}", cards=[card], ip=f"10.0.0.{number}/24",
                initrd=initrd, workdir=workdir))
            stack.callback(guests[-1].stop)
        self._server, self._client = guests
        # Both shells answer before anything is measured.
        self._server.check("iperf3 -s -D", BOOT_TIMEOUT_S)
        self._client.check("true", BOOT_TIMEOUT_S)

    def measure(self, seconds):
        return tcp.measure(self._client, self._server.ip, seconds)


def run(kinds, rounds, seconds, workdir, record):
    """Measure all rounds; @record is called with (scenario, switch, round,
    result). Returns why nothing could be measured, or None."""
    lab, missing = tcp.load_lab("lab", ["linux.uml", "iperf3", "busybox"])
    if not lab:
        return missing
    workdir.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        initrd = lab.build_initrd(workdir / "initrd.cpio.gz")
        pairs = {}
        for wiring in wirings(kinds):
            try:
                pairs[wiring] = Pair(lab, wiring, initrd, workdir, stack)
            except Exception as error:      # a guest may fail in any way
                record(wiring.scenario, wiring.kind.name, 0,
                       {"error": f"guests: {error}"})
        for number in range(rounds):
            for wiring, pair in pairs.items():
                record(wiring.scenario, wiring.kind.name, number,
                       attempt(pair, seconds))
    return None


def attempt(pair, seconds):
    try:
        return pair.measure(seconds)
    except Exception as error:      # the other switches are still to be seen
        return {"error": f"guests: {error}"}
