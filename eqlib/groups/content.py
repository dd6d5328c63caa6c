"""What makes two groups one: how their class is written, their name, and a fingerprint of what they hold.

A reader may define a group of one name twice, in two runs of a cell, and every cache that is keyed by a group must notice.
A class of this folder promises that its name says all, unless it answers `fingerprint`; of any other class the code of its
methods is compared, and the numbers that they give.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from types import CodeType
from typing import Any

import numpy as np

FOLDER = __name__.rpartition(".")[0] + "."
IRREPS = 32  # how many an infinite group is known by
ENTRIES = 1_000_000  # of matrices that are read; E8's first irrep beside the trivial one has 15 million


def ours(kind: type) -> bool:
    """Whether the class stands in this folder."""
    return kind.__module__.startswith(FOLDER)


def written(kind: type) -> tuple[Any, ...]:
    """How a class is written: its name, and the code of the methods that it or a base of it has outside this folder."""
    found: list[Any] = [kind.__qualname__]
    for base in kind.__mro__:
        if ours(base):
            found.append((base.__module__, base.__qualname__))
        else:
            found += [(name, code) for name, x in vars(base).items() if (code := _code(x)) is not None]
    return tuple(found)


def _code(x: object) -> tuple[Any, ...] | None:
    """The code of a method, property or cached property, without line numbers; None for anything else."""
    if isinstance(x, property):
        x = x.fget
    elif isinstance(x, cached_property):
        x = x.func
    elif isinstance(x, staticmethod | classmethod):
        x = x.__func__
    code = getattr(inspect.unwrap(x) if callable(x) else x, "__code__", None)
    return _plain(code) if isinstance(code, CodeType) else None


def _plain(code: CodeType) -> tuple[Any, ...]:
    inner = (_plain(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_code, code.co_names, tuple(inner)


def digest(*parts: object) -> str:
    """16 hexadecimal digits of texts, numbers and arrays, these to 9 decimals, lest a last bit make another group."""
    found = hashlib.sha256()
    for x in parts:
        if isinstance(x, np.ndarray):
            rounded = np.round(x.astype("<c16" if np.iscomplexobj(x) else "<f8"), 9) + 0.0  # + 0.0 turns -0.0 into 0.0
            found.update(f"{rounded.dtype}{rounded.shape}".encode() + rounded.tobytes())
        else:
            found.update(f"{digest(*x) if isinstance(x, tuple) else x};".encode())
    return found.hexdigest()[:16]


def content(group: Any) -> Iterator[object]:
    """What a `Group` says about itself, in texts, numbers and arrays.

    All irreps of a finite group and the first `IRREPS` of an infinite one: their labels, and their matrices as long as these
    have at most `ENTRIES` entries together.
    """
    yield from (
        group.dim,
        group.components,
        tuple(group.generating),
        tuple(group.generating_components),
        group.fixes_signs,
    )
    yield "no axis" if group.axis is None else np.asarray(group.axis)
    if group.alignment:
        yield f"alignment {group.alignment}"
    yield from (_answer(group.vector_rep), _answer(group.coordinate_map))
    yield from (_answer(group.harmonic, degree) for degree in range(4))
    if group.ambient is not group:
        yield from (group.ambient.name, group.ambient.fingerprint)
    left = ENTRIES
    for label in islice(group.labels(), IRREPS if group.dim else None):
        dim = _answer(group.dimension_of, label)
        yield from (label, dim)
        if dim != "none" and (left := left - (group.dim + group.components) * dim**2) >= 0:
            yield _answer(_arrays, group.irrep(label))


def _arrays(a: Any) -> tuple[Any, Any]:
    return a.generators, a.discrete


def _answer(ask: Callable[..., Any], *about: object) -> Any:
    """What a group answers, or "none" where it refuses: it may act on no coordinates, or know no larger irreps yet."""
    try:
        return ask(*about)
    except (ValueError, NotImplementedError):
        return "none"


def title(group: Any, expected: Any) -> str:
    """A group's name, in an error about one that is not the group expected."""
    return f"another group called {group}" if group.name == expected.name else group.name
