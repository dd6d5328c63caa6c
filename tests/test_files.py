"""Logs and weights are found from any folder: in a checkout, and in a wheel that is installed elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from setuptools import find_packages

from eqlib import files

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*ROOT.glob("benchmarks/results/*.json"), *ROOT.glob("checkpoints/*.pt")]


def find(path: Path) -> Path:
    return files.results(path.name) if path.suffix == ".json" else files.checkpoint(path.name)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_checkout_finds_its_own_files_from_another_folder(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find(path).samefile(path)


@pytest.mark.parametrize("name", ["jet.json", "jets-lorentz.pt", "../results/jets.json", ""])
def test_another_name_is_refused_with_those_that_there_are(name):
    with pytest.raises(
        FileNotFoundError, match=r"name: got '.*', expected one of clebsch_gordan.json, .*, volumes.json in"
    ):
        files.results(name)


def test_a_package_without_its_files_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected one of none in"):
        files._find("jets.json", tmp_path / "a", tmp_path / "b", ".json")


def test_every_package_is_installed():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert sorted(setup["packages"]) == sorted([*find_packages(str(ROOT), include=["eqlib*"]), *setup["package-dir"]])


def test_a_wheel_carries_its_files(tmp_path):
    """Built in a copy and unpacked elsewhere: every file is in it, byte for byte, and no checkout is near."""
    copy, installed = tmp_path / "copy", tmp_path / "installed"
    for folder in ("eqlib", "benchmarks/results", "checkpoints"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "in_progress"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-text"):
        shutil.copy(ROOT / name, copy)
    build = "import sys, setuptools.build_meta as build; build.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, tmp_path], cwd=copy, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    shutil.unpack_archive(wheel, installed, "zip")
    shutil.rmtree(copy)
    ask = "import sys; from eqlib import files\nfor n in sys.argv[1:]: print((files.results, files.checkpoint)[n[-1] == 't'](n))"
    environ = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", ask, *(path.name for path in SOURCES)]
    found = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True).stdout
    for path, place in zip(SOURCES, map(Path, found.splitlines()), strict=True):
        assert place.is_relative_to(installed / "eqlib") and place.read_bytes() == path.read_bytes()
    assert (installed / "eqlib/data/files/jets.npz").is_file() and (installed / "eqlib/py.typed").is_file()
