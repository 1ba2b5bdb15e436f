"""ringswitch as it was: a commit, checked out beside the tree and built."""
import contextlib
import os
import pathlib
import shutil
import subprocess

BUILD_S = 900
PROGRAM = "build/ringswitch"


class RevisionError(Exception):
    """Says which commit, and what is wrong with it."""


def git(root, *words):
    done = subprocess.run(["git", "-C", str(root), *words], text=True,
                          capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["failed"]
        raise RevisionError(f"git {words[0]}: {lines[-1]}")
    return done.stdout.strip()


def commit_of(root, revision):
    """Its whole name."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options",
                   f"{revision}^{{commit}}")
    except RevisionError:
        raise RevisionError(f"{revision}: no such commit here (git log lists "
                            "them; in CI, fetch the history)") from None


def subject(root, commit):
    return git(root, "log", "-1", "--format=%h %s", commit)


@contextlib.contextmanager
def built(root, commit, directory):
    """The path of @commit's ringswitch, built in the worktree @directory, which
    is removed afterwards."""
    forget(root, directory)
    try:
        git(root, "worktree", "add", "--detach", "--force", str(directory),
            commit)
        build(directory, commit)
        yield str(pathlib.Path(directory) / PROGRAM)
    finally:
        forget(root, directory)


def forget(root, directory):
    """Also what a run that was killed has left."""
    shutil.rmtree(directory, ignore_errors=True)
    git(root, "worktree", "prune")


def build(directory, commit):
    # That make's words to its children are not for this one, which is another
    # tree; CC and CFLAGS come with the environment.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL",
                                   "MAKEOVERRIDES", "BUILD")}
    try:
        done = subprocess.run(
            ["make", "-C", str(directory), f"-j{os.cpu_count()}", PROGRAM],
            env=environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BUILD_S,
            check=False)
    except subprocess.TimeoutExpired:
        raise RevisionError(f"{commit[:12]}: not built after {BUILD_S} s"
                            ) from None
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise RevisionError(f"{commit[:12]}: cannot be built:\n{tail}")
