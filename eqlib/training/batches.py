"""What is trained on: data sets that give batches by index, and their tensors on a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CPU = torch.device("cpu")


class Data(Protocol):
    """Anything with a length and batches by index, where the last item of a batch is the target.

    >>> class Squares:
    ...     def __len__(self) -> int:
    ...         return 10
    ...
    ...     def batch(self, indices):
    ...         return indices, indices**2
    >>> Squares().batch(np.array([1, 3]))
    (array([1, 3]), array([1, 9]))
    """

    def __len__(self) -> int: ...

    def batch(self, indices: NDArray[np.int64], /) -> tuple[Any, ...]: ...


Source = Data | Sequence[Tensor | NDArray[Any]]
Metric = Callable[[Any, Any], Tensor]


class _Arrays:
    """Arrays or tensors of one length, batched by index."""

    def __init__(self, name: str, arrays: Sequence[Tensor | NDArray[Any]]) -> None:
        self.tensors = tuple(torch.as_tensor(a).detach() for a in arrays)
        found = [tuple(t.shape) for t in self.tensors]
        if len({shape[:1] for shape in found}) != 1:
            raise ValueError(f"{name}: got shapes {found}, expected arrays of one length, the target last")

    def __len__(self) -> int:
        return len(self.tensors[0])

    def batch(self, indices: NDArray[np.int64]) -> tuple[Tensor, ...]:
        return tuple(t[indices] for t in self.tensors)


def as_data(name: str, source: Source) -> Data:
    """A data set as it is, arrays as one. ValueError for none, or arrays of several lengths."""
    data = source if hasattr(source, "batch") else _Arrays(name, source)
    if len(data) == 0:
        raise ValueError(f"{name}: got no examples, expected at least one")
    return data


def tensors(batch: Any, device: torch.device = CPU) -> Any:
    """Arrays to tensors on the device, through nested tuples and lists. ValueError for float64 on mps, which has none."""
    if isinstance(batch, tuple | list):
        return tuple(tensors(item, device) for item in batch)
    if not isinstance(batch, Tensor | np.ndarray):
        return batch
    tensor = torch.as_tensor(batch)
    if device.type == "mps" and tensor.dtype == torch.float64:
        raise ValueError('data: got float64, expected float32 on mps, which has no float64; or take device="cpu"')
    return tensor.to(device)
