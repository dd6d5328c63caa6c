"""The set-up: pins, Binder, links, licences, the Makefile's choices, and the code of README.md and CONTRIBUTING.md."""

from __future__ import annotations

import ast
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import check_binder
import environment
import jupyterlab.commands
import links
import pytest
import resolve
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NO_NEWS = (
    'jupyter labextension disable --level=sys_prefix --log-level=ERROR "@jupyterlab/apputils-extension:announcements"'
)
NOTEBOOKS = sorted(path.name for path in ROOT.glob("notebooks/*.ipynb"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_blocks(name: str) -> str:
    """The Python blocks of a page, joined: a later one may use an earlier one's names."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", read(name), flags=re.M | re.S))


# pins -----------------------------------------------------------------------------------------------------------------


def test_conda_and_binder_read_one_list_and_it_is_that_of_the_pins():
    assert (ROOT / "binder/environment.yml").read_bytes() == (ROOT / "environment.yml").read_bytes()
    dependencies = yaml.safe_load(read("environment.yml"))["dependencies"]
    assert dependencies[:2] == [f"python={environment.PYTHON}", "pip"]
    assert [set(entry) for entry in dependencies[2:]] == [{"pip"}]
    assert dependencies[2]["pip"] == environment.pip_lines()
    assert read("environment.yml") == environment.text()
    assert dependencies[2]["pip"][0] == "--extra-index-url https://download.pytorch.org/whl/cpu"


def test_every_requirement_has_an_exact_pin_that_satisfies_it():
    sections = resolve.sections()
    assert list(sections) == ["course", "test", "docs", "generate"]
    asked = resolve.eqlib_asks_for(PROJECT["optional-dependencies"])
    for target in resolve.TARGETS:
        pins = resolve.choose([*itertools.chain(*sections.values()), *resolve.torch_lines()], target)
        problems = resolve.open_ends(asked, {}, pins, target)
        assert [text for text in problems if not text.startswith(resolve.UNUSED)] == []
        assert str(pins["torch"].specifier) == ("==2.13.0+cpu" if target.sys_platform == "linux" else "==2.13.0")


def test_a_pin_that_is_missing_too_old_or_inexact_is_seen():
    target = resolve.TARGETS[0]
    pins = resolve.choose(["numpy==1.26.0", "idle==1.0"], target)
    found = resolve.open_ends(["numpy>=2.0", "scipy>=1.14", "colorama; sys_platform == 'win32'"], {}, pins, target)
    assert found == [
        "eqlib asks for scipy>=1.14, which constraints.txt does not pin",
        "eqlib asks for numpy>=2.0, the pin is 1.26.0",
        "nothing asks for idle",
    ]
    with pytest.raises(ValueError, match=r"exact pin .* got 'numpy>=2'"):
        resolve.version(Requirement("numpy>=2"))


def test_markers_are_those_of_the_target_and_extras_are_followed():
    linux, windows, _ = resolve.TARGETS
    assert [set(resolve.choose(["pywinpty==1.0; os_name == 'nt'"], t)) for t in (linux, windows)] == [
        set(),
        {"pywinpty"},
    ]
    requires = {"numpy": ["scipy; extra == 'fast'"]}
    pins = resolve.choose(["numpy==2.0"], linux)
    assert resolve.open_ends(["numpy"], requires, pins, linux) == []
    assert len(resolve.open_ends(["numpy[fast]"], requires, pins, linux)) == 1


def test_bounds_are_bounds_and_extras_are_there():
    assert set(PROJECT["optional-dependencies"]) == {"course", "test", "docs", "bench", "generate"}
    assert {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]} >= {
        "numpy",
        "scipy",
        "torch",
    }
    for line in PROJECT["dependencies"]:
        assert [specifier.operator for specifier in Requirement(line).specifier] == [">="], line


def test_torch_comes_alone_and_from_its_own_index():
    assert resolve.requirement_lines(ROOT / "requirements-torch.txt") == [
        "--extra-index-url https://download.pytorch.org/whl/cpu",
        'torch==2.13.0+cpu ; sys_platform == "linux"',
        'torch==2.13.0 ; sys_platform != "linux"',
    ]
    assert "torch" not in {canonicalize_name(Requirement(line).name) for line in resolve.sections()["course"]}


# Binder ---------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="repo2docker does not run on Windows")
def test_the_rendered_dockerfile_does_what_binder_must_do():
    text = check_binder.dockerfile()
    assert check_binder.problems(text) == []
    for needle in check_binder.MUST_HOLD:
        assert len(check_binder.problems(text.replace(needle, ""))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="repo2docker does not run on Windows")
def test_a_repository_that_binder_cannot_read_is_refused_though_repo2docker_is_content(tmp_path):
    (tmp_path / "README.md").write_text("nothing here", encoding="utf-8")
    assert len(check_binder.problems(check_binder.dockerfile(tmp_path))) == 3


def test_postbuild_stops_at_the_first_error_and_installs_only_the_course():
    lines = [line for line in read("binder/postBuild").splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", "pip install --no-deps -e .", NO_NEWS]
    assert read("binder/postBuild").startswith("#!/bin/bash\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bit")
@pytest.mark.parametrize("name", ["binder/postBuild", ".ci/run"])
def test_scripts_are_executable_and_parse(name):
    assert os.access(ROOT / name, os.X_OK)
    assert subprocess.run(["bash", "-n", ROOT / name], check=False).returncode == 0


# links ----------------------------------------------------------------------------------------------------------------


def test_every_link_points_at_the_repository_that_pyproject_names():
    for page in links.pages():
        assert links.pointed(page.read_text(encoding="utf-8")) == page.read_text(encoding="utf-8"), page.name
    assert links.repository() == PROJECT["urls"]["Repository"]


def test_links_are_rewritten_for_a_fork(monkeypatch):
    monkeypatch.setattr(links, "repository", lambda: "https://github.com/someone/else")
    old = "(https://mybinder.org/v2/gh/eqlib/eqlib/main?urlpath=lab/tree/notebooks/05.ipynb)\nrepository-code: x"
    new = "(https://mybinder.org/v2/gh/someone/else/main?urlpath=lab/tree/notebooks/05.ipynb)"
    assert links.pointed(old) == f"{new}\nrepository-code: https://github.com/someone/else"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_links_to_itself_on_binder_and_stands_in_the_readme(name):
    found = [match.group(0) for match in links.BINDER.finditer(read(f"notebooks/{name}"))]
    assert links.binder(f"notebooks/{name}") in found
    assert f"(notebooks/{name})" in read("README.md")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_pages_link_to_files_that_exist_and_launch_notebooks_that_exist(page):
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", read(page))
    for file in linked + re.findall(r"urlpath=lab/tree/([^)\s]+)", read(page)):
        assert (ROOT / file).is_file(), file


# docs -----------------------------------------------------------------------------------------------------------------


def test_the_docs_build_without_a_warning_and_hold_the_reference(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", ROOT / "docs", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    reference = (tmp_path / "api.html").read_text(encoding="utf-8")
    for name in ("groups.SO3", "kernels.SteerableKernel", "nn.GridConv", "models.SteerableCNN", "viz.show"):
        assert f'id="eqlib.{name}"' in reference, name


# pages and licences ---------------------------------------------------------------------------------------------------


def test_readme_opens_with_the_commands():
    opening = read("README.md").split("\n## ")[0]
    conda = "conda env create -f environment.yml && conda activate eqlib && pip install --no-deps -e . && jupyter lab notebooks"
    assert opening.index("make course") < opening.index("make test") < opening.index(conda)


def test_the_readme_example_runs_and_prints_what_it_says(capsys):
    exec(compile(code_blocks("README.md"), "README.md", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3
    for line in printed:
        assert line.endswith("True")
        assert f"`{line}`" in read("README.md")


def test_the_new_group_of_contributing_takes_15_lines_and_works(capsys):
    code = code_blocks("CONTRIBUTING.md")
    (group,) = (node for node in ast.parse(code).body if isinstance(node, ast.ClassDef))
    lines = [line for line in code.splitlines()[group.lineno - 1 : group.end_lineno] if line.strip()]
    assert len(lines) <= 15
    names: dict = {"__name__": "contributing"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    assert int(capsys.readouterr().out) == 51  # counted by hand: 4 x 8 + 2 x 7 + 5
    with pytest.raises(ValueError, match="C2v has no irrep 'B3': labels are A1, A2, B1 and B2"):
        names["G"].rep("B3")


def test_licences_and_citation_agree_with_the_package():
    import eqlib

    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == eqlib.__version__
    assert citation["license"] == ["MIT", "CC-BY-4.0"]
    assert PROJECT["license"] == "MIT AND CC-BY-4.0"
    assert read("LICENSE").startswith("MIT License")
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in read("LICENSE-text")


def test_the_package_imports_nothing():
    assert not [n for n in ast.walk(ast.parse(read("eqlib/__init__.py"))) if isinstance(n, ast.Import | ast.ImportFrom)]


# make -----------------------------------------------------------------------------------------------------------------

needs_make = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("make"), reason="no make: the conda way is for that"
)


def make(*words: str, path: Path | None = None) -> str:
    environ = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "PYTHON", "TORCH")}
    if path:
        environ["PATH"] = f"{path}{os.pathsep}/bin{os.pathsep}/usr/bin"
    done = subprocess.run(["make", *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def command(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@needs_make
def test_make_takes_the_first_python_that_runs(tmp_path):
    real = f'exec "{Path(sys.executable).resolve()}" "$@"'
    command(tmp_path, "python3", "echo a version manager cannot find it >&2; exit 127")
    command(tmp_path, "python3.13", "exit 1")  # one without ensurepip
    command(tmp_path, "python3.12", real)
    command(tmp_path, "python3.11", real)
    assert make("which-python", path=tmp_path).strip() == "python3.12"
    command(tmp_path, "python3", real)
    assert make("which-python", path=tmp_path).strip() == "python3"


@needs_make
@pytest.mark.parametrize(("user", "flagged"), [("0", True), ("1000", False)])
def test_only_root_is_told_allow_root(tmp_path, user, flagged):
    command(tmp_path, "id", f"echo {user}")
    plan = make("--dry-run", "course", path=tmp_path)
    assert ("--allow-root" in plan) is flagged
    assert "notebooks/00_start_here.ipynb" in plan


@needs_make
def test_the_question_about_news_is_off_and_jupyterlab_still_calls_it_that():
    assert f".venv/bin/python -m {NO_NEWS}" in make("--dry-run", "--always-make", "course")
    bundle = Path(jupyterlab.commands.get_app_dir()) / "static"
    plugin = re.findall('".*"', NO_NEWS)[0]
    assert any(plugin in path.read_text(encoding="utf-8") for path in bundle.glob("jlab_core.*.js"))


@needs_make
def test_tests_run_in_one_environment_with_every_notebook_strictly():
    (plan,) = (line for line in make("--dry-run", "test").splitlines() if "-m pytest" in line)
    assert ".venv/bin/python" in plan and "--nbval " in plan and "--nbval-lax" not in plan
    assert plan.endswith("tests notebooks")
