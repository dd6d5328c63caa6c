"""The pages of docs/: their Python runs and prints what they say, and their links lead to files that exist.

A page's ```python blocks run from top to bottom in one namespace, in an empty folder. Where the next block, with nothing
but blank lines between, is a ```text block, it is what the Python prints. A block that is not to be run has another
language, or none. (README.md and CONTRIBUTING.md: tests/test_setup.py.)
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
FENCED = re.compile(r"^```.*?^```[^\S\n]*$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```[^\S\n]*$(?:\s*^```text\n(.*?)^```[^\S\n]*$)?", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(<?([^)\s>]+)>?[^)]*\)")


def run(text: str, name: str = "page") -> None:
    """Run the Python of a page; an AssertionError names the line of the block that does not print what is said."""
    space: dict[str, Any] = {"__name__": name}
    for block in PYTHON.finditer(text):
        before = text.count("\n", 0, block.start(1))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * before + block[1], name, "exec"), space)
        if block[2] is not None:
            assert printed.getvalue().rstrip() == block[2].rstrip(), f"{name}, line {before + 1}"


def dead_links(text: str, folder: Path) -> list[str]:
    """The relative links of a page in this folder that lead to nothing."""
    found = [link.partition("#")[0] for link in LINK.findall(FENCED.sub("", text)) if not re.match(r"\w+:", link)]
    return [link for link in found if link and not (folder / unquote(link)).exists()]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_python_runs_and_prints_what_the_page_says(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(path.read_text(encoding="utf-8"), path.name)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_to_files_that_exist(path: Path) -> None:
    assert dead_links(path.read_text(encoding="utf-8"), path.parent) == []


PAGE = """
```python
x = 2
print(x)
```

```text
2
```

Words, then a block whose output is not said, one that uses an earlier name, and one that is not run:

```python
print("anything")
```
```python
print(x + 1)
```
```text
3
```
```pycon
nonsense
```
[a file](a.md#part), [a site](https://example.org/no), ![a picture](<b.png> "title"), [here](#part)
"""


def test_a_wrong_output_and_a_dead_link_are_found(tmp_path: Path) -> None:
    run(PAGE)
    for old, new in [("\n2\n", "\n3\n"), ("\n3\n", "\n2\n"), ("x = 2", "x = 3")]:
        with pytest.raises(AssertionError, match="page, line"):
            run(PAGE.replace(old, new))
    with pytest.raises(NameError):
        run(PAGE.replace("x = 2", "y = 2"))
    assert dead_links(PAGE, tmp_path) == ["a.md", "b.png"]
    (tmp_path / "a.md").touch()
    assert dead_links(PAGE, tmp_path) == ["b.png"]
    assert dead_links(f"```\n{PAGE.replace('```', '')}\n```", tmp_path) == []
