"""What is measured with ringbench, and one run of it.

A scenario is a mode of ringbench with its options, and who takes part in it, each
in one way to attach. Switches with sockets are started for each run, so nothing
learnt or queued is carried over; those with devices stay (devices.py). The floor
takes part like a switch: it is what the kernel's sockets and taps cost with none.
So does the relay, where two ports are enough: what any process between them costs.
"""
import contextlib
import dataclasses

import devices
import runner
import switches
from devices import BRIDGE, OVS
from switches import OWN, RELAY, UML, VDE

FLOOR = "floor"
OWN_BESS = f"{OWN}, bess"
OWN_POLL = f"{OWN}, busy-poll"
JUMBO_BYTES = 9000
PORTS = [2, 20, 200, 1000]
ADDRESSES = [1, 100, 1000, 10000, 50000]
SIZES = [64, 256, 512, 1500, 4000, JUMBO_BYTES]
LARGEST_OLD_BYTES = 1500        # what uml_switch and daemon ports take
IMIX = "imix"
RATES = [20000, 50000, 100000, 200000]
# The share of all frames that keep it.
LATENCIES = {"latency_p50_ns": 0.5, "latency_p99_ns": 0.99,
             "latency_p999_ns": 0.999}
# What a switch's clients may be, as ringbench calls them.
CLIENTS = ["uml", "vde", "bess", "stream", "dgram"]
# Ways through ringswitch with a tap at one end or at both.
TAPS = ["to-host", "to-guests", "taps"]
TAP_WAYS = [*TAPS, "tap"]
LONE, ONE_CORE = "latency/free", "latency/one-core"

IN_UML = {OWN: "uml", UML: "uml", VDE: "uml"}
IN_TAPS = {BRIDGE: "tap", OVS: "tap"}
# Where lone frames are: with --busy-poll as well.
POLLING = {OWN_POLL: "uml-poll"}
ALL = IN_UML | IN_TAPS
BOUNDS = {RELAY: "uml", FLOOR: "uml"}


@dataclasses.dataclass(frozen=True)
class Scenario:
    """How ringbench is called, who takes part {switch: way}, how often in a
    round, and where it runs.

    Nothing is pinned, as guests and switches are not, with one exception:
    where a lone frame wakes a second core that sleeps, its time is mostly
    that of waking it, and varies by a factor of five with where the scheduler
    happens to put things. So latency is many short runs, and is measured a
    second time with all processes on one core, where nothing but the length
    of the path is left.
    """
    name: str
    arguments: list[str]
    who: dict[str, str]
    ports: int = 2
    mtu: int = 1500
    repeats: int = 1
    one_core: bool = False

    @property
    def group(self):
        return self.name.split("/")[0]


def all_scenarios(quick):
    """{group: its scenarios}, in the order in which they are measured."""
    makers = [kinds, ports, crowd, addresses, sizes, latency, load, roundtrip,
              search, idle, stalled]
    return {maker.__name__: maker(quick) for maker in makers}


def seconds(quick, usual=1.0):
    return ["--seconds", "0.3" if quick else f"{usual:g}"]


def kinds(quick):
    rate = ["rate", *seconds(quick)]
    both = {"uml": IN_UML | BOUNDS,
            "vde": {OWN: "vde", VDE: "vde", FLOOR: "vde"},
            **{client: {OWN: client, FLOOR: client}
               for client in CLIENTS[2:]},
            **{way: {OWN: way, UML: way, VDE: way} for way in TAPS[:2]},
            "taps": {OWN: "taps"},
            "tap": {**IN_TAPS, FLOOR: "tap"},
            "veth": {BRIDGE: "veth", OVS: "veth", FLOOR: "packet"}}
    return [Scenario(f"kinds/{way}", rate, who) for way, who in both.items()]


def ports(quick):
    """One busy pair, and others that stand there and are not spoken to."""
    return [Scenario(f"ports/{count}", ["rate", *seconds(quick), "--idle-ports",
                                        str(count - 2)],
                     ALL | (BOUNDS if count == PORTS[0] else {}),
                     ports=count)
            for count in (PORTS[:3] if quick else PORTS)]


def crowd(quick):
    """A broadcast in a hundred frames, to others that never read."""
    return [Scenario(f"crowd/{count}",
                     ["rate", *seconds(quick), "--broadcast-every", "100",
                      "--idle-ports", str(count)], IN_UML)
            for count in (0, 1000)]


def addresses(quick):
    large = {name: "uml-large" for name in IN_UML} | IN_TAPS
    return [Scenario(f"addresses/{count}",
                     ["rate", *seconds(quick), "--addresses", str(count)],
                     large)
            for count in (ADDRESSES[:3] if quick else ADDRESSES)]


def sizes(quick):
    """Frames of more than 1500 bytes do not fit into a daemon port."""
    found = []
    for size in [*SIZES, IMIX]:
        jumbo = size != IMIX and size > LARGEST_OLD_BYTES
        found.append(Scenario(
            f"sizes/{size}", ["rate", *seconds(quick, 0.7), "--size",
                              str(size)],
            {OWN_BESS: "bess-9000"} | (IN_TAPS if jumbo else ALL),
            mtu=JUMBO_BYTES))
    return found


def latency(quick):
    lone, repeats = ["latency", "--count", "500"], 1 if quick else 3
    who = ALL | POLLING | BOUNDS
    return [Scenario(LONE, lone, who, repeats=repeats),
            Scenario(ONE_CORE, lone, who, repeats=repeats, one_core=True)]


def load(quick):
    """Latency of all frames at a fixed rate, from when they were due."""
    return [Scenario(f"load/{rate}", ["rate", *seconds(quick), "--rate",
                                      str(rate)], ALL | POLLING | {RELAY: "uml"})
            for rate in (RATES[:2] if quick else RATES)]


def roundtrip(quick):
    return [Scenario("roundtrip", ["roundtrip", *seconds(quick, 0.5)],
                     ALL | POLLING | {RELAY: "uml"},
                     repeats=1 if quick else 2)]


def search(quick):
    """RFC 2544's throughput: the highest rate that loses next to nothing."""
    return [Scenario("search", ["search", "--precision", "5%", *(
        ["--trials", "1", "--seconds", "0.1"] if quick
        else ["--trials", "1", "--seconds", "0.3"])], ALL)]


def idle(quick):
    return [Scenario("idle", ["attach", "--idle-ports", "98" if quick
                              else "998", "--seconds", "1" if quick else "5"],
                     {**IN_UML, OVS: "tap"}, ports=100 if quick else 1000)]


def stalled(quick):
    return [Scenario("stalled", ["stalled"], IN_UML)]



def with_derived(result):
    """@result, and what follows from it."""
    switch_ns = result.get("switch_cpu_ns_per_frame") or 0
    bench_ns = result.get("bench_cpu_ns_per_frame")
    if bench_ns is not None:
        result["all_cpu_ns_per_frame"] = bench_ns + switch_ns
    if result.get("mode") == "attach" and result.get("elapsed_s"):
        result["wake_ups_per_s"] = (result["switch_voluntary_switches"]
                                    / result["elapsed_s"])
        # Processes of one switch share much: counted in each, or once.
        result["memory_kib"] = (result.get("switch_pss_kib")
                                or result["switch_rss_kib"])
    if result.get("rate_wanted") and result.get("sent"):
        # At a fixed rate also what was never taken is missing.
        due = result["sent"] + (result.get("unsent") or 0)
        result["missing"] = 1 - result["delivered"] / due
    # Who has lost one frame in a hundred has no latency that 99.9 % keep.
    lost = max(result.get("loss") or 0, result.get("missing") or 0)
    for field, share in LATENCIES.items():
        if lost > 1 - share:
            result.pop(field, None)
    return result


class Field:
    """The switches that take part, and one run of any of them."""

    def __init__(self, ringbench, quick, kinds_there, peers=None,
                 directory=None, stack=None):
        self._ringbench = ringbench
        self._kinds = {kind.name: kind for kind in kinds_there}
        self._peers = peers             # tests/lab_peers.py, or None
        self._directory = directory
        self._stack = stack
        self._plants = {}
        self._floor_options = seconds(quick, 0.7)

    def has(self, name, way):
        """Whether @name can take part at all, in this way."""
        name = name.split(",")[0]
        if name in devices.NAMES:
            return self._peers is not None and not devices.why_not(name)
        if way in TAP_WAYS and devices.why_no_taps():
            return False
        return name == FLOOR or name in self._kinds

    def run(self, scenario, name):
        """ringbench's result, or {"error": why}."""
        one_core = (runner.on_one_core() if scenario.one_core
                    else contextlib.nullcontext())
        with one_core:
            return with_derived(runner.with_others(
                lambda: self._attempt(scenario, name)))

    def _attempt(self, scenario, name):
        way = scenario.who[name]
        switch = name.split(",")[0]
        try:
            if name == FLOOR:
                return self._floor(scenario, way)
            if switch in devices.NAMES:
                return self._on_plant(scenario, switch, way)
            return self._on_fresh_switch(scenario, self._kinds[switch], way)
        except Exception as error:      # the others are still to be seen
            return {"error": str(error)}

    def _floor(self, scenario, way):
        found = runner.run_ringbench(
            [self._ringbench, "floor", way, *self._floor_options])
        if "error" in found:
            return found
        if way not in found["kinds"]:
            return {"error": f"floor: {found['not_measured'].get(way)}"}
        found = found["kinds"][way]
        # A switch that does nothing but receive and send.
        return {**found, "switch_cpu_ns_per_frame": found["cpu_ns_per_frame"]}

    def _on_fresh_switch(self, scenario, kind, way):
        with switches.running(kind, way) as switch:
            mode, *options = scenario.arguments
            return runner.run_ringbench(
                [self._ringbench, mode, *switch.ends(), "--pid",
                 str(switch.pid), *options])

    def _on_plant(self, scenario, name, way):
        key = name, way, scenario.ports, scenario.mtu
        if key not in self._plants:
            self._plants[key] = devices.Plant(
                self._peers, *key, self._directory, self._stack)
        plant = self._plants[key]
        mode, *options = scenario.arguments
        pid = ["--pid", str(plant.pid)] if plant.pid else []
        with plant.running():
            return runner.run_ringbench(plant.namespace.inside(
                self._ringbench, mode, *plant.ends(), *pid, *options))
