"""TCP of real UML guests: between two on each switch, from a guest to the host
through the switch's tap and back, and the same with a guest that has a tap of
its own and no switch.

    client guest ----+
    server guest ----+-- switch -- tap -- host

All guests are booted first and stay, so that the rounds can be interleaved
without a boot in each of them; those that do not take part are stopped dead.
What lab.py (tests/) does is booting one guest.
"""
import contextlib
import dataclasses

import devices
import runner
import switches
import tcp

SCENARIO = "tcp"
BETWEEN, TO_HOST, TO_GUEST = WAYS = ["guests", "to-host", "to-guest"]
OWN_TAP = "own tap"
BOOT_TIMEOUT_S = 60
JUMBO = "ringswitch, bess, MTU 9000"
HOST_NUMBER, SERVER_NUMBER, CLIENT_NUMBER = 254, 1, 2


@dataclasses.dataclass(frozen=True)
class Wiring:
    """How the guests are attached, and to which switch."""
    name: str
    kind: switches.Kind | None = None   # None: devices, or no switch at all
    way: str = ""
    mtu: int | None = None              # bess; None: eth0=daemon or tuntap

    @property
    def ways(self):
        if self.name == OWN_TAP:
            return [TO_HOST, TO_GUEST]
        has_tap = self.kind is None or self.kind.tap_count(self.way)
        return WAYS if has_tap else [BETWEEN]


def wirings(kinds):
    """eth0=daemon for switches with sockets; bess is ringswitch's alone."""
    own = [kind for kind in kinds if kind.has("bess")]
    with_taps = not devices.why_no_taps()
    return [
        *(Wiring(kind.name, kind, "to-host" if with_taps else "uml")
          for kind in kinds),
        *(Wiring(f"{kind.name}, bess", kind,
                 "bess-host" if with_taps else "bess", 1500) for kind in own),
        *(Wiring(JUMBO, kind, "bess-9000", 9000) for kind in own),
        *(Wiring(name) for name in devices.NAMES if not devices.why_not(name)),
        *([Wiring(OWN_TAP)] if with_taps else []),
    ]


class Set:
    """A switch, the guests on it, and the host's address."""

    def __init__(self, peers, host, number, wiring, initrd, directory, stack):
        self.wiring = wiring
        self._peers = peers
        self._host = host
        self._net = f"10.{number + 1}.0"
        self._initrd = initrd
        self._directory = directory / f"set{number}"
        self._directory.mkdir(exist_ok=True)
        self._stack = stack
        self._plant = None
        self._start()
        # All are up and listen before anything is measured.
        for guest in self.guests:
            guest.check("iperf3 -s -D && until netstat -ltn 2>&1 | "
                        "grep -q :5201; do :; done", BOOT_TIMEOUT_S)
            guest.pause()

    def _start(self):
        if self.wiring.kind:
            switch = self._stack.enter_context(
                switches.running(self.wiring.kind, self.wiring.way))
            for device in switch.taps:
                self._address(device)
            cards = [self._socket_card(switch.control)] * 2
        else:
            cards = self._tap_cards()
        numbers = [SERVER_NUMBER, CLIENT_NUMBER][:len(cards)]
        self.guests = [self._guest(card, number)
                       for card, number in zip(cards, numbers)]

    def _socket_card(self, control):
        lab = self._peers.lab
        if self.wiring.mtu is None:
            return lambda mac: lab.daemon_card(control, mac)
        return lambda mac: lab.bess_card(control, mac, self.wiring.mtu)

    def _tap_cards(self):
        """For guests whose card is a tap: with a bridge or Open vSwitch."""
        alone = self.wiring.name == OWN_TAP
        taps = switches.new_taps(1 if alone else 2, self._stack)
        if alone:
            self._address(taps[0])
        else:
            self._plant = devices.Plant(
                self._peers, self.wiring.name, devices.TAP, 0, 1500,
                self._directory, self._stack, self._host)
            for tap in taps:
                self._plant.add_port(tap)
            self._address(self._plant.device)
        return [lambda mac, tap=tap: f"eth0=tuntap,{tap},{mac}," for tap in
                taps]

    def _address(self, device):
        address = f"{self._net}.{HOST_NUMBER}"
        switches.ip("address", "add", f"{address}/24", "dev", device)
        switches.ip("link", "set", device, "up")
        self._host.start("iperf3", "-s", "-B", address)

    def _guest(self, card, number):
        guest = self._peers.lab.Guest(
            f"guest{number}", cards=[card(f"02:00:00:00:00:{number:02x}")],
            ip=f"{self._net}.{number}/24", initrd=self._initrd,
            workdir=self._directory)
        self._stack.callback(guest.stop)
        return guest

    def measure(self, way, seconds):
        """A result, or {"error": why}."""
        with contextlib.ExitStack() as stack:
            if self._plant:
                stack.enter_context(self._plant.running())
            for guest in self.guests:
                guest.resume()
                stack.callback(guest.pause)
            server, client = self.guests[0], self.guests[-1]
            try:
                if way == TO_HOST:
                    return tcp.measure(client, f"{self._net}.{HOST_NUMBER}",
                                       seconds)
                return tcp.measure(self._host if way == TO_GUEST else client,
                                   server.ip, seconds)
            except Exception as error:      # others are still to be seen
                return {"error": f"guests: {error}"}


class Guests:
    """All sets, booted; round by round, until closed by @stack."""

    def __init__(self, kinds, quick, workdir, stack, record):
        self._seconds = 1 if quick else 3
        self._sets = []
        peers, self.missing = tcp.load_lab(
            "lab_peers", ["linux.uml", "iperf3", "busybox", "ip"])
        if not peers:
            return
        host = stack.enter_context(peers.Host("host", workdir))
        initrd = peers.lab.build_initrd(workdir / "initrd.cpio.gz")
        for number, wiring in enumerate(wirings(kinds)):
            try:
                self._sets.append(Set(peers, host, number, wiring, initrd,
                                      workdir, stack))
            except Exception as error:      # a guest may fail in any way
                record(SCENARIO, wiring.name, 0,
                       {"error": f"guests: {error}"})

    def round(self, number, record):
        for way in WAYS:
            for found in self._sets:
                if way in found.wiring.ways:
                    record(f"{SCENARIO}/{way}", found.wiring.name, number,
                           runner.with_others(lambda: found.measure(
                               way, self._seconds)))
