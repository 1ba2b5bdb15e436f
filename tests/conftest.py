"""What all system tests share: where they may run, and the guests' initrd.

Run them in namespaces of their own, so that the machine's network is not
touched and no process outlives the run:

    unshare --net --pid --fork --kill-child --mount-proc \\
        /usr/bin/python3 -m pytest tests/system_*.py

As an ordinary user with --map-root-user in addition.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import tempfile

import pytest

import lab

# Tests whose size RELIABILITY multiplies take that much longer.
TEST_LIMIT_S = 180 * int(os.environ.get("RELIABILITY", "1"))

LEAKS = "RINGSWITCH_LEAK_CHECK"

TOOLS = {"linux.uml": "user-mode-linux", "uml_switch": "uml-utilities",
         "busybox": "busybox-static", "iperf3": "iperf3", "ip": "iproute2",
         "cpio": "cpio", "setpriv": "util-linux", "nsenter": "util-linux",
         "vde_switch": "vde-switch", "vde_plug": "vdeplug",
         "vde_plug2tap": "vde2", "passt": "passt",
         "slirp4netns": "slirp4netns",
         "qemu-system-x86_64": "qemu-system-x86", "bpftool": "bpftool",
         "tshark": "tshark"}


def pytest_addoption(parser):
    parser.addoption("--build", action="append", default=[],
                     help="run everything with this build (a directory with "
                     "ringswitch in it; may be repeated; default: build)")


# Tests of files, of other programs, of real guests, and of what is compiled for
# itself: the same with every build.
ONE_BUILD = ("system_bench", "system_completion", "system_filter_old_kernel",
             "system_flows", "system_handover_guests", "system_inject",
             "system_install",
             "system_manuals", "system_ringbench", "system_run_2008",
             "system_sandbox", "system_services", "system_tunctl")
# Where frames are moved, joined and handed on, and what is given up for good, as
# users' builds do it and with sanitizers. All others with sanitizers, which see
# more.
TWO_BUILDS = ("system_attacks", "system_bess", "system_guests", "system_handover",
              "system_keeper", "system_kinds", "system_limits",
              "system_old_kernel", "system_opener", "system_paths_hostile",
              "system_privileges", "system_ring", "system_stream", "system_tap",
              "system_uml_switch", "system_vde")
ALL_BUILDS = ("system_units",)


def which_builds(module, builds):
    def is_of(names):
        return any(module == name or module.startswith(name + "_")
                   for name in names)

    if is_of(ONE_BUILD):
        return builds[:1]
    if is_of(ALL_BUILDS):
        return builds
    if is_of(TWO_BUILDS):
        return list(dict.fromkeys([builds[0], builds[-1]]))
    return builds[-1:]


def pytest_generate_tests(metafunc):
    if "build" in metafunc.fixturenames:
        builds = metafunc.config.option.build or [str(lab.ROOT / "build")]
        builds = which_builds(metafunc.module.__name__, builds)
        metafunc.parametrize("build", builds, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def build(request):
    """The build under test. Everything is run with one, then with the next."""
    path = pathlib.Path(request.param).resolve()
    if "RINGSWITCH" not in os.environ:
        os.environ["RINGSWITCH"] = str(path / "ringswitch")
        request.addfinalizer(lambda: os.environ.pop("RINGSWITCH"))
    # Looking for leaks needs more than a running switch may do: one of the
    # two builds with sanitizers does that (sanitizer.h), all others are as
    # users have them.
    if path.name == "clang-asan" and LEAKS not in os.environ:
        os.environ[LEAKS] = "1"
        request.addfinalizer(lambda: os.environ.pop(LEAKS))
    return path


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    forget_what_started_us()
    refuse_machines_own_network()
    refuse_missing_tools()
    quiet_network()


def forget_what_started_us():
    """What nohup(1), a shell's background or make(1) hand on to all that is
    started from here: ignored signals, and words for other makes."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in "MAKEFLAGS", "MFLAGS", "MAKELEVEL":
        os.environ.pop(name, None)


def refuse_machines_own_network():
    used = [name for name in lab.links()
            if lab.link_flags(name) & lab.IFF_UP
            and not lab.link_flags(name) & lab.IFF_LOOPBACK]
    if used:
        pytest.exit(f"refusing to run where {', '.join(used)} is in use: the "
                    "system tests need a network namespace of their own "
                    "(unshare --net, see tests/conftest.py)", returncode=2)


def refuse_missing_tools():
    missing = [package for tool, package in TOOLS.items()
               if not shutil.which(tool)]
    if missing:
        pytest.exit(f"missing: apt-get install {' '.join(missing)}",
                    returncode=2)
    if not os.access(lab.ringswitch(), os.X_OK):
        pytest.exit(f"{lab.ringswitch()} is not there: build it first, or "
                    "name another with RINGSWITCH=", returncode=2)


def quiet_network():
    """Loopback up, and no IPv6 chatter of our own on the taps."""
    lab.sh("ip", "link", "set", "lo", "up")
    for which in "all", "default":
        pathlib.Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6"
                     ).write_text("1")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """A test that hangs is a test that fails, and the others still run."""
    def give_up(*_):
        pytest.fail(f"not finished after {TEST_LIMIT_S} s", pytrace=True)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(TEST_LIMIT_S)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def initrd(tmp_path_factory):
    return lab.build_initrd(tmp_path_factory.mktemp("initrd") / "initrd")


@pytest.fixture
def switch(tmp_path):
    """A switch with default options, on tmp_path/ctl."""
    with lab.Switch(workdir=tmp_path) as running:
        yield running
        # What a test did to the switch must not be what ended it.
        assert running.process.poll() is None, running.said()


@pytest.fixture
def cleanup():
    """Close what a test opens along the way, in reverse order."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def tap_device():
    """Skip where taps cannot be had, with the reason."""
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        pytest.skip(f"no taps here: /dev/net/tun: {error.strerror}")


@pytest.fixture
def other_user():
    """Skip where we cannot become another user, with the reason."""
    # One line of three numbers: a user namespace with one user in it.
    uids = pathlib.Path("/proc/self/uid_map").read_text().split()
    if os.geteuid() != 0 or uids[2] == "1":
        pytest.skip("needs another user to run as: not root")


@pytest.fixture
def public_dir():
    """A directory other users can work in; pytest's own is private."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ringswitch-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)
