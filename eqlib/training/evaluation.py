"""What a trained network says, and how good that is: in eval mode, batch by batch, without gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eqlib import processes
from eqlib.doors import Positive, typed
from eqlib.training.batches import Data, Metric, Source, as_data, explained, tensors
from eqlib.training.devices import device_of


@typed
def evaluate(model: nn.Module, data: Source, metric: Metric, batch_size: Positive = 256) -> float:
    """Mean of metric(output, target) over the data, in eval mode and without gradients, on the model's device.

    metric: returns the mean over its batch; batches are weighted by their length. Each module's mode is put back.
    A network may differentiate in its forward pass (forces); see `predict`.
    Under torchrun every process must call it, for the batches are shared out; all get the same value.

    >>> evaluate(torch.nn.Identity(), (torch.tensor([1.0, 2.0, 4.0]), torch.zeros(3)), torch.nn.functional.l1_loss, 2)
    2.3333333333333335
    """
    data = as_data("data", data)
    batches = _split(data, batch_size)
    sums = torch.zeros(len(batches), dtype=torch.float64)
    mine = range(processes.rank(), len(batches), processes.size())
    for i, (output, target) in zip(mine, _outputs(model, data, [batches[i] for i in mine]), strict=True):
        with torch.no_grad(), explained("data", model, (), target):
            sums[i] = float(metric(output, target)) * len(batches[i])
    return sum(processes.total(sums).tolist()) / len(data)


@typed
def predict(model: nn.Module, data: Source, batch_size: Positive = 256) -> Tensor:
    """The outputs of all examples in their order, (n, ...), on the CPU: in eval mode and without gradients.

    data: as for `fit`; the targets, last, are not looked at. Each module's mode is put back. Under torchrun each process
    that calls it computes all of them.
    A network that calls torch.autograd.grad in its forward pass needs gradients to be recorded: the first batch shows it, and
    then they are, a batch at a time. Others run under torch.no_grad, which saves the memory.
    Raises ValueError for a network that returns something else than one tensor.

    >>> predict(torch.nn.Flatten(), (torch.zeros(5, 2, 3), torch.zeros(5)), batch_size=2).shape
    torch.Size([5, 6])
    """
    data, found = as_data("data", data), []
    for output, _ in _outputs(model, data, _split(data, batch_size)):
        if not isinstance(output, Tensor):
            raise ValueError(f"model: got a {type(output).__name__} from it, expected one tensor of outputs")
        found.append(output.cpu())
    return torch.cat(found)


def _split(data: Data, batch_size: int) -> list[range]:
    if batch_size < 1:
        raise ValueError(f"batch_size: got {batch_size!r}, expected at least 1")
    return [range(first, min(first + batch_size, len(data))) for first in range(0, len(data), batch_size)]


def _outputs(model: nn.Module, data: Data, batches: Iterable[range]) -> Iterator[tuple[Any, Any]]:
    """Output, without its graph, and target of each batch."""
    device, differentiates = device_of(model), False
    with _eval_mode(model):
        for indices in batches:
            *inputs, target = tensors(data.batch(np.asarray(indices)), device)
            with explained("data", model, inputs, ()):  # the target has no part in it
                if not differentiates:
                    try:
                        with torch.no_grad():
                            output = model(*inputs)
                    except RuntimeError as error:
                        if "does not require grad" not in str(error):
                            raise
                        differentiates = True
                if differentiates:
                    with torch.enable_grad():
                        output = model(*inputs)
            yield _detached(output), target


@contextlib.contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _detached(output: Any) -> Any:
    """Without the graph, through tuples, lists and dicts; anything else as it is."""
    if isinstance(output, Tensor):
        return output.detach()
    if isinstance(output, dict):
        return {k: _detached(v) for k, v in output.items()}
    if isinstance(output, tuple | list):
        parts = [_detached(item) for item in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    return output
