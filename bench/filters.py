"""Filters on taps: what a frame costs with no rules, none in the file, 100 and
10,000; and the same rules in nftables and ebtables on a Linux bridge.

    to guests   packet socket -> tap, whose queue is full: ringswitch is stopped
    to host     write to the tap, as ringswitch does, by its own descriptor
    bridge      packet socket -> veth -> bridge -> veth, whose end drops it

All of it happens within the sender's system call, so its time is the frame's,
and what a filter costs is the difference to the same path without one, measured
just before. To guests a frame is dropped in any case, by the filter or for want
of room. To the host and on a bridge it goes on to an IP stack that it is not
for; a filter's drop would save that, so a frame that is dropped is compared with
those that an empty set of rules drops.

    end to end  packet socket on the tap <-> a guest's port on ringswitch

One namespace holds all taps, each bridge has its own; all stay for all rounds.
"""
import contextlib
import os
import pathlib
import shutil
import tempfile

import switches
import tcp
from filter_bridges import PeerFilters
from filter_cases import OWN, SCENARIO, Bench
from filter_taps import SYS_BPF, TUN, OwnFilters

TIME_IN_BPF = "filters, time in BPF"
CAP_BPF = 39
ALL_UIDS = "0 0 4294967295"
PROGRAMS = ["nft", "ebtables"]


def why_no_bpf():
    """Why ringswitch cannot load filters here, or None. An ordinary user that is
    root in a user namespace may not either."""
    status = pathlib.Path("/proc/self/status").read_text()
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    uids = " ".join(pathlib.Path("/proc/self/uid_map").read_text().split())
    if uids != ALL_UIDS or not effective >> CAP_BPF & 1:
        return "loading BPF needs root"
    if not os.access(TUN, os.R_OK | os.W_OK):
        return f"{TUN} may not be opened"
    return None


def run(switch, ringbench, rounds, quick, record, tell):
    """Measure all @rounds (run.py); @record is called with (scenario, switch,
    number, result). Returns {what was left out: why}."""
    peers, why = tcp.load_lab("lab_peers", ["ip", "nsenter", "busybox"])
    why = why or why_no_bpf()
    if why:
        return {"filters on taps": why}
    os.environ["RINGSWITCH"] = switch
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="rb-")))
        bench = Bench(peers, switch, ringbench, directory, quick, stack)
        tell("filters: loading every set of rules")
        try:
            own, others = OwnFilters(bench), PeerFilters(bench)
        except (peers.lab.LabError, OSError) as error:
            record(SCENARIO, OWN, 0, {"error": str(error)})
            return {}
        left_out = others.left_out
        if os.uname().machine not in SYS_BPF:
            left_out[TIME_IN_BPF] = "not on this kind of processor"
        for number in rounds.of(SCENARIO):
            one_round(bench, number, own, others, record, left_out)
        for checked in own, others:
            attempt(numbered(record, 0), checked.check)
    return left_out


def one_round(bench, number, own, others, record, left_out):
    repeats = bench.length.repeats
    for repeat in range(repeats):
        note = numbered(record, number * repeats + repeat)
        attempt(note, own.measure, note)
        attempt(note, others.measure, note)
        attempt(note, own.measure_end_to_end, note)
    if TIME_IN_BPF not in left_out:
        attempt(note, own.measure_in_bpf, note)


def numbered(record, number):
    """@record for what belongs to one run."""
    return lambda name, switch, result: record(f"{SCENARIO}/{name}", switch,
                                               number, result)


def attempt(note, measure, *arguments):
    """What fails is told as ours."""
    try:
        measure(*arguments)
    except Exception as error:      # the rest is still to be seen
        note(measure.__name__, OWN, {"error": str(error)})


def versions():
    return {program: switches.first_line_of([program, "--version"])
            for program in PROGRAMS if shutil.which(program)}
