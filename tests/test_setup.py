"""The set-up: pins, Binder, links, licences, the Makefile's choices, and the code of README.md and CONTRIBUTING.md."""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace

import check_binder
import environment
import hashes
import jupyterlab.commands
import licences
import links
import oldest
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


@pytest.mark.parametrize("name", hashes.FILES)
def test_every_pin_has_hashes_and_nothing_else_has(name):
    """`make hashes` writes the files; they hold the pins of constraints.txt, each under the same condition."""
    blocks = re.split(r"\n(?=\S)", read(name).removeprefix(hashes.HEADER).strip())
    found = [Requirement(block.split(" \\\n")[0].replace("python_full_version", "python_version")) for block in blocks]
    pins = [Requirement(pin) for part in hashes.FILES[name] for pin in environment.sections()[part]]
    assert sorted(map(str, found)) == sorted(map(str, pins))
    for block in blocks:
        assert block.count(" \\\n") == len(re.findall(r"^    --hash=sha256:[0-9a-f]{64}\b", block, flags=re.M)) > 0, (
            block
        )


def test_the_oldest_keep_the_pins_of_what_nothing_names():
    names = {Requirement(line).name for line in oldest.indirect()}
    assert {"pyparsing", "jupyter-server", "llvmlite"} <= names and not names & {"numpy", "pytest", "jupyterlab"}


def test_every_requirement_has_an_exact_pin_that_satisfies_it():
    pinned = environment.sections()
    assert list(pinned) == ["course", "test", "docs", "generate"]
    torch = environment.requirement_lines(ROOT / "requirements-torch.txt")[1:]
    pins = [Requirement(line) for line in itertools.chain(torch, *pinned.values())]
    asked = map(Requirement, itertools.chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()))
    for wanted, system in itertools.product(asked, ("linux", "win32", "darwin")):
        here = {"sys_platform": system}
        if wanted.marker is None or wanted.marker.evaluate(here):
            (pin,) = (p for p in pins if p.name == wanted.name and (p.marker is None or p.marker.evaluate(here)))
            (exact,) = pin.specifier
            assert exact.operator == "==" and wanted.specifier.contains(exact.version, prereleases=True), (pin, wanted)


def wheel(folder: Path, name: str, *requires: str, tag: str = "py3-none-any") -> None:
    """A wheel that is nothing but its metadata; name is such as numpy-2.4."""
    head = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n".format(*name.split("-"))
    with zipfile.ZipFile(folder / f"{name}-{tag}.whl", "w") as file:
        file.writestr(f"{name}.dist-info/METADATA", head + "".join(f"Requires-Dist: {line}\n" for line in requires))
        file.writestr(f"{name}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")


@pytest.fixture
def configured(monkeypatch, tmp_path_factory):
    """pip_options as they are with nothing set but what the test sets."""
    for name in os.environ:
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "uv"))  # where it remembers this Python
    resolve.pip_options.cache_clear()
    yield monkeypatch.setenv
    resolve.pip_options.cache_clear()


@pytest.fixture
def index(tmp_path, configured):
    """A folder of wheels, the only index there is: pip is told so, and resolve tells uv."""
    wheel(tmp_path, "torch-2.13.0", "idle; sys_platform == 'linux'")
    wheel(tmp_path, "numpy-1.26.0")
    wheel(tmp_path, "numpy-2.4.0", "pywinpty; sys_platform == 'win32'", "scipy; extra == 'fast'")
    wheel(tmp_path, "scipy-1.17.0")
    wheel(tmp_path, "idle-1.0")
    wheel(tmp_path, "pywinpty-3.0", tag="cp313-cp313-win_amd64")
    with tarfile.open(tmp_path / "pywinpty-3.0.tar.gz", "w:gz") as source:  # as on the real index, and of no use
        described = b"Metadata-Version: 2.2\nName: pywinpty\nVersion: 3.0\n"
        entry = tarfile.TarInfo("pywinpty-3.0/PKG-INFO")
        entry.size = len(described)
        source.addfile(entry, io.BytesIO(described))
    configured("PIP_INDEX_URL", tmp_path.as_uri())
    configured("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


GOOD = "# --- course: a\nnumpy==2.4.0\npywinpty==3.0 ; sys_platform == 'win32'\n# --- test: b\nscipy==1.17.0\n# --- docs: c\n"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("", "", "4 wheels, nothing missing"),
        ("scipy==1.17.0", "", "scipy==1.17.0 is asked for and not pinned"),
        ("numpy==2.4.0", "numpy==1.26.0", r"numpy>=2 and numpy==1.26.0"),
        ("numpy==2.4.0", "numpy>=2.4", r"expected an exact pin such as numpy==2.4.6, got numpy>=2.4"),
        ("numpy==2.4.0", "numpy==2.*", r"expected an exact pin such as numpy==2.4.6, got numpy==2.\*"),
        ("# --- docs: c", "idle==1.0\n# --- docs: c", "nothing asks for idle==1.0"),
        ("pywinpty==3.0 ; sys_platform == 'win32'", "", "pywinpty==3.0 is asked for and not pinned"),
        ("'win32'", "'linux'", "pywinpty==3.0 is asked for and not pinned"),
        ("pywinpty==3.0", "pywinpty==3.1", "there is no version of pywinpty.*==3.1"),
        ("numpy[fast]", "numpy", "nothing asks for scipy==1.17.0"),
        ('course = ["torch"]', 'course = ["torch", "scipy"]', "^scipy==1.17.0 is asked for and not pinned$"),
    ],
)
def test_pins_that_are_not_closed_are_seen_for_another_system(index, old, new, found):
    """Windows: every pin has its wheel there, what is asked for is pinned, and the course's pins stand alone."""
    extras = 'course = ["torch"]\ntest = ["numpy[fast]"]\ndocs = []\nbench = []\n'
    project = (
        f'[project]\nname = "x"\nversion = "1"\ndependencies = ["numpy>=2"]\n[project.optional-dependencies]\n{extras}'
    )
    assert old in GOOD + project
    (index / "constraints.txt").write_text(GOOD.replace(old, new), encoding="utf-8")
    (index / "pyproject.toml").write_text(project.replace(old, new), encoding="utf-8")
    (index / "requirements-torch.txt").write_text("--extra-index-url https://a.b\ntorch==2.13.0\n", encoding="utf-8")
    state, text = resolve.resolve(("3.13", "windows"), index)
    assert re.search(found, text), text
    assert state == ("wrong" if old else "ok")


def test_a_pin_without_a_wheel_for_the_system_is_seen(index):
    assert resolve.ask(("3.13", "windows"), *requirement(index, "pywinpty==3.0")) == {"pywinpty==3.0"}
    for target in (("3.12", "windows"), ("3.13", "macos"), ("3.13", "linux")):
        with pytest.raises(LookupError, match=r"pywinpty==3\.0 has no"):
            resolve.ask(target, *requirement(index, "pywinpty==3.0"))


def requirement(folder: Path, line: str) -> tuple[str, str]:
    (folder / "asked.txt").write_text(line, encoding="utf-8")
    return str(folder / "asked.txt"), "--no-deps"


def test_without_an_index_it_says_so_and_goes_on_unless_told_otherwise(tmp_path, configured, monkeypatch, capsys):
    configured("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(resolve, "SYSTEMS", {"windows": "Windows x86_64"})
    stamp = tmp_path / "stamp"
    for words, code in ([], 0), (["--require-index"], 1):
        monkeypatch.setattr(sys, "argv", ["resolve.py", "--stamp", str(stamp), *words])
        assert resolve.main() == code
        assert ("the package index is out of reach, so this was not asked" in capsys.readouterr().out) is (code == 0)
    assert not stamp.exists()


def test_bounds_are_bounds_and_extras_are_there():
    assert set(PROJECT["optional-dependencies"]) == {
        "fast",
        "hdf5",
        "complexes",
        "course",
        "test",
        "docs",
        "bench",
        "generate",
    }
    assert {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]} >= {
        "numpy",
        "scipy",
        "torch",
    }
    for line in PROJECT["dependencies"]:
        assert [specifier.operator for specifier in Requirement(line).specifier] == [">="], line


def test_torch_comes_alone_and_from_its_own_index():
    assert environment.requirement_lines(ROOT / "requirements-torch.txt") == [
        "--extra-index-url https://download.pytorch.org/whl/cpu",
        'torch==2.13.0+cpu ; sys_platform == "linux"',
        'torch==2.13.0 ; sys_platform != "linux"',
    ]
    assert "torch" not in {canonicalize_name(Requirement(line).name) for line in environment.sections()["course"]}


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
    assert lines[:3] == ["set -euo pipefail", "pip install --no-deps -e .", NO_NEWS]
    for name, folder in (("jupyter_server_config.py", "etc/jupyter"), ("overrides.json", "share/jupyter/lab/settings")):
        assert f'install -D -m 644 binder/{name} "$PREFIX/{folder}/{name}"' in lines
        assert f"cp binder/{name} .venv/{folder}/" in read("Makefile")
    assert lines[-1] == "jupyter trust notebooks/*.ipynb" and f"-m {lines[-1]}" in read("Makefile")
    assert "python tools/compile_loops.py" in lines and "$(PY) tools/compile_loops.py" in read("Makefile")
    assert read("binder/postBuild").startswith("#!/bin/bash\n")


def test_every_loop_of_the_fast_engine_is_compiled_at_installation():
    code = """
import compile_loops, torch
from eqlib.products import in_numba
loops = {name: loop for name, loop in vars(in_numba).items() if hasattr(loop, "py_func")}
inside = {name for loop in loops.values() for name in loop.py_func.__code__.co_names}  # compiled with what calls them
loops = {name: loop for name, loop in loops.items() if name not in inside}
assert len(loops) > 5
for dtype, name in ((torch.float32, "float32"), (torch.float64, "float64")):
    compile_loops.use(dtype)
    print([loop for loop in loops if not any(name in str(kinds) for kinds in loops[loop].signatures)])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tools", capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


def test_jupyterlab_is_handed_a_page_with_this_python_and_alt_texts():
    space = {"get_config": lambda: SimpleNamespace(ServerApp=SimpleNamespace())}
    exec(compile(read("binder/jupyter_server_config.py"), "jupyter_server_config.py", "exec"), space)
    picture = {"data": {"image/png": ["aGVs\n", "bG8="]}, "metadata": {"image/png": {"alt": 'a "b" < c'}}}
    nameless, other = {"data": {"image/png": "aGVs"}, "metadata": {}}, {"output_type": "stream", "text": "1"}
    for language, changed in (("python", True), ("R", False)):
        outputs = copy.deepcopy([picture, nameless, other])
        page = {"metadata": {"language_info": {"name": language}}, "cells": [{"outputs": outputs}, {"source": "prose"}]}
        space["as_shown"](page)
        assert (page["metadata"]["language_info"].get("version") == platform.python_version()) == changed
        shown = outputs[0]["data"].get("text/html")
        assert shown == ('<img alt="a &quot;b&quot; &lt; c" src="data:image/png;base64,aGVsbG8=">' if changed else None)
        assert outputs[1:] == [nameless, other]
    assert (
        "data"
        in json.loads(read("binder/overrides.json"))["@jupyterlab/apputils-extension:sanitizer"]["allowedSchemes"]
    )


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


def test_the_page_of_licences_is_up_to_date():
    """`make licences` writes it. Of packages here, only the pinned version is asked."""
    told = licences.lines(read("docs/licences.md"))
    pins = [Requirement(pin) for part in environment.sections().values() for pin in part]
    assert set(told) == {pin.name for pin in pins} | {"torch"}
    for pin in pins:
        with contextlib.suppress(PackageNotFoundError):
            if pin.specifier.contains(version(pin.name), prereleases=True):
                assert told[pin.name] == licences.stated(pin.name), pin.name


def test_a_licence_is_kept_where_its_package_is_absent_and_asked_for_where_it_never_was(monkeypatch):
    monkeypatch.setattr(licences, "sections", lambda: {"generate": ["absent==1.0"]})
    assert "\n| absent | MIT |\n" in licences.page("| absent | MIT |\n| gone | MIT |\n")
    assert "gone" not in licences.page("| absent | MIT |\n| gone | MIT |\n")
    with pytest.raises(LookupError, match="no licence known of absent: run this where"):
        licences.page("")


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
