"""The tables and targets of filters.py's runs."""
import report
from filter_bridges import NFT_SETS, PEERS
from filter_cases import (ACCEPTING, BRIDGE, COUNTS, DIRECTIONS, DROPPING,
                          END_TO_END, END_TO_END_RULES, IN_BPF, IN_BPF_RULES,
                          OWN, SCENARIO, Rules, rules_name)
from rulesets import SHAPES

DIRECTION_TEXT = {"to-guests": "to guests", "to-host": "to host"}
# The project set itself these for the largest set of rules.
LIMIT_NS = 150
LIMIT_RATIO = 1


def tables(runs):
    """Those that have something in them."""
    found = [costs_table(runs), in_bpf_table(runs), end_to_end_table(runs)]
    return [table for table in found if table]


def extra(runs, place, switch, case):
    return runs.values(f"{SCENARIO}/{place}/{case.name()}", switch, "extra_ns")


def own_extra(runs, direction, case):
    return extra(runs, direction, OWN, case)


def text(values, digits=0):
    found = report.spread(values.values())
    return found.text(digits) if found else "-"


def ratio_text(above, below):
    found = report.ratios(above, below)
    return found.text(2) if found else "-"


def filled_table(header, rows):
    """None if there is nothing in it."""
    rows = [row for row in rows if set(row[1:]) != {"-"}]
    return report.table(header, rows) if rows else None


def costs_table(runs):
    header = ["ns a frame more than without a filter",
              *(f"ringswitch {DIRECTION_TEXT[d]}" for d in DIRECTIONS),
              *PEERS, *(f"{DIRECTION_TEXT[d]} / {NFT_SETS}"
                        for d in DIRECTIONS)]
    return filled_table(header, [
        [case.name(),
         *(text(own_extra(runs, d, case)) for d in DIRECTIONS),
         *(text(extra(runs, BRIDGE, peer, case)) for peer in PEERS),
         # Without rules, nftables' cost is next to nothing.
         *(ratio_text(own_extra(runs, d, case),
                      extra(runs, BRIDGE, NFT_SETS, case))
           if rules.count else "-" for d in DIRECTIONS)]
        for rules in [*ACCEPTING, *DROPPING[1:]] for case in rules.cases()])


def in_bpf_table(runs):
    return filled_table(
        ["ns a run of the BPF program, by the kernel",
         *(DIRECTION_TEXT[d] for d in DIRECTIONS)],
        [[case.name(),
          *(text(runs.values(f"{SCENARIO}/{IN_BPF}/{d}/{case.name()}", OWN,
                             "run_ns")) for d in DIRECTIONS)]
         for rules in IN_BPF_RULES for case in rules.cases()])


END_TO_END_METRICS = [
    ("frames/s, 1500 bytes", "frames_per_s", 1, 0),
    ("switch CPU per frame, us", "switch_cpu_ns_per_frame", 1e-3, 2),
    ("loss, %", "loss", 100, 2),
]


def end_to_end(runs, direction, rules, field):
    return runs.values(f"{SCENARIO}/{END_TO_END}/{direction}/"
                       f"{rules_name(rules)}", OWN, field)


def end_to_end_table(runs):
    none, most = END_TO_END_RULES[0], END_TO_END_RULES[-1]
    rows = []
    for direction in DIRECTIONS:
        for label, field, scale, digits in END_TO_END_METRICS:
            values = {rules: end_to_end(runs, direction, rules, field)
                      for rules in END_TO_END_RULES}
            found = [report.spread(v.values()) for v in values.values()]
            rows.append([f"{DIRECTION_TEXT[direction]}: {label}",
                         *(f.text(digits, scale) if f else "-" for f in found),
                         ratio_text(values[most], values[none])])
    return filled_table(["end to end", *map(rules_name, END_TO_END_RULES),
                         f"{rules_name(most)} / {rules_name(none)}"], rows)


def targets(runs):
    """The dearer of the two kinds of frames counts, in each run."""
    cases = {shape: Rules(COUNTS[-1], shape, "accept").cases()
             for shape in SHAPES}
    return [
        *(report.at_most(
            f"ns a frame, {COUNTS[-1]:,} rules, {shape}, "
            f"{DIRECTION_TEXT[d]}",
            report.spread(dearest(own_extra(runs, d, case)
                                  for case in cases[shape]).values()),
            LIMIT_NS, f"< {LIMIT_NS}", 0)
          for shape in SHAPES for d in DIRECTIONS),
        *(report.at_most(
            f"the same / {NFT_SETS}: {shape}, {DIRECTION_TEXT[d]}",
            report.ratios(dearest(own_extra(runs, d, case)
                                  for case in cases[shape]),
                          dearest(extra(runs, BRIDGE, NFT_SETS, case)
                                  for case in cases[shape])),
            LIMIT_RATIO, f"<= {LIMIT_RATIO}", 2)
          for shape in SHAPES for d in DIRECTIONS),
    ]


def dearest(found):
    found = list(found)
    return {number: max(values[number] for values in found)
            for number in found[0]
            if all(number in values for values in found)}
