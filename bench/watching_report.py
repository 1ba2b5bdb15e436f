"""The table and targets of watching.py's runs."""
import report
from watching import (ALL, BEFORE, CASES, CLIENTS, LATENCY, METRICS, NOTHING,
                      OTHER, OWN, RATE, SCENARIO, SIGUSR1, STATS)

TEXT = {
    BEFORE: "the earlier one, nobody watches",
    NOTHING: "nobody watches",
    CLIENTS: "a control client and a monitor, idle",
    METRICS: "metrics, once a second",
    STATS: "stats.show, once a second",
    SIGUSR1: "SIGUSR1, once a second",
    OTHER: "capture of another port",
    ALL: "capture of all ports",
}
MEASURES = [
    (RATE, "frames_per_s", "frames/s", 1, 0),
    (RATE, "switch_cpu_ns_per_frame", "switch CPU per frame, us", 1e-3, 2),
    (LATENCY, "latency_p50_ns", "lone frame, one core, p50, us", 1e-3, 1),
    (LATENCY, "latency_p99_ns", "p99, us", 1e-3, 1),
]
# Below that, and above what it is one by, noise and cost are hard to tell from
# each other on a machine that does other things.
LEAST_RATE, MOST_CPU = 0.95, 1.05
# What nobody is to pay for who does not watch those two ports.
FREE = [CLIENTS, METRICS, STATS, SIGUSR1, OTHER]


def values(runs, mode, case, field):
    return runs.values(f"{SCENARIO}/{mode}/{case}", OWN, field)


def ratio(runs, mode, case, field, base=NOTHING):
    return report.ratios(values(runs, mode, case, field),
                         values(runs, mode, base, field))


def cells(runs, case):
    for mode, field, _, scale, digits in MEASURES:
        found = report.spread(values(runs, mode, case, field).values())
        yield found.text(digits, scale) if found else "-"
        found = ratio(runs, mode, case, field)
        yield found.text(2) if found and case != NOTHING else "-"


def tables(runs):
    """That which has something in it."""
    rows = [[TEXT[case], *cells(runs, case)] for case in [BEFORE, *CASES]]
    rows = [row for row in rows if set(row[1:]) != {"-"}]
    header = ["watched", *(text for _, _, label, _, _ in MEASURES
                           for text in (label, "/ nobody"))]
    return [report.table(header, rows)] if rows else []


def targets(runs):
    found = [(TEXT[case], case, NOTHING) for case in FREE]
    # Not to be missed where there is no earlier program to compare with.
    if values(runs, RATE, BEFORE, "frames_per_s"):
        found.append(("nobody watches / the earlier one", NOTHING, BEFORE))
    return [target for label, case, base in found for target in (
        report.at_least(f"frames/s: {label}",
                        ratio(runs, RATE, case, "frames_per_s", base),
                        LEAST_RATE, f">= {LEAST_RATE}", 2),
        report.at_most(f"switch CPU per frame: {label}",
                       ratio(runs, RATE, case, "switch_cpu_ns_per_frame",
                             base), MOST_CPU, f"<= {MOST_CPU}", 2))]
