"""The image of the sandbox's guests: when it is built, and how that fails.

Debian's packages are not needed for that: mmdebstrap is a stand-in that makes
a small tar, and keeps count. What is in a real image, a guest shows
(system_sandbox_guest.py).
"""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

import lab

LAB = lab.ROOT / "switch/lab"

# The tar's name is the last word but for a mirror. What $FAKE has is done
# first; then there is a tar with 3 MiB in it, which belong to somebody else.
MMDEBSTRAP = """#!/bin/sh
echo >>"$COUNT"
eval "${FAKE:-}"
for word; do case $word in *.tar) tar=$word ;; esac; done
mkdir "$tar.d" && head -c 3145728 /dev/urandom >"$tar.d/file"
tar -C "$tar.d" --owner=7 --group=8 -cf "$tar" . && rm -r "$tar.d"
"""


class Builder:
    """One home for images, and the tools that make them."""

    def __init__(self, home):
        self.home = home
        self.images = home / "images"
        self.count = home / "count"
        self.sandbox = LAB / "sandbox"
        tools = home / "tools"
        tools.mkdir()
        (tools / "mmdebstrap").write_text(MMDEBSTRAP)
        (tools / "mmdebstrap").chmod(0o755)
        self.environment = dict(
            os.environ, SANDBOX_HOME=str(home), COUNT=str(self.count),
            PATH=f"{tools}:{os.environ['PATH']}:/usr/sbin")

    def start(self, *words, fake="", command=(), **kwargs):
        return subprocess.Popen(
            [*command, self.sandbox, "image", *words],
            env=dict(self.environment, FAKE=fake), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **kwargs)

    def build(self, *words, **kwargs):
        process = self.start(*words, **kwargs)
        said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return said[0]

    def refused(self, *words, **kwargs):
        """The last line, which must be the only one of its kind."""
        process = self.start(*words, **kwargs)
        said = process.communicate(timeout=60)[1].splitlines()
        assert process.returncode == 1, said
        assert [line[:9] for line in said] == ["sandbox: "], said
        return said[0]

    def builds(self):
        """How often Debian's packages were asked for."""
        return self.count.read_text().count("\n") if self.count.exists() else 0

    def files(self):
        return sorted(os.listdir(self.images))

    def made(self):
        return sorted(self.images.glob("*.ext4"))


@pytest.fixture
def home():
    """Short, as there are sockets in a sandbox."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sb"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def builder(home):
    return Builder(home)


def check_file_system(image):
    lab.sh("/usr/sbin/e2fsck", "-fn", str(image))


def file_system_bytes(image):
    facts = lab.sh("/usr/sbin/dumpe2fs", "-h", str(image))
    return (int(re.search(r"^Block count: +(\d+)$", facts, re.M)[1]) *
            int(re.search(r"^Block size: +(\d+)$", facts, re.M)[1]))


# When it is built ------------------------------------------------------------

def test_an_image_is_built_once(builder):
    assert "this once" in builder.build()
    assert "this once" not in builder.build()
    assert builder.builds() == 1
    image, = builder.made()
    assert builder.files() == [image.name, "lock"]
    assert image.stat().st_mode & 0o777 == 0o444
    check_file_system(image)
    # Its size is that of the disk, its content what is in it.
    assert image.stat().st_size == 2 << 30
    assert 3 << 20 < image.stat().st_blocks * 512 < 64 << 20


@pytest.mark.parametrize("words", [
    ("--package", "tcpdump"), ("--suite", "trixie"),
    ("--mirror", "http://mirror.example/debian")], ids=lambda words: words[0])
def test_another_recipe_is_another_image(builder, words):
    builder.build()
    builder.build(*words)
    assert builder.builds() == 2
    assert len(builder.made()) == 2


def test_what_is_put_in_belongs_to_the_recipe(builder, tmp_path):
    builder.sandbox = tmp_path / "lab/sandbox"
    shutil.copytree(LAB, tmp_path / "lab")
    builder.environment["RINGSWITCH"] = lab.ringswitch()
    builder.environment["PATH"] = (os.path.dirname(lab.ringswitch()) + ":" +
                                   builder.environment["PATH"])
    builder.build()
    with open(tmp_path / "lab/guest_setup.sh", "a") as setup:
        setup.write("echo more >/etc/issue\n")
    builder.build()
    builder.build()
    assert builder.builds() == 2


def test_the_order_of_packages_does_not_matter(builder):
    builder.build("--package", "tcpdump,nginx-light")
    builder.build("--package", "nginx-light", "--package", "tcpdump,nginx-light")
    assert builder.builds() == 1


@pytest.mark.parametrize("size", [1, 5])
def test_another_size_needs_no_packages(builder, size):
    builder.build()
    assert "another size" in builder.build("--disk", f"{size}G")
    assert builder.builds() == 1
    image = next(path for path in builder.made() if f"-{size}G." in path.name)
    assert image.stat().st_size == size << 30
    assert image.stat().st_blocks * 512 < 64 << 20
    check_file_system(image)
    assert file_system_bytes(image) == size << 30


def test_a_dry_run_shows_the_steps_and_takes_none(builder):
    steps = builder.build("--dry-run")
    assert builder.builds() == 0
    assert not builder.images.exists()
    subprocess.run(["sh", "-n"], input=steps, text=True, check=True)
    assert "mmdebstrap" in steps and "mke2fs" in steps


def test_the_second_to_build_waits_for_the_first(builder, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = builder.start(fake=f"read go <{gate}")
    lab.wait_until(builder.builds, "the first to build")
    second = builder.start()
    assert any("waiting" in line for line in second.stdout)
    gate.write_text("go\n")
    for process in first, second:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert builder.builds() == 1


# How it does not come to an end ----------------------------------------------

# A step that would go on for longer than any test, in a process of its own.
ENDLESS = """mkdir "${COUNT%/*}/images/new/half"
    sleep 999 & echo $! >"$COUNT.pid"; wait"""


def started(builder, **kwargs):
    process = builder.start(fake=ENDLESS, **kwargs)
    pid_file = builder.home / "count.pid"
    lab.wait_until(lambda: pid_file.exists() and pid_file.read_text().strip(),
                   "the build to begin")
    return process, int(pid_file.read_text())


@pytest.mark.parametrize("group", [False, True], ids=["it", "its group"])
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_build_leaves_nothing(builder, sig, group):
    process, step = started(builder, start_new_session=True)
    (os.killpg if group else os.kill)(process.pid, sig)
    process.communicate(timeout=60)
    assert process.returncode > 128
    assert builder.files() == ["lock"]
    assert not lab.is_running(step)


def test_what_a_killed_build_has_left_is_cleared(builder):
    process, step = started(builder, start_new_session=True)
    os.killpg(process.pid, signal.SIGKILL)
    os.killpg(os.getpgid(step), signal.SIGKILL)
    process.communicate(timeout=60)
    assert "new" in builder.files()
    builder.build()
    image, = builder.made()
    assert builder.files() == [image.name, "lock"]


FAILURES = {
    "no such package":
        ("E: Unable to locate package nonesuch",
         "--package nonesuch: not in Debian bookworm; see {log}"),
    "nothing to install":
        ("E: Package 'ntp-old' has no installation candidate",
         "--package ntp-old: not in Debian bookworm; see {log}"),
    "no such suite":
        ("E: The repository 'http://deb.debian.org/debian bookworm Release' "
         "does not have a Release file.",
         "--suite bookworm: not on the mirror; see {log}"),
    "no network":
        ("E: Failed to fetch http://deb.debian.org/x  Temporary failure "
         "resolving 'deb.debian.org'",
         "Debian's mirror cannot be reached: is there a network, or another "
         "--mirror? See {log}"),
    "no space":
        ("dpkg: error: /x: No space left on device",
         "no space for the image in {images} or {tmp}: make room, or set "
         "SANDBOX_HOME or TMPDIR; see {log}"),
    "no space on the disk":
        ("mke2fs: Could not allocate block in ext2 filesystem while "
         "populating file system",
         "--disk 2G is too small for the image; see {log}"),
    "else": ("E: mount failed", "no image: E: mount failed; see {log}"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_one_line_and_keeps_the_log(builder, failure):
    said, line = FAILURES[failure]
    got = builder.refused("--suite", "bookworm", fake=f'echo "{said}"; exit 1')
    log, = builder.images.glob("*.log")
    assert got == "sandbox: " + line.format(
        log=log, images=builder.images, tmp=os.environ.get("TMPDIR", "/tmp"))
    assert said in log.read_text()
    assert builder.files() == [log.name, "lock"]
    # The log goes when it works.
    builder.build("--suite", "bookworm")
    assert not log.exists()


def test_little_space_is_noticed_before_anything_is_done(builder):
    """A file system of its own that is small; the mount ends with the step."""
    got = builder.refused(command=[
        "unshare", "--mount", "sh", "-c",
        'mkdir -p "$0" && mount -t tmpfs -o size=50M none "$0" && exec "$@"',
        str(builder.images)])
    assert got == (f"sandbox: no space: {builder.images} has 50 MiB, an image "
                   "takes 1000 while it is built: make room, or set "
                   "SANDBOX_HOME")
    assert builder.builds() == 0


def test_a_missing_tool_is_named_with_its_package(builder, tmp_path):
    tools = tmp_path / "all"
    tools.mkdir()
    for name in (name for path in os.environ["PATH"].split(":") + ["/usr/sbin"]
                 if os.path.isdir(path) for name in os.listdir(path)):
        with contextlib.suppress(FileExistsError):
            (tools / name).symlink_to(shutil.which(
                name, path=os.environ["PATH"] + ":/usr/sbin") or "/none")
    (tools / "mmdebstrap").unlink(missing_ok=True)
    builder.environment["PATH"] = str(tools)
    assert builder.refused() == \
        "sandbox: mmdebstrap not found: apt-get install mmdebstrap"


# An ordinary user --------------------------------------------------------------

@pytest.fixture
def ordinary(home):
    """A home of user 1000, and the command that makes one of us: its argument
    is what /etc/subuid and /etc/subgid have."""
    if int(pathlib.Path("/proc/self/uid_map").read_text().split()[2]) <= 1000:
        pytest.skip("only root can become another user")
    os.chown(home, 1000, 1000)
    builder = Builder(home)
    builder.environment["HOME"] = str(home)
    return builder, lambda ids: [
        "unshare", "--mount", "sh", "-c",
        'printf "$0" >"$HOME/ids"; '
        'mount --bind "$HOME/ids" /etc/subuid; '
        'mount --bind "$HOME/ids" /etc/subgid; '
        'exec setpriv --reuid=1000 --regid=1000 --clear-groups "$@"', ids]


def test_a_user_without_more_ids_is_told_how_to_get_them(ordinary):
    builder, become = ordinary
    got = builder.refused(command=become(""))
    assert got.startswith("sandbox: /etc/subuid has no line for ")
    assert "usermod --add-subuids 100000-165535" in got


def test_a_user_builds_an_image_in_which_files_are_whose_they_are(ordinary):
    builder, become = ordinary
    try:
        name = pwd.getpwuid(1000).pw_name
    except KeyError:
        name = "1000"
    builder.build(command=become(f"{name}:100000:65536\\n"))
    image, = builder.made()
    check_file_system(image)
    assert image.stat().st_uid == 1000
    assert "User:     7   Group:     8" in lab.sh(
        "/usr/sbin/debugfs", "-R", "stat /file", str(image))


# For once, the real one ----------------------------------------------------------

def test_without_a_network_the_mirror_is_blamed(builder):
    """The tests' own namespace has none."""
    if not shutil.which("mmdebstrap"):
        pytest.skip("mmdebstrap is not installed")
    (builder.home / "tools/mmdebstrap").unlink()
    got = builder.refused("--mirror", "http://127.0.0.1:1/debian")
    assert "Debian's mirror cannot be reached" in got
    assert builder.made() == []
