"""Runs of bench/ that never were, for the tests of what is made of them."""
import random
import sys

import lab

sys.path.insert(0, str(lab.ROOT / "bench"))

import guests  # noqa: E402
import report  # noqa: E402
import scenarios  # noqa: E402

# How fast each is, beside ringswitch.
SPEED = {"ringswitch": 1, "ringswitch, bess": 1.3, "uml_switch": 0.4,
         "vde_switch": 0.35, "Linux bridge": 1.5, "Open vSwitch": 0.3,
         "relay": 1.02, "floor": 2.5, "ringswitch, busy-poll": 1.9}
ROUNDS = 5


def result(speed):
    return {"mode": "rate", "frames_per_s": 4e5 * speed,
            "bits_per_s": 4.8e9 * speed, "loss": 0.0, "delivered": 2000,
            "switch_cpu_ns_per_frame": 1600 / speed,
            "all_cpu_ns_per_frame": 4000 / speed,
            "latency_p50_ns": 5e4 / speed, "latency_p99_ns": 9e4 / speed,
            "latency_p999_ns": 4e5 / speed, "roundtrip_p50_ns": 9e4 / speed,
            "roundtrip_p99_ns": 2e5 / speed,
            "throughput_frames_per_s": 3e5 * speed, "switch_cpu_share": 0.001,
            "wake_ups_per_s": 1.0, "memory_kib": 20000,
            "others_cores": 0.0}


def made_up_runs(speeds=None, seed=1):
    """All scenarios, with some noise; @speeds are of SPEED's switches."""
    speeds = {**SPEED, **(speeds or {})}
    chance = random.Random(seed)
    runs = report.Runs()
    for group in scenarios.all_scenarios(False).values():
        for scenario in group:
            for name in scenario.who:
                for number in range(ROUNDS):
                    runs.add(scenario.name, name, number, result(
                        speeds[name] * chance.uniform(0.95, 1.05)))
    with_guests = {name: speed for name, speed in speeds.items()
                   if name not in scenarios.BOUNDS} | {guests.OWN_TAP: 0.8}
    for way in guests.WAYS:
        for name, speed in with_guests.items():
            for number in range(ROUNDS):
                runs.add(f"{guests.SCENARIO}/{way}", name, number, result(
                    speed * chance.uniform(0.95, 1.05)))
    return runs
