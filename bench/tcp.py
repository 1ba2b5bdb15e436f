"""What the measurements of TCP share: the laboratory, and iperf3.

lab.py and lab_peers.py (tests/) boot guests and run programs in namespaces.
"""
import importlib
import json
import pathlib
import shutil
import sys

SLACK_S = 20


def load_lab(name, programs):
    """A module of tests/, or None, and why it cannot be used."""
    folder = pathlib.Path(__file__).resolve().parent.parent / "tests"
    if not (folder / f"{name}.py").exists():
        return None, f"{folder}/{name}.py is not there"
    for program in programs:
        if not shutil.which(program):
            return None, f"{program} is not installed"
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(name), None


def measure(client, address, seconds):
    """iperf3 from @client, something with lab's check(), to @address."""
    output = client.check(f"iperf3 -c {address} -t {seconds} -J",
                          seconds + SLACK_S)
    report = json.loads(output[output.index("{"):output.rindex("}") + 1])
    if "error" in report:
        raise RuntimeError(f"iperf3: {report['error']}")
    end = report["end"]
    return {
        "mode": "tcp",
        "bits_per_s": end["sum_received"]["bits_per_second"],
        # Frames that the guest's kernel threw away because the switch's
        # socket was full are among these; a guest does not try again.
        "retransmits_per_mb": end["sum_sent"]["retransmits"] * 1e6
        / end["sum_received"]["bytes"],
    }
