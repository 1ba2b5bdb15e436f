"""ringbench at a real switch, at other kinds of ports, and without any.

    ringbench sender ---\\                       /--- ringbench receiver
        uml, vde, bess,  |---  ringswitch  ---  |        any of these
        stream, dgram    |        tap0          |
    packet socket -------/                       \\--- packet socket
"""

import json
import subprocess

import pytest

import lab
import lab_ringbench

KINDS = ["uml", "vde", "bess", "stream", "dgram"]
DAMAGE = ["lost", "reordered", "duplicated", "corrupt", "stale", "stray"]


@pytest.fixture(scope="module")
def bench(build):
    return lab_ringbench.Bench(build / "ringbench")


@pytest.fixture(scope="module")
def lab1(build, tmp_path_factory):
    everything = lab_ringbench.Everything(tmp_path_factory.mktemp("lab1"))
    with everything.switch as switch:
        yield everything
        assert switch.process.poll() is None, switch.said()


def assert_all_came(result, copies):
    assert result["expected"] == result["delivered"] == copies
    assert [result[key] for key in DAMAGE] == [0] * len(DAMAGE)
    assert result["loss"] == 0


# Kinds of ports ----------------------------------------------------------------

# Each with itself, and with the next.
@pytest.mark.parametrize("sender,receiver", [
    *zip(KINDS, KINDS), *zip(KINDS, KINDS[1:] + KINDS[:1])])
def test_any_kind_reaches_any_other(bench, lab1, sender, receiver):
    result = bench("rate", lab1.where[sender], "--receiver",
                   lab1.where[receiver], "--count", 200)
    assert (result["client"], result["receiver"]) == (sender, receiver)
    assert_all_came(result, 200)


def test_the_old_way_to_name_a_client_is_understood(bench, lab1):
    path = lab1.where["bess"].removeprefix("bess:")
    result = bench("rate", path, "--client", "bess", "--count", 50)
    assert (result["client"], result["delivered"]) == ("bess", 50)


@pytest.mark.parametrize("ends", [("packet:tap0", "uml"), ("uml", "packet:tap0")],
                         ids=["to-guests", "to-host"])
def test_the_host_side_of_a_tap_is_an_end(bench, tap_device, tmp_path, ends):
    everything = lab_ringbench.Everything(tmp_path, "--tap", "tap0")
    sender, receiver = (everything.where.get(end, end) for end in ends)
    with everything.switch:
        result = bench("rate", sender, "--receiver", receiver, "--count", 500)
        assert_all_came(result, 500)
        assert result["window"] == 256 and result["lost_at_receiver"] == 0


def test_frames_that_a_device_does_not_take_are_an_error(bench, tap_device,
                                                         tmp_path):
    everything = lab_ringbench.Everything(tmp_path, "--tap", "tap0")
    with everything.switch:
        assert "too long" in bench.complaint(
            "rate", "packet:tap0", "--receiver", everything.where["uml"],
            "--size", "9014")


@pytest.fixture
def bridge(cleanup):
    """A bridge of the kernel: veth v0, v1 and taps t0, t1 are guests' ends."""
    def add(name, *words):
        lab.sh("ip", "link", "add", name, *words)
        cleanup.callback(lab.sh, "ip", "link", "del", name, check=False)

    add("br0", "type", "bridge")
    for number in (0, 1):
        add(f"b{number}", "type", "veth", "peer", "name", f"v{number}")
        cleanup.enter_context(lab.Tap(f"t{number}"))
        for name in f"b{number}", f"t{number}":
            lab.sh("ip", "link", "set", name, "master", "br0", "up")
        lab.sh("ip", "link", "set", f"v{number}", "up")
    lab.sh("ip", "link", "set", "br0", "up")


@pytest.mark.parametrize("ends", [["packet:v{}"], ["tap:t{}"],
                                  ["packet:v{}", "--receiver", "tap:t{}"]],
                         ids=["veth", "tap", "veth-to-tap"])
def test_a_bridge_of_the_kernel_is_measured(bench, tap_device, bridge, ends):
    result = bench("rate", *ends, "--count", 500)
    assert_all_came(result, 500)


@pytest.fixture
def vde_switch(tmp_path):
    """It ends with its standard input, and forgets all addresses when a port
    joins."""
    directory = tmp_path / "vde"
    with subprocess.Popen(["vde_switch", "-s", directory],
                          stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        lab.wait_until(lambda: lab.can_connect(directory / "ctl"), "vde_switch")
        yield f"{directory}/ctl"
        process.terminate()


@pytest.mark.parametrize("kind", ["uml", "vde"])
def test_nothing_is_flooded_at_a_switch_that_forgets(bench, vde_switch, kind):
    result = bench("rate", f"{kind}:{vde_switch}", "--ports", 6, "--idle-ports",
                   2, "--rate", 500, "--count", 150)
    assert result["sent"] == 150 and result["delivered"] > 0
    assert result["stray"] == 0


# Traffic -----------------------------------------------------------------------

PATTERNS = {"pairs": (3, 1), "one-to-many": (5, 1), "many-to-one": (5, 1),
            "all-to-all": (30, 1), "broadcast": (1, 5), "unknown": (1, 5)}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_reaches_all_that_it_is_for(bench, lab1, pattern):
    flows, copies = PATTERNS[pattern]
    result = bench("rate", lab1.where["bess"], "--receiver",
                   lab1.where["stream"], "--ports", 6, "--pattern", pattern,
                   "--rate", "10k", "--count", 600)
    assert result["flows"] == flows
    assert_all_came(result, 600 * copies)
    each = 600 // flows
    assert result["flow_frames_min"] == result["flow_frames_max"] == each


def test_sizes_are_mixed_and_long_ones_pass(bench, lab1):
    result = bench("rate", lab1.where["bess"], "--size", "60,9014", "--count",
                   100)
    assert_all_came(result, 100)
    assert result["size_bytes"] == (60 + 9014) / 2
    sent = result["bits_per_s"] * result["elapsed_s"] / 8
    assert round(sent / 100) == (60 + 9014) // 2
    result = bench("rate", lab1.where["uml"], "--size", "imix", "--count", 120)
    assert_all_came(result, 120)
    assert result["size_bytes"] == pytest.approx(4294 / 12, rel=1e-5)


def test_learned_addresses_are_all_sent_to(bench, lab1):
    before = lab1.switch.stats()
    result = bench("rate", lab1.where["uml"], "--addresses", 700, "--count", 1400)
    assert_all_came(result, 1400)
    after = lab1.switch.stats()
    # Nothing was flooded: the frames went to one port each.
    assert (after["total"]["flooded"] - before["total"]["flooded"]) < 10


def test_sources_are_as_many_as_asked_for(bench, tmp_path):
    with lab.Switch(workdir=tmp_path) as switch:
        result = bench("rate", f"uml:{switch.socket}", "--sources", 300,
                       "--idle-ports", 1, "--count", 900)
        assert_all_came(result, 900)
        assert switch.stats()["mac"]["learned"] >= 300


def test_a_rate_is_kept_and_a_burst_is_at_once(bench, lab1):
    result = bench("rate", lab1.where["bess"], "--rate", "12Mbit/s", "--size",
                   1500, "--burst", 20, "--count", 300, "--seconds", 20)
    assert result["rate_wanted"] == 1000
    assert_all_came(result, 300)
    assert result["unsent"] == 0
    assert result["latency_samples"] == result["transit_samples"] == 300
    assert result["late_samples"] == 300
    assert result["latency_p50_ns"] >= result["transit_p50_ns"]


def test_slow_ports_are_sent_to_and_read(bench, lab1):
    result = bench("rate", lab1.where["bess"], "--idle-ports", 4, "--idle-read",
                   1000, "--idle-every", 5, "--rate", 2000, "--count", 500)
    assert result["sent"] == 500 and result["idle_sent"] == 100
    assert_all_came(result, 400)
    assert 0 < result["idle_delivered"] <= 100


def test_a_frame_goes_there_and_back(bench, lab1):
    result = bench("roundtrip", lab1.where["uml"], "--receiver",
                   lab1.where["stream"], "--ports", 4, "--count", 300,
                   "--pid", lab1.switch.pid)
    assert result["sent"] == result["delivered"] == 300
    assert result["roundtrip_samples"] == 300 and result["lost"] == 0
    assert 0 < result["roundtrip_p50_ns"] <= result["roundtrip_max_ns"]


def test_the_rate_at_which_loss_begins_is_searched(bench, lab1):
    # At such a tolerance something holds on the busiest of machines.
    result = bench("search", lab1.where["uml"], "--seconds", 0.1, "--trials", 1,
                   "--precision", "20%", "--tolerance", "50%", "--size", 60)
    trials = result["trials"]
    low = result["throughput_frames_per_s"]
    high = result["throughput_upper_frames_per_s"]
    assert low == max(trial["rate"] for trial in trials if trial["held"])
    assert high == min(trial["rate"] for trial in trials if not trial["held"])
    assert 0 < (high - low) / high < 0.201
    assert result["rate_wanted"] == low and result["full_speed_frames_per_s"]
    assert result["limited_by"] in ("loss", "refused", "bench")


@pytest.mark.parametrize("words", [["--batch", 1], ["--refused", "block"]],
                         ids=["one-a-call", "sleeping"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_whichever_way_it_is_sent(bench, lab1, kind, words):
    result = bench("rate", lab1.where[kind], "--count", 1000, *words)
    assert_all_came(result, 1000)


# The switch --------------------------------------------------------------------

def dropped(switch):
    total = switch.stats()["total"]
    return total["dropped"] + total["undelivered"]


def test_what_is_lost_is_what_the_switch_has_dropped(bench, tmp_path):
    """Seven senders for one receiver: whatever is too much for it."""
    with lab.Switch(workdir=tmp_path) as switch:
        before = dropped(switch)
        result = bench("rate", f"uml:{switch.socket}", "--ports", 8, "--pattern",
                       "many-to-one", "--count", 20000, "--size", 60)
        assert result["sent"] == 20000
        assert result["lost"] == dropped(switch) - before



@pytest.mark.parametrize("keeper", [False, True], ids=["alone", "kept"])
def test_all_processes_of_the_switch_are_counted(bench, tmp_path, keeper):
    with lab.Switch(workdir=tmp_path, keeper=keeper) as switch:
        processes = 1 + len(lab.descendants_of(switch.pid))
        result = bench("rate", f"uml:{switch.socket}", "--count", 3000, "--pid",
                       switch.pid)
        assert result["switch_processes"] == processes
        assert result["switch_cpu_ns_per_frame"] > 0
        assert result["switch_rss_kib"] >= lab.resident_bytes(
            switch.switch_pid()) / 1024 / 2
        result = bench("attach", f"uml:{switch.socket}", "--idle-ports", 20,
                       "--seconds", 0.1, "--pid", switch.pid)
        assert result["ports"] == 22 and result["elapsed_s"] > 0.09


# The floor ---------------------------------------------------------------------

def test_the_floor_is_what_results_are_multiples_of(bench, lab1, tmp_path):
    floor = bench("floor", "uml", "bess", "stream", "--seconds", 0.1, "--size",
                  60)
    assert sorted(floor["kinds"]) == ["bess", "stream", "uml"]
    for kind in floor["kinds"].values():
        assert kind["send_ns"] > 0 and kind["receive_ns"] > 0
        assert kind["frames_per_s"] > 0 and kind["latency_p50_ns"] > 0
    path = tmp_path / "floor.json"
    path.write_text(json.dumps(floor))
    result = bench("latency", lab1.where["uml"], "--receiver",
                   lab1.where["bess"], "--count", 100, "--size", 60, "--pid",
                   lab1.switch.pid, "--floor", path)
    least = (floor["kinds"]["uml"]["receive_ns"]
             + floor["kinds"]["bess"]["send_ns"])
    assert result["cpu_x_floor"] == pytest.approx(
        result["switch_cpu_ns_per_frame"] / least, rel=1e-3)
    assert result["latency_p50_x_floor"] > 0
    assert "rate_x_floor" not in result     # of lone frames it says nothing
    rate = "rate", lab1.where["uml"], "--size", 60, "--floor", path
    assert bench(*rate, "--seconds", 0.1)["rate_x_floor"] > 0
    assert "rate_x_floor" not in bench(*rate, "--rate", 500, "--count", 50)
    said = bench.complaint("rate", lab1.where["uml"], "--floor", path, status=2)
    assert "another --size" in said
    path.write_text("{}")
    said = bench.complaint("rate", lab1.where["uml"], "--floor", path, status=2)
    assert "ringbench floor" in said


def test_the_floor_of_taps_leaves_nothing_behind(bench, tap_device):
    before = lab.links()
    floor = bench("floor", "tap", "packet", "--seconds", 0.05)
    assert sorted(floor["kinds"]) == ["packet", "tap"]
    assert lab.links() == before
