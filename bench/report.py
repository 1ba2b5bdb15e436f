"""From single runs to the tables: medians, spread, ratios, targets.

A ratio is taken round by round, between two runs that followed each other,
and the median of these is given: what slows the machine for a while slows
both sides of it.
"""
import dataclasses
import statistics

import scenarios

LOSS_LIMIT = 0.001
HEALTHY_FRAMES = 2000


@dataclasses.dataclass(frozen=True)
class Metric:
    scenario: str
    field: str
    label: str
    scale: float = 1.0
    digits: int = 0
    # What a ratio divides by, if it is not the same scenario.
    base_scenario: str | None = None

    def base(self):
        return self.base_scenario or self.scenario


METRICS = [
    Metric("pair", "frames_per_s", "frames/s delivered, 1500 bytes"),
    Metric("pair", "loss", "loss, %", 100, 2),
    Metric("pair", "switch_cpu_ns_per_frame", "switch CPU per frame, us",
           1e-3, 2),
    Metric("pair-sleeping", "frames_per_s", "frames/s, sender sleeps if refused"),
    Metric("pair-sleeping", "switch_cpu_ns_per_frame",
           "CPU per frame, sender sleeps if refused, us", 1e-3, 2),
    Metric("latency", "latency_p50_ns", "lone frame one way, p50, us", 1e-3, 1),
    Metric("latency", "latency_p99_ns", "lone frame one way, p99, us", 1e-3, 1),
    Metric("latency-one-core", "latency_p50_ns",
           "lone frame, all on one core, p50, us", 1e-3, 1),
    Metric("latency-one-core", "latency_p99_ns",
           "lone frame, all on one core, p99, us", 1e-3, 1),
    Metric("ports-2", "frames_per_s", "frames/s, 1 % broadcasts, 2 ports"),
    Metric("ports-200", "frames_per_s", "frames/s, and 200 that never read"),
    Metric("ports-1000", "frames_per_s", "frames/s, and 1000 that never read"),
    Metric("ports-1000", "loss", "loss with these 1000, %", 100, 2),
    Metric("ports-2", "switch_cpu_ns_per_frame",
           "CPU per frame, 1 % broadcasts, 2 ports, us", 1e-3, 2),
    Metric("ports-1000", "switch_cpu_ns_per_frame",
           "CPU per frame, and 1000 that never read, us", 1e-3, 2),
    Metric("stalled", "delivered",
           f"delivered of {HEALTHY_FRAMES}, 12 of 14 ports never read"),
    Metric("memory", "switch_rss_kib", "resident, 1000 idle ports, MiB",
           1 / 1024, 1),
    Metric("tcp", "bits_per_s", "TCP between UML guests, Gbit/s", 1e-9, 2),
    Metric("tcp", "retransmits_per_mb", "segments sent again per MB", 1, 1),
    Metric("tcp/bess-1500", "bits_per_s",
           "TCP, guests on bess, MTU 1500, Gbit/s", 1e-9, 2, "tcp"),
    Metric("tcp/bess-1500", "retransmits_per_mb",
           "segments sent again per MB, bess, MTU 1500", 1, 1, "tcp"),
    Metric("tcp/bess-9000", "bits_per_s",
           "TCP, guests on bess, MTU 9000, Gbit/s", 1e-9, 2, "tcp"),
]

# Clients that uml_switch does not know.
OTHER_CLIENTS = [
    Metric("kinds/vde", "frames_per_s", "frames/s, VDE clients, 1500 bytes"),
    Metric("kinds/vde", "loss", "loss, VDE clients, %", 100, 2),
    Metric("kinds/vde", "switch_cpu_ns_per_frame",
           "switch CPU per frame, VDE clients, us", 1e-3, 2),
    Metric("plug", "bits_per_s", "TCP between two vde_plug, Gbit/s", 1e-9, 2),
    Metric("plug", "retransmits_per_mb", "segments sent again per MB", 1, 1),
    Metric("qemu", "bits_per_s",
           "TCP between two QEMU, stream (vde_switch: vde), Gbit/s", 1e-9, 2),
    Metric("qemu", "retransmits_per_mb", "segments sent again per MB", 1, 1),
    Metric("qemu/vde", "bits_per_s", "TCP between two QEMU, vde, Gbit/s",
           1e-9, 2, "qemu"),
]

# How each kind of port does beside the daemon port, through ringswitch.
BASE_KIND = "uml"
KIND_METRICS = [
    Metric("kinds", "frames_per_s", "frames/s delivered, 1500 bytes"),
    Metric("kinds", "loss", "loss, %", 100, 2),
    Metric("kinds", "switch_cpu_ns_per_frame", "switch CPU per frame, us",
           1e-3, 2),
]


class Runs:
    """Results by scenario, switch and number of the run."""

    def __init__(self):
        self.all = []

    def add(self, scenario, switch, number, result):
        self.all.append({"scenario": scenario, "switch": switch,
                         "number": number, "result": result})

    def values(self, scenario, switch, field):
        """{number of the run: value} of the runs that have one."""
        return {run["number"]: run["result"][field] for run in self.all
                if run["scenario"] == scenario and run["switch"] == switch
                and run["result"].get(field) is not None}

    def errors(self):
        return [run for run in self.all if "error" in run["result"]]


@dataclasses.dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    def text(self, digits, scale=1.0):
        low, high = (f"{v * scale:,.{digits}f}" for v in (self.low, self.high))
        median = f"{self.median * scale:,.{digits}f}"
        return median if low == high else f"{median} ({low}..{high})"


def spread(values):
    values = list(values)
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values))


def ratios(above, below):
    """Round by round; a round where nothing was delivered has no ratio."""
    return spread(above[number] / below[number] for number in above
                  if below.get(number))


def table(header, rows):
    """Markdown, aligned for those who read it as it is."""
    widths = [max(len(row[i]) for row in [header, *rows])
              for i in range(len(header))]

    def line(cells):
        return "| " + " | ".join(
            cell.ljust(width) for cell, width in zip(cells, widths)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(header), rule, *(line(row) for row in rows)])


def measured_tables(runs, names):
    """Those that have something in them."""
    tables = [
        switches_table(runs, METRICS, names, ["uml_switch"]),
        switches_table(runs, OTHER_CLIENTS,
                       ["ringswitch", "vde_switch", "direct"],
                       ["vde_switch", "direct"]),
        kinds_table(runs),
    ]
    return [found for found in tables if found]


def switches_table(runs, metrics, names, bases):
    """A column for each of @names, and ringswitch's ratio to each of @bases."""
    rows = []
    for metric in metrics:
        values = {name: runs.values(metric.scenario, name, metric.field)
                  for name in names}
        if not any(values.values()):
            continue
        rows.append([metric.label,
                     *(cell(values[name], metric) for name in names),
                     *(ratio_cell(own(runs, metric.scenario, metric.field),
                                  runs.values(metric.base(), base,
                                              metric.field))
                       for base in bases)])
    header = ["median (min..max)", *names,
              *(f"ringswitch / {base}" for base in bases)]
    return table(header, rows) if rows else None


def kinds_table(runs):
    def all_values(kind):
        return [own(runs, f"kinds/{kind}", metric.field)
                for metric in KIND_METRICS]

    rows = []
    base = all_values(BASE_KIND)
    for kind in scenarios.CLIENTS:
        values = all_values(kind)
        if any(values):
            rows.append([kind, *map(cell, values, KIND_METRICS),
                         *(ratio_cell(values[i], base[i])
                           for i in (0, -1))])
    header = ["kind of port", *(metric.label for metric in KIND_METRICS),
              f"frames/s / {BASE_KIND}", f"CPU per frame / {BASE_KIND}"]
    return table(header, rows) if rows else None


def own(runs, scenario, field):
    return runs.values(scenario, "ringswitch", field)


def cell(values, metric):
    found = spread(values.values())
    return found.text(metric.digits, metric.scale) if found else "-"


def ratio_cell(above, below):
    found = ratios(above, below)
    return found.text(2) if found else "-"


@dataclasses.dataclass(frozen=True)
class Target:
    """A number the project set itself, and what was found."""
    label: str
    wanted: str
    found: Spread | None
    digits: int
    reached: bool

    def row(self):
        if self.found is None:
            return [self.label, self.wanted, "-", "not measured"]
        return [self.label, self.wanted, self.found.text(self.digits),
                "reached" if self.reached else "missed"]


def at_least(label, found, limit, wanted, digits=3):
    return Target(label, wanted, found, digits,
                  found is not None and found.median >= limit)


def at_most(label, found, limit, wanted, digits=3):
    return Target(label, wanted, found, digits,
                  found is not None and found.median <= limit)


def targets(runs):
    def against(switch, scenario, field, base=None):
        return ratios(own(runs, scenario, field),
                      runs.values(base or scenario, switch, field))

    def against_uml(scenario, field):
        return against("uml_switch", scenario, field)

    def against_pair(field):
        return against("ringswitch", "ports-1000", field, "ports-2")

    def percent(scenario, field):
        return spread(100 * v for v in own(runs, scenario, field).values())

    cpu = "switch_cpu_ns_per_frame"
    loss_percent = 100 * LOSS_LIMIT
    return [
        at_least("TCP between UML guests / uml_switch",
                 against_uml("tcp", "bits_per_s"), 2.5, ">= 2.5"),
        at_least("frames/s, one busy sender / uml_switch",
                 against_uml("pair", "frames_per_s"), 1.7, ">= 1.7"),
        at_most("loss, one busy sender, %", percent("pair", "loss"),
                loss_percent, f"<= {loss_percent:g}", 3),
        at_most("switch CPU per frame / uml_switch", against_uml("pair", cpu),
                0.5, "<= 0.5"),
        at_most("lone frame one way, p50 / uml_switch",
                against_uml("latency", "latency_p50_ns"), 1.05, "<= 1.05"),
        at_most("the same, all on one core / uml_switch",
                against_uml("latency-one-core", "latency_p50_ns"), 1.05,
                "<= 1.05"),
        at_least("frames/s, 1000 more ports / 2 ports",
                 against_pair("frames_per_s"), 0.85, ">= 0.85"),
        at_most("CPU per frame, 1000 more ports / 2 ports", against_pair(cpu),
                1.15, "<= 1.15"),
        at_most("loss with 1000 more ports, %", percent("ports-1000", "loss"),
                loss_percent, f"<= {loss_percent:g}", 3),
        at_least("delivered, 12 of 14 ports never read",
                 spread(own(runs, "stalled", "delivered").values()),
                 HEALTHY_FRAMES, f"{HEALTHY_FRAMES}", 0),
        at_most("resident with 1000 idle ports, MiB",
                spread(v / 1024 for v in
                       own(runs, "memory", "switch_rss_kib").values()),
                64, "< 64", 1),
        at_least("TCP, bess at MTU 9000 / uml_switch, daemon",
                 against("uml_switch", "tcp/bess-9000", "bits_per_s", "tcp"),
                 5, ">= 5"),
        at_least("frames/s, VDE clients / vde_switch",
                 against("vde_switch", "kinds/vde", "frames_per_s"),
                 1.7, ">= 1.7"),
        *(at_most(f"switch CPU per frame, {kind} / {BASE_KIND}",
                  against("ringswitch", f"kinds/{kind}", cpu,
                          f"kinds/{BASE_KIND}"), 1.2, "<= 1.2")
          for kind in scenarios.CLIENTS if kind != BASE_KIND),
    ]


def damage(runs, name):
    """Frames that came out wrong, over all runs of one switch."""
    return {kind: sum(run["result"].get(kind, 0) for run in runs.all
                      if run["switch"] == name)
            for kind in ("corrupt", "duplicated", "reordered")}


def others_cores(runs):
    """How busy the rest of the machine was, over all runs that tell."""
    return spread(run["result"]["others_cores"] for run in runs.all
                  if "others_cores" in run["result"])
