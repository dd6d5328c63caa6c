"""Write the course's and the tests' pins with the hashes of their files, which `make` then has pip compare.

    python tools/hashes.py

uv asks the public index alone, with no other index and no folder of wheels: a copy there would hide the release's other files,
and the list must do for every system and Python. Torch is not in it: it comes from an index of its own (requirements-torch.txt).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from environment import ROOT, sections
from resolve import SETTINGS

# File -> the sections of constraints.txt that it holds.
FILES = {"requirements-course.txt": ("course",), "requirements-test.txt": ("test", "docs")}
HEADER = "# Written by tools/hashes.py (`make hashes`) from constraints.txt: change that, not this file.\n"
UV = [sys.executable, "-m", "uv", "--no-config", "pip", "compile", "--universal", "--python-version=3.11", "--no-deps"]
UV += ["--generate-hashes", "--no-header", "--no-annotate", "--quiet"]


def hashed(pins: list[str]) -> str:
    """These pins with the hashes of every file of their releases. Raises RuntimeError with uv's reason."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "pins.txt"
        listed.write_text("\n".join(pins), encoding="utf-8")
        environ = {key: value for key, value in (os.environ | SETTINGS).items() if "INDEX" not in key}
        command = [*UV, f"--python={sys.executable}", str(listed)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def main() -> None:
    """Write every file."""
    for name, parts in FILES.items():
        text = HEADER + hashed([pin for part in parts for pin in sections()[part]])
        (ROOT / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
