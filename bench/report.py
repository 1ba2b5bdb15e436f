"""From single runs to cells of tables: medians, spread, ratios, targets.

A ratio is taken round by round, between two runs of the same round, and the
median of these is given: what slows the machine for a while slows both sides of
it.
"""
import dataclasses
import statistics

# A run beside others that kept so much of one core busy tells of them, too.
LOADED_CORES = 0.2
LOADED_MARK = " †"
LOADED_NOTE = (f"†: most of the runs had others beside them, that kept at least "
               f"{LOADED_CORES:g} cores busy.")


class Runs:
    """Results by scenario, switch and number of the run."""

    def __init__(self):
        self.all = []

    def add(self, scenario, switch, number, result):
        self.all.append({"scenario": scenario, "switch": switch,
                         "number": number, "result": result})

    def values(self, scenario, switch, field):
        """{number of the run: value} of the runs that have one; none at all if
        most have not, which tells more than those few would."""
        found = {run["number"]: run["result"].get(field) for run in self.all
                 if run["scenario"] == scenario and run["switch"] == switch}
        there = {number: value for number, value in found.items()
                 if value is not None}
        return there if 2 * len(there) > len(found) else {}

    def errors(self):
        return [run for run in self.all if "error" in run["result"]]

    def is_loaded(self, scenario, switch):
        """Whether others kept the machine busy in most of these runs."""
        found = self.values(scenario, switch, "others_cores").values()
        return bool(found) and statistics.median(found) >= LOADED_CORES


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


def best(found, choose):
    """Of some {number: value}, that which @choose (min, max) takes of each
    number that any of them has."""
    numbers = {number for values in found for number in values}
    return {number: choose(values[number] for values in found
                           if number in values) for number in numbers}


def table(header, rows):
    """Markdown, aligned for those who read it as it is."""
    widths = [max(len(row[i]) for row in [header, *rows])
              for i in range(len(header))]

    def line(cells):
        return "| " + " | ".join(
            cell.ljust(width) for cell, width in zip(cells, widths)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(header), rule, *(line(row) for row in rows)])


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


def at_least(label, found, limit, wanted=None, digits=2):
    return Target(label, wanted or f">= {limit:g}", found, digits,
                  found is not None and found.median >= limit)


def at_most(label, found, limit, wanted=None, digits=2):
    return Target(label, wanted or f"<= {limit:g}", found, digits,
                  found is not None and found.median <= limit)


def targets_table(targets):
    return table(["target", "wanted", "median (min..max)", "verdict"],
                 [target.row() for target in targets])


def damage(runs, name):
    """Frames that came out wrong, over all runs of one switch."""
    return {kind: sum(run["result"].get(kind) or 0 for run in runs.all
                      if run["switch"] == name)
            for kind in ("corrupt", "duplicated", "reordered")}


def others_cores(runs):
    """How busy the rest of the machine was, over all runs that tell."""
    return spread(run["result"]["others_cores"] for run in runs.all
                  if "others_cores" in run["result"])
