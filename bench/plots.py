"""Pictures of a run: SVG, by gnuplot. A line or a bar is the median, what sticks
out of it reaches from the smallest run to the largest."""
import dataclasses
import math
import pathlib
import shutil
import subprocess

import bridges
import guests
import report
import scenarios
import tables
from devices import BRIDGE, OVS
from switches import OWN, RELAY, UML, VDE

WIDTH, HEIGHT = 760, 440
FONT = "DejaVu Sans,Helvetica,Arial,sans-serif"
# Of Okabe and Ito: told apart by those who do not see all colours as well.
COLOURS = {OWN: "#0072b2", scenarios.OWN_BESS: "#56b4e9",
           scenarios.OWN_POLL: "#56b4e9",
           guests.JUMBO: "#003f66", UML: "#d55e00", VDE: "#e69f00",
           BRIDGE: "#009e73", OVS: "#cc79a7", RELAY: "#7a4b2a",
           scenarios.FLOOR: "#666666", guests.OWN_TAP: "#666666",
           bridges.DIRECT: "#666666"}
FLOOR_TEXT = "no switch (floor)"
RELAY_TEXT = "a relay (no switch)"
TEXTS = {scenarios.FLOOR: FLOOR_TEXT, RELAY: RELAY_TEXT,
         guests.OWN_TAP: "no switch, a tap of its own"}
# Labels beside the ends of lines keep so much of the height free for each.
LABEL_STEP = 0.055
BAR_WIDTH, BAR_GAP = 0.2, 0.25
KIND_TEXT = {
    "uml": "uml\n(daemon)", "to-host": "guest\nto tap", "to-guests": "tap\nto guest",
    "taps": "tap\nto tap", "tap": "guests'\ntaps"}
# In gnuplot's own mark-up, which no title here has anything of.
SUBTITLE = ("\n{{/=11 Rounds: {0}. Shown is the median; the whiskers reach from the "
            "smallest to the largest.}}")
# From the smallest to the largest, without gnuplot's dot in the middle.
WHISKER = "using 1:3:(0):($4-$3) with vectors nohead lw 1.3"


@dataclasses.dataclass(frozen=True)
class Series:
    """A switch's points: [(x, Spread)]; for bars, x is a word."""
    name: str
    points: list

    @property
    def colour(self):
        return COLOURS[self.name]

    @property
    def text(self):
        return TEXTS.get(self.name, self.name)


@dataclasses.dataclass(frozen=True)
class Plot:
    name: str
    title: str
    y_label: str
    series: list
    rounds: str
    x_label: str = ""
    log_x: bool = False
    log_y: bool = True
    floor: report.Spread | None = None


def quoted(text):
    """As gnuplot reads it; a line break stays one."""
    return '"' + text.replace('"', '\\"').replace("\n", "\\n") + '"'


def number(value):
    """Short: files are kept in a repository, and a pixel is enough."""
    return f"{value:.4g}"


def header(plot):
    return [
        f'set terminal svg size {WIDTH},{HEIGHT} font "{FONT},13" '
        'background "white" dynamic',
        "set encoding utf8",
        f"set title {quoted(plot.title + SUBTITLE.format(plot.rounds))} "
        "font ',15'",
        f"set ylabel {quoted(plot.y_label)}",
        "set grid ytics lc rgb '#dddddd' lt 1 lw 1",
        "set border 3", "set tics nomirror",
        "set style fill solid 0.85 noborder",
        f"set yrange [{number(low_y(plot))}:{number(high_y(plot))}]",
        *(["set logscale y"] if plot.log_y else []),
        f"set ytics ({marks((value, short(value)) for value in ticks(plot))})",
    ]


def marks(found):
    """gnuplot's words for [(position, text)] on an axis."""
    return ", ".join(f"{quoted(text)} {at:g}" for at, text in found)


def short(value):
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def ticks(plot):
    """At 1, 2 and 5, or evenly; some five of them."""
    low, high = low_y(plot), high_y(plot)
    steps = [m * 10.0 ** e for e in range(-9, 12) for m in (1, 2, 5)]
    if plot.log_y:
        return [float(f"{step:g}") for step in steps if low <= step <= high]
    step = next(step for step in steps if high / step <= 7)
    return [i * step for i in range(int(high / step) + 1)]


def all_spreads(plot):
    found = [spread for series in plot.series for _, spread in series.points]
    return found + ([plot.floor] if plot.floor else [])


def high_y(plot):
    high = max(found.high for found in all_spreads(plot))
    return high * (1.6 if plot.log_y else 1.12) or 1


def low_y(plot):
    """A logarithmic axis has no zero; nor may it begin at a bar's top."""
    if not plot.log_y:
        return 0
    return min(max(found.low, found.median / 10)
               for found in all_spreads(plot)) / 1.6


def height_of(plot, value):
    """Of @value in the picture: 0 at the bottom of the axis, 1 at the top."""
    low, high = low_y(plot), high_y(plot)
    if not plot.log_y:
        return (value - low) / (high - low)
    return math.log(max(value, low) / low) / math.log(high / low)


def spaced(heights):
    """@heights, moved apart as little as is needed, in the same order."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    found, last = list(heights), -LABEL_STEP
    for index in order:
        last = found[index] = max(found[index], last + LABEL_STEP)
    ceiling = 1.0
    for index in reversed(order):
        found[index] = min(found[index], ceiling)
        ceiling = found[index] - LABEL_STEP
    return found


def lines(plot):
    """A gnuplot script: each line with its switch's name at its end."""
    ends = [(series.text, series.colour, series.points[-1][1].median)
            for series in plot.series]
    if plot.floor:
        ends.append((FLOOR_TEXT, COLOURS[scenarios.FLOOR], plot.floor.median))
    heights = spaced([height_of(plot, value) for _, _, value in ends])
    xs = sorted({x for series in plot.series for x, _ in series.points})
    edges = ((xs[0] / 1.3, xs[-1] * 1.3) if plot.log_x
             else (0, xs[-1] * 1.05))
    script = [
        *header(plot), "unset key",
        f"set xlabel {quoted(plot.x_label)}", "set rmargin 19",
        "set bmargin 4.5", *(["set logscale x"] if plot.log_x else []),
        f"set xrange [{number(edges[0])}:{number(edges[1])}]",
        f"set xtics ({marks((x, f'{x:,}') for x in xs)})",
        *(f"set label {i} {quoted(text)} at graph 1.015,{height:.3f} left "
          f"tc rgb '{colour}' noenhanced"
          for i, ((text, colour, _), height) in
          enumerate(zip(ends, heights), 1))]
    drawn = []
    for i, series in enumerate(plot.series):
        script += block(f"d{i}", ((number(x), spread)
                                  for x, spread in series.points))
        drawn += [f"$d{i} {style} lc rgb '{series.colour}'" for style in (
            "using 1:2 with lines lw 2", "using 1:2 with points pt 7 ps 0.5",
            WHISKER)]
    if plot.floor:
        drawn.append(f"{number(plot.floor.median)} with lines dt 2 lw 1.5 "
                     f"lc rgb '{COLOURS[scenarios.FLOOR]}'")
    return script + ["plot " + ", \\\n  ".join(drawn)]


def bars(plot):
    """A gnuplot script: a group of bars for each word on the x axis."""
    words = list(dict.fromkeys(x for series in plot.series
                               for x, _ in series.points))
    places = bar_places(plot, words)
    script = [
        *header(plot), "set key below left horizontal samplen 1 width -2 "
        "noenhanced font ',11'", "set bmargin 6",
        f"set boxwidth {BAR_WIDTH * 0.92:.4g}",
        f"set xtics ({marks((at, word) for word, at in centres(places))}) "
        "scale 0 noenhanced",
        f"set xrange [{-BAR_WIDTH:g}:"
        f"{max(places.values()) + BAR_WIDTH:g}]"]
    drawn = []
    for i, series in enumerate(plot.series):
        script += block(f"d{i}", ((number(places[x, series.name]), spread)
                                  for x, spread in series.points))
        drawn += [f"$d{i} using 1:2 with boxes lc rgb '{series.colour}' "
                  f"title {quoted(series.text)}",
                  f"$d{i} {WHISKER} lc rgb '#222222' notitle"]
    return script + ["plot " + ", \\\n  ".join(drawn)]


def bar_places(plot, words):
    """{(word, switch): x}: side by side, and a gap behind each word's."""
    places, at = {}, 0.0
    for word in words:
        for series in plot.series:
            if any(x == word for x, _ in series.points):
                places[word, series.name] = at
                at += BAR_WIDTH
        at += BAR_GAP
    return places


def centres(places):
    for word in dict.fromkeys(word for word, _ in places):
        of_word = [at for (other, _), at in places.items() if other == word]
        yield word, (of_word[0] + of_word[-1]) / 2


def block(name, points):
    """gnuplot's words for data: x, median, smallest, largest."""
    return [f"${name} << EOD",
            *(f"{x} " + " ".join(map(number, (
                found.median, found.low, found.high)))
              for x, found in points), "EOD"]


# What is drawn --------------------------------------------------------------------

def spread_of(runs, scenario, name, measure):
    found = report.spread(runs.values(scenario, name, measure.field).values())
    return found and report.Spread(*(value * measure.scale for value in (
        found.median, found.low, found.high)))


def series_of(runs, points, measure, names=tuple(tables.NAMES)):
    """Of the scenarios [(x, name)], a Series for each switch that has any."""
    found = []
    for name in names:
        spreads = [(x, spread_of(runs, scenario, name, measure))
                   for x, scenario in points]
        # Nothing has no place on a logarithmic axis; the table says it.
        spreads = [(x, s) for x, s in spreads if s and s.median > 0]
        if spreads:
            found.append(Series(name, spreads))
    return found


# The floor is a line of its own; the relay has one point where ports are counted.
SWITCHES = [name for name in tables.NAMES
            if name not in (RELAY, scenarios.FLOOR)]


def numbered(group, counts):
    return [(count, f"{group}/{count}") for count in counts]


def line_plots(runs, rounds):
    floor = spread_of(runs, "ports/2", scenarios.FLOOR, tables.RATE)
    return [
        Plot("ports", "Frames delivered from one busy port to another, "
             "by number of ports", "frames of 1500 bytes a second",
             series_of(runs, numbered("ports", scenarios.PORTS), tables.RATE,
                       SWITCHES), rounds, "ports, all but two of them silent",
             True, floor=floor),
        Plot("addresses", "Frames delivered, by number of MAC addresses "
             "behind the receiving port", "frames of 1500 bytes a second",
             series_of(runs, numbered("addresses", scenarios.ADDRESSES),
                       tables.RATE, SWITCHES), rounds,
             "addresses, sent to in turns", True, floor=floor),
        Plot("sizes", "Bits delivered from one busy port to another, "
             "by size of frames", "Gbit/s",
             series_of(runs, numbered("sizes", scenarios.SIZES), tables.BITS,
                       SWITCHES), rounds, "bytes a frame", True),
        Plot("load", "The latency that 99.9 % of all frames keep, "
             "by load", "p99.9 in microseconds, from when it was due",
             series_of(runs, numbered("load", scenarios.RATES), tables.P999,
                       [*SWITCHES, RELAY]), rounds,
             "frames of 1500 bytes a second, at a fixed rate"),
    ]


def bar_plots(runs, rounds):
    kinds = [(KIND_TEXT.get(kind, kind), f"kinds/{kind}") for kind in
             (*scenarios.CLIENTS, *scenarios.TAPS, "tap", "veth")]
    return [
        Plot("kinds", "Frames delivered from one busy port to another, "
             "by kind of port", "frames of 1500 bytes a second",
             series_of(runs, kinds, tables.RATE), rounds, log_y=False),
        Plot("cpu", "CPU time of the switch per forwarded frame, by kind of "
             "port", "microseconds per frame of 1500 bytes",
             series_of(runs, kinds, tables.CPU), rounds,
             log_y=False),
        Plot("latency", "Time of a lone frame from one port to another",
             "microseconds (p50 of a run, logarithmic)",
             series_of(runs, [("wherever the scheduler likes", scenarios.LONE),
                              ("all on one core", scenarios.ONE_CORE)],
                       tables.P50), rounds),
        Plot("tcp", "TCP of User-Mode Linux guests", "Gbit/s",
             series_of(runs, [("guest to guest", "tcp/guests"),
                              ("guest to host", "tcp/to-host"),
                              ("host to guest", "tcp/to-guest")],
                       tables.TCP), rounds, log_y=False),
        Plot("search", "The highest rate that loses less than 0.1 %",
             "frames of 1500 bytes a second",
             series_of(runs, [("one busy port to another", "search")],
                       tables.THROUGHPUT), rounds, log_y=False),
    ]


def draw_all(runs, rounds, directory):
    """Those that have something in them. Returns [(title, file)], and why there
    is none, or None."""
    if not shutil.which("gnuplot"):
        return [], "gnuplot is not installed"
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    for plots, script in ((line_plots, lines), (bar_plots, bars)):
        for plot in plots(runs, rounds):
            if plot.series:
                path = directory / f"{plot.name}.svg"
                path.write_text(draw(script(plot)))
                drawn.append((plot.title, path))
    return drawn, None


def draw(script):
    done = subprocess.run(["gnuplot"], input="\n".join(script) + "\n",
                          capture_output=True, text=True, timeout=60,
                          check=False)
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"gnuplot: {done.stderr.strip()}")
    return done.stdout
