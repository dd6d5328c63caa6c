"""Which of the two engines runs: one loop over blocks of edges where numba is installed (extra `fast`), else torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from eqlib.constants import constant_result

ENGINES = ("torch", "fast")
_asked: ContextVar[str | None] = ContextVar("engine", default=None)


def available() -> tuple[str, ...]:
    """The engines that are here: "torch" always, "fast" where numba is installed.

    >>> from eqlib import products
    >>> "torch" in products.available()
    True
    """
    return ENGINES if _compiles() else ENGINES[:1]


@cache
def _compiles() -> bool:
    """Whether numba is here and can be used: one that is too old for this numpy says so when it is imported."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


@contextmanager
def using(engine: str) -> Iterator[None]:
    """Run products on one engine, "torch" or "fast", inside a `with` block. The two agree to rounding.

    "fast" runs on the CPU in float32 and float64; anything else is torch's, also inside such a block.

    >>> import torch
    >>> from eqlib import groups, harmonics, products
    >>> x = torch.tensor([[0.0, 3.0, 4.0]])
    >>> with products.using("torch"):
    ...     y = harmonics.harmonics(groups.O3(), x, degree=2)
    >>> torch.allclose(y, harmonics.harmonics(groups.O3(), x, degree=2), atol=1e-6)
    True
    """
    if engine not in available():
        missing = "; it needs numba: pip install 'eqlib[fast]'" if engine in ENGINES else ""
        raise ValueError(f"engine: got {engine!r}, expected one of {available()}{missing}")
    token = _asked.set(engine)
    try:
        yield
    finally:
        _asked.reset(token)


def chosen(x: Tensor) -> ModuleType:
    """The engine for tensors like x."""
    return _engine(x.device.type, x.dtype)


def _engine(device: str, dtype: torch.dtype) -> ModuleType:
    fits = device == "cpu" and dtype in (torch.float32, torch.float64)
    if fits and (_asked.get() or available()[-1]) == "fast":
        from eqlib.products import in_numba

        return in_numba
    from eqlib.products import in_torch

    return in_torch


@constant_result  # torch.compile cannot read which engine was asked for
def _innermost(device: str, dtype: torch.dtype, channels: int) -> bool:
    return _engine(device, dtype).channels_innermost(device, channels)


def differentiated(*inputs: Tensor) -> bool:
    """Whether torch records what is done with these; where not, an operator runs without its autograd function.

    That is sooner, and torch.compile cannot read a function there whose context is set apart from its forward pass.
    """
    return torch.is_grad_enabled() and any(x.requires_grad for x in inputs)


@constant_result
def _loops(device: str, dtype: torch.dtype) -> bool:
    return _engine(device, dtype).LOOPS


def loops(x: Tensor) -> bool:
    """Whether the engine for x does a sum of many products of rows in one loop, or one after the other."""
    return _loops(x.device.type, x.dtype)


def arranged(x: Tensor) -> Tensor:
    """x (rows, channels, points or edges), laid out in memory as the engine for it reads it fastest; a view where it is so."""
    if not _innermost(x.device.type, x.dtype, x.shape[1]):
        return x.contiguous()
    return x if 1 in (x.shape[1], x.stride(1)) else x.mT.contiguous().mT


def weights(matrix: Tensor, functions: Tensor, channels: int) -> Tensor:
    """matrix (paths * channels, n) times functions of edges (E, n) -> (paths, channels, E), laid out as `arranged` has it.

    >>> import torch
    >>> from eqlib import products
    >>> products.weights(torch.ones(6, 4), torch.ones(5, 4), channels=2).shape
    torch.Size([3, 2, 5])
    """
    if _innermost(functions.device.type, functions.dtype, channels):
        return (functions @ matrix.T).T.unflatten(0, (-1, channels))
    return (matrix @ functions.T).unflatten(0, (-1, channels))
