"""Whether bench/interval.py tells noise from a difference: against all signs that
coins can throw, and with made-up runs whose truth is known.

The noise is worse than that of a quiet machine: a slow drift, something of each
run's own, and now and then a run that somebody else has disturbed.
"""
import itertools
import math
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import interval  # noqa: E402

MEASURES = 8
COMPARISONS = 600
ROUNDS = 24


def noise(chance, drift):
    drift[0] = 0.9 * drift[0] + chance.gauss(0, 0.05)
    disturbed = chance.uniform(0.2, 1.2) if chance.random() < 0.05 else 0
    return math.exp(drift[0] + chance.gauss(0, 0.04) + disturbed)


def ratios(chance, effect, rounds=ROUNDS):
    """Of B, which takes @effect times as long, to A; in turns, as compare.py."""
    drift, found = [0.0], []
    for _ in range(rounds):
        times = {}
        for side in chance.sample("AB", 2):
            times[side] = noise(chance, drift) * (effect if side == "B" else 1)
        found.append(times["B"] / times["A"])
    return found


def verdicts(effect, count=COMPARISONS * MEASURES):
    chance = random.Random(7)
    return [interval.verdict(ratios(chance, effect), MEASURES)
            for _ in range(count)]


def share(found, *wanted):
    return sum(verdict in wanted for verdict in found) / len(found)


def test_tails_are_those_of_all_signs():
    ranks = range(1, 9)
    sums = [sum(itertools.compress(ranks, signs))
            for signs in itertools.product((0, 1), repeat=len(ranks))]
    for total, tail in enumerate(interval.signed_rank_tails(len(ranks))):
        assert tail == sum(s <= total for s in sums) / len(sums), total


def is_rejected(logs, ratio, alpha):
    """Whether the signed-rank test has @ratio for too large or too small: by all
    signs that the ranks could have had."""
    found = sorted((log - math.log(ratio) for log in logs), key=abs)
    ranks = range(1, len(found) + 1)
    total = sum(rank for rank, log in zip(ranks, found) if log > 0)
    sums = [sum(itertools.compress(ranks, signs))
            for signs in itertools.product((0, 1), repeat=len(found))]
    return min(sum(s <= total for s in sums),
               sum(s >= total for s in sums)) / len(sums) <= alpha / 2


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_interval_holds_what_the_test_does_not_reject(alpha):
    logs = [0.31, -0.02, 0.17, 0.115, 0.4, 0.235, 0.08, 0.05]
    found = interval.interval(map(math.exp, logs), alpha)
    for edge, sign in (found.low, 1), (found.high, -1):
        assert not is_rejected(logs, edge * (1 + sign * 1e-6), alpha)
        assert is_rejected(logs, edge * (1 - sign * 1e-6), alpha)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_interval_holds_the_truth_as_often_as_it_says(alpha):
    chance = random.Random(1)
    found = [interval.interval(ratios(chance, 1.2), alpha)
             for _ in range(2000)]
    missed = share([f.low <= 1.2 <= f.high for f in found], False)
    assert 0.4 * alpha < missed < 1.3 * alpha


def test_equal_programs_give_an_alarm_in_less_than_one_comparison_of_a_hundred():
    found = verdicts(1)
    alarms = sum(share(found[i:i + MEASURES], interval.SAME) < 1
                 for i in range(0, len(found), MEASURES))
    assert alarms < COMPARISONS / 100
    assert share(found, interval.MUCH_SLOWER, interval.UNKNOWN) == 0


def test_two_fifths_slower_is_found_and_as_large():
    assert share(verdicts(1.4, 1000), interval.MUCH_SLOWER) > 0.85


def test_twice_as_slow_is_always_large():
    assert share(verdicts(2, 1000), interval.MUCH_SLOWER) > 0.99


def test_one_twentieth_slower_is_never_large_nor_faster():
    found = verdicts(1.05, 2000)
    assert share(found, interval.MUCH_SLOWER, interval.FASTER) == 0
    assert share(found, interval.SLOWER) > 0.05


def test_faster_is_told_as_faster():
    assert share(verdicts(1 / 1.4, 1000), interval.FASTER) > 0.85


def test_few_rounds_say_nothing():
    few = [1.5] * (interval.rounds_needed(MEASURES) - 1)
    assert interval.verdict(few, MEASURES) == interval.UNKNOWN
    assert interval.verdict([], MEASURES) == interval.UNKNOWN


def test_just_enough_rounds_that_agree_say_something():
    enough = [1.5] * interval.rounds_needed(MEASURES)
    assert interval.verdict(enough, MEASURES) == interval.MUCH_SLOWER


def test_one_wild_round_hides_nothing():
    steady = [1.3 + 0.01 * i for i in range(ROUNDS - 1)]
    assert interval.verdict([*steady, 0.01], MEASURES) != interval.SAME


def test_a_sure_difference_of_two_hundredths_is_no_news():
    found = [1.02 + 0.0001 * i for i in range(ROUNDS)]
    assert interval.verdict(found, MEASURES) == interval.SAME
