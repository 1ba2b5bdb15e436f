"""TCP between two namespaces that are joined by real programs:

    iperf3 -- tap -- vde_plug or QEMU -- UNIX socket -- switch -- the same

and by the same programs without a switch ("direct"), which is what a switch
in between costs. QEMU has no machine inside, so nothing is emulated. What
lab_peers.py (tests/) does is making one end.
"""
import contextlib
import dataclasses
import os
import pathlib
import shutil
import tempfile

import runner
import switches
import tcp

PLUG = "plug"
QEMU = "qemu"
NAMES = [PLUG, QEMU]
DIRECT = "direct"
# The program, and Debian's package of it.
PROGRAMS = {PLUG: ("vde_plug", "vdeplug"),
            QEMU: ("qemu-system-x86_64", "qemu-system-x86")}
TUN = "/dev/net/tun"
JOIN_TIMEOUT_S = 20


@dataclasses.dataclass(frozen=True)
class Joint:
    """What two ends have between them."""
    scenario: str
    kind: switches.Kind | None      # None: nothing
    way: str

    @property
    def name(self):
        return self.kind.name if self.kind else DIRECT


def joints(name, kinds):
    """QEMU as each switch takes it best, and through ringswitch also in the
    one way that vde_switch knows."""
    with_vde = [kind for kind in kinds if kind.has("vde")]
    if name == PLUG:
        return [*(Joint(PLUG, kind, "vde") for kind in with_vde),
                Joint(PLUG, None, "ptp")]
    return [*(Joint(QEMU, kind, "stream" if kind.has("stream") else "vde")
              for kind in with_vde),
            *(Joint(f"{QEMU}/vde", kind, "vde") for kind in with_vde
              if kind.has("stream")),
            Joint(QEMU, None, "stream")]


def vde_plug(peers, number, joint, control, directory, stack):
    """One end: vde_plug, from a tap to a switch or to the other vde_plug."""
    end = stack.enter_context(peers.Namespace(f"end{number}", directory))
    end.add_tap("tap0", **addresses(number))
    there = (f"vde://{pathlib.Path(control).parent}" if joint.kind
             else f"ptp://{directory}/direct")
    end.start("vde_plug", there, "tap://tap0")
    return end


def qemu(peers, number, joint, control, directory, stack):
    """One end: QEMU, from a tap to a switch or to the other QEMU."""
    if joint.kind is None:
        netdev = {**peers.stream_netdev(directory / "direct"),
                  "server": number == 1}
    elif joint.way == "vde":
        netdev = peers.vde_netdev(pathlib.Path(control).parent)
    else:
        netdev = peers.stream_netdev(control)
    return stack.enter_context(peers.QemuBridge(
        f"end{number}", netdev, directory, **addresses(number)))


def addresses(number):
    return {"ip": f"10.0.0.{number}/24", "mac": f"02:00:00:00:00:{number:02x}"}


END = {PLUG: vde_plug, QEMU: qemu}


def measure(peers, attach, joint, seconds):
    """One run, everything started for it: a result, or {"error": why}."""
    try:
        with contextlib.ExitStack() as stack:
            directory = pathlib.Path(stack.enter_context(
                tempfile.TemporaryDirectory(prefix="rb-")))
            control = None
            if joint.kind:
                control = stack.enter_context(
                    switches.running(joint.kind, joint.way)).control
            server = attach(peers, 1, joint, control, directory, stack)
            if joint.kind is None:      # the second connects to the first
                peers.lab.wait_until((directory / "direct").exists,
                                     "the first end to listen")
            client = attach(peers, 2, joint, control, directory, stack)
            peers.lab.wait_until(lambda: client.pings(server.ip, 1, 1),
                                 "an answer to a ping", JOIN_TIMEOUT_S)
            server.start("iperf3", "-s")
            peers.lab.wait_until(
                lambda: ":5201 " in server.run("netstat -ltn")[1],
                "the iperf3 server")
            return tcp.measure(client, server.ip, seconds)
    except Exception as error:      # the others are still to be seen
        return {"error": f"{joint.scenario}: {error}"}


def run(name, kinds, seconds, record):
    """One round of PLUG or QEMU; @record is called with (scenario, switch,
    result). Returns why it could not be measured, or None."""
    program, _ = PROGRAMS[name]
    peers, missing = tcp.load_lab("lab_peers", [program, "iperf3", "busybox"])
    if not peers:
        return missing
    if not os.access(TUN, os.R_OK | os.W_OK):
        return f"{TUN} may not be opened"
    for joint in joints(name, kinds):
        record(joint.scenario, joint.name, runner.with_others(
            lambda: measure(peers, END[name], joint, seconds)))
    return None


def versions():
    return {program: switches.package_version(package)
            for program, package in PROGRAMS.values()
            if shutil.which(program)}
