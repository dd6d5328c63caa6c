"""Ask the package index, without installing, whether the pins hold on systems that this machine is not.

    python tools/resolve.py                   # Linux, Windows and arm64 macOS, Python 3.11-3.13
    python tools/resolve.py --require-index   # an index that does not answer is then an error

`uv pip compile` resolves for a system that is named to it. It is asked for two lists: the pins that hold there, each with a
wheel, and what eqlib[course,test,docs,bench] comes to under these pins. The pins are closed where the lists agree.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import chain, product
from pathlib import Path

from environment import ROOT, requirement_lines, sections

SYSTEMS = {"linux": "Linux x86_64", "windows": "Windows x86_64", "macos": "macOS arm64"}
UV = [sys.executable, "-m", "uv", "pip", "compile", "--only-binary=:all:", "--index-strategy=unsafe-best-match"]
UV += ["--no-header", "--no-annotate", f"--python={sys.executable}"]  # else it looks for the one that is asked about
# torch 2.13 has wheels from macOS 14 on. An index that is out of reach is asked twice, not four times.
SETTINGS = {"MACOSX_DEPLOYMENT_TARGET": "14.0", "UV_HTTP_RETRIES": "1"}
PIP_TO_UV = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "cert": "--cert",
}
EXACT = re.compile(r"[\w.-]+==[\w.+!]+( ;.*)?")
Target = tuple[str, str]  # Python, and one of SYSTEMS


@cache
def pip_options() -> list[str]:
    """The indexes that pip is configured with, for uv, which does not read pip's configuration."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    # The environment is listed first and overrides the files.
    found = dict(reversed(re.findall(r"^(?::env:|global|install)\.([\w-]+)=(.*)$", listed, re.MULTILINE)))
    options = ["--no-index"] if "no-index" in found else []
    for key in PIP_TO_UV.keys() & found.keys():
        options += [f"{PIP_TO_UV[key]}={value}" for value in ast.literal_eval(found[key]).split()]
    return options


def ask(target: Target, *arguments: str) -> set[str]:
    """What uv resolves for a target, {"numpy==2.4.6", ...}. Raises LookupError, with uv's reason, where nothing fits."""
    command = [*UV, "--python-version", target[0], "--python-platform", target[1], *pip_options(), *arguments]
    environ = os.environ | SETTINGS
    done = subprocess.run(command, env=environ, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode or " is yanked" in done.stderr:
        raise LookupError(done.stderr)
    return set(done.stdout.split())


def torch_options(target: Target, folder: Path, lines: list[str]) -> list[str]:
    """How uv finds Linux's torch: at PyTorch's own index, or where the rest is; or the option to do without it."""
    if target[1] != "linux":
        return []
    (folder / "torch.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "excluded.txt").write_text("torch", encoding="utf-8")
    for options in (["--torch-backend=cpu"], []):
        with suppress(LookupError):
            ask(target, str(folder / "torch.txt"), "--no-deps", *options)
            return options
    return [f"--excludes={folder / 'excluded.txt'}"]


def compare(target: Target, root: Path, folder: Path) -> tuple[list[str], str]:
    """(where the pins of the checkout `root` are not closed, what to say of them); LookupError where nothing fits."""
    pinned = sections(root)
    torch = [line for line in requirement_lines(root / "requirements-torch.txt") if not line.startswith("-")]
    if inexact := [line for line in chain(torch, *pinned.values()) if not EXACT.fullmatch(line)]:
        return [f"expected an exact pin such as numpy==2.4.6, got {line}" for line in inexact], ""
    options = torch_options(target, folder, torch)
    # The generators of collision data have no Windows wheels; data sets are made on Linux.
    everything = ["course", "test", "docs"] + ["generate"] * (target[1] == "linux")
    problems = []
    # Only the course's pins reach Binder and conda, so they must stand alone.
    for parts, extras in ((["course"], ["course"]), (everything, [*everything, "bench"])):
        pins = folder / "pins.txt"
        pins.write_text("\n".join(chain(torch, *(pinned[part] for part in parts))), encoding="utf-8")
        held = ask(target, str(pins), "--no-deps", *options)
        wanted = [str(root / "pyproject.toml"), f"--constraints={pins}", *(f"--extra={extra}" for extra in extras)]
        asked = ask(target, *wanted, *options)
        problems += [f"{pin} is asked for and not pinned" for pin in sorted(asked - held)]
        if "torch" in {pin.split("==")[0] for pin in held}:
            problems += [f"nothing asks for {pin}" for pin in sorted(held - asked)]
            note = ""
        else:
            note = ", but for torch: no CPU wheel for it within reach here (PyTorch's own index)"
    return problems, f"{len(held)} wheels, nothing missing{note}"


def resolve(target: Target, root: Path = ROOT) -> tuple[str, str]:
    """Resolve the pins for one target: ("ok" | "offline" | "wrong", what to print)."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            problems, text = compare(target, root, Path(folder))
    except LookupError as error:
        told = "--no-index" in pip_options() or {"UV_OFFLINE", "UV_NO_INDEX"} & os.environ.keys()
        return "offline" if told or "error sending request" in str(error) else "wrong", str(error).strip()
    return "wrong" if problems else "ok", "\n".join(problems) or text


def main() -> int:
    """Resolve every target, one line each. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--require-index", action="store_true", help="fail where the package index does not answer")
    parser.add_argument("--stamp", type=Path, help="a file to touch when every target was asked and is well")
    options = parser.parse_args()
    targets = list(product(("3.11", "3.12", "3.13"), SYSTEMS))
    states = []
    with ThreadPoolExecutor(2) as pool:
        for (python, system), (state, text) in zip(targets, pool.map(resolve, targets), strict=True):
            if state == "offline" and not options.require_index:
                text = "the package index is out of reach, so this was not asked"
            print(f"pins: Python {python}, {SYSTEMS[system]}: {state}: {text}", flush=True)
            states.append(state)
    if options.stamp and set(states) == {"ok"}:
        options.stamp.touch()
    return int("wrong" in states or (options.require_index and "offline" in states))


if __name__ == "__main__":
    sys.exit(main())
