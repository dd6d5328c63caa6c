"""Point every Binder link, and CITATION.cff, at the repository that pyproject.toml names under [project.urls].

    python tools/links.py

A fork changes that one line, runs this (`make links`) and commits. A test fails while a link points elsewhere.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from resolve import ROOT

BRANCH = "main"
# A Binder launch: .../v2/gh/<owner>/<repository>/<branch>?urlpath=lab/tree/<file>
BINDER = re.compile(r"(https://mybinder\.org/v2/gh/)([\w.-]+/[\w.-]+)/([\w.-]+)((?:\?urlpath=[^\s\"'()<>\\]*)?)")
CITATION = re.compile(r"(repository-code: )(\S+)")


def repository() -> str:
    """The address of the repository, https://github.com/owner/name. Raises ValueError on any other host."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address: str = project["urls"]["Repository"].rstrip("/")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise ValueError(f"pyproject.toml: expected Repository = https://github.com/owner/name, got {address!r}")
    return address


def binder(file: str) -> str:
    """The Binder link that opens one file of the repository in JupyterLab."""
    slug = repository().removeprefix("https://github.com/")
    return f"https://mybinder.org/v2/gh/{slug}/{BRANCH}?urlpath=lab/tree/{file}"


def pages() -> list[Path]:
    """Every file that carries a link to its own repository."""
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.ipynb"), ROOT / "CITATION.cff"]


def pointed(text: str) -> str:
    """`text` with every link pointing at this repository."""
    slug = repository().removeprefix("https://github.com/")
    text = BINDER.sub(rf"\g<1>{slug}/{BRANCH}\g<4>", text)
    return CITATION.sub(rf"\g<1>{repository()}", text)


def main() -> None:
    """Rewrite what points elsewhere, and name it."""
    for path in pages():
        old = path.read_text(encoding="utf-8")
        if (new := pointed(old)) != old:
            path.write_text(new, encoding="utf-8", newline="\n")
            print(f"{path.relative_to(ROOT)}: links now point at {repository()}")


if __name__ == "__main__":
    main()
