"""What a reader must know of the machine, to compare its numbers with another's."""
import os
import pathlib
import platform
import resource
import time


def read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return "unknown"


def facts(versions):
    models = [line.split(":", 1)[1].strip()
              for line in read("/proc/cpuinfo").splitlines()
              if line.startswith("model name")]
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernel": platform.release(),
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "load_average": read("/proc/loadavg").split()[0],
        "max_dgram_qlen": read("/proc/sys/net/unix/max_dgram_qlen"),
        "versions": versions,
    }


def text(found):
    return (f"{found['cores']} cores of {found['cpu']}, Linux "
            f"{found['kernel']}, max_dgram_qlen {found['max_dgram_qlen']}, "
            f"load {found['load_average']} at the start, {found['time']}")


def raise_descriptor_limit():
    """The switches inherit it; a thousand ports need two thousand."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
