"""What it costs that somebody watches: one busy sender to one receiver, and lone
frames, through a switch that

    nothing      nobody watches
    clients      has an idle control client and one that events are sent to
    metrics      is scraped once a second, as by Prometheus
    stats        is asked for its statistics once a second, as by ringctl
    sigusr1      reports once a second
    other        has a capture of a port that is not of the two
    all          has a capture of all ports, which is read and thrown away

and, with --before PATH, through another ringswitch that nobody watches: an
earlier one, to see what being able to watch costs. Probes for tracing (USDT) are
there in all runs, and nothing is attached to them.

     sender -- ctl --+
     receiver -------+-- ringswitch -- ctl.control, ctl.monitor, metrics
     "other" --------+
"""
import contextlib
import json
import os
import signal
import socket
import threading
import time

import runner
import switches

SCENARIO = "watching"
OWN = "ringswitch"
NOTHING, CLIENTS, METRICS, STATS, SIGUSR1, OTHER, ALL = CASES = [
    "nothing", "clients", "metrics", "stats", "sigusr1", "other", "all"]
BEFORE = "before"
RATE, LATENCY = MODES = ["rate", "latency"]
PERIOD_S = 1
CONNECT_TIMEOUT_S = 5
READ_BYTES = 1 << 20

PLAIN = "--unix {0}/ctl --listen stream:{0}/other,name=other"
WITH_METRICS = PLAIN + " --metrics unix:{0}/ctl.metrics"


class WatchError(Exception):
    """Says what was to be watched, and was not."""


def connect(path):
    """A connection to the UNIX socket @path, which may be still to come."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(CONNECT_TIMEOUT_S)
        try:
            connection.connect(path)
            return connection
        except OSError as error:
            connection.close()
            if time.monotonic() > deadline:
                raise WatchError(f"{path}: {error}") from None
        time.sleep(0.02)


class Control:
    """Requests to a control socket, or to one that only tells."""

    def __init__(self, path):
        self.socket = connect(path)
        self.lines = self.socket.makefile("rb")

    def request(self, command, **arguments):
        self.socket.sendall(json.dumps(
            {"execute": command, "arguments": arguments}).encode() + b"\n")
        reply = json.loads(self.lines.readline())
        if "error" in reply:
            raise WatchError(f"{command}: {reply['error']['message']}")
        return reply["return"]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.lines.close()
        self.socket.close()


# Who watches; each is entered before a run, and counts what it has got ----------

@contextlib.contextmanager
def nobody(pid, path, seen):
    seen.append("nothing")
    yield


@contextlib.contextmanager
def clients(pid, path, seen):
    with Control(f"{path}.control") as idle, \
            Control(f"{path}.monitor") as monitor:
        idle.request("version")
        seen.append(monitor.request("monitor"))
        yield


@contextlib.contextmanager
def in_background(work, *arguments):
    """work(over, ...) in a thread, until the event @over is set."""
    over = threading.Event()
    failed = []

    def run():
        try:
            work(over, *arguments)
        except Exception as error:      # told to who has started it
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failed:
        raise WatchError(f"{work.__name__}: {failed[0]}")


def every_second(over, look, seen):
    """The first time at once: a short run is watched, too."""
    while True:
        seen.append(look())
        if over.wait(PERIOD_S):
            return


def scrape(path):
    with connect(f"{path}.metrics") as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\nAccept: application/"
                           b"openmetrics-text; version=1.0.0\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(READ_BYTES), b""))
    if not text.endswith(b"# EOF\n"):
        raise WatchError("a scrape ended early")
    return text


def metrics(pid, path, seen):
    return in_background(every_second, lambda: scrape(path), seen)


@contextlib.contextmanager
def stats(pid, path, seen):
    with Control(f"{path}.monitor") as control, in_background(
            every_second, lambda: control.request("stats.show"), seen):
        yield


def sigusr1(pid, path, seen):
    return in_background(every_second,
                         lambda: os.kill(pid, signal.SIGUSR1) or "sent", seen)


def read_all(over, connection, seen):
    """Until the end, which comes when the switch has written the rest."""
    buffer = bytearray(READ_BYTES)
    while count := connection.recv_into(buffer):
        seen.append(count)


def capture_of(port):
    @contextlib.contextmanager
    def watch(pid, path, seen):
        with Control(f"{path}.control") as control:
            control.request("capture", port=port)
            control.socket.settimeout(None)
            # What has come behind the reply; none of it may be waited for.
            seen.append(len(control.lines.peek()))
            with in_background(read_all, control.socket, seen):
                try:
                    yield
                finally:
                    control.socket.shutdown(socket.SHUT_WR)
    return watch


WATCHERS = {NOTHING: nobody, BEFORE: nobody, CLIENTS: clients,
            METRICS: metrics, STATS: stats, SIGUSR1: sigusr1,
            OTHER: capture_of("other"), ALL: capture_of("all")}


# Runs ---------------------------------------------------------------------------

# Many short runs in turns are steadier than few long ones.
REPEATS = 3


def options(mode, quick):
    """Long enough to be watched more than once."""
    if mode == RATE:
        return ["rate", "--seconds", "1" if quick else "2"]
    return ["latency", "--count", "1000" if quick else "4000"]


def counted(path):
    """What a capture has seen, by the switch's own count."""
    with Control(f"{path}.monitor") as control:
        found = control.request("stats.show")["control"]
    return {key: found[key] for key in ("capture_frames", "capture_dropped")}


def watched_run(ringbench, program, case, mode, quick):
    """ringbench's result, or {"error": why}."""
    kind = switches.Kind(OWN, program, None, {"uml": (
        WITH_METRICS if case == METRICS else PLAIN, "{0}/ctl")})
    seen = []
    try:
        with switches.running(kind, "uml") as switch, \
                connect(switch.control.removesuffix("ctl") + "other"):
            path = switch.control
            with WATCHERS[case](switch.pid, path, seen):
                result = runner.run_ringbench(
                    [ringbench, options(mode, quick)[0], path, "--pid",
                     str(switch.pid), *options(mode, quick)[1:]])
                if case in (OTHER, ALL):
                    result |= counted(path)
    except (switches.SwitchError, WatchError, OSError, ValueError) as error:
        return {"error": str(error)}
    if not seen or (case == ALL and not result.get("capture_frames")):
        return {"error": "nothing was watched"}
    return {**result, "looks": len(seen)}


def run(switch, before, ringbench, rounds, quick, record):
    """Measure all @rounds (run.py); @record is called with (scenario, switch,
    number, result)."""
    programs = {**({BEFORE: before} if before else {}),
                **dict.fromkeys(CASES, switch)}
    repeats = 1 if quick else REPEATS
    for number in rounds.of(SCENARIO):
        for repeat in range(repeats):
            for mode in MODES:
                one_mode(programs, mode, ringbench, quick,
                         number * repeats + repeat, record)


def one_mode(programs, mode, ringbench, quick, number, record):
    # What a lone frame takes is mostly that of waking another core.
    with (runner.on_one_core() if mode == LATENCY
          else contextlib.nullcontext()):
        for case, program in programs.items():
            record(f"{SCENARIO}/{mode}/{case}", OWN, number,
                   runner.with_others(lambda: watched_run(
                       ringbench, program, case, mode, quick)))
