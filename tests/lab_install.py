"""Installing what was built, for the tests of it and of what runs from there."""

import os
import pathlib
import subprocess

import pytest

import lab

LIMIT_S = 300


def make(*words, check=True):
    """Run make in the checkout; returns (exit status, output).

    What was built is taken as it is, also when a source is newer: these tests
    are not about that, and other flags would make another program of it.
    """
    env = {name: value for name, value in os.environ.items()
           if name not in ("DESTDIR", "PREFIX", "MAKEFLAGS", "BUILD")}
    done = subprocess.run(["make", "-o", "all", *map(str, words)],
                          cwd=lab.ROOT, env=env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT_S)
    if check:
        assert done.returncode == 0, done.stdout
    return done.returncode, done.stdout


def install(build, destdir, *words, target="install", check=True):
    return make(target, f"BUILD={os.path.relpath(build, lab.ROOT)}",
                f"DESTDIR={destdir}", *words, check=check)


def files(top):
    """All below @top that is no folder, as paths from /."""
    return {"/" + str(path.relative_to(top))
            for path in pathlib.Path(top).rglob("*")
            if path.is_symlink() or not path.is_dir()}


def only_first(request, build):
    """Installing is the same with every build: with the first one only."""
    builds = request.config.option.build or ["build"]
    if pathlib.Path(builds[0]).resolve() != build:
        pytest.skip(f"the same with every build, done with {builds[0]}")
