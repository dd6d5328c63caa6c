"""Make an environment of the oldest versions that pyproject.toml allows, so that its lower bounds are more than a belief.

    python tools/oldest.py .venv-oldest

What pyproject.toml names is as old as it may be; what these bring along is as in constraints.txt, or the environment would be
another one every week. eqlib itself is not installed: `make oldest` runs it from the checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from environment import ROOT, requirement_lines, sections
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from resolve import SETTINGS, pip_options

EXTRAS = ("course", "test")


def indirect(root: Path = ROOT) -> list[str]:
    """The pins of what pyproject.toml does not name itself."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = project["dependencies"] + [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    direct = {canonicalize_name(Requirement(line).name) for line in named}
    pins = [line for part in EXTRAS for line in sections(root)[part]]
    return [line for line in pins if canonicalize_name(Requirement(line).name) not in direct]


def uv(*words: str) -> str:
    """Run `uv pip` with pip's indexes: "", or its reason why not."""
    command = [sys.executable, "-m", "uv", "pip", *words, "--only-binary=:all:", "--index-strategy=unsafe-best-match"]
    command += ["--quiet", *pip_options()]
    environ = os.environ | SETTINGS
    done = subprocess.run(command, env=environ, capture_output=True, text=True, encoding="utf-8", check=False)
    return done.stderr if done.returncode else ""


def install(python: Path, torch: list[str], *options: str) -> str:
    """Install for this Python, with these pins of torch: "", or uv's reason why not."""
    with tempfile.TemporaryDirectory() as folder:
        listed, pins = Path(folder) / "oldest.txt", Path(folder) / "torch.txt"
        # What stands in the file that uv writes it keeps, unless something old needs another: pins that give way.
        listed.write_text("\n".join(indirect()), encoding="utf-8")
        pins.write_text("\n".join(torch), encoding="utf-8")
        words = [str(ROOT / "pyproject.toml"), *(f"--extra={extra}" for extra in EXTRAS), f"--constraints={pins}"]
        words += [f"--python={python}", *options]
        problem = uv("compile", *words, "--resolution=lowest-direct", f"--output-file={listed}")
        return problem or uv("install", f"--python={python}", "--no-deps", f"-r={listed}", *options)


def main() -> int:
    """Make the environment that the command line names. Returns the exit code."""
    folder = Path(sys.argv[1])
    venv.create(folder, clear=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    problem = install(python, [], *(["--torch-backend=cpu"] if sys.platform == "linux" else []))
    if sys.platform == "linux" and "error sending request" in problem:
        # Elsewhere an old torch for Linux is gigabytes of CUDA.
        print("oldest: PyTorch's own index is out of reach, so torch is the pinned one and its bound is not tested")
        problem = install(
            python, [line for line in requirement_lines(ROOT / "requirements-torch.txt") if not line.startswith("-")]
        )
    print(problem.strip() or f"oldest: {folder} is made")
    return bool(problem)


if __name__ == "__main__":
    sys.exit(main())
