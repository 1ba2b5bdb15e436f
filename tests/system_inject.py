"""A sample of the sweep in which each call of the switch fails once.

All of it is `make inject`; tests/inject.py says what is done, and
tests/lab_inject_run.py what must be true afterwards.
"""

import os
import subprocess
import sys

import pytest

import lab
import lab_inject
import lab_inject_scenarios

BUILD = lab.ROOT / "build" / "inject"
SEED = os.environ.get("INJECT_SEED", "1")

pytestmark = pytest.mark.usefixtures("tap_device")


@pytest.fixture(scope="module")
def program():
    path = BUILD / "ringswitch"
    if not path.exists():
        pytest.skip(f"{path} is not there: make inject-build")
    return lab_inject.Program(path)


@pytest.fixture
def layer(tmp_path):
    layer = lab_inject.Layer(tmp_path / "layer")
    yield layer
    layer.close()


def fault_at(program, call, place, error):
    """The first call of @call in the function @place fails with @error."""
    [site] = [site for site in program.sites.values()
              if site.call == call and f"({place})" in site.place]
    return lab_inject.Fault(site, 1, error)


def sweep(*arguments):
    done = subprocess.run(
        [sys.executable, str(lab.HERE / "inject.py"), "--build", str(BUILD),
         *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_what_is_told_to_fail_fails_and_is_the_reason_that_is_given(
        program, layer, tmp_path):
    fault = fault_at(program, "bind", "socket_file_bind", "ENOSPC")
    outcome = lab_inject_scenarios.run(program, layer, "killed", [fault],
                                 tmp_path / "run")
    assert outcome.ended == "refused" and not outcome.complaints
    assert "No space left on device" in outcome.said
    assert layer.counted()[fault.site.address] == (1, 1)


def test_a_switch_of_which_nothing_fails_goes_on(program, layer, tmp_path):
    outcome = lab_inject_scenarios.run(program, layer, "killed", [],
                                 tmp_path / "run")
    assert outcome.ended == "went on" and not outcome.complaints
    assert sum(failed for _, failed in layer.counted().values()) == 0


def test_every_scenario_reaches_what_it_is_there_for(program):
    """A scenario that is refused at once would find nothing."""
    code, text = sweep("--list")
    assert code == 0, text
    assert len(program.sites) > 250
    reached = [line for line in text.splitlines()
               if not line.endswith(": nobody")]
    assert len(reached) > 0.7 * len(program.sites), text


def test_one_call_that_fails_hurts_nobody(program):
    code, text = sweep("--quick", "--sample", "40", "--seconds", "60",
                       "--seed", SEED)
    assert code == 0, f"seed {SEED}\n{text}"
