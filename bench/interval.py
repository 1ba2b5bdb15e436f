"""Is B slower than A? From pairs of runs, without believing in bell curves.

Every round runs both, one straight after the other, in an order that a coin
decides, and gives one ratio. What slows the machine for a while slows both and
leaves the ratio; what hits one of them hits either as often. So if the two are
the same program, the logarithm of a ratio is as likely to be +x as -x, and that
is all that is used here: it makes Wilcoxon's signed-rank test exact, however
noise is distributed.

The middle is the Hodges-Lehmann estimate, the median of the means of all pairs
of logarithms; the interval holds the ratios that the test does not reject. A
single round that went wrong moves neither by much.

With few rounds no interval is sure enough: n rounds that all agree come about
by chance once in 2^(n-1). Then it is unbounded, and nothing is said.
"""
import dataclasses
import functools
import math
import statistics

# Of a whole comparison of two equal programs, all its measures together.
FALSE_ALARMS = 0.005
# What is shown of a single measure, and what "large" is judged by once it is
# sure that there is a difference at all.
SHOWN = 0.05
# Less is not worth a word, and what code's place in memory alone may do.
LEAST_EFFECT = 0.03
# What fails a comparison: all of the interval beyond.
LARGE_EFFECT = 0.25

(MUCH_SLOWER, SLOWER, SAME, FASTER, UNKNOWN) = VERDICTS = [
    "MUCH SLOWER", "slower", "not told from noise", "faster", "not known"]


@dataclasses.dataclass(frozen=True)
class Interval:
    """Of a ratio: 1 is no difference."""
    middle: float
    low: float
    high: float

    def bounded(self):
        return self.low > 0 and self.high < math.inf


@functools.cache
def signed_rank_tails(count):
    """[P(T <= 0), P(T <= 1), ...] of the sum T of positive ranks, if signs are
    thrown by a coin."""
    ways = [1]
    for rank in range(1, count + 1):
        longer = ways + [0] * rank
        for total, number in enumerate(ways):
            longer[total + rank] += number
        ways = longer
    tails, so_far = [], 0
    for number in ways:
        so_far += number
        tails.append(so_far / 2 ** count)
    return tails


def cut(count, alpha):
    """How many of the means at each end the interval leaves out, or None if
    @count rounds cannot say anything at @alpha, both sides together."""
    return next((total for total, tail in enumerate(signed_rank_tails(count))
                 if tail > alpha / 2), 0) - 1


def interval(ratios, alpha):
    """Of the true ratio, wrong once in 1/@alpha; None without any ratio."""
    logs = sorted(map(math.log, ratios))
    if not logs:
        return None
    means = sorted((logs[i] + logs[j]) / 2 for i in range(len(logs))
                   for j in range(i, len(logs)))
    middle = math.exp(statistics.median(means))
    left_out = cut(len(logs), alpha)
    if left_out < 0:
        return Interval(middle, 0.0, math.inf)
    return Interval(middle, math.exp(means[left_out]),
                    math.exp(means[-1 - left_out]))


def rounds_needed(measures):
    """The fewest with which a comparison of so many measures can say anything,
    if all of them agree; with some more, a few may go wrong."""
    alpha = FALSE_ALARMS / max(1, measures)
    return next(n for n in range(1, 64) if 2 ** (1 - n) <= alpha)


def verdict(ratios, measures):
    """What one of so many @measures allows to say; its @ratios are above 1 where
    B is the slower. That there is a difference must be sure for all measures
    together; how large it is, for this one."""
    sure = interval(ratios, FALSE_ALARMS / measures)
    if sure is None or not sure.bounded():
        return UNKNOWN
    if sure.low > 1 and interval(ratios, SHOWN).low > 1 + LARGE_EFFECT:
        return MUCH_SLOWER
    if sure.low > 1 and sure.middle >= 1 + LEAST_EFFECT:
        return SLOWER
    if sure.high < 1 and sure.middle <= 1 / (1 + LEAST_EFFECT):
        return FASTER
    return SAME
