"""Statistics for monitoring systems: what is told, and that it is right.

     Prometheus' parsers, curl -- tmp_path/metrics --+
     two guests' ports ------------------ ctl -------+-- ringswitch
"""

import re
import shutil
import subprocess

import pytest

import lab
from lab_control import control_of, send_counted
from lab_http import OPENMETRICS, PLAIN, Http, of_port, parsed, samples, words

pytest.importorskip("prometheus_client",
                    reason="needs python3-prometheus-client")

# What is counted under another name than in the JSON of stats.show.
AS_FRAMES = ["received", "forwarded", "flooded", "offered", "sent"]
AS_IT_IS = ["received_bytes", "sent_bytes", "stalls"]
GAUGES = {"queued": "queued_frames", "queue_high": "queue_high_frames",
          "queue_limit": "queue_limit_frames", "credits": "credits",
          "credits_max": "credits_max"}
SENDERS_REASONS = ["runt", "rx_too_long", "same_port", "no_port", "filter",
                   "isolated", "locked", "mac_limit", "spoofed", "storm_bcast",
                   "storm_mcast", "storm_unknown", "admin_down", "crash"]


@pytest.fixture
def running(tmp_path, cleanup):
    """(switch, path of the metrics, two clients that have had traffic)"""
    path = tmp_path / "metrics"
    switch = cleanup.enter_context(
        lab.Switch("--metrics", f"unix:{path}", workdir=tmp_path))
    a, b = (cleanup.enter_context(lab.Client(switch.socket))
            for _ in range(2))
    exchange(a, b)
    yield switch, path, (a, b)
    assert switch.process.poll() is None, switch.said()


def exchange(a, b, count=200):
    """Frames of all kinds: floods, unicast, runts, nowhere to go."""
    flood = lab.frame(lab.BROADCAST, lab.mac(1), b"flood", size=60)
    assert send_counted(a, b, [flood] * 10) == 10
    assert send_counted(b, a, [
        lab.frame(lab.mac(1), lab.mac(2), b"%d" % n, size=60 + n)
        for n in range(count)]) == count
    for frame in (b"runt", lab.frame(lab.mac(1), lab.mac(3), size=60), flood):
        a.send(frame)
    b.recv_until(flood)


def at_rest(http, take):
    """(scrape, what take() returned) of one moment: nothing has been counted
    between the two scrapes around it."""
    def look():
        before, other, after = http.scrape(), take(), http.scrape()
        same = all(before.get(key) == value for key, value in after.items()
                   if key[0].startswith("ringswitch_port_"))
        return (after, other) if same else None
    return lab.wait_until(look, "counters at rest")


# What is said ----------------------------------------------------------------

def test_openmetrics_is_what_prometheus_takes_for_it(running):
    _, path, _ = running
    with Http(path) as http:
        answer = http.ask("/metrics", accept=OPENMETRICS)
        text = answer.read().decode()
    assert answer.getheader("content-type") == OPENMETRICS
    assert text.endswith("\n# EOF\n")
    families = parsed(text)
    for name, family in families.items():
        assert name.startswith("ringswitch_")
        assert family.type != "unknown" and family.documentation, name
        assert family.samples, name
        for unit in "bytes", "seconds", "frames":
            assert name.endswith(f"_{unit}") == (family.unit == unit), name
        if family.type == "counter":
            assert all(s.name == f"{name}_total" for s in family.samples)
    assert {family.type for family in families.values()} == {
        "counter", "gauge", "histogram", "info"}


def test_the_older_format_has_the_same_samples(running):
    _, path, _ = running
    with Http(path) as http:
        answer = http.ask("/metrics", accept="text/plain")
        text = answer.read().decode()
        assert answer.getheader("content-type") == PLAIN
        assert "# EOF" not in text
        for family in parsed(text, openmetrics=False).values():
            assert family.type != "unknown" and family.documentation
        assert samples(text, False).keys() == http.scrape().keys()


def prometheus_accepts(version):
    """What servers of these versions send."""
    return {"2.45": "application/openmetrics-text;version=1.0.0,"
                    "application/openmetrics-text;version=0.0.1;q=0.75,"
                    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "1.8": "text/plain;version=0.0.4;q=1,*/*;q=0.1"}[version]


@pytest.mark.parametrize("version, expected", [("2.45", OPENMETRICS),
                                               ("1.8", PLAIN)])
def test_each_prometheus_gets_the_format_it_knows(running, version, expected):
    _, path, _ = running
    with Http(path) as http:
        answer = http.ask("/metrics", accept=prometheus_accepts(version))
        assert answer.getheader("content-type") == expected


def test_names_are_as_they_are_documented(running):
    # Those who have made dashboards count on them.
    _, path, _ = running
    with Http(path) as http:
        names = {key[0] for key in http.scrape()}
    port = [*(f"{name}_frames_total" for name in AS_FRAMES),
            "received_bytes_total", "sent_bytes_total", "stalls_total",
            "dropped_frames_total", "undelivered_frames_total"]
    for name in port:
        assert f"ringswitch_port_{name}" in names
        assert f"ringswitch_{name}" in names
    for name in GAUGES.values():
        assert f"ringswitch_port_{name}" in names
    assert names >= {
        "ringswitch_port_info", "ringswitch_port_state",
        "ringswitch_latency_seconds_bucket", "ringswitch_latency_seconds_sum",
        "ringswitch_latency_seconds_count", "ringswitch_build_info",
        "ringswitch_start_time_seconds", "ringswitch_cpu_seconds_total",
        "ringswitch_ports", "ringswitch_queued_frames",
        "ringswitch_mac_entries", "ringswitch_mac_learned_total",
        "ringswitch_loop_rounds_total", "ringswitch_control_clients",
        "ringswitch_captures", "ringswitch_capture_frames_total"}


# That it is right --------------------------------------------------------------

def test_ports_agree_with_the_control_socket(running):
    switch, path, _ = running
    with Http(path) as http, control_of(switch) as control:
        scraped, shown = at_rest(http, lambda: control.request("stats.show"))
    assert len(shown["ports"]) == 2
    for port in shown["ports"]:
        name = port["name"]
        for key in AS_FRAMES:
            assert of_port(scraped, f"{key}_frames_total", name) == port[key]
        for key in AS_IT_IS:
            assert of_port(scraped, f"{key}_total", name) == port[key]
        for key, metric in GAUGES.items():
            assert of_port(scraped, metric, name) == port[key]
        for reason, frames in port["drops"].items():
            which = ("dropped" if reason in SENDERS_REASONS
                     else "undelivered")
            assert of_port(scraped, f"{which}_frames_total", name,
                           reason=reason) == frames
    assert shown["total"]["drops"]["runt"] == 1
    assert shown["total"]["drops"]["same_port"] == 1


def test_latency_agrees_with_the_control_socket(running):
    switch, path, _ = running
    with Http(path) as http, control_of(switch) as control:
        scraped, shown = at_rest(http, lambda: control.request("stats.show"))
    assert sum(port["latency"]["samples"] for port in shown["ports"]) > 0
    for port in shown["ports"]:
        label = ("port", port["name"])
        below = 0
        for bound, count in port["latency"]["buckets"]:
            below += count
            le = "+Inf" if bound is None else f"{bound / 1e9:.9g}"
            assert scraped["ringswitch_latency_seconds_bucket",
                           ("le", le), label] == below
        assert scraped["ringswitch_latency_seconds_count",
                       label] == port["latency"]["samples"]
        assert scraped["ringswitch_latency_seconds_sum", label] == (
            pytest.approx(port["latency"]["sum_ns"] / 1e9))


def test_sums_agree_with_the_control_socket(running):
    switch, path, (a, _) = running
    a.close()
    switch.wait_ports(1)
    with Http(path) as http, control_of(switch) as control:
        scraped, shown = at_rest(http, lambda: control.request("stats.show"))
        version = control.request("version")
    total, mac = shown["total"], shown["mac"]
    for key in AS_FRAMES:
        assert scraped[f"ringswitch_{key}_frames_total",] == total[key] > 0
    assert scraped["ringswitch_dropped_frames_total",
                   ("reason", "runt")] == 1
    assert scraped["ringswitch_undelivered_frames_total",
                   ("reason", "stalled")] == 0
    assert scraped["ringswitch_ports",] == 1
    for key in "entries", "capacity":
        assert scraped[f"ringswitch_mac_{key}",] == mac[key]
    for key in "learned", "moved", "expired", "evicted", "refused":
        assert scraped[f"ringswitch_mac_{key}_total",] == mac[key]
    assert scraped["ringswitch_build_info",
                   ("version", version["release"])] == 1
    assert scraped["ringswitch_start_time_seconds",] == (
        pytest.approx(version["started"], abs=0.01))
    assert scraped["ringswitch_control_clients",] == 1


def test_ports_agree_with_the_report_of_sigusr1(running):
    switch, path, _ = running
    with Http(path) as http:
        scraped, reported = at_rest(http, switch.stats)
    for name in "uml1", "uml2":
        for key in AS_FRAMES:
            assert of_port(scraped, f"{key}_frames_total",
                           name) == reported[name][key]
        assert of_port(scraped, "state", name,
                       state=reported[name]["state"]) == 1


def test_the_loop_s_numbers_go_on(running):
    switch, path, (a, b) = running
    with Http(path) as http:
        before = http.scrape()
        exchange(a, b)
        after = http.scrape()
    for name in "rounds", "completions", "submissions":
        key = f"ringswitch_loop_{name}_total",
        assert after[key] > before[key] > 0
    assert after["ringswitch_loop_round_max_frames",] > 0
    assert after["ringswitch_cpu_seconds_total",] >= (
        before["ringswitch_cpu_seconds_total",]) > 0


def test_a_port_says_its_kind_and_its_state(running):
    switch, path, _ = running
    with Http(path) as http, control_of(switch) as control:
        control.request("port.down", port="uml1")
        scraped = http.scrape()
    assert of_port(scraped, "info", "uml1", kind="uml") == 1
    for port, state in ("uml1", "admin-down"), ("uml2", "up"):
        is_in = [labels for name, *labels in scraped
                 if name == "ringswitch_port_state"
                 and ("port", port) in labels
                 and scraped[(name, *labels)] == 1]
        assert is_in == [[("port", port), ("state", state)]]


def test_a_port_that_has_gone_is_not_told_of_but_counts(running):
    switch, path, (a, b) = running
    with Http(path) as http:
        before = http.scrape()
        a.close()
        b.close()
        switch.wait_ports(0)
        after = http.scrape()
        closed = http.words("closed")
    assert not [key for key in after if "port" in dict(key[1:])]
    key = "ringswitch_received_frames_total",
    assert after[key] == before[key] == closed["received"] > 0


# Words --------------------------------------------------------------------------

def test_words_agree_with_the_control_socket(running):
    switch, path, _ = running
    with Http(path) as http, control_of(switch) as control:
        def take():
            return (control.request("stats.show"), http.words(),
                    http.words("uml1"), http.words("total"))
        _, (shown, switch_words, uml1, total) = at_rest(http, take)
    for port, said in ((shown["ports"][0], uml1), (shown["total"], total),
                       (shown["total"], switch_words)):
        for key in ["received", "received_bytes", "forwarded", "flooded",
                    "dropped", "offered", "sent", "sent_bytes", "undelivered",
                    "stalls", "queued"]:
            assert said[key] == port[key], key
        for reason, frames in port["drops"].items():
            assert said[f"drop_{reason}"] == frames
    assert uml1["latency_samples"] == shown["ports"][0]["latency"]["samples"]
    assert uml1["credits_max"] == shown["ports"][0]["credits_max"]
    assert switch_words["ports"] == 2
    assert switch_words["mac_learned"] == shown["mac"]["learned"]


def test_words_are_such_as_rrds_can_store(running):
    _, path, _ = running
    with Http(path) as http:
        for which in None, "uml1", "total", "closed":
            for name in http.words(which):
                assert re.fullmatch("[a-z_]{1,19}", name)


def test_a_port_may_have_any_name_that_a_port_can_have(tmp_path):
    path, name = tmp_path / "metrics", "a._+:@-B0123456789012345678901x"
    with lab.Switch("--metrics", f"unix:{path}", "--listen",
                    f"uml:{tmp_path}/other,name={name}",
                    workdir=tmp_path) as switch, \
            lab.Client(f"{tmp_path}/other"), Http(path) as http:
        switch.wait_ports(1)
        assert of_port(http.scrape(), "info", name, kind="uml") == 1
        assert http.words(name)["received"] == 0
        assert http.words(name.replace("@", "%40"))["received"] == 0


# Who asks -------------------------------------------------------------------------

@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_reads_it_as_documented(running):
    _, path, _ = running

    def curl(what, *options):
        return subprocess.run(
            ["curl", "--silent", "--show-error", "--fail", *options,
             "--unix-socket", path, f"http://localhost/{what}"], check=True,
            stdout=subprocess.PIPE, text=True, timeout=lab.STEP_S).stdout

    assert samples(curl("metrics"), False)
    assert samples(curl("metrics", "--http1.0"), False)
    assert samples(curl("metrics", "-H", f"Accept: {OPENMETRICS}"))
    assert words(curl("words"))["ports"] == 2
    assert words(curl("words/uml2"))["received"] == 200
    assert "/metrics" in curl("") and "/words" in curl("")


@pytest.mark.parametrize("path, status, naming", [
    ("/metric", 404, "/metrics"), ("/metrics/", 404, "/metrics"),
    ("/words/", 404, "no such port"), ("/words/uml3", 404, "no such port"),
    ("/words/uml1/", 404, "no such port"), ("/../etc/passwd", 404, ""),
    ("/words/" + "x" * 5000, 404, "no such port"),
    ("/" + "%ff" * 100, 404, ""), ("/metrics?name=x", 200, "")])
def test_what_is_not_there_is_said_not_to_be(running, path, status, naming):
    _, metrics, _ = running
    with Http(metrics) as http:
        answer = http.ask(path)
        assert (answer.status, naming in answer.read().decode()) == (
            status, True)
        assert http.words()["ports"] == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "ODD"])
def test_other_methods_are_refused(running, method):
    _, path, _ = running
    with Http(path) as http:
        answer = http.ask("/metrics", method)
        assert answer.status == 405
        assert answer.getheader("allow") == "GET, HEAD"
    with Http(path) as http:
        assert http.words()["ports"] == 2


def test_a_head_comes_without_the_rest(running):
    _, path, _ = running
    with Http(path) as http:
        answer = http.ask("/metrics", "HEAD", OPENMETRICS)
        assert (answer.status, answer.read()) == (200, b"")
        assert answer.getheader("content-type") == OPENMETRICS


def test_many_requests_on_one_connection_are_answered_in_turn(running):
    _, path, _ = running
    with Http(path) as http:
        http.connect()
        socket = http.sock
        for _ in range(10):
            assert http.scrape()
            assert http.words()
            assert http.ask("/words", body="x" * 100000).read()
            assert http.ask("/nowhere").read()
            # Not by connecting again.
            assert http.sock is socket
        socket.sendall(b"GET /words HTTP/1.1\r\nHost: x\r\n\r\n" * 5
                       + b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while more := socket.recv(1 << 16):
            answer += more
    assert answer.count(b"\nreceived:") == 5
    assert answer.count(b"HTTP/1.1 200") == 6


def test_config_names_it(running):
    switch, path, _ = running
    with control_of(switch) as control:
        shown = control.request("config.show")["words"]
    assert shown[shown.index("--metrics") + 1] == f"unix:{path}"
