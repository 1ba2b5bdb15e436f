"""Interactive shells, asked what they would offer for a command line.

The completion files are installed as `make install` does it, in a directory of
the test, and found and loaded by bash-completion and by zsh's compinit. Both
shells then do all of what a tab key does, but for the last step: bash inserts
all that it has to offer (insert-completions), zsh's compadd writes it down.
"""

import contextlib
import os
import pathlib
import shutil

import pexpect
import pytest

import lab

BASH_COMPLETION = pathlib.Path("/usr/share/bash-completion/bash_completion")
PROMPT = "ready-for-the-next-one> "

BASH_SET_UP = r"""
. {library}
bind 'set enable-bracketed-paste off'
bind 'set completion-query-items 0'
told() {{ printf '%s\n' "$READLINE_LINE" >{out}.new; mv {out}.new {out}
          READLINE_LINE=; }}
bind -x '"\C-xt": told'
bind '"\C-xi": insert-completions'
PS1='{prompt}'
"""

ZSH_SET_UP = r"""
fpath=({functions} $fpath)
autoload -Uz compinit
compinit -u -D
# As without options of its own, but for what it adds, which is written down.
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    builtin compadd -A hits "$@"
    (($#hits)) && print -rl -- $IPREFIX$^hits >>{out}.new
    return 1
}}
told() {{ : >{out}.new; zle complete-word; mv {out}.new {out}
          zle kill-whole-line }}
zle -N told
bindkey '^Xt' told
unset zle_bracketed_paste
PS1='{prompt}'
"""


class Shell:
    """A running shell; offers() is what there is for a line."""

    def __init__(self, words, set_up, keys, directory, environment):
        self.out = directory / "offered"
        self.keys = keys
        script = directory / "set-up"
        script.write_text(set_up.format(
            out=self.out, prompt=PROMPT, library=BASH_COMPLETION,
            functions=directory / "functions"))
        self.process = pexpect.spawn(
            words[0], words[1:], env=environment, cwd=str(directory),
            dimensions=(40, 2000), encoding="utf-8", timeout=lab.STEP_S)
        self.process.sendline(f". {script}")
        self.process.expect_exact(PROMPT)
        self.screen = ""

    def told(self, line):
        """What the shell wrote down for @line."""
        def is_there():
            # It would wait for a reader of its screen.
            with contextlib.suppress(pexpect.TIMEOUT):
                self.screen += self.process.read_nonblocking(65536, timeout=0)
            return self.out.exists()

        self.process.send(line + self.keys)
        lab.wait_until(is_there, f"what is offered for: {line}")
        text = self.out.read_text()
        self.out.unlink()
        return text

    def said(self):
        """All that was on the screen."""
        self.process.sendline("echo 'an''swered'")
        self.process.expect_exact("answered\r\n")
        return self.screen + self.process.before

    def close(self):
        self.process.close(force=True)


class Bash(Shell):
    def offers(self, line):
        """The words that there are instead of the last one of @line, sorted:
        bash does so itself."""
        text = self.told(line).rstrip("\n")
        stem = line[:line.rindex(" ") + 1]
        assert text.startswith(stem)
        offered = text[len(stem):]
        return [] if text == line else sorted(offered.rstrip(" ").split(" "))


class Zsh(Shell):
    def offers(self, line):
        return sorted(set(self.told(line).splitlines()))


def environment(directory, programs):
    """What the shells' programs see: ours first, and no home."""
    return os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(directory),
        "ZDOTDIR": str(directory), "XDG_DATA_HOME": str(directory / "data"),
        "XDG_RUNTIME_DIR": str(directory), "TERM": "dumb",
        "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null"}


def bash(directory, programs):
    if not BASH_COMPLETION.exists():
        pytest.skip("no bash-completion here")
    folder = directory / "data" / "bash-completion" / "completions"
    folder.mkdir(parents=True)
    shutil.copy(lab.ROOT / "switch" / "completion.bash", folder / "ringctl")
    for name in "ringswitch", "ringtap", "ringbench", "uml_switch", "tunctl":
        (folder / name).symlink_to("ringctl")
    return Bash(["bash", "--norc", "--noprofile", "-i"], BASH_SET_UP,
                "\x18i\x18t", directory, environment(directory, programs))


def zsh(directory, programs):
    if not shutil.which("zsh"):
        pytest.skip("no zsh here")
    folder = directory / "functions"
    folder.mkdir()
    shutil.copy(lab.ROOT / "switch" / "completion.zsh", folder / "_ringctl")
    return Zsh(["zsh", "-f", "-i"], ZSH_SET_UP, "\x18t", directory,
               environment(directory, programs))
