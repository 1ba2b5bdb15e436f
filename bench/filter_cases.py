"""What filters.py measures with: sets of rules, frames that match them or not, and
the namespaces that they are sent in."""
import dataclasses

import rulesets
import runner

SCENARIO = "filters"
OWN = "ringswitch"
TO_GUESTS, TO_HOST, BRIDGE = "to-guests", "to-host", "bridge"
DIRECTIONS = [TO_GUESTS, TO_HOST]
END_TO_END, IN_BPF = "end-to-end", "in-bpf"
COUNTS = [100, 10000]
FRAME_BYTES = 60
END_TO_END_SHAPE = rulesets.MIXED


class FilterError(Exception):
    """Says what cannot be measured, or why."""


@dataclasses.dataclass(frozen=True)
class Rules:
    """A set of rules. No verdict: no filter at all."""
    count: int = 0
    shape: str = ""
    verdict: str | None = None

    def made(self):
        return rulesets.rules_of(self.shape, self.count) if self.count else []

    def cases(self):
        return [Case(self, matching) for matching in (True, False)
                if self.count or not matching]


@dataclasses.dataclass(frozen=True)
class Case:
    """Frames that all match one of the rules, or none of them."""
    rules: Rules
    matching: bool

    def name(self):
        return (f"{self.rules.count:,} {self.rules.shape}, "
                f"{'match' if self.matching else 'no match'}, "
                f"{self.rules.verdict}" if self.rules.count
                else f"no rules, {self.rules.verdict}")


NONE = Rules()
EMPTY = Rules(verdict="accept")
EMPTY_DROP = Rules(verdict="drop")
ACCEPTING = [EMPTY, *(Rules(count, shape, "accept")
                      for shape in rulesets.SHAPES for count in COUNTS)]
DROPPING = [EMPTY_DROP, *(Rules(COUNTS[-1], shape, "drop")
                          for shape in rulesets.SHAPES)]
IN_BPF_RULES = [EMPTY, *(Rules(COUNTS[-1], shape, "accept")
                         for shape in rulesets.SHAPES)]
END_TO_END_RULES = [NONE, EMPTY, *(Rules(count, END_TO_END_SHAPE, "accept")
                                   for count in COUNTS)]


@dataclasses.dataclass(frozen=True)
class Length:
    """How long things take. A median of many short runs in turns is steadier
    than one long run: what slows the machine slows neighbours in time."""
    repeats: int
    slice_ms: int
    end_to_end_ms: int


def length(quick):
    return Length(1, 20, 200) if quick else Length(2, 40, 500)


class FrameFiles:
    """The files of frames, each made when it is first asked for."""

    def __init__(self, directory):
        self._directory = directory
        self._made = {}

    def of(self, case, size=FRAME_BYTES, macs=None):
        """Rules that differ in nothing but the verdict have the same frames."""
        rules = case.rules if case.rules.count else ACCEPTING[-1]
        key = (rules.count, rules.shape, case.matching, size)
        if key not in self._made:
            path = self._directory / f"frames{len(self._made)}"
            path.write_bytes(rulesets.frames(rules.made(), case.matching, size,
                                             macs))
            self._made[key] = path
        return self._made[key]


def rules_name(rules):
    if not rules.verdict:
        return "no filter"
    return f"{rules.count:,} rules" if rules.count else "no rules"


class Bench:
    """What all measurements here share."""

    def __init__(self, peers, switch, ringbench, directory, quick, stack):
        self.peers = peers
        self.lab = peers.lab
        self.switch = switch
        self.ringbench = ringbench
        self.directory = directory
        self.length = length(quick)
        self.frames = FrameFiles(directory)
        self.stack = stack

    def namespace(self, name):
        return self.stack.enter_context(
            self.peers.Namespace(name, self.directory))

    def replay(self, namespace, path, client, frames, *options, pass_fds=(),
               milliseconds=None, size=FRAME_BYTES):
        return runner.run_ringbench(namespace.inside(
            self.ringbench, "replay", path, "--client", client,
            "--frames", frames, "--size", size, "--milliseconds",
            milliseconds or self.length.slice_ms, *options), pass_fds)

    def slice(self, place, case):
        """A short run in @place, on one core."""
        with runner.on_one_core():
            result = place.send(self.frames.of(case))
        if "error" in result:
            raise FilterError(result["error"])
        return result


def with_extra(result, base_ns):
    return {**result, "extra_ns": result["ns_per_frame"] - base_ns}
