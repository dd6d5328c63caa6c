"""What is trained on: data sets that give batches by index, and their tensors on a device."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eqlib.graphs import Edges

CPU = torch.device("cpu")


class Data(Protocol):
    """Anything with a length and batches by index, where the last item of a batch is the target.

    One that is too large to be read in any order has a method `batches(size, generator)` too: an iterator over the indices of an
    epoch's batches, tensors of `size` and the last of the rest, that has drawn all it needs from this torch.Generator when it
    is returned. Its repr then says what else the order depends on, for a run goes on with the same order alone. Without it
    `fit` shuffles all examples.

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
EXPECTED = "arrays or tensors (inputs ..., target), or an object with __len__ and batch(indices)"


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
    """A data set as it is, arrays as one. ValueError for something else, for no example, and for arrays of several lengths."""
    if hasattr(source, "batch"):
        data = source
    elif not isinstance(source, list | tuple):
        raise ValueError(f"{name}: got a {type(source).__name__}, expected {EXPECTED}")
    elif len(source) < 2:
        raise ValueError(f"{name}: got {len(source) or 'no'} array{'s'[: len(source) != 1]}, expected {EXPECTED}")
    else:
        data = _Arrays(name, source)
    if len(data) == 0:
        raise ValueError(f"{name}: got no examples, expected at least one")
    return data


def tensors(batch: Any, device: torch.device = CPU) -> Any:
    """Arrays to tensors on the device, through nested tuples and lists; edges too; ValueError for float64 on mps."""
    if isinstance(batch, tuple | list):
        return tuple(tensors(item, device) for item in batch)
    if isinstance(batch, Edges):
        return batch.to(device)
    if not isinstance(batch, Tensor | np.ndarray):
        return batch
    tensor = torch.as_tensor(batch)
    if device.type == "mps" and tensor.dtype == torch.float64:
        raise ValueError('data: got float64, expected float32 on mps, which has no float64; or take device="cpu"')
    return tensor.to(device)


@contextlib.contextmanager
def explained(name: str, model: nn.Module, inputs: Sequence[Any], target: Any) -> Iterator[None]:
    """What torch says of numbers of the wrong dtype, and of a target that is not there, as a ValueError that names the data.

    Looked at after the error, since a model may convert what it is given, and a loss do without a target.
    """
    try:
        yield
    except (AttributeError, TypeError) as error:
        if target is not None:
            raise
        raise ValueError(f"{name}: got no target (None), expected one last; training.predict needs none") from error
    except IndexError as error:
        if not isinstance(target, Tensor) or target.is_floating_point() or not target.numel():
            raise
        low, high = (int(end) for end in target.aminmax())
        wanted = f"labels 0, 1, ... below the number of classes ({error})"
        raise ValueError(f"{name}: got targets {low} ... {high}, expected {wanted}") from error
    except RuntimeError as error:
        own = next((t.dtype for t in model.parameters() if t.is_floating_point()), None)
        wrong = [(t.dtype, "inputs") for t in inputs if isinstance(t, Tensor) and t.dtype != own]
        wrong += [(target.dtype, "targets")] if isinstance(target, Tensor) and target.dtype != own else []
        wrong.sort(key=lambda pair: not pair[0].is_floating_point)  # whole numbers may be right, indices say
        if own is None or not wrong or not re.search(r"dtype|scalar type|[Ii]nput type|result type", str(error)):
            raise
        (dtype, what), wanted = wrong[0], str(own).removeprefix("torch.")
        other = {torch.float64: ", or model.double()", torch.float32: ", or model.float()"}.get(dtype, "")
        came = str(dtype).removeprefix("torch.")
        raise ValueError(
            f'{name}: got {came} {what} for a {wanted} model, expected .astype("{wanted}"){other}'
        ) from error
