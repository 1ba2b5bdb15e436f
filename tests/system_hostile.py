"""The whole process against all that attackers do, for some seconds.

`make hostile SECONDS=n` does the same for longer, with the sanitizers' build;
hostile.py says what is checked.
"""

import pytest

import hostile
import lab_hostile

# Enough for some hundred attempts of every kind.
SECONDS = 4


@pytest.mark.parametrize("leaks", [False, True], ids=["shut in", "leaks"])
def test_nothing_that_attackers_send_hurts_four_guests(tmp_path, leaks):
    result = hostile.run(tmp_path, SECONDS, count=3, seed=1, leaks=leaks)
    assert min(result["by_kind"].values()) > 0, result
    assert len(result["by_kind"]) == len(lab_hostile.ATTACKS)
    assert result["checked_frames"] > 1000 and result["foreign"] > 0, result
