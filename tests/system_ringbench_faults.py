"""ringbench at a switch that does wrong, in ways that are known.

    ringbench sender --bess-- a switch with a fault --bess-- ringbench receiver

Whatever it does, ringbench has to say exactly that.
"""

import time

import pytest

import lab
import lab_ringbench

COUNT = 1000
COUNTED = ["lost", "reordered", "duplicated", "corrupt", "foreign", "stale",
           "stray"]


@pytest.fixture
def bench(build):
    return lab_ringbench.Bench(build / "ringbench")


def measured(bench, tmp_path, fault, *words):
    with lab_ringbench.BadSwitch(tmp_path, fault) as bad:
        return bench("rate", f"bess:{bad.path}", "--count", COUNT, *words)


def assert_said(result, **wanted):
    """All that is not named did not happen."""
    assert {key: result[key] for key in COUNTED} == {
        **dict.fromkeys(COUNTED, 0), **wanted}
    assert result["sent"] == COUNT
    assert result["delivered"] == COUNT - wanted.get("lost", 0)
    assert result["loss"] == pytest.approx(wanted.get("lost", 0) / COUNT)


def test_a_good_one_does_nothing_wrong(bench, tmp_path):
    assert_said(measured(bench, tmp_path, lambda number, frame: [frame]))


def test_frames_have_the_addresses_that_are_asked_for(bench, tmp_path):
    seen = []

    def note(_, frame):
        seen.append((frame[:6], frame[6:12]))
        return [frame]

    assert_said(measured(bench, tmp_path, note, "--addresses", 50, "--sources",
                         30))
    destinations, sources = zip(*seen)
    assert len(set(destinations)) == 50 and len(set(sources)) == 30
    assert not set(destinations) & set(sources)


def test_every_lost_frame_is_counted(bench, tmp_path):
    assert_said(measured(bench, tmp_path, lambda number, frame:
                         [frame] if number % 7 else []), lost=143)


def test_every_frame_that_comes_twice_is_counted(bench, tmp_path):
    assert_said(measured(bench, tmp_path, lambda number, frame:
                         [frame] if number % 10 else [frame] * 3),
                duplicated=200)


class Swap:
    """Every tenth frame changes places with the next."""

    def __init__(self):
        self.kept = []

    def __call__(self, number, frame):
        if number % 10 == 0:
            self.kept = [frame]
            return []
        kept, self.kept = self.kept, []
        return [frame, *kept]


def test_every_frame_that_comes_late_is_counted(bench, tmp_path):
    assert_said(measured(bench, tmp_path, Swap()), reordered=100)


class LateTwin:
    """The first frame comes once more, at the end."""

    def __call__(self, number, frame):
        if number == 0:
            self.first = frame
        return [frame] if number < COUNT - 1 else [frame, self.first]


def test_a_duplicate_is_known_after_a_long_time(bench, tmp_path):
    assert_said(measured(bench, tmp_path, LateTwin()), duplicated=1)


def flipped(frame, bit):
    changed = bytearray(frame)
    changed[bit // 8 % len(frame)] ^= 1 << bit % 8
    return bytes(changed)


def test_every_flipped_bit_is_seen_wherever_it_is(bench, tmp_path):
    # 997 is prime: in 1000 frames, bits all over the frame.
    result = measured(bench, tmp_path, lambda number, frame:
                      [flipped(frame, number * 997)])
    assert_said(result, corrupt=COUNT, lost=COUNT)


def test_one_flipped_bit_in_a_thousand_frames_is_seen(bench, tmp_path):
    assert_said(measured(bench, tmp_path, lambda number, frame:
                         [flipped(frame, 5555)] if number == 500 else [frame]),
                corrupt=1, lost=1)


class Torn:
    """The end of every tenth frame is that of the one before."""

    def __call__(self, number, frame):
        before, self.before = getattr(self, "before", frame), frame
        return [frame[:800] + before[800:]] if number % 10 == 9 else [frame]


def test_a_frame_torn_from_two_is_seen(bench, tmp_path):
    assert_said(measured(bench, tmp_path, Torn()), corrupt=100, lost=100)


def test_a_frame_that_is_cut_or_longer_is_seen(bench, tmp_path):
    assert_said(measured(bench, tmp_path, lambda number, frame:
                         [frame[:-1] if number % 2 else frame + b"\0"]),
                corrupt=COUNT, lost=COUNT)


def test_what_somebody_else_sends_is_told_apart(bench, tmp_path):
    strange = lab.frame(lab.BROADCAST, "06:00:00:00:00:01", size=60,
                        ethertype=0x86dd)
    assert_said(measured(bench, tmp_path, lambda number, frame:
                         [frame, strange] if number % 4 == 0 else [frame]),
                foreign=250)


def test_a_hub_is_no_switch(bench, tmp_path):
    """Two pairs: each frame comes to the two ports of the other pair too."""
    result = measured(bench, tmp_path, lambda number, frame: [frame], "--ports",
                      4)
    assert_said(result, stray=2 * COUNT)


def test_a_switch_that_takes_nothing_for_a_while_is_felt(bench, tmp_path):
    """Frames that were due meanwhile have waited since they were due, although
    nobody offered them: the standstill is more than a tenth of all."""
    def standing_still(number, frame):
        if number == 500:
            time.sleep(0.3)
        return [frame]

    result = measured(bench, tmp_path, standing_still, "--rate", 2000)
    assert_said(result)
    assert result["latency_p90_ns"] > 100e6
    assert result["latency_max_ns"] > 300e6
    assert result["transit_p50_ns"] <= result["latency_p50_ns"]
    assert result["late_max_ns"] > 100e6


def test_no_rate_holds_where_frames_are_lost_at_any(bench, tmp_path):
    with lab_ringbench.BadSwitch(tmp_path, lambda number, frame:
                             [frame] if number % 2 else []) as bad:
        result = bench("search", f"bess:{bad.path}", "--seconds", 0.02,
                       "--trials", 1, "--precision", "45%", "--tolerance",
                       "1%")
        assert result["throughput_frames_per_s"] == 0
        assert (result["mode"], result["client"]) == ("search", "bess")
        assert not any(trial["held"] for trial in result["trials"])


def test_an_answer_that_does_not_come_is_lost(bench, tmp_path):
    with lab_ringbench.BadSwitch(tmp_path, lambda number, frame:
                             [] if number == 11 else [frame]) as bad:
        result = bench("roundtrip", f"bess:{bad.path}", "--count", 20)
        assert (result["sent"], result["delivered"], result["lost"]) == (
            20, 19, 1)


def test_a_switch_that_goes_is_an_error(bench, tmp_path):
    with lab_ringbench.BadSwitch(tmp_path, lambda number, frame:
                                 [] if number < 100 else None) as bad:
        said = bench.complaint("rate", f"bess:{bad.path}", "--seconds", 30)
        assert "closed the connection" in said


def test_a_switch_that_forwards_nothing_is_an_error(bench, tmp_path):
    with lab_ringbench.BadSwitch(tmp_path) as bad:
        bad.forwards = False
        said = bench.complaint("rate", f"bess:{bad.path}")
        assert "no frame of port 1 reaches port 0" in said
