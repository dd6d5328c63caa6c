"""What Binder would build, as far as that can be seen without building an image.

    python tools/check_binder.py             # render the Dockerfile and look for the three things that it must do
    python tools/check_binder.py --install   # also install Binder's very list into a fresh environment, as Binder would

repo2docker exits with 0 on a repository that it understands not at all, so the text is read instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from environment import PYTHON, ROOT, pip_lines

# What a rendered Dockerfile must hold, and why. repo2docker writes '.' in a file's name as -2e and '-' as -2d.
MUST_HOLD = {
    '--file "binder/environment.yml"': "the update from binder/environment.yml",
    "\nRUN ./binder/postBuild": "the run of binder/postBuild",
    f"py-2d{PYTHON.replace('.', '-2e')}-2dlinux": f"the base environment for Python {PYTHON}",
}


def dockerfile(folder: Path = ROOT) -> str:
    """The Dockerfile that repo2docker renders for a folder. Needs neither Docker nor a network."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=True)
    return done.stdout + done.stderr


def problems(text: str) -> list[str]:
    """What a rendered Dockerfile lacks."""
    return [
        f"the Dockerfile lacks {why}: no {needle!r} in it" for needle, why in MUST_HOLD.items() if needle not in text
    ]


def install(folder: Path) -> str:
    """Make an environment in `folder` from Binder's list, as conda's pip step and postBuild do, and run eqlib in it.

    Returns the versions that eqlib then sees.
    """
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    listed = folder / "requirements.txt"
    listed.write_text("\n".join(pip_lines()) + "\n", encoding="utf-8")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    # conda lets pip fetch what a list forgets; with --no-deps a gap shows in `pip check` instead.
    # The list has two indexes and pip asks both for everything: one that is out of reach is not asked five times over.
    subprocess.run([*pip, "--retries", "0", "--no-deps", "-r", str(listed)], check=True)
    subprocess.run([*pip, "--no-deps", "-e", "."], cwd=ROOT, check=True)
    subprocess.run([str(python), "-m", "pip", "check"], check=True)
    code = "import eqlib.groups, torch, jupyterlab as lab; print(eqlib.__version__, torch.__version__, lab.__version__)"
    return subprocess.run([str(python), "-c", code], cwd=folder, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Render and look; with --install, install too. Returns the exit code."""
    found = problems(dockerfile())
    print("\n".join(found) or f"binder: the Dockerfile (not built) has its update, postBuild and Python {PYTHON}")
    if not found and "--install" in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            print(f"binder: its list installs; eqlib, torch, jupyterlab: {install(Path(folder)).strip()}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
