"""The tables of run.py: a row for each scenario and what is measured in it, a
column for each switch, and what ringswitch is to the best of the others that are
programs too, and to the floor."""
import dataclasses

import bridges
import guests
import report
import scenarios
from devices import BRIDGE, OVS
from switches import OWN, RELAY, UML, VDE

PEERS = [UML, VDE, OVS]
OWN_NAMES = [OWN, scenarios.OWN_POLL, scenarios.OWN_BESS, guests.JUMBO]
NAMES = [*OWN_NAMES, UML, VDE, BRIDGE, OVS, RELAY, scenarios.FLOOR,
         guests.OWN_TAP, bridges.DIRECT]
HIGH, LOW = max, min


@dataclasses.dataclass(frozen=True)
class Measure:
    field: str
    label: str
    best: object = HIGH         # which is the better: HIGH or LOW
    scale: float = 1.0
    digits: int = 0
    has_ratio: bool = True
    hops: int = 1               # of the floor's, to compare with


RATE = Measure("frames_per_s", "frames/s delivered")
BITS = Measure("bits_per_s", "Gbit/s delivered", HIGH, 1e-9, 2)
LOSS = Measure("loss", "loss, %", LOW, 100, 2, False)
MISSING = Measure("missing", "not delivered, %", LOW, 100, 2, False)
CPU = Measure("switch_cpu_ns_per_frame", "switch CPU per frame, us", LOW,
              1e-3, 2)
ALL_CPU = Measure("all_cpu_ns_per_frame",
                  "CPU per frame, sender and receiver too, us", LOW, 1e-3, 2)
P50 = Measure("latency_p50_ns", "one way, p50, us", LOW, 1e-3, 1, hops=2)
P99 = Measure("latency_p99_ns", "p99, us", LOW, 1e-3, 1, hops=2)
P999 = Measure("latency_p999_ns", "p99.9, us", LOW, 1e-3, 0)
TRIP50 = Measure("roundtrip_p50_ns", "there and back, p50, us", LOW, 1e-3, 1)
TRIP99 = Measure("roundtrip_p99_ns", "p99, us", LOW, 1e-3, 1)
THROUGHPUT = Measure("throughput_frames_per_s", "frames/s without loss")
IDLE_CPU = Measure("switch_cpu_share", "CPU, %", LOW, 100, 2, False)
WAKE_UPS = Measure("wake_ups_per_s", "wake-ups a second", LOW, 1, 1, False)
MEMORY = Measure("memory_kib", "memory, MiB", LOW, 1 / 1024, 1, False)
DELIVERED = Measure("delivered", "delivered of 2000", HIGH, 1, 0, False)
AGAIN = Measure("retransmits_per_mb", "segments sent again per MB", LOW, 1, 1,
                False)
TCP = Measure("bits_per_s", "Gbit/s", HIGH, 1e-9, 2)

GROUPS = {
    "kinds": ("Kinds of ports, one busy sender, 1500 bytes",
              [RATE, LOSS, CPU, ALL_CPU]),
    "ports": ("One busy pair among so many ports, 1500 bytes", [RATE, CPU, ALL_CPU]),
    "crowd": ("1 % broadcasts, and so many more ports that never read",
              [RATE, LOSS]),
    "addresses": ("So many addresses behind a port, 1500 bytes", [RATE, CPU]),
    "sizes": ("Frames of so many bytes", [BITS, CPU]),
    "latency": ("Lone frames, everything where the scheduler likes (free), and "
                "on one core", [P50, P99]),
    "load": ("Latency at so many frames a second, from when each was due; none "
             "where too many are lost",
             [P50, P999, MISSING]),
    "roundtrip": ("Ping-pong", [TRIP50, TRIP99]),
    "search": ("The rate at which loss begins (0.1 %)", [THROUGHPUT]),
    "idle": ("Nothing to do, with 1,000 ports", [IDLE_CPU, WAKE_UPS, MEMORY]),
    "stalled": ("Broadcasts to 14 ports of which 12 never read", [DELIVERED]),
    guests.SCENARIO: ("TCP of UML guests", [TCP, AGAIN]),
    bridges.PLUG: ("TCP between two vde_plug", [TCP, AGAIN]),
    bridges.QEMU: ("TCP between two QEMU", [TCP, AGAIN]),
}


def group_of(scenario):
    return scenario.split("/")[0]


def names_in(runs, found):
    """The switches with runs of any of the scenarios @found."""
    there = {run["switch"] for run in runs.all if run["scenario"] in found}
    return [name for name in NAMES if name in there]


def scenarios_in(runs, group):
    """In the order in which they were measured."""
    return list(dict.fromkeys(run["scenario"] for run in runs.all
                              if group_of(run["scenario"]) == group))


def all_tables(runs):
    """[(title, Markdown)] of the groups that have something in them."""
    found = []
    for group, (title, measures) in GROUPS.items():
        text = group_table(runs, scenarios_in(runs, group), measures)
        if text:
            found.append((title, text))
    return found


def group_table(runs, found, measures):
    names = names_in(runs, found)
    rows = [row(runs, scenario, measure, names)
            for scenario in found for measure in measures]
    rows = [row for row in rows if set(row[1:]) != {"-"}]
    if not rows:
        return None
    return report.table(["median (min..max)", *names, f"{OWN} / best peer",
                         f"{OWN} / floor"], rows)


def row(runs, scenario, measure, names):
    variant = scenario.partition("/")[2]
    own = runs.values(scenario, OWN, measure.field)
    peers = best_peer(runs, scenario, measure.field, measure.best)
    # A frame goes to the switch, and then to its receiver.
    floor = {number: measure.hops * value for number, value in
             runs.values(scenario, scenarios.FLOOR, measure.field).items()}
    return [f"{variant}: {measure.label}" if variant else measure.label,
            *(cell(runs, scenario, name, measure) for name in names),
            *(ratio_cell(own, base) if measure.has_ratio else "-"
              for base in (peers, floor))]


def best_peer(runs, scenario, field, choose, names=tuple(PEERS)):
    return report.best([runs.values(scenario, name, field)
                        for name in names], choose)


def cell(runs, scenario, name, measure):
    found = report.spread(runs.values(scenario, name, measure.field).values())
    if not found:
        return "-"
    mark = report.LOADED_MARK if runs.is_loaded(scenario, name) else ""
    return found.text(measure.digits, measure.scale) + mark


def ratio_cell(above, below):
    found = report.ratios(above, below)
    return found.text(2) if found else "-"
