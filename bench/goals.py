"""The goals that the project set itself, all of them ratios within one run, and
what was found."""
import guests
import report
import scenarios
import tables
from devices import BRIDGE, OVS
from report import at_least, at_most
from scenarios import ADDRESSES, FLOOR, LONE, ONE_CORE, OWN_POLL, PORTS
from switches import OWN, RELAY, UML, VDE

SOCKETS = [UML, VDE]
CPU, RATE, BITS = "switch_cpu_ns_per_frame", "frames_per_s", "bits_per_s"
CPU_TO_FLOOR = 1.3
CPU_TO_RELAY, RATE_TO_RELAY = 1.1, 0.95
RATE_TO_PEERS = {2: 2, 200: 6, 1000: 20}
FLAT = 0.15
TAIL_TO_PEERS = 0.5
LOADS = scenarios.RATES[:2]
TCP_TO_UML = 3
LOSS_PERCENT = 0.1
HEALTHY_FRAMES = 2000
IDLE_MIB = 64


def own(runs, scenario, field):
    return runs.values(scenario, OWN, field)


def to(runs, scenario, names, field, choose, of=OWN):
    """ringswitch's ratio to the best of @names; @of is how it was started."""
    return report.ratios(runs.values(scenario, of, field), tables.best_peer(
        runs, scenario, field, choose, names))


def flat(runs, group, counts, field):
    """ringswitch's ratio of the most to the fewest."""
    return report.ratios(own(runs, f"{group}/{counts[-1]}", field),
                         own(runs, f"{group}/{counts[0]}", field))


def all_goals(runs):
    return [*rates(runs), *flatness(runs), *latencies(runs), *transfers(runs),
            *promises(runs)]


def rates(runs):
    return [
        at_most("switch CPU per 1500-byte frame, daemon ports / floor",
                to(runs, "kinds/uml", [FLOOR], CPU, min), CPU_TO_FLOOR),
        *(at_least(f"frames/s with {count} ports / best of uml_switch and "
                   "vde_switch",
                   to(runs, f"ports/{count}", SOCKETS, RATE, max), limit)
          for count, limit in RATE_TO_PEERS.items()),
    ]


def flatness(runs):
    found = []
    for group, counts, word in (("ports", PORTS, "ports"),
                                ("addresses", ADDRESSES, "addresses")):
        many = f"{counts[-1]:,} {word} / {counts[0]}"
        found += [
            at_least(f"frames/s, {many}", flat(runs, group, counts, RATE),
                     1 - FLAT),
            at_most(f"switch CPU per frame, {many}",
                    flat(runs, group, counts, CPU), 1 + FLAT)]
    return found


def latencies(runs):
    p50 = "latency_p50_ns"
    return [
        *(at_most(f"lone frame, {where}, p50 / {who}",
                  to(runs, scenario, names, p50, min, name), 1)
          for scenario, where, name in (
              (LONE, "free", OWN), (LONE, "free, --busy-poll", OWN_POLL),
              (ONE_CORE, "one core", OWN))
          for who, names in (("best of uml_switch and vde_switch", SOCKETS),
                             (OVS, [OVS]), (BRIDGE, [BRIDGE]))),
        *tails(runs, "best of uml_switch and vde_switch", SOCKETS),
        *tails(runs, OVS, [OVS]), *tails(runs, BRIDGE, [BRIDGE]),
    ]


def tails(runs, who, names):
    """At the highest of the usual rates that any of @names takes without loss."""
    found = {rate: to(runs, f"load/{rate}", names, "latency_p999_ns", min)
             for rate in LOADS}
    rate = max((rate for rate in LOADS if found[rate]), default=LOADS[0])
    yield at_most(f"p99.9 at {rate:,} frames/s / {who}", found[rate],
                  TAIL_TO_PEERS)


def transfers(runs):
    def tcp(way, name, base):
        return report.ratios(
            runs.values(f"tcp/{way}", name, BITS),
            runs.values(f"tcp/{way}", base, BITS))

    return [
        at_least(f"TCP between two UML guests / {UML}",
                 tcp(guests.BETWEEN, OWN, UML), TCP_TO_UML),
        *(at_least(f"TCP, {text}{label} / a tap of the guest's own",
                   tcp(way, name, guests.OWN_TAP), 1)
          for way, text in ((guests.TO_HOST, "guest to host"),
                            (guests.TO_GUEST, "host to guest"))
          for name, label in ((OWN, ""), (scenarios.OWN_BESS, ", bess"))),
    ]


def promises(runs):
    """What was reached before and must stay; and how near the relay is."""
    return [
        at_most("switch CPU per 1500-byte frame, daemon ports / relay",
                to(runs, "kinds/uml", [RELAY], CPU, min), CPU_TO_RELAY),
        at_least("frames/s, daemon ports / relay",
                 to(runs, "kinds/uml", [RELAY], RATE, max), RATE_TO_RELAY),
        at_most("loss, one busy sender, %", report.spread(
            100 * v for v in own(runs, "kinds/uml", "loss").values()),
                LOSS_PERCENT, digits=3),
        at_least("delivered, 12 of 14 ports never read", report.spread(
            own(runs, "stalled", "delivered").values()), HEALTHY_FRAMES,
                 digits=0),
        at_most("memory with 1,000 idle ports, MiB", report.spread(
            v / 1024 for v in own(runs, "idle", "memory_kib").values()),
                IDLE_MIB, digits=1),
        *(at_most(f"switch CPU per frame, {kind} / uml", report.ratios(
            own(runs, f"kinds/{kind}", CPU), own(runs, "kinds/uml", CPU)), 1.2)
          for kind in scenarios.CLIENTS[1:]),
    ]
