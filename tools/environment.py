"""Write environment.yml, and Binder's byte-identical copy of it, from constraints.txt and requirements-torch.txt.

    python tools/environment.py

conda gives Python and pip and nothing else; pip installs the course's pins: one list for Binder, conda and `make`.
"""

from __future__ import annotations

from resolve import ROOT, requirement_lines, sections

# Binder's Python is the one on which the list is installed in CI.
PYTHON = "3.11"
HEADER = """\
# Written by tools/environment.py from constraints.txt and requirements-torch.txt: change those, not this file.
name: eqlib
channels:
  - conda-forge
dependencies:
  - python={python}
  - pip
  - pip:
"""


def pip_lines() -> list[str]:
    """What pip is told: PyTorch's CPU index, torch, and the course's section of constraints.txt."""
    return requirement_lines(ROOT / "requirements-torch.txt") + sections()["course"]


def text() -> str:
    """environment.yml as it should be."""
    return HEADER.format(python=PYTHON) + "".join(f"      - {line}\n" for line in pip_lines())


def main() -> None:
    """Write both copies."""
    for folder in (ROOT, ROOT / "binder"):
        folder.mkdir(exist_ok=True)
        (folder / "environment.yml").write_text(text(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
