"""Ask the package index, without installing, whether the pins hold on systems that this machine is not.

    python tools/resolve.py                   # Linux, Windows and arm64 macOS, Python 3.13
    python tools/resolve.py --every-python    # 3.11 and 3.12 too
    python tools/resolve.py --require-index   # an index that does not answer is then an error

pip evaluates environment markers for the machine it runs on, so `pip install --platform win_amd64` alone asks Windows
for Linux's packages and never for pywinpty. Here the markers are evaluated for the target, twice: to choose the pins,
and to follow every package's own requirements. What is shown for each target is that each pin has a wheel, and that
the pins are closed: whatever eqlib[course,test,docs,bench] asks for is pinned, at a version that satisfies all who ask.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SECTION = "# --- "
TORCH_INDEX = ("--extra-index-url", "https://download.pytorch.org/whl/cpu")
# What pip says, in its several versions, where no index answered.
UNREACHABLE = ("connection broken by", "Failed to resolve", "Max retries exceeded", "Network is unreachable")
UNUSED = "nothing asks for"
Pins = dict[str, Requirement]


@dataclass(frozen=True)
class Target:
    """One system: its name, what its markers say, and the wheel tags it takes."""

    name: str
    sys_platform: str
    platform_system: str
    machine: str
    tags: tuple[str, ...]
    python: str = "3.13"

    def markers(self, extra: str = "") -> dict[str, str]:
        """The marker environment of the target, with one extra switched on."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "nt" if self.sys_platform == "win32" else "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": self.platform_system,
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": self.sys_platform,
            "extra": extra,
        }


TARGETS = (
    Target(
        "Linux x86_64", "linux", "Linux", "x86_64", tuple(f"manylinux{n}_x86_64" for n in ("_2_28", "_2_27", "2014"))
    ),
    Target("Windows x86_64", "win32", "Windows", "AMD64", ("win_amd64",)),
    # torch 2.13 has wheels from macOS 14 on, and none for Intel Macs.
    Target("macOS arm64", "darwin", "Darwin", "arm64", ("macosx_14_0_arm64",)),
)


def requirement_lines(path: Path) -> list[str]:
    """The lines of a requirements file that name something: no comments, no empty lines."""
    lines = (line.split(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def sections(path: Path = ROOT / "constraints.txt") -> dict[str, list[str]]:
    """constraints.txt as {section: pins}; a section opens with `# --- name: what it is for`."""
    out: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(SECTION):
            current = out.setdefault(line.removeprefix(SECTION).split(":")[0], [])
        elif line.strip() and not line.startswith("#"):
            current.append(line.strip())
    return out


def torch_lines() -> list[str]:
    """The torch pins of requirements-torch.txt, one for each system, without the index option."""
    return [line for line in requirement_lines(ROOT / "requirements-torch.txt") if not line.startswith("-")]


def choose(lines: Iterable[str], target: Target) -> Pins:
    """Those pins of `lines` whose markers hold on the target, by canonical name."""
    pins: Pins = {}
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate(target.markers()):
            pins[canonicalize_name(requirement.name)] = requirement
    return pins


def version(pin: Requirement) -> str:
    """The version that an exact pin names. Raises ValueError on any other kind of requirement."""
    specifiers = list(pin.specifier)
    if len(specifiers) != 1 or specifiers[0].operator != "==" or specifiers[0].version.endswith("*"):
        raise ValueError(f"constraints.txt: expected an exact pin such as 'numpy==2.4.6', got '{pin}'")
    return specifiers[0].version


def ask_index(pins: Pins, target: Target, *options: str) -> tuple[dict[str, list[str]], str]:
    """pip's dry run for the target: ({name: its requirements}, error text or "")."""
    wanted = [f"{pin.name}=={version(pin)}" for pin in pins.values()]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
        command += ["--only-binary=:all:", "--retries", "1", "--target", folder, "--report", str(report)]
        command += ["--implementation", "cp", "--python-version", target.python]
        command += [word for tag in target.tags for word in ("--platform", tag)]
        done = subprocess.run(
            [*command, *options, *wanted], capture_output=True, text=True, encoding="utf-8", check=False
        )
        if done.returncode:
            return {}, done.stdout + done.stderr
        if yanked := re.findall(r"yanked version: '(.+?)' candidate \(version (.+?) ", done.stderr):
            return {}, f"ERROR: taken back by their authors: {yanked}"
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    metadata = (entry["metadata"] for entry in installs)
    return {canonicalize_name(m["name"]): m.get("requires_dist") or [] for m in metadata}, ""


def open_ends(roots: Iterable[str], requires: Mapping[str, list[str]], pins: Pins, target: Target) -> list[str]:
    """What the roots ask for, or what those ask for in turn, that is not pinned, or pinned at a version of no use."""
    problems: list[str] = []
    todo = [("eqlib", line, "") for line in roots]
    seen: set[tuple[str, str]] = set()
    while todo:
        asker, line, extra = todo.pop()
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate(target.markers(extra)):
            continue
        name = canonicalize_name(wanted.name)
        if name not in pins:
            problems.append(f"{asker} asks for {wanted}, which constraints.txt does not pin")
            continue
        if not wanted.specifier.contains(version(pins[name]), prereleases=True):
            problems.append(f"{asker} asks for {wanted}, the pin is {version(pins[name])}")
        for feature in ("", *wanted.extras):
            if (name, feature) not in seen:
                seen.add((name, feature))
                todo += [(name, child, feature) for child in requires.get(name, [])]
    unused = set(pins) - {name for name, _ in seen}
    return problems + [f"{UNUSED} {name}" for name in sorted(unused)]


def eqlib_asks_for(extras: Iterable[str]) -> list[str]:
    """pyproject's dependencies, and those of the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]


def errors_in(text: str) -> str:
    """pip's error lines, without its warnings."""
    return "\n".join(line for line in text.splitlines() if line.startswith("ERROR"))


def resolve(target: Target) -> tuple[str, str]:
    """Resolve the pins for one target: ("ok" | "offline" | "wrong", what to print)."""
    pinned = sections()
    # The generators of collision data have no Windows wheels; data sets are made on Linux.
    parts = ("course", "test", "docs", *(["generate"] if target.sys_platform == "linux" else []))
    pins = choose((line for part in parts for line in pinned[part]), target)
    torch = choose(torch_lines(), target)
    requires, error = ask_index(pins, target)
    if error:
        unreachable = "PIP_NO_INDEX" in os.environ or any(word in error for word in UNREACHABLE)
        return "offline" if unreachable else "wrong", errors_in(error)
    torch_requires, error = ask_index(torch, target, *(TORCH_INDEX if target.sys_platform == "linux" else ()))
    if error and target.sys_platform != "linux":
        return "wrong", errors_in(error)
    requires |= torch_requires
    problems = open_ends(eqlib_asks_for((*parts, "bench")), requires, pins | torch, target)
    # Only the course's pins reach Binder and conda, so they must stand alone.
    problems += open_ends(eqlib_asks_for(["course"]), requires, choose(pinned["course"], target) | torch, target)
    if not torch_requires:
        problems = [text for text in problems if not text.startswith(UNUSED)]
    if problems:
        return "wrong", "\n".join(problems)
    note = "" if torch_requires else ", but for torch: no CPU wheel for it within reach here (PyTorch's own index)"
    return "ok", f"{len(requires)} wheels, nothing missing{note}"


def main() -> int:
    """Resolve every target, one line each. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--every-python", action="store_true", help="3.11 and 3.12 as well as 3.13")
    parser.add_argument("--require-index", action="store_true", help="fail where the package index does not answer")
    parser.add_argument("--stamp", type=Path, help="a file to touch when every target was asked and is well")
    options = parser.parse_args()
    pythons = ("3.11", "3.12", "3.13") if options.every_python else ("3.13",)
    targets = [replace(target, python=python) for python in pythons for target in TARGETS]
    states = []
    with ThreadPoolExecutor(2) as pool:
        for target, (state, text) in zip(targets, pool.map(resolve, targets), strict=True):
            if state == "offline" and not options.require_index:
                text = "the package index is out of reach, so this was not asked"
            print(f"pins: Python {target.python}, {target.name}: {state}: {text}", flush=True)
            states.append(state)
    if options.stamp and set(states) == {"ok"}:
        options.stamp.touch()
    return int("wrong" in states or (options.require_index and "offline" in states))


if __name__ == "__main__":
    sys.exit(main())
