"""One run of ringbench, and how busy others kept the machine meanwhile."""
import contextlib
import json
import os
import pathlib
import subprocess
import time

import switches

# No run comes near it; it bounds a switch that stands still.
RUN_TIMEOUT_S = 90


@contextlib.contextmanager
def on_one_core():
    """Everything started meanwhile inherits it."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def run_ringbench(command, pass_fds=()):
    """ringbench's result, or {"error": why}."""
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


def with_others(measure):
    """measure()'s result, and "others_cores": how many cores the rest of the
    machine kept busy meanwhile. Above some tenths the run says more about them
    than about us."""
    before, start_s = others_cpu_s(), time.monotonic()
    result = measure()
    seconds = time.monotonic() - start_s
    if "error" not in result:
        busy = max(0.0, others_cpu_s() - before) / seconds
        result["others_cores"] = round(min(busy, os.cpu_count()), 2)
    return result


def others_cpu_s():
    """CPU time of the machine, and that stolen from it by its own host, without
    ours. Interrupts are left out: nobody can say whose they are."""
    user, nice, system, _, _, _, _, steal = (
        int(ticks) for ticks in
        pathlib.Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
    return ((user + nice + system + steal - our_ticks())
            / os.sysconf("SC_CLK_TCK"))


def our_ticks():
    """Of ourselves, our descendants, and those that have ended. "make bench"
    has a PID namespace of its own, so that all that /proc shows is ours."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{name}/stat").read_text()
            fields = text[text.rindex(")") + 2:].split()
            found[int(name)] = int(fields[1]), sum(map(int, fields[11:15]))
    return sum(ticks for pid, (_, ticks) in found.items()
               if is_below(found, pid, os.getpid()))


def is_below(found, pid, ancestor):
    while pid in found:
        if pid == ancestor:
            return True
        pid, _ = found[pid]
    return False
