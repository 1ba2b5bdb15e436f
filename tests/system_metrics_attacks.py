"""HTTP clients that are slow, silent, many or mad, and ports that come and go:
frames go on, everybody who asks is answered, and nothing grows.

     hostile clients -- tmp_path/metrics --+
     two guests' ports ----------- ctl ----+-- ringswitch
"""

import contextlib
import os
import pathlib
import re
import signal
import socket

import pytest

import lab
from lab_control import control_of, send_counted
from lab_http import OPENMETRICS, Http, of_port, parsed, samples

pytest.importorskip("prometheus_client",
                    reason="needs python3-prometheus-client")

CLIENTS_MAX = 32        # metrics_http.h
PIECE_BYTES = 16384
ASK = (f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {OPENMETRICS}\r\n\r\n"
       ).encode()


@pytest.fixture
def running(tmp_path, cleanup, monkeypatch):
    """(switch, path of the metrics, two clients)"""
    path = tmp_path / "metrics"
    # With the address sanitizer, memory that has been freed counts for long.
    monkeypatch.setenv("ASAN_OPTIONS", ":".join(
        [os.environ.get("ASAN_OPTIONS", ""), "quarantine_size_mb=1"]))
    switch = cleanup.enter_context(
        lab.Switch("--metrics", f"unix:{path}", workdir=tmp_path))
    a, b = (cleanup.enter_context(lab.Client(switch.socket))
            for _ in range(2))
    yield switch, path, (a, b)
    # It runs, or has ended because a test wanted it to.
    assert not switch.process.poll(), switch.said()


@pytest.fixture
def many_ports(running, cleanup):
    """running with some more ports: more text than any socket's buffers."""
    switch, _, _ = running
    for _ in range(300):
        cleanup.enter_context(lab.Client(switch.socket))
    switch.wait_ports(302)
    return running


def connected(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(lab.STEP_S)
    client.connect(str(path))
    return client


def assert_all_well(path, clients, count=100):
    """Frames pass, and who asks is answered."""
    a, b = clients
    frames = [lab.frame(lab.BROADCAST, lab.mac(1), b"%d" % n, size=60)
              for n in range(count)]
    assert send_counted(a, b, frames) == count
    with Http(path) as http:
        assert http.scrape()["ringswitch_ports",] >= 2


def ended(client):
    """True once the switch has ended the connection; what came before it is
    read."""
    with contextlib.suppress(ConnectionResetError):
        while client.recv(1 << 20):
            pass
    return True


# Clients --------------------------------------------------------------------------

def test_a_hundred_silent_clients_keep_nobody_out(running, cleanup):
    switch, path, clients = running
    before = lab.open_files(switch.pid)
    silent = [cleanup.enter_context(connected(path)) for _ in range(100)]
    assert_all_well(path, clients)
    lab.wait_until(lambda: lab.open_files(switch.pid) - before
                   <= CLIENTS_MAX, "the oldest of the silent ones to go")
    # Those who came first have gone first.
    assert ended(silent[0]) and ended(silent[50])
    silent[-1].sendall(ASK)
    assert silent[-1].recv(8) == b"HTTP/1.1"


def test_who_goes_on_asking_is_not_the_one_to_go(running, cleanup):
    _, path, clients = running
    with Http(path) as http:
        http.connect()
        connection = http.sock
        for _ in range(3 * CLIENTS_MAX):
            cleanup.enter_context(connected(path))
            assert http.words()
            assert http.sock is connection
    assert_all_well(path, clients)


def test_a_hundred_clients_that_never_read_hold_up_nobody(many_ports, cleanup):
    switch, path, clients = many_ports
    assert_all_well(path, clients)
    before = lab.resident_bytes(switch.pid)
    for _ in range(100):
        cleanup.enter_context(connected(path)).sendall(ASK)
        with Http(path) as http:
            assert http.words()["ports"] == 302
    assert_all_well(path, clients)
    # A client's copies of 300 ports are 150 KB, its buffers 48.
    assert lab.resident_bytes(switch.pid) - before < CLIENTS_MAX << 20


def test_clients_that_ask_a_byte_at_a_time_hold_up_nobody(running, cleanup):
    _, path, clients = running
    slow = [cleanup.enter_context(connected(path)) for _ in range(20)]
    for number, byte in enumerate(ASK):
        for client in slow:
            client.sendall(bytes([byte]))
        if number % 20 == 0:
            assert_all_well(path, clients, count=10)
    for client in slow:
        assert client.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("request_bytes", [
    b"\0" * 1000, bytes(range(256)) * 64, b"GET", b"GET /metrics\r\n\r\n",
    b"GET /metrics HTTP/9.9\r\n\r\n", b"\r\n" * 20000, b"GET " * 10000,
    b"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: " + b"x" * (1 << 20) + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (1 << 18) + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], ids=lambda b: repr(b[:24]))
def test_nonsense_harms_nobody(running, request_bytes):
    switch, path, clients = running
    before = lab.resident_bytes(switch.pid)
    with connected(path) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(request_bytes)
        assert_all_well(path, clients)
    assert lab.resident_bytes(switch.pid) - before < 8 << 20


def test_a_header_without_end_is_refused_with_a_number(running):
    _, path, _ = running
    with connected(path) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(b"GET / HTTP/1.1\r\nA: " + b"x" * (1 << 20))
        assert re.match(rb"HTTP/1.1 4(31|00|14) ", client.recv(100))


def test_a_body_without_end_is_not_kept(running):
    switch, path, clients = running
    before = lab.resident_bytes(switch.pid)
    with connected(path) as client:
        client.sendall(b"GET /words HTTP/1.1\r\nHost: x\r\n"
                       b"Content-Length: 99999999\r\n\r\n")
        for _ in range(100):
            client.sendall(b"x" * (1 << 17))
        assert_all_well(path, clients)
    assert lab.resident_bytes(switch.pid) - before < 8 << 20


def test_descriptors_that_come_along_are_closed(running):
    switch, path, clients = running
    before = lab.open_files(switch.pid)
    with connected(path) as client:
        with contextlib.suppress(PermissionError):
            socket.send_fds(client, [ASK], [client.fileno()] * 100)
            assert client.recv(8) == b"HTTP/1.1"
        assert lab.open_files(switch.pid) <= before + 1
    assert_all_well(path, clients)


def test_a_client_whose_own_address_is_long_is_a_client(running, tmp_path):
    # Longer than an IPv6 address: libmicrohttpd would read past the end.
    _, path, _ = running
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with client:
        client.settimeout(lab.STEP_S)
        client.bind(b"\0" + b"x" * 107)
        client.connect(str(path))
        client.sendall(ASK)
        assert client.recv(15) == b"HTTP/1.1 200 OK"


# Descriptors ------------------------------------------------------------------------

def test_silent_clients_go_when_descriptors_are_short(tmp_path, cleanup):
    path = tmp_path / "metrics"
    with lab.Switch("--metrics", f"unix:{path}", workdir=tmp_path,
                    wrapper=["prlimit", "--nofile=40:40"]) as switch, \
            lab.Client(switch.socket) as a, lab.Client(switch.socket) as b:
        for _ in range(60):
            cleanup.enter_context(connected(path))
        assert_all_well(path, (a, b))
        with Http(path) as http:
            before = http.words()["loop_rounds"]
            assert_all_well(path, (a, b), count=1000)
            # Nothing is tried again and again without pause.
            assert http.words()["loop_rounds"] - before < 20000


def test_guests_that_have_all_descriptors_leave_it_waiting(tmp_path):
    path = tmp_path / "metrics"
    with lab.Switch("--metrics", f"unix:{path}", workdir=tmp_path,
                    wrapper=["prlimit", "--nofile=40:40"]) as switch, \
            control_of(switch) as control, contextlib.ExitStack() as guests:
        control.request("version")
        left = 40 - lab.open_files(switch.pid)
        # A guest has two, a client of the control socket one.
        for _ in range(left // 2):
            guests.enter_context(lab.Client(switch.socket))
        for _ in range(left % 2):
            guests.enter_context(control_of(switch)).request("version")
        assert lab.open_files(switch.pid) == 40
        guests.enter_context(connected(path)).sendall(ASK)
        rounds = [control.request("stats.show")["loop"]["rounds"]
                  for _ in range(30)]
        # Some for each request; not as many as there is time for.
        assert rounds[-1] - rounds[0] < 10 * len(rounds)
        guests.pop_all().close()
        with Http(path) as http:
            assert http.words()["ports"] == 0


# In the middle of a scrape ------------------------------------------------------------

def begun(path):
    """A connection whose answer has begun, and is not read further. The
    kernel has what its buffers hold; the switch has the rest yet to write."""
    client = connected(path)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(ASK)
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    return client


def rest(client):
    """The text behind the head, its chunks put together: more than sockets
    can have taken by themselves."""
    data = b""
    while not data.endswith(b"\r\n0\r\n\r\n"):
        more = client.recv(1 << 20)
        assert more, "the answer ends early"
        data += more
    assert len(data) > 2 * int(pathlib.Path(
        "/proc/sys/net/core/wmem_default").read_text())
    data = data[data.index(b"\r\n\r\n") + 4:]
    text = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if not int(size, 16):
            return text.decode()
        text += data[:int(size, 16)]
        data = data[int(size, 16) + 2:]


def test_a_long_scrape_takes_many_rounds(many_ports):
    _, path, _ = many_ports
    with Http(path) as http:
        before = http.words()["loop_rounds"]
        text = http.get("/metrics", OPENMETRICS)
        after = http.words()["loop_rounds"]
    assert len(text) > 40 * PIECE_BYTES
    assert after - before >= len(text) // PIECE_BYTES


def test_frames_pass_while_a_scrape_waits(many_ports):
    _, path, clients = many_ports
    with begun(path) as scraper:
        assert_all_well(path, clients, count=1000)
        families = parsed(rest(scraper))
    assert len(families["ringswitch_port"].samples) == 302


def test_ports_that_go_meanwhile_are_in_all_of_a_scrape(many_ports):
    switch, path, (a, b) = many_ports
    with begun(path) as scraper:
        # By now all have been copied, though most is not written yet.
        with Http(path) as http:
            for client in a, b:
                client.close()
            switch.wait_ports(300)
            assert ("ringswitch_port_info", ("kind", "uml"),
                    ("port", "uml1")) not in http.scrape()
        scraped = samples(rest(scraper))
    for name in "uml1", "uml2", "uml302":
        assert of_port(scraped, "info", name, kind="uml") == 1
        assert of_port(scraped, "credits", name) > 0
        assert of_port(scraped, "dropped_frames_total", name,
                       reason="runt") == 0


def test_a_scraper_that_goes_takes_its_copies_along(many_ports):
    switch, path, clients = many_ports
    assert_all_well(path, clients)
    files = lab.open_files(switch.pid)
    before = lab.resident_bytes(switch.pid)
    for _ in range(600):
        begun(path).close()
    assert_all_well(path, clients)
    lab.wait_until(lambda: lab.open_files(switch.pid) <= files,
                   "the connections to be closed")
    assert lab.resident_bytes(switch.pid) - before < 4 << 20


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_the_switch_ends_with_scrapes_open(many_ports, cleanup, sig):
    switch, path, _ = many_ports
    for _ in range(10):
        cleanup.enter_context(begun(path))
        cleanup.enter_context(connected(path))
    assert switch.stop(sig) == 0
    assert not path.exists()
