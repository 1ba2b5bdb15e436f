"""TCP between two real UML guests through each switch.

All guests are booted first and stay up, so that the rounds can be interleaved
without a boot in each of them; a guest that waits at its shell costs next to
nothing. What lab.py (tests/) does is booting one guest.
"""
import contextlib
import json
import pathlib
import shutil
import sys

import switches

BOOT_TIMEOUT_S = 60
RUN_SLACK_S = 20


def load_lab():
    """tests/lab.py as a module, or None with the reason."""
    folder = pathlib.Path(__file__).resolve().parent.parent / "tests"
    if not (folder / "lab.py").exists():
        return None, f"{folder}/lab.py is not there"
    for program in ("linux.uml", "iperf3", "busybox"):
        if not shutil.which(program):
            return None, f"{program} is not installed"
    sys.path.insert(0, str(folder))
    import lab      # pylint: disable=import-outside-toplevel
    return lab, None


class Pair:
    """Two guests on one switch: one serves, one sends."""

    def __init__(self, lab, kind, initrd, directory, stack):
        workdir = directory / kind.name
        workdir.mkdir(exist_ok=True)
        _, control = stack.enter_context(switches.running(kind))
        self._server = self._boot(lab, kind, 1, control, initrd, workdir, stack)
        self._client = self._boot(lab, kind, 2, control, initrd, workdir, stack)
        # Both shells answer before anything is measured.
        self._must(self._server, "iperf3 -s -D", BOOT_TIMEOUT_S)
        self._must(self._client, "true", BOOT_TIMEOUT_S)

    @staticmethod
    def _boot(lab, kind, number, control, initrd, workdir, stack):
        guest = lab.Guest(f"{kind.name}-{number}", control,
                          mac=f"02:00:00:00:00:{number:02x}",
                          ip=f"10.0.0.{number}/24", initrd=initrd,
                          workdir=workdir)
        stack.callback(guest.stop)
        return guest

    @staticmethod
    def _must(guest, command, timeout_s):
        code, output = guest.run(command, timeout=timeout_s)
        if code:
            raise switches.SwitchError(f"guest: {command}: {output.strip()}")
        return output

    def measure(self, seconds):
        output = self._must(self._client,
                            f"iperf3 -c 10.0.0.1 -t {seconds} -J",
                            seconds + RUN_SLACK_S)
        report = json.loads(output[output.index("{"):output.rindex("}") + 1])
        end = report["end"]
        return {
            "mode": "tcp",
            "bits_per_s": end["sum_received"]["bits_per_second"],
            # Frames that the guest's kernel threw away because the switch's
            # socket was full are among these; a guest does not try again.
            "retransmits_per_mb": end["sum_sent"]["retransmits"] * 1e6
            / end["sum_received"]["bytes"],
        }


def run(kinds, rounds, seconds, workdir, record):
    """Measure all rounds; @record is called with (kind, round, result)."""
    lab, missing = load_lab()
    if not lab:
        return missing
    workdir.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        initrd = lab.build_initrd(workdir / "initrd.cpio.gz")
        pairs = {}
        for kind in kinds:
            try:
                pairs[kind.name] = Pair(lab, kind, initrd, workdir, stack)
            except Exception as error:      # a guest may fail in any way
                record(kind, 0, {"error": f"guests: {error}"})
        for number in range(rounds):
            for kind in kinds:
                if kind.name in pairs:
                    record(kind, number, attempt(pairs[kind.name], seconds))
    return None


def attempt(pair, seconds):
    try:
        return pair.measure(seconds)
    except Exception as error:      # the other switches are still to be seen
        return {"error": f"guests: {error}"}
