"""What an exercise's check says: exactly "not yet", "right", or what is wrong.

A notebook's checks stand in `eqlib/exercises/nbNN.py`, one function each, decorated with `check`:

    from eqlib.exercises.check import attempt, check, require

    @check(likely=[(3, "2 l + 1"), (4, "l = 0")])    # the likeliest mistakes, each with words of the message that names it
    def dimension_of_spin_two(answer):              # an answer that is a value
        require(answer != 3, "3 is the vector's: degree l has 2 l + 1 components")
        require(answer != 4, "4 counts from 1 to l: the components run from -l to l, and l = 0 has one")
        require(answer == 5, f"not {answer}: count the orders m from -2 to 2")

    @check(likely=[(lambda x: x, "unchanged"), (lambda x: abs(x), "length")], wrong=[lambda x: -x])
    def relu(answer):                               # an answer that is a function
        require(attempt(answer, -1.0) != -1.0, "it leaves negative numbers unchanged")
        require(attempt(answer, -1.0) != 1.0, "it takes the length of a number, not its positive part")
        require(attempt(answer, -1.0) == 0.0, "it should be zero for negative numbers")

`likely` has two or three; `wrong` has other answers that must be refused. The tests try each.

In the notebook the stub's value is `...` (or the stub function's body is), so that the page as committed runs from top
to bottom and prints "not yet":

    answer = ...
    nb06.dimension_of_spin_two(answer)

The worked solution is a ```python fence inside `<details><summary>Solution</summary>`; it ends with the same call, and
`tests/test_exercises.py` runs it and wants "right".
"""

from __future__ import annotations

import contextlib
import dis
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What Python makes of a body that is `...`, `pass` or a docstring.
NOTHING = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


class NotYet(Exception):
    """The stub has not been filled in."""


class Wrong(Exception):
    """The answer is wrong; the message says what and, where it can, why."""


class Check:
    """A check that a notebook calls: prints its verdict on the answer, and never raises."""

    def __init__(self, judge: Callable[..., None], likely: Sequence[tuple[Any, str]], wrong: Sequence[Any]) -> None:
        self.judge, self.likely, self.wrong = judge, likely, wrong
        self.name, self.__doc__ = judge.__name__, judge.__doc__

    def __call__(self, answer: Any) -> None:
        print(self.verdict(answer))

    def verdict(self, answer: Any) -> str:
        """ "not yet", "right" or what is wrong."""
        try:
            if _is_stub(answer):
                raise NotYet
            self.judge(answer)
        except NotYet:
            return "not yet"
        except Wrong as reason:
            return str(reason)
        except Exception as error:  # whatever a reader hands in, the page goes on
            return f"the check could not use this answer: {type(error).__name__}: {error}"
        return "right"


def check(likely: Sequence[tuple[Any, str]] = (), wrong: Sequence[Any] = ()) -> Callable[[Callable[..., None]], Check]:
    """Make a judge (a function of the answer that raises through `require`) into a Check.

    likely: (answer, words), the likeliest mistakes, and words of the message that only this mistake gets.
    wrong: other answers that must be refused.
    """
    return lambda judge: Check(judge, likely, wrong)


def require(condition: Any, reason: str) -> None:
    """Unless the condition holds, the verdict is `reason`."""
    if not condition:
        raise Wrong(reason)


def attempt(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The reader's function at these arguments; a stub's value means "not yet", an exception is reported as wrong.

    What it prints is not shown, as it is called many times. A function with a body that returns nothing is no stub.
    """
    if not callable(function):
        raise Wrong(f"a function is wanted, this is a {type(function).__name__}")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            result = function(*arguments, **named)
    except Exception as error:
        raise Wrong(f"your function raises {type(error).__name__}: {error}") from error
    code = getattr(function, "__code__", None)
    if result is None and code and not {step.opname for step in dis.get_instructions(code)} <= NOTHING:
        raise Wrong("your function returns nothing: end it with `return ...` (printing is not returning)")
    if _is_stub(result):
        raise NotYet
    return result


def numbers(value: Any, shape: tuple[int, ...] | None = None, wanted: str = "real numbers") -> NDArray[np.float64]:
    """What a reader hands in as an array of float64: numbers, lists, arrays and tensors of real numbers will do.

    shape: what it must have, if anything. wanted: what it should be, in words, for the message about another thing.
    """
    try:
        found = np.asarray(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError):
        found = np.asarray(None)
    require(found.dtype.kind in "biuf", f"wanted: {wanted}; this is a {type(value).__name__}")
    if shape is not None:
        require(found.shape == shape, f"wanted: {wanted}; this has shape {found.shape}")
        require(np.isfinite(found).all(), f"wanted: {wanted}; this is not finite")
    return found.astype(np.float64)


def whole(value: Any) -> int:
    """A whole number, given as an int, a float, or an array or tensor without axes."""
    require(not isinstance(value, bool), f"wanted: a whole number; this is {value}")
    number = numbers(value, (), "a whole number")
    require(number == np.round(number), f"wanted: a whole number; this is {number}")
    return int(number)


def _is_stub(value: Any) -> bool:
    return value is None or value is ...
