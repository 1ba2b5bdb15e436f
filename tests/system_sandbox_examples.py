"""The two worked examples of the sandbox, as the README tells to run them."""

import os
import subprocess

import pytest

import lab
from lab_sandbox import need_image, sandbox_home


@pytest.mark.parametrize("example, packages, says", [
    ("web.sh", "haproxy,nginx-light",
     ["Eight requests from the host:", "4 web1", "4 web2",
      "web1's plug is pulled. Eight more:", "8 web2",
      "web1 is back; lb sees that and asks both again:", "web1"]),
    ("database.sh", "postgresql",
     ["A row is written to db1, and read from db2:", "hello",
      "db2's link is cut, and db1 gets another row:", "bytes of the log behind",
      "The link is back, and db2 catches up:", "again hello"]),
])
def test_an_example_does_what_it_says(example, packages, says):
    need_image(packages)
    with sandbox_home() as box:
        done = subprocess.run(
            [lab.ROOT / "switch/lab" / example], env=box.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=170, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        said = done.stdout
        for text in says:
            assert text in said, f"no '{text}' in {done.stdout}"
            said = said.partition(text)[2]
        # Nothing stays.
        assert os.listdir(box.home) == ["images"]
        assert not box.processes()
