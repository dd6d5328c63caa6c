"""Constants of a module, kept in float64 and recast whenever the module's dtype or device changes, and those of a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike
from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def constant_result(function: F) -> F:
    """Mark what depends on the program alone, as `torch.compiler.assume_constant_result` does: torch.compile calls it once.

    That function imports the compiler, 70 MB and a second for everyone who never compiles; its mark alone costs nothing.

    >>> from eqlib.constants import constant_result
    >>> @constant_result
    ... def degree() -> int:
    ...     return 3
    >>> degree()
    3
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def fixed(array: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """An array as a tensor on the CPU, whatever the default device is: tables that modules share are not one module's.

    >>> import torch
    >>> from eqlib.constants import fixed
    >>> with torch.device("meta"):
    ...     fixed([1, 2])
    tensor([1, 2])
    """
    return torch.from_numpy(np.array(array, dtype=dtype))


class Constants(torch.nn.Module):
    """A module with exact constants: `model.double()` gives them to float64, also where the model was built in float32.

    They come back where a module that was made on the meta device is given memory. Whole numbers stay int64.

    >>> from eqlib.constants import Constants
    >>> module = Constants()
    >>> module.constant("third", 1 / 3)
    >>> float(module.third) == 1 / 3, float(module.double().third) == 1 / 3
    (False, True)
    """

    def __init__(self) -> None:
        super().__init__()
        self._exact: dict[str, Tensor] = {}

    def constant(self, name: str, array: ArrayLike) -> None:
        """Register a constant; `self.<name>` is a buffer in the module's dtype that no state dict holds."""
        exact = np.asarray(array)
        self._exact[name] = fixed(exact if exact.dtype.kind in "iub" else exact.astype(np.float64))
        like = torch.get_default_dtype() if self._exact[name].is_floating_point() else self._exact[name].dtype
        self.register_buffer(name, self._exact[name].to(like), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        for name, exact in self._exact.items():
            cast: Any = self._buffers[name]
            self._buffers[name] = exact.to(device=cast.device, dtype=cast.dtype)
        return self
