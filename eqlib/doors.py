"""Arguments at the door: counts, numbers and text, each refused in one wording that names it. Numpy alone."""

from __future__ import annotations

import functools
import inspect
import numbers
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray


def count(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """A whole number from `least` on, to `most` where one is given, as a Python integer. ValueError for anything else.

    Python's and numpy's integers are; fractions, truth values, text and None are not.

    >>> count("channels", np.int32(8), 1)
    8
    >>> count("channels", 1.5, 1)
    Traceback (most recent call last):
        ...
    ValueError: channels: got 1.5, expected a whole number >= 1
    """
    try:
        found = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        found = None
    if found is None or found < least or (most is not None and found > most):
        wanted = f">= {least}" if most in (None, MOST_COUNT) else f"from {least} to {most}"
        raise ValueError(f"{name}: got {value!r}, expected a whole number {wanted}")
    return found


def indices(name: str, values: ArrayLike, what: str = "whole numbers") -> NDArray[np.int64]:
    """Whole numbers as int64, in any shape; ValueError for fractions, truth values and what is no number."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"{name}: got {values!r}, expected {what}")
    return array.astype(np.int64)


def real(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Finite real numbers as float64. ValueError for what is no number, complex ones, NaN and infinite ones."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of several lengths
        raise ValueError(f"{name}: got {_short(values)}, expected an array of real numbers") from error
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: got complex numbers, expected real ones")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: got {_short(values)}, expected an array of real numbers")
    found = array.astype(np.float64, copy=False)
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: got NaN or infinite numbers, expected finite ones")
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


LIMIT = 2**28  # entries, of eight bytes each


def affordable(what: str, entries: int, instead: str = "", most: int = LIMIT) -> None:
    """ValueError before an array of more than `most` entries is made, 2^28 (2 GiB in float64) if not said; with what it takes.

    >>> affordable("generators of O3:5000e", 5 * 10001**2, "use sparse_generators()")
    Traceback (most recent call last):
        ...
    ValueError: generators of O3:5000e: 5.0e+08 entries would take 4.0 GB, more than 2.1; use sparse_generators()
    """
    if entries > most:
        size = f"{entries * 8 / 1e9:.1f}" if entries < 1e13 else f"{entries * 8 / 1e9:.0e}"
        raise ValueError(
            f"{what}: {entries:.1e} entries would take {size} GB, more than {most * 8 / 1e9:.1f}"
            + (f"; {instead}" if instead else "")
        )


# Arguments by their annotations -----------------------------------------------------------------------------------------------

# Annotations that say more than their types.
Positive: TypeAlias = int  # from 1
Natural: TypeAlias = int  # from 0
Few: TypeAlias = int  # from 1 to 1,000: what is made one by one
Many: TypeAlias = int  # from 1 to 1,000,000: what is drawn one by one
Sampled: TypeAlias = int  # from 0 to 10,000: elements of a group, of which each has its matrices
Degree: TypeAlias = int  # of harmonics, from 0 to 256
Length: TypeAlias = float  # above 0, finite, and so its square
Share: TypeAlias = float  # from 0 to 1
AnyGroup: TypeAlias = Any  # a Group, in files that group.py itself imports

MOST_COUNT = 2**31 - 1
SHORTEST = 1e-30  # a length whose square is a number in float64, and its inverse too
#: What an annotated class is called in a message, where more than its name helps.
HINTS = {"Rep": ", as G.rep(...) makes it", "Irrep": ", as G.irrep(...) makes it", "Group": ", as of eqlib.groups"}
KNOWN = {"Rep", "Irrep", "Group", "Element", "Embedding", "Tensor", "Module", "Edges", "Simple", "CG", "Structure"}
P = ParamSpec("P")
T = TypeVar("T")


def typed(target: Callable[P, T]) -> Callable[P, T]:
    """A function or a class whose arguments are held against their annotations first; ValueError names the one that does not fit.

    Whole numbers, numbers, text, truth values, functions, `Positive` and its neighbours, eqlib's own classes, sequences of these
    and None where it is allowed are looked at; whole numbers of numpy become Python's. Where memory runs out, the counts that
    were asked for are named.

    >>> @typed
    ... def power(base: float, times: Natural) -> float:
    ...     return base**times
    >>> power(2.0, np.int64(3))
    8.0
    >>> power(2.0, 0.5)
    Traceback (most recent call last):
        ...
    ValueError: times: got 0.5, expected a whole number >= 0
    """
    if isinstance(target, type):
        made = cast(Any, target)
        if "__init__" in vars(made):
            made.__init__ = _held(made.__init__, made.__name__)
        return target
    return cast(Callable[P, T], _held(target, target.__name__))


def _held(function: Any, what: str) -> Any:
    @functools.cache  # on the first call: importing a package reads no signatures
    def known() -> tuple[list[str], dict[str, Check]]:
        parameters = inspect.signature(function).parameters.values()
        named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        found = {p.name: _check_of(p.annotation) for p in named if isinstance(p.annotation, str)}
        places = [p.name for p in named if p.kind is not p.KEYWORD_ONLY]
        return places, {name: check for name, check in found.items() if check is not None}

    @functools.wraps(function)
    def held(*args: Any, **kwargs: Any) -> Any:
        places, checks = known()
        fit = [
            checks[name](name, value) if name in checks else value for name, value in zip(places, args, strict=False)
        ]
        given = {name: checks[name](name, value) if name in checks else value for name, value in kwargs.items()}
        try:
            return function(*fit, *args[len(fit) :], **given)
        except (MemoryError, OverflowError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not NO_MEMORY.search(str(error)):
                raise
            asked = dict(zip(places, fit, strict=False)) | given
            counts = [f"{k} {v}" for k, v in asked.items() if isinstance(v, int) and not isinstance(v, bool)]
            asked_for = ", ".join(counts or asked)
            raise ValueError(f"{what}: {asked_for}: got more than memory holds ({_short(str(error))})") from error

    return held


NO_MEMORY = re.compile(r"alloc|memory|[Ss]torage size|overflow|negative dimension")
Check: TypeAlias = Callable[[str, Any], Any]


@functools.cache
def _check_of(annotation: str) -> Check | None:
    """The check of an annotation as it is written; None for one that says nothing here."""
    options = _split(annotation, "|")
    allowed_none = "None" in options
    checks = [_one(option) for option in options if option != "None"]
    if not checks or any(check is None for check in checks):
        return None

    def check(name: str, value: Any) -> Any:
        if value is None and allowed_none:
            return None
        errors = []
        for each in cast(list[Check], checks):
            try:
                return each(name, value)
            except ValueError as error:
                errors.append(str(error))
        if len(errors) == 1:
            raise ValueError(errors[0])
        wanted = " or ".join(dict.fromkeys(e.split(", expected ", 1)[1] for e in errors))
        raise ValueError(f"{name}: got {_short(value)}, expected {'None or ' * allowed_none}{wanted}")

    return check


def _one(option: str) -> Check | None:
    if option in SCALARS:
        return SCALARS[option]
    if option.startswith(("Sequence[", "list[", "tuple[")):
        return functools.partial(_sequence, option)
    if option.startswith("Mapping["):
        return functools.partial(_instance, lambda value: isinstance(value, Mapping), "a dict")
    if option.startswith("Callable[[],"):
        return functools.partial(_instance, _makes, "a function of no arguments, such as `lambda: ...`")
    if option.startswith("Callable["):
        return functools.partial(_instance, callable, "a function")
    short = option.rpartition(".")[2]
    if short in KNOWN:
        return functools.partial(_instance_of, short)
    return None


def _sequence(option: str, name: str, value: Any) -> Any:
    """A list of what stands in the brackets; a tuple of so many, each as it stands there."""
    kind, _, inside = option[:-1].partition("[")
    if isinstance(value, str) and "str" in inside:  # those who take names say themselves what a name alone lacks
        return value
    plain = not isinstance(value, str | bytes | dict) and not _is_a("Rep", value)
    if not (plain and hasattr(value, "__len__") and hasattr(value, "__getitem__")) or getattr(value, "ndim", 1) == 0:
        raise ValueError(f"{name}: got {_short(value)}, expected a list")
    given, parts = value.tolist() if hasattr(value, "tolist") else value, _split(inside, ",")
    fixed = kind == "tuple" and parts[-1] != "..."
    if fixed and len(given) != len(parts):
        raise ValueError(f"{name}: got {_short(value)}, expected {len(parts)} entries")
    checks = [_check_of(part) for part in (parts if fixed else parts[:1] * len(given))]
    if None in checks:
        return value
    found = (cast(Check, check)(name, each) for check, each in zip(checks, given, strict=True))
    return tuple(found) if isinstance(value, tuple) else list(found)


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"


def _is_a(name: str, value: Any) -> bool:
    """By name, so that this file imports nothing of what it looks at."""
    return any(kind.__name__ == name for kind in type(value).__mro__)


def _instance_of(kind: str, name: str, value: Any) -> Any:
    if not _is_a(kind, value):
        hint = f": G.rep({value!r})" if kind == "Rep" and isinstance(value, str) else HINTS.get(kind, "")
        raise ValueError(f"{name}: got {_short(value)}, expected {_article(kind)}{hint}")
    return value


def _instance(fits: Callable[[Any], bool], wanted: str, name: str, value: Any) -> Any:
    if not fits(value):
        raise ValueError(f"{name}: got {_short(value)}, expected {wanted}")
    return value


def _makes(value: Any) -> bool:
    """Whether this can be called without arguments; a module is what such a function makes."""
    if not callable(value) or _is_a("Module", value):
        return False
    try:
        signature = inspect.signature(value)
    except ValueError:  # of some built-in functions nothing is known
        return True
    try:
        signature.bind()
    except TypeError:
        return False
    return True


def _number(name: str, value: Any) -> Any:
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real | np.number):
        raise ValueError(f"{name}: got {_short(value)}, expected a number")
    return value


def _length(name: str, value: Any) -> Any:
    if not SHORTEST <= _number(name, value) <= 1 / SHORTEST:
        raise ValueError(f"{name}: got {value!r}, expected a positive and finite number, {SHORTEST} ... {1 / SHORTEST}")
    return value


def _share(name: str, value: Any) -> Any:
    if not 0 <= _number(name, value) <= 1:
        raise ValueError(f"{name}: got {value!r}, expected a number from 0 to 1")
    return value


def _array(name: str, value: Any) -> Any:
    try:
        kind = np.asarray(value).dtype.kind
    except (ValueError, TypeError, RuntimeError):  # rows of several lengths, tensors with gradients or elsewhere
        kind = "f" if hasattr(value, "shape") else "O"
    if kind not in "biuf":
        raise ValueError(f"{name}: got {_short(value)}, expected an array of numbers")
    return value


def _any_count(name: str, value: Any) -> int:
    try:
        return count(name, value, -MOST_COUNT, MOST_COUNT)
    except ValueError:
        raise ValueError(f"{name}: got {_short(value)}, expected a whole number") from None


SCALARS: dict[str, Check] = {
    "int": _any_count,
    "Positive": lambda name, value: count(name, value, 1, MOST_COUNT),
    "Natural": lambda name, value: count(name, value, 0, MOST_COUNT),
    "Few": lambda name, value: count(name, value, 1, 1000),
    "Many": lambda name, value: count(name, value, 1, 10**6),
    "Sampled": lambda name, value: count(name, value, 0, 10_000),
    "Degree": lambda name, value: count(name, value, 0, 256),
    "float": _number,
    "Length": _length,
    "Share": _share,
    "bool": functools.partial(_instance, lambda value: isinstance(value, bool | np.bool_), "True or False"),
    "str": functools.partial(_instance, lambda value: isinstance(value, str), "text"),
    "ArrayLike": _array,
    "AnyGroup": functools.partial(_instance, lambda value: _is_a("Group", value), f"a Group{HINTS['Group']}"),
}


def _split(text: str, by: str) -> list[str]:
    """Parts of an annotation, brackets respected."""
    depth, parts = 0, [""]
    for letter in text:
        depth += (letter in "[(") - (letter in "])")
        if letter == by and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
