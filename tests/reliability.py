#!/usr/bin/python3
"""The table of the README's section "Reliability": figures, and what gives them.

    reliability.py [--only NAME,...] [--minutes N]

Each row is a make target, run one after another with about --minutes each; what
it has printed is in build/reliability. Fails if any of them does.
"""

import argparse
import pathlib
import re
import subprocess
import sys

BUILD = pathlib.Path("build/reliability")


def count(text):
    """12345678 as one reads it."""
    return f"{int(text):,}"


def last(name):
    """name=value, as programs of ours print their figures."""
    return lambda text: count(re.findall(rf"^{name}=(-?\d+)$", text, re.M)[-1])


def milliseconds(name):
    return lambda text: str(round(1000 * float(
        re.findall(rf"^{name}=([\d.]+)$", text, re.M)[-1])))


def total(pattern):
    """The sum of all numbers that @pattern finds."""
    return lambda text: count(sum(map(int, re.findall(pattern, text, re.M))))


def how_many(pattern):
    return lambda text: count(len(re.findall(pattern, text, re.M)))


# A row: its name, make's words (with the time to spend), what is said of it,
# and the figures in that, in their order.
ROWS = (
    ("guests", lambda s: f"guests RELIABILITY={max(1, s // 60)}",
     "Guests that do not read, storms, made-up addresses, frames of all "
     "lengths, thousands of connections: {} tests, and a pair beside each "
     "that loses nothing", (total(r"^(\d+) passed"),)),
    ("hostile", lambda s: f"hostile SECONDS={s}",
     "{} attacks on all sockets of the sanitizers' build; {} checked frames "
     "of guests beside them, {} of them lost",
     (last("attempts"), last("checked_frames"), last("lost"))),
    ("soak", lambda s: f"soak MINUTES={s / 60:g}",
     "{} checked frames over all kinds of ports while {} guests are killed, "
     "and the switch itself {} times; {} frames lost, {} more that were "
     "inside a killed switch; it was away for {} ms at most, and {} ms for a "
     "planned restart, of which there were {}; {} descriptors and {} bytes "
     "more at the end",
     (last("checked_frames"), last("guests_killed"), last("switches_killed"),
      last("lost"), last("lost_with_them"),
      milliseconds("pause_of_a_crash_s"),
      milliseconds("pause_of_a_restart_s"), last("started_anew"),
      last("descriptors_more"), last("bytes_more"))),
    ("fuzz", lambda s: f"fuzz FUZZ_SECONDS={max(1, s // 12)}",
     "{} inputs for {} parsers, none of which crashes, hangs or breaks what "
     "it promises", (total(r"inputs tried: (\d+)"),
                     how_many(r"inputs tried: "))),
    ("inject", lambda s: f"inject INJECT_ARGS='--quick --seconds {s}'",
     "{} places that call the system, {} of them made to fail, and {} kinds "
     "of requests to the ring",
     (total(r"^call sites (\d+)"), total(r"^call sites .* failed (\d+)"),
      total(r"^kinds of requests .* failed (\d+)"))),
    ("audit", lambda s: "audit",
     "{} ways out of the process tried from inside, {} of them open",
     (total(r"^(\d+) refused"), total(r"(\d+) possible that must not"))),
    ("valgrind", lambda s: "valgrind",
     "{} unit tests' programs and {} system tests with valgrind, no error",
     (how_many(r"^  valgrind test_"), total(r"^(\d+) passed"))),
)


def run(name, words):
    """(exit code, output) of make; the output is kept, too."""
    with open(BUILD / f"{name}.log", "w") as log:
        process = subprocess.Popen(
            f"make --no-print-directory {words}", shell=True, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        lines = []
        for line in process.stdout:
            log.write(line)
            lines.append(line)
    return process.wait(), "".join(lines)


def row(name, words, text, figures):
    """A line of the table; None if the target has failed."""
    code, output = run(name, words)
    if code:
        print(f"reliability: make {words}: exit {code}, see "
              f"{BUILD}/{name}.log", file=sys.stderr, flush=True)
        return None
    try:
        said = text.format(*(figure(output) for figure in figures))
    except IndexError:
        print(f"reliability: make {words} has not printed its figures, see "
              f"{BUILD}/{name}.log", file=sys.stderr, flush=True)
        return None
    return f"| `make {words}` | {said} |"


def main():
    names = [name for name, *_ in ROWS]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=",".join(names),
                        help=f"some of {','.join(names)}")
    parser.add_argument("--minutes", type=float, default=5)
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    if unknown := set(wanted) - set(names):
        parser.error(f"--only: no {', '.join(unknown)}; there are "
                     f"{', '.join(names)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    print("| | |\n|---|---|", flush=True)
    failed = False
    for name, words, text, figures in ROWS:
        if name not in wanted:
            continue
        line = row(name, words(int(arguments.minutes * 60)), text, figures)
        failed |= line is None
        if line:
            print(line, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
