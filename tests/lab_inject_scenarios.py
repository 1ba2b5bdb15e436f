"""What a switch is made to do while one of its calls fails.

    run(program, layer, name, faults, directory) -> Outcome
    SCENARIOS    {name: function}; each returns "went on", "refused" or "ended"

Of a step in run.step() it may come to nothing; run.sure() must succeed in the
end. See lab_inject_run.py for what is looked at afterwards.
"""

import contextlib
import os
import pathlib
import signal
import socket
import struct
import time

import lab
from lab_clients import (BessClient, BessServer, DgramClient, StreamClient,
                         StreamServer, VdeClient, listening)
from lab_control import Monitor, Refused
from lab_http import Http
from lab_inject_run import (BAD_WORDS, STEP_S, SURE_S, clean_up, is_well,
                            lines_of, new_guests, perform, send_some)

__all__ = ["SCENARIOS", "lines_of", "run"]


def everything(run):
    """Every kind of port, control, capture, metrics, and all goes again."""
    passt = run.stack.enter_context(StreamServer(run.path("passt")))
    slirp = run.stack.enter_context(BessServer(run.path("slirp")))
    for server in passt, slirp:
        server.listener.settimeout(STEP_S)
    if not run.start(
            "--listen", f"vde:{run.path('vde')},mode=0777",
            "--listen", f"bess:{run.path('bess')},mode=0600",
            "--listen", f"stream:{run.path('stream')},name=qemu",
            "--port", f"dgram:{run.path('there')},remote={run.path('here')}",
            "--port", f"connect-stream:{run.path('passt')},name=uplink",
            "--port", f"connect-bess:{run.path('slirp')}",
            "--tap", "tap0", "--tap", "tap1,accept-to-guests=not port 9",
            "--metrics", f"unix:{run.path('metrics')}",
            "--pidfile", run.path("pid")):
        return "refused"
    files = run.files() + 1  # a dgram port may be waiting yet
    guests = []
    for what, join in (
            ("outgoing stream", passt.accept),
            ("outgoing bess", slirp.accept),
            ("dgram", lambda: DgramClient(run.path("here"),
                                          run.path("there"))),
            ("uml", lambda: lab.Client(run.socket, timeout=STEP_S)),
            ("uml v1", lambda: lab.Client(run.socket, lab.request_v1, STEP_S)),
            ("vde", lambda: VdeClient(run.path("vde"), description="me")),
            ("bess", lambda: BessClient(run.path("bess"),
                                        src=run.path("web1"))),
            ("stream", lambda: StreamClient(run.path("stream"))),
            ("host", lambda: lab.HostSide("tap0"))):
        with run.step(what):
            guests.append(run.keep(join()))
    with contextlib.suppress(OSError):
        os.unlink(run.path("web1"))
    with run.step("vde of another user"), as_nobody(run):
        guests.append(run.keep(VdeClient(run.path("vde"))))
    for _ in range(2):
        send_some(run, guests, guests)
    with run.step("a stream in pieces"):
        stream = next(g for g in guests if isinstance(g, StreamClient))
        data = stream.packed(lab.frame(lab.BROADCAST, lab.mac(90), b"", 900))
        for piece in data[:3], data[3:100], data[100:]:
            stream.send_bytes(piece)
    with run.step("who does not read"):
        overflow(run, guests)
    command_everything(run)
    with run.step("metrics"):
        scrape(run)
    wrong_joins(run)
    with run.step("a tap deleted and made again"):
        lab.sh("ip", "link", "delete", "tap1")
        with lab.Tap("tap1") as again:
            again.set("up")
    with run.step("statistics"):
        run.switch.process.send_signal(signal.SIGUSR1)
    with run.step("outgoing ends"):
        for guest in guests[:2]:
            guest.close()
        lab.wait_until(lambda: bool(run.keep(passt.accept())), "it again",
                       STEP_S)
    is_well(run)
    run.stack.close()
    # Two servers have gone, and so has what connected to them.
    clean_up(run, files)
    return "went on"


@contextlib.contextmanager
def as_nobody(run):
    """Sockets made here are nobody's, if there is somebody else to be."""
    if os.geteuid():
        yield
        return
    run.directory.chmod(0o755)
    with contextlib.suppress(OSError):
        os.chmod(run.path("vde"), 0o777)
    # Without its capabilities the switch writes only to what it may.
    umask = os.umask(0)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.umask(umask)


def overflow(run, guests):
    """A guest that does not read gets more than its queue holds."""
    slow = run.keep(lab.Client(run.socket, timeout=STEP_S))
    fast = run.keep(lab.Client(run.socket, timeout=STEP_S))
    slow.send(lab.frame(lab.BROADCAST, lab.mac(50), b"", 60))
    fast.recv(STEP_S)
    for n in range(600):
        if not fast.try_send(lab.frame(lab.mac(50), lab.mac(51), b"", 60)):
            time.sleep(0.001)
    slow.drain()
    for guest in guests:
        with run.step("drain"):
            guest.drain()


def command_everything(run):
    """Every command of the control socket, with what it is for."""
    steps = [
        ("version", {}), ("help", {}), ("port.show", {}),
        ("port.add", {"endpoint": f"dgram:{run.path('l')},"
                      f"remote={run.path('r')},name=added"}),
        ("port.add", {"endpoint": "tap:tap2"}),
        ("port.set", {"port": "added", "name": "renamed", "queue": 64,
                      "isolated": True, "mac_limit": 3}),
        ("port.set", {"port": "tap0", "mirror": "renamed"}),
        ("port.down", {"port": "renamed"}), ("port.up", {"port": "renamed"}),
        ("mac.add", {"address": lab.mac(77), "port": "tap0"}),
        ("mac.show", {}), ("mac.del", {"address": lab.mac(77)}),
        ("mac.flush", {}), ("stats.show", {}), ("filter.show", {}),
        ("filter.load", {}), ("config.show", {}),
        ("listener.add", {"endpoint": f"stream:{run.path('more')}"}),
        ("listener.add", {"endpoint": f"vde:{run.path('dir')}"}),
        ("listener.show", {})]
    run.keep(lab.Tap("tap2"))  # the switch may not make one any more
    with run.step("monitor"):
        run.keep(Monitor(run.socket + ".monitor"))
    for name, arguments in steps:
        with run.step(name), run.control() as c:
            c.request(name, STEP_S, **arguments)
    with run.step("a guest of what was added"):
        BessClient(run.path("bess")).close()
        with StreamClient(run.path("more")) as guest:
            guest.send(lab.frame(lab.BROADCAST, lab.mac(9), b"", 60))
            guest.recv(0.02)
    with run.step("capture"):
        capture(run)
    # What was added goes again: what fails once works the second time.
    for name, arguments in (
            ("port.del", {"port": "renamed"}), ("port.del", {"port": "added"}),
            ("port.del", {"port": "tap2"}),
            ("listener.del", {"listener": f"stream:{run.path('more')}"}),
            ("listener.del", {"listener": f"vde:{run.path('dir')}"})):
        run.sure(name, lambda: remove(run, name, arguments))


def remove(run, name, arguments):
    try:
        with run.control() as c:
            c.request(name, STEP_S, **arguments)
    except Refused as error:
        if error.code != "not-found":
            raise


def capture(run):
    with run.control() as c:
        c.request("capture", STEP_S, port="all", expression="not port 7",
                  drops=True, buffer=65536)
        with lab.Client(run.socket, timeout=STEP_S) as guest:
            for _ in range(20):
                guest.send(lab.frame(lab.BROADCAST, lab.mac(60), b"", 1400))
        c.finish()
        c.rest(STEP_S)


def scrape(run):
    for path, method in (("/metrics", "GET"), ("/words", "GET"),
                         ("/nothing", "GET"), ("/metrics", "POST")):
        with Http(run.path("metrics"), STEP_S) as http:
            http.ask(path, method).read()


def wrong_joins(run):
    """Joins that must be refused, and some that end in the middle."""
    name = struct.pack("=H108s", socket.AF_UNIX, b"/nobody/there")
    for data in (b"x" * 200, lab.request_v3(name), b"half"):
        with run.step("a join that is none"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                s.settimeout(0.05)
                s.connect(run.socket)
                s.send(data)
                s.recv(200)


RULES = """default to-guests drop
accept ethertype arp
accept to-guests ethertype 0x88b5
rate-limit 10 packets/s to-host protocol udp
translate 10.0.0.5 <-> 192.0.2.5
"""


def rules(run):
    """A tap with rules, which are read again; and one with an object."""
    pathlib.Path(run.path("rules")).write_text(RULES)
    if not run.start("--tap", f"tap0,rules={run.path('rules')}", "--metrics",
                     "127.0.0.1:9464"):
        return "refused"
    files = run.files()
    with run.step("host"):
        host = run.keep(lab.HostSide("tap0"))
        guest = run.keep(lab.Client(run.socket, timeout=STEP_S))
        send_some(run, [host, guest], [host, guest])
    for name in "filter.show", "filter.load", "stats.show":
        with run.step(name), run.control() as c:
            c.request(name, STEP_S)
    with run.step("reload"):
        run.switch.process.send_signal(signal.SIGHUP)
    with run.step("rules that are wrong"), run.control() as c:
        pathlib.Path(run.path("rules")).write_text("nonsense\n")
        c.request("filter.load", STEP_S)
    pathlib.Path(run.path("rules")).write_text(RULES)

    def load():
        with run.control() as c:
            c.request("filter.load", 2)
    run.sure("the rules again", load)
    is_well(run)
    clean_up(run, files)
    return "went on"


def own_object(run):
    """The user's own eBPF at a tap."""
    built = run.program.path.parent / "tap" / "example_count.bpf.o"
    if not run.start("--tap", f"tap0,filter={built}"):
        return "refused"
    files = run.files()
    with run.step("filter.show"), run.control() as c:
        c.request("filter.show", STEP_S)
    is_well(run)
    clean_up(run, files)
    return "went on"


def service(run):
    """Descriptors from outside, systemd's socket, a directory of its own."""
    told = run.stack.enter_context(
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    told.bind(run.path("notify"))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    door = run.stack.enter_context(
        listening(socket.SOCK_SEQPACKET, run.path("door")))
    tap = run.stack.enter_context(lab.Tap("fd0"))
    tap.set("up")
    config = pathlib.Path(run.path("config"))
    config.write_text(f"allow-uid {os.getuid()}\nmode 0600\n")
    run.keep(ours)
    if not run.start("--port", f"fd:{theirs.fileno()},name=vm", "--listen",
                     f"fd:{door.fileno()}", "--name", "x", "--config",
                     str(config), "--group", "root", "--hub",
                     pass_fds=[theirs.fileno(), door.fileno()],
                     env={"RUNTIME_DIRECTORY": run.path("run"),
                          "NOTIFY_SOCKET": run.path("notify"),
                          "WATCHDOG_USEC": "200000"}):
        theirs.close()
        return "refused"
    theirs.close()
    with run.step("inherited"):
        a = run.keep(StreamClient(connection=ours))
        b = run.keep(BessClient(run.path("door")))
        send_some(run, [a, b], [a, b])
    with run.step("reload"):
        run.switch.process.send_signal(signal.SIGHUP)
    run.sure("new guests", lambda: new_guests(run.socket))
    return "went on"


def again(run):
    """ringctl restart: the same program, once more."""
    if not run.start("--tap", "tap0", "--pidfile", run.path("pid"),
                     "--listen", f"vde:{run.path('vde')}"):
        return "refused"
    with run.step("restart"), run.control() as c:
        c.request("restart", STEP_S)
        c.rest(STEP_S)
    # It may fail to start anew, and has to say so.
    deadline = time.monotonic() + SURE_S
    while time.monotonic() < deadline and not run.is_gone():
        with contextlib.suppress(Exception):
            new_guests(run.socket)
            return "went on"
        time.sleep(0.02)
    if run.is_gone() and run.switch.process.returncode == 1:
        return "refused"
    run.complain("neither runs nor has ended with status 1 after a restart")
    return "went on"


def background(run):
    """--daemon, which tells by its exit status whether guests can attach."""
    if not run.start("--daemon", "--pidfile", "pid", "--listen", "stream:rel",
                     cwd=run.path("")):
        return "refused"
    try:
        status = run.switch.process.wait(SURE_S)
        if status:
            run.complain(f"ready, but the status is {status}")
        pid = lab.find_process(run.socket)
        if not pid:
            raise lab.LabError("no process")
    except Exception as error:
        run.complain(f"daemon: {error!r}")
        return "refused"
    run.sure("new guests", lambda: new_guests(run.socket))
    lab.end_process(pid)
    return "ended"


def killed(run):
    """One that was killed, and the next one on the same paths and taps."""
    words = ["--tap", "tap0", "--pidfile", run.path("pid"), "--listen",
             f"vde:{run.path('vde')}", "--port",
             f"dgram:{run.path('there')},remote={run.path('here')}"]
    if not run.start(*words):
        return "refused"
    with run.step("a guest of the first"):
        VdeClient(run.path("vde")).close()
    run.switch.kill()
    if BAD_WORDS.search(run.switch.said()):
        run.complain("the first crashed")
    # What a killed VDE switch leaves is swept up.
    stale = run.stack.enter_context(
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    with contextlib.suppress(OSError):
        stale.bind(run.path("vde/003.11"))
    if not run.start(*words):
        # The first has had no time for it.
        for name in "ctl*", "vde/*", "pid", "there":
            for path in run.directory.glob(name):
                path.unlink()
        return "refused"
    is_well(run)
    return "went on"


def kept(run):
    """With a keeper: the switch is killed, then started anew, and its guests
    go on. Who loses a call in between may lose a guest, but not the switch."""
    if not run.start("--tap", "tap0", "--pidfile", run.path("pid"),
                     "--listen", f"bess:{run.path('bess')}",
                     "--listen", f"stream:{run.path('stream')}",
                     "--listen", f"vde:{run.path('vde')}",
                     "--metrics", f"unix:{run.path('metrics')}", keeper=True):
        return "refused"
    guests = []
    for join in (lambda: lab.Client(run.socket, timeout=STEP_S),
                 lambda: BessClient(run.path("bess")),
                 lambda: StreamClient(run.path("stream")),
                 lambda: VdeClient(run.path("vde")),
                 lambda: lab.HostSide("tap0")):
        with run.step("a guest"):
            guests.append(run.keep(join()))
    send_some(run, guests, guests)
    with run.step("kill"):
        os.kill(run.pid(), signal.SIGKILL)
    is_well(run)
    send_some(run, guests, guests)
    with run.step("restart"), run.control() as c:
        c.request("restart", STEP_S)
        c.rest(STEP_S)
    is_well(run)
    send_some(run, guests, guests)
    return "went on"


def crowd(run):
    """More clients of control and metrics than there is room for."""
    if not run.start("--metrics", f"unix:{run.path('metrics')}", "--mode",
                     "0777", "--allow-uid", str(os.geteuid())):
        return "refused"
    files = run.files()
    run.directory.chmod(0o755)
    with run.step("nobody"), as_nobody(run):
        lab.Client(run.socket, timeout=STEP_S).close()
    with run.step("control"):
        for _ in range(140):
            run.keep(run.control())
    with run.step("metrics"):
        for _ in range(70):
            http = run.keep(Http(run.path("metrics"), STEP_S))
            http.connect()
        http.ask("/words").read()
    is_well(run)
    clean_up(run, files)
    return "went on"


def sealed(run):
    """Everything, in the sandbox that the others do without."""
    return everything(run)


def sealed_kept(run):
    return kept(run)


SCENARIOS = {f.__name__: f for f in
             (everything, rules, own_object, service, again, background, killed,
              crowd, kept,
              sealed, sealed_kept)}

# What a scenario makes itself.
OURS = {"service": ("notify", "door", "config"), "everything": ("web1",),
        "sealed": ("web1",),
        "killed": ("vde", "vde/003.11")}


def run(program, layer, name, faults, directory, usual=frozenset()):
    """Do it once; what came of it. @usual is what it says without faults."""
    return perform(program, layer, SCENARIOS[name], faults, directory, usual,
                   OURS.get(name, ()))
