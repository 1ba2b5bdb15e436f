#!/usr/bin/python3
"""What a sandbox costs: the time until its guests answer, and their memory.

    bench/sandbox.py [--guests 2,4,16] [--rounds 3]

Prints a Markdown table. "From nothing" downloads Debian's packages and builds the
root file system first, so it says as much about the mirror as about the sandbox;
it is done once for each number of guests. The rest is the median of the rounds,
with the lowest and the highest.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

SANDBOX = pathlib.Path(__file__).resolve().parent.parent / "switch/lab/sandbox"


def up(home, guests):
    """One sandbox from its beginning to its end, and what it said."""
    command = [SANDBOX, "--name", "bench"]
    environment = dict(os.environ, SANDBOX_HOME=home)
    try:
        return subprocess.run([*command, "up", str(guests)], env=environment,
                              check=True, capture_output=True, text=True,
                              timeout=1200).stdout
    finally:
        subprocess.run([*command, "destroy"], env=environment, check=True,
                       stdin=subprocess.DEVNULL, timeout=120)


def figures(said):
    number = r"(\d+(?:\.\d+)?)"
    guests = re.findall(rf"running +{number} MiB", said)
    return {"first": float(re.search(f"First ssh after {number} s", said)[1]),
            "all": float(re.search(f"All up after {number} s", said)[1]),
            "guest": statistics.median(float(mib) for mib in guests),
            "switch": float(re.search(f"switch {number} MiB", said)[1])}


def spread(runs, key):
    values = [run[key] for run in runs]
    return (f"{statistics.median(values):.1f} "
            f"({min(values):.1f}..{max(values):.1f})")


def row(guests, rounds):
    with tempfile.TemporaryDirectory(prefix="sb") as home:
        nothing = figures(up(home, guests))
        runs = [figures(up(home, guests)) for _ in range(rounds)]
    return (f"| {guests} | {nothing['first']:.1f} | {spread(runs, 'first')} | "
            f"{spread(runs, 'all')} | {spread(runs, 'guest')} | "
            f"{spread(runs, 'switch')} |")


def main():
    parser = argparse.ArgumentParser(description="Measure the sandbox.")
    parser.add_argument("--guests", default="2,4,16")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    print("| guests | from nothing to the first ssh, s | from the cached image, s "
          "| until all answer, s | MiB a guest | MiB of the switch |")
    print("|---|---|---|---|---|---|")
    for guests in wanted.guests.split(","):
        print(row(int(guests), wanted.rounds), flush=True)


if __name__ == "__main__":
    main()
