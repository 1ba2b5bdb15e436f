"""The unit tests (tests/test_*.c), as programs of the build under test."""

import pathlib
import subprocess

import lab

LIMIT_S = 80


def pytest_generate_tests(metafunc):
    names = sorted(path.stem for path in lab.HERE.glob("test_*.c"))
    metafunc.parametrize("unit", names)


def test_unit(build, unit):
    program = pathlib.Path(build) / "tests" / unit
    done = subprocess.run([program], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=LIMIT_S)
    # What cmocka says, and what a sanitizer adds.
    assert done.returncode == 0, done.stdout
    assert "PASSED" in done.stdout
