"""How `make docs` builds these pages: Markdown by MyST, the reference from docstrings by autodoc."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy.typing


class NDArray(Generic[TypeVar("T")]):
    """Stands in for numpy's, which autodoc would spell out as ndarray[tuple[Any, ...], dtype[float64]]."""

    __module__ = "numpy.typing"


numpy.typing.NDArray = NDArray
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this checkout's eqlib, whichever is installed

import eqlib  # noqa: E402

project, author, copyright = "eqlib", "The eqlib authors", "The eqlib authors"
version = release = eqlib.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"eqlib {version}"

default_role = "py:obj"  # `name` in a docstring: a link where it is one of ours, code where not
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_default_options = {"no-value": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("Array", "ArrayLike")}
napoleon_use_ivar = True


def bars(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """|x| in a docstring is an absolute value, not a substitution of reStructuredText."""
    lines[:] = [line.replace("|", r"\|") for line in lines]


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", bars)
