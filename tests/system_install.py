"""make install, install-compat, uninstall, deb.

     make install DESTDIR=D ---> D/usr/local/...
     make deb ---> a package ---> a copy of this machine (lab_systemd.py)
"""

import os
import pathlib
import subprocess

import pytest

import lab
import lab_install
import lab_systemd

PAGES = ["man8/ringswitch.8", "man8/ringctl.8", "man8/ringtap.8",
         "man1/ringbench.1", "man7/ringswitch-control.7",
         "man5/ringswitch-rules.5"]

OURS = {
    "/bin/ringswitch", "/bin/ringctl", "/bin/ringbench", "/sbin/ringtap",
    "/lib/systemd/system/ringswitch@.service",
    "/lib/systemd/system/ringswitch-sealed@.service",
    "/lib/systemd/system/ringswitch@.socket",
    "/lib/sysusers.d/ringswitch.conf", "/lib/tmpfiles.d/ringswitch.conf",
    "/share/ringswitch/privileged.conf", "/share/ringswitch/metrics.conf",
    "/share/ringswitch/trace_drops.bt", "/share/ringswitch/trace_latency.bt",
    "/share/ringswitch/trace_talkers.bt",
    "/share/bash-completion/completions/ringctl",
    "/share/bash-completion/completions/ringswitch",
    "/share/bash-completion/completions/ringtap",
    "/share/bash-completion/completions/ringbench",
    "/share/zsh/site-functions/_ringctl",
    "/share/doc/ringswitch/README.md",
    "/share/doc/ringswitch/examples/example_guard.bpf.c",
    "/share/doc/ringswitch/examples/example_count.bpf.c",
    "/share/ringswitch/installed",
} | {f"/share/man/{page}" for page in PAGES}

COMPAT = {"/bin/uml_switch", "/bin/tunctl", "/share/man/man8/tunctl.8",
          "/share/bash-completion/completions/uml_switch",
          "/share/bash-completion/completions/tunctl"}


@pytest.fixture(autouse=True)
def first_build(request, build):
    lab_install.only_first(request, build)


@pytest.fixture
def install(build, tmp_path):
    """install(*words, target=...) into tmp_path/root, which it returns."""
    root = tmp_path / "root"
    root.mkdir()

    def run(*words, **how):
        return lab_install.install(build, root, *words, **how)

    run.root = root
    return run


def below(prefix, names):
    return {prefix + name for name in names}


# make install ----------------------------------------------------------------

@pytest.mark.parametrize("prefix", ["/usr/local", "/usr"])
def test_install_puts_all_of_it_below_the_prefix(install, prefix):
    install(f"PREFIX={prefix}")
    assert lab_install.files(install.root) == below(prefix, OURS)


def test_the_installed_programs_run_and_the_unit_names_them(install):
    install("PREFIX=/opt/ring")
    for name in "bin/ringswitch", "bin/ringctl", "bin/ringbench", "sbin/ringtap":
        said = lab.sh(str(install.root / "opt/ring" / name), "--help")
        assert "sage" in said, name
    unit = (install.root / "opt/ring/lib/systemd/system/ringswitch@.service")
    assert "ExecStart=/opt/ring/bin/ringswitch " in unit.read_text()
    assert "@BINDIR@" not in unit.read_text()
    page = install.root / "opt/ring/share/man/man8/ringswitch.8"
    assert "/opt/ring/share/ringswitch/privileged.conf" in page.read_text()


def test_installing_again_changes_nothing(install):
    install()
    before = lab_install.files(install.root)
    listed = (install.root / "usr/local/share/ringswitch/installed").read_text()
    install()
    assert lab_install.files(install.root) == before
    assert (install.root / "usr/local/share/ringswitch/installed"
            ).read_text() == listed


def test_a_newer_program_takes_the_place_of_an_older_one(install):
    install()
    program = install.root / "usr/local/bin/ringctl"
    program.write_text("an older one")
    install()
    assert program.read_bytes() != b"an older one"


def test_uninstall_takes_all_away_and_nothing_else(install):
    other = install.root / "usr/local/bin/other"
    other.parent.mkdir(parents=True)
    other.write_text("somebody else's")
    install()
    install(target="install-compat")
    install(target="uninstall")
    left = {"/" + str(path.relative_to(install.root))
            for path in install.root.rglob("*")}
    assert left == {"/usr", "/usr/local", "/usr/local/bin",
                    "/usr/local/bin/other"}


def test_uninstall_of_what_is_not_installed_says_so(install):
    code, said = install(target="uninstall", check=False)
    assert code != 0
    assert "usr/local/share/ringswitch/installed" in said


@pytest.mark.parametrize("target, name", [
    ("install", "/bin/ringctl"), ("install", "/share/man/man8/ringtap.8"),
    ("install-compat", "/bin/uml_switch"), ("install-compat", "/bin/tunctl")])
def test_what_is_somebody_elses_is_left_as_it_is(install, target, name):
    """And nothing of that target is installed at all."""
    theirs = install.root / f"usr/local{name}"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("somebody else's")
    code, said = install(target=target, check=False)
    assert code != 0
    assert f"{theirs} is somebody else's" in said
    assert theirs.read_text() == "somebody else's"
    there = lab_install.files(install.root)
    done = OURS if target == "install-compat" else set()
    assert there == below("/usr/local", done | {name})


def test_a_link_to_nowhere_is_somebody_elses_too(install):
    theirs = install.root / "usr/local/bin/uml_switch"
    theirs.parent.mkdir(parents=True)
    theirs.symlink_to("nowhere")
    code, _ = install(target="install-compat", check=False)
    assert code != 0
    assert os.readlink(theirs) == "nowhere"


def test_install_compat_adds_the_old_names(install):
    install(target="install-compat")
    assert lab_install.files(install.root) == below("/usr/local", OURS | COMPAT)
    switch = install.root / "usr/local/bin/uml_switch"
    assert "Usage: uml_switch" in lab.sh(str(switch), "--help")
    assert (os.readlink(install.root / "usr/local/bin/tunctl")
            == "/usr/local/sbin/ringtap")
    install(target="install-compat")


def test_what_was_not_built_is_named(install, tmp_path):
    code, said = lab_install.make("install", f"BUILD={tmp_path}/none",
                                  f"DESTDIR={install.root}", check=False)
    assert code != 0
    assert f"{tmp_path}/none/ringswitch is not there" in said
    assert lab_install.files(install.root) == set()


# make deb --------------------------------------------------------------------

@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The Debian package, built from a clean copy of the tree."""
    for tool in "dpkg-buildpackage", "dh", "lintian":
        if not any(os.access(f"{path}/{tool}", os.X_OK)
                   for path in os.environ["PATH"].split(":")):
            pytest.skip(f"{tool} is not there (apt-get install dpkg-dev "
                        "debhelper lintian)")
    out = tmp_path_factory.mktemp("deb")
    _, said = lab_install.make("deb", f"BUILD={out}")
    return pathlib.Path(said.splitlines()[-1])


def test_the_package_has_no_errors_for_lintian(package):
    changes = next(package.parent.glob("*.changes"))
    done = subprocess.run(["lintian", "--allow-root", changes], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    errors = [line for line in done.stdout.splitlines() if line[:2] == "E:"]
    assert not errors and done.returncode == 0, done.stdout


def test_the_package_has_what_make_install_installs(package, tmp_path):
    lab.sh("dpkg-deb", "-x", str(package), str(tmp_path))
    found = {name.removesuffix(".gz") for name in lab_install.files(tmp_path)}
    wanted = (below("/usr", OURS)
              - {"/usr/share/ringswitch/installed",
                 "/usr/share/zsh/site-functions/_ringctl"}
              | {"/usr/share/zsh/vendor-completions/_ringctl",
                 "/usr/share/doc/ringswitch/changelog",
                 "/usr/share/doc/ringswitch/copyright"})
    assert found == wanted
    assert (tmp_path / "etc/ringswitch").is_dir()


def test_the_packages_program_says_the_packages_version(package, tmp_path):
    lab.sh("dpkg-deb", "-x", str(package), str(tmp_path))
    version = lab.sh("dpkg-deb", "-f", str(package), "Version").strip()
    assert version in lab.sh(str(tmp_path / "usr/bin/ringswitch"), "--version")


# The package on a machine ----------------------------------------------------

ACCOUNTS = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"]

# What dpkg, the tools that maintain accounts, and triggers of other packages
# write, and keep, whatever the package.
OF_OTHERS = ("/var/lib/dpkg/", "/var/log/", "/var/cache/", "/etc/.pwd.lock",
             "/etc/ld.so.cache", "/var/lib/systemd/", "/etc/subuid",
             "/etc/subgid",
             *ACCOUNTS)

# A frame from one UML guest to another, both users of the group.
FRAME = """
import lab
with lab.Client(sys.argv[1]) as a, lab.Client(sys.argv[1]) as b:
    frame = lab.frame(lab.BROADCAST, lab.mac(1), size=60)
    a.send(frame)
    b.recv_until(frame)
print("passed")
"""


@pytest.fixture
def machine(cleanup):
    reason = lab_systemd.why_not()
    if reason:
        pytest.skip(reason)
    return cleanup.enter_context(lab_systemd.boot())


def changed(machine):
    """Files, and folders that the real machine has not."""
    top = machine.changes
    names = {str(path)[len(str(top)):] for path in top.rglob("*")
             if path.is_symlink() or not path.is_dir()
             or not os.path.isdir(str(path)[len(str(top)):])}
    return {name for name in names if not name.startswith(OF_OTHERS)}


def put(machine, package):
    at = machine.root / "tmp" / package.name
    at.write_bytes(package.read_bytes())
    return f"/tmp/{package.name}"


def test_the_package_installs_serves_and_purges_cleanly(package, machine):
    before = changed(machine)
    accounts = {path: pathlib.Path(path).read_text() for path in ACCOUNTS}
    deb = put(machine, package)

    machine.run("dpkg", "--install", deb)
    machine.write("/etc/ringswitch/lab.conf", "# nothing but the default\n")
    machine.run("systemctl", "enable", "--now", "ringswitch@lab.service")
    assert machine.show("ringswitch@lab", "ActiveState") == "active"
    pid = machine.show("ringswitch@lab", "MainPID")
    assert "passed" in machine.python(FRAME, "/run/ringswitch/lab/uml.ctl",
                                      user="ringswitch")
    # An upgrade: guests must not lose their switch.
    machine.run("dpkg", "--install", deb)
    assert machine.show("ringswitch@lab", "MainPID") == pid

    (machine.root / "etc/ringswitch/lab.conf").unlink()
    machine.run("dpkg", "--purge", "ringswitch")
    assert machine.show("ringswitch@lab", "ActiveState") == "inactive"
    assert changed(machine) == before
    assert not machine.exists("/run/ringswitch")
    for path in ACCOUNTS:
        assert (machine.root / path[1:]).read_text() == accounts[path], path


def test_removing_the_package_keeps_what_was_configured(package, machine):
    machine.run("dpkg", "--install", put(machine, package))
    machine.write("/etc/ringswitch/lab.conf", "hub\n")
    machine.run("dpkg", "--purge", "ringswitch")
    assert machine.exists("/etc/ringswitch/lab.conf")


def test_make_install_leaves_a_packages_files_alone(package, machine, build):
    """With PREFIX=/usr, which is the package's."""
    machine.run("dpkg", "--install", put(machine, package))
    before = machine.run("sha256sum", "/usr/bin/ringswitch")
    code, said = machine.run(
        "make", "-C", lab.ROOT, "-o", "all", "install", "PREFIX=/usr",
        f"BUILD={os.path.relpath(build, lab.ROOT)}", check=False)
    assert code != 0
    assert "is the package ringswitch's" in said
    assert machine.run("sha256sum", "/usr/bin/ringswitch") == before
