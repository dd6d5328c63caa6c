"""Write environment.yml, and Binder's byte-identical copy of it, from constraints.txt and requirements-torch.txt.

    python tools/environment.py

conda gives Python and pip and nothing else; pip installs the course's pins: one list for Binder, conda and `make`.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECTION = "# --- "
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


def requirement_lines(path: Path) -> list[str]:
    """The lines of a requirements file that name something: no comments, no empty lines."""
    lines = (line.split(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def sections(root: Path = ROOT) -> dict[str, list[str]]:
    """constraints.txt as {section: pins}; a section opens with `# --- name: what it is for`."""
    out: dict[str, list[str]] = {}
    for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(SECTION):
            current = out.setdefault(line.removeprefix(SECTION).split(":")[0], [])
        elif line.strip() and not line.startswith("#"):
            current.append(line.strip())
    return out


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
