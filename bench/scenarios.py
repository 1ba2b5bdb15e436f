"""What is measured with ringbench, and one run of it.

A scenario is a mode of ringbench with its options. Each run gets a switch
that was started for it, so nothing learnt or queued is carried over.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import time

import switches

# No run comes near it; it bounds a switch that stands still.
RUN_TIMEOUT_S = 60

NAMES = ["pair", "pair-sleeping", "latency", "latency-one-core", "ports-2",
         "ports-200", "ports-1000", "stalled", "memory", "kinds"]

# What a switch's clients may be, as ringbench calls them.
CLIENTS = ["uml", "vde", "bess", "stream", "dgram"]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """How ringbench is called, how often in a round, and where it runs.

    Nothing is pinned, as guests and switches are not, with one exception:
    where a lone frame wakes a second core that sleeps, its time is mostly
    that of waking it, and varies by a factor of five with where the scheduler
    happens to put things. So latency is many short runs, and is measured a
    second time with all three processes on one core, where nothing but the
    length of the path is left.
    """
    arguments: list[str]
    repeats: int = 1
    one_core: bool = False
    client: str = "uml"
    switches: tuple[str, ...] = ("ringswitch", "uml_switch", "vde_switch")

    def is_for(self, kind):
        return kind.name in self.switches and kind.has(self.client)


def all_scenarios(quick):
    """By name, in the order of NAMES. "kinds" is one for each client."""
    pair_s, repeats = ("1", 1) if quick else ("2", 3)
    lone = ["latency", "--count", "500"]
    # A broadcast in a hundred frames reaches the idle ports; the pair of
    # ports that the others are compared with sends the same.
    ports = ["rate", "--seconds", "1", "--broadcast-every", "100",
             "--idle-ports"]
    return {
        "pair": Scenario(["rate", "--seconds", pair_s]),
        "pair-sleeping": Scenario(["rate", "--seconds", "1",
                                   "--refused", "block"]),
        "latency": Scenario(lone, repeats),
        "latency-one-core": Scenario(lone, repeats, one_core=True),
        "ports-2": Scenario([*ports, "0"]),
        "ports-200": Scenario([*ports, "200"]),
        "ports-1000": Scenario([*ports, "1000"]),
        "stalled": Scenario(["stalled"]),
        "memory": Scenario(["attach", "--idle-ports", "1000"]),
        # Side by side with each other, and VDE's with vde_switch.
        **{f"kinds/{client}": Scenario(
            ["rate", "--seconds", pair_s], client=client,
            switches=("ringswitch", "vde_switch") if client == "vde"
            else ("ringswitch",)) for client in CLIENTS},
    }


@contextlib.contextmanager
def on_one_core():
    """Everything started meanwhile inherits it."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def run(ringbench, kind, scenario):
    """One run on a fresh switch: ringbench's result, or {"error": why}.

    "others_cores" is how many cores the rest of the machine kept busy
    meanwhile. Above some tenths the run says more about them than about us.
    """
    before, start_s = others_cpu_s(), time.monotonic()
    with on_one_core() if scenario.one_core else contextlib.nullcontext():
        result = run_on_fresh_switch(ringbench, kind, scenario)
    result["others_cores"] = round(max(0.0, others_cpu_s() - before)
                                   / (time.monotonic() - start_s), 2)
    return result


def others_cpu_s():
    """CPU time of the machine that is not ours or our ended children's."""
    user, nice, system, _, _, irq, softirq, steal = (
        int(ticks) for ticks in
        pathlib.Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
    busy_s = (user + nice + system + irq + softirq + steal) / os.sysconf(
        "SC_CLK_TCK")
    own = os.times()
    return busy_s - (own.user + own.system + own.children_user
                     + own.children_system)


def run_on_fresh_switch(ringbench, kind, scenario):
    mode, *options = scenario.arguments
    try:
        with switches.running(kind, scenario.client) as (pid, control):
            return run_ringbench([ringbench, mode, control,
                                  "--client", scenario.client,
                                  "--pid", str(pid), *options])
    except (switches.SwitchError, OSError) as error:
        return {"error": str(error)}


def run_ringbench(command, pass_fds=()):
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        pass_fds=pass_fds)
    try:
        out, err = process.communicate(timeout=RUN_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return {"error": f"no end after {RUN_TIMEOUT_S} s"}
    finally:
        switches.end_group(process)
    if process.returncode:
        return {"error": err.strip() or f"status {process.returncode}"}
    return json.loads(out)
