"""The committed logs in results/: one line a run, added as it ends, the file written whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any


def lines(path: Path) -> list[dict[str, Any]]:
    """What the log holds; nothing if there is none yet."""
    return json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []


def commit() -> str:
    """The commit that stands in the working tree; ask before the runs begin."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def add(path: Path, line: dict[str, Any]) -> None:
    """Append a line. The log is read anew, since another process may have added to it."""
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps({"runs": [*lines(path), line]}, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
