"""Several processes that train one model as one process would: shares of a batch, and sums over the processes.

`torchrun --nproc-per-node=2 -m eqlib.train ...` starts them; `run` joins them, `eqlib.training.fit` shares each batch out.
With one process every function here does nothing, and asks nothing of torch.distributed.
"""

from __future__ import annotations

import contextlib
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode, handle_torch_function, has_torch_function_unary

T = TypeVar("T")
DROPOUTS = {
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.dropout3d,
    functional.alpha_dropout,
    functional.feature_alpha_dropout,
}


def size() -> int:
    """How many processes there are: 1 unless torch.distributed is initialised."""
    group = torch.distributed
    return group.get_world_size() if group.is_available() and group.is_initialized() else 1


def rank() -> int:
    """The number of this process, 0 ... size() - 1."""
    return torch.distributed.get_rank() if size() > 1 else 0


def run(main: Callable[[], None]) -> None:
    """Call main, under torchrun as one of its processes; there process 0 alone prints to stdout.

    Sums go through gloo for tensors on the CPU and through nccl on GPUs, if each process of the machine has a GPU of its own.
    A process that fails ends at once with its message, and torchrun then ends the others.
    """
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        return main()
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        raise ValueError("this build of torch has no gloo: call the command without torchrun, as one process")
    local, processes = (int(os.environ.get(k, "0")) for k in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    nccl = torch.distributed.is_nccl_available() and 0 < processes <= torch.cuda.device_count()
    if nccl:
        torch.cuda.set_device(local)
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if nccl else "gloo")
    with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
        if rank():
            stack.enter_context(contextlib.redirect_stdout(nowhere))
        main()
    torch.distributed.destroy_process_group()


def share(n: int) -> tuple[slice, float]:
    """Which of a batch's n rows this process takes, and their weight: its part of the n, so that all weights add up to 1.

    Where there are more processes than rows, some take a row of weight 0: they too must take part in every sum.
    """
    start, stop = (n * r // size() for r in (rank(), rank() + 1))
    return slice(start, max(stop, start + 1)), (stop - start) / n


def take(batch: Any, rows: slice, n: int) -> Any:
    """These rows of every tensor of a batch of n, through nested tuples. ValueError for what has not n rows."""
    if size() == 1:
        return batch
    if isinstance(batch, tuple):
        return tuple(take(item, rows, n) for item in batch)
    if not isinstance(batch, Tensor) or batch.shape[:1] != (n,):
        found = f"a tensor {tuple(batch.shape)}" if isinstance(batch, Tensor) else f"a {type(batch).__name__}"
        raise ValueError(f"augment: got {found} in a batch of {n}, expected tensors of {n} rows to share out")
    return batch[rows]


def total(value: Tensor) -> Tensor:
    """The sum over the processes, without gradient, with the same bits in each of them."""
    if size() == 1:
        return value.detach()
    value = value.detach().clone()
    torch.distributed.all_reduce(value)
    return value


def add_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Each gradient becomes the sum over the processes; it stays None where no process has one."""
    if size() == 1:
        return
    kinds: dict[tuple[torch.dtype, torch.device], list[torch.nn.Parameter]] = {}
    for p in parameters:
        if p.requires_grad:
            kinds.setdefault((p.dtype, p.device), []).append(p)
    for (dtype, device), some in kinds.items():
        there = torch.tensor([p.grad is not None for p in some], dtype=dtype, device=device)
        flat = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in some]
        *summed, there = total(torch.cat([*flat, there])).split([*(p.numel() for p in some), len(some)])
        for p, gradient, count in zip(some, summed, there.tolist(), strict=True):
            p.grad = gradient.view_as(p) if count else None


def from_first(make: Callable[[], T]) -> T:
    """What make() returns in process 0, or its error, in every process."""
    if size() == 1:
        return make()
    made: list[Any] = [None, None]
    if rank() == 0:
        try:
            made[0] = make()
        except Exception as error:  # handed on, or the other processes would wait
            made[1] = error
    torch.distributed.broadcast_object_list(made)
    if made[1] is not None:
        raise made[1]
    return made[0]


def agree(what: str, values: Mapping[str, str], hint: str = "") -> None:
    """ValueError in every process, with the first name that differs, unless all have the same values."""
    if size() == 1:
        return
    every: list[Any] = [None] * size()
    torch.distributed.all_gather_object(every, dict(values))
    for name in {k: None for one in every for k in one}:
        found = [one.get(name, "nothing") for one in every]
        if len(set(found)) > 1:
            raise ValueError(f"{what}: {name!r} differs between the processes: {', '.join(found)}{hint}")


def agree_on_state(model: torch.nn.Module) -> None:
    """ValueError in every process unless all have the very same parameters and persistent buffers."""
    if size() > 1:
        state = {k: v for k, v in model.state_dict().items() if isinstance(v, Tensor)}
        bits = {k: v.detach().cpu().contiguous().flatten().view(torch.uint8).numpy() for k, v in state.items()}
        hint = "; seed the model before it is made, and take means over a batch by eqlib.processes.batch_mean"
        agree("model", {k: hex(zlib.crc32(v.data)) for k, v in bits.items()}, hint)


def batch_mean(x: Tensor, dims: list[int] | tuple[int, ...], weight: Tensor | None = None) -> Tensor:
    """Mean of x over these axes, the batch's among them; inside `whole_batch` over the rows of all processes.

    weight: broadcasts with x; the mean is then sum(weight x) / sum(weight), or 0 where all weights are 0.
    A layer in training mode must take every mean over the batch by this function. It is differentiable, and all
    processes must call it equally often.
    """
    if has_torch_function_unary(x):  # `whole_batch` is such a mode
        return handle_torch_function(batch_mean, (x,), x, dims, weight)
    if weight is None:
        return x.mean(dims)
    return _ratio((x * weight).sum(dims), weight.expand_as(x).sum(dims))


@contextlib.contextmanager
def whole_batch(weight: float) -> Iterator[None]:
    """Inside, batch normalisation and dropout are those of the whole batch, of which this process has rows of this weight.

    It holds for `batch_mean` (so for eqlib.nn.BatchNorm), for torch's BatchNorm1d, 2d and 3d, and for dropout, whose mask
    each process draws for the whole batch, rows along the first axis. Other random numbers of a model, those of torch's
    attention included, are drawn by each process on its own. A compiled model runs uncompiled: its code would pass by.
    """
    if size() == 1:
        yield
        return
    with torch.compiler.set_stance("force_eager"), _WholeBatch(weight > 0):
        yield


def _ratio(values: Tensor, count: Tensor) -> Tensor:
    return values / (count + (count == 0))


class _Sum(torch.autograd.Function):
    """The sum over the processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return total(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _Sum.apply(gradient.contiguous())


class _WholeBatch(TorchFunctionMode):
    """Replaces the few functions in which the rows of a batch meet, whatever module calls them."""

    def __init__(self, counts: bool) -> None:
        super().__init__()
        self.counts = counts  # whether this process's rows do

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is batch_mean:
            return self._mean(*args, **kwargs)[0]
        if func is functional.batch_norm:
            return self._batch_norm(*args, **kwargs)
        if func in DROPOUTS:
            return self._dropout(func, *args, **kwargs)
        return func(*args, **kwargs)

    def _mean(
        self, x: Tensor, dims: list[int] | tuple[int, ...], weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The mean, and the number of entries, or sum of weights, that it is over."""
        values = (x if weight is None else x * weight).sum(dims)
        number = values.new_full(values.shape, math.prod(x.shape[d] for d in dims))
        count = number if weight is None else weight.expand_as(x).sum(dims)
        values, count = _Sum.apply(torch.stack([values, count]) * self.counts)
        return _ratio(values, count), count

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return functional.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
        dims, shape = (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        mean, count = self._mean(wide, dims)
        if count[0] <= 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}")
        wide = wide - mean.view(shape)
        variance, _ = self._mean(wide.square(), dims)
        with torch.no_grad():
            if running_mean is not None and running_var is not None:
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                running_var.lerp_((variance * count / (count - 1)).to(running_var.dtype), momentum)
        scale = (variance + eps).rsqrt()
        out = wide * (scale if weight is None else scale * weight).view(shape)
        return (out if bias is None else out + bias.view(shape)).to(x.dtype)

    def _dropout(self, func: Any, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0:
            return x
        rows = torch.zeros(size(), dtype=torch.int64, device=x.device)
        rows[rank()] = len(x) * self.counts
        before, own, after = (int(r.sum()) for r in total(rows).tensor_split([rank(), rank() + 1]))
        if own:
            pads = (x.new_zeros(n, *x.shape[1:]) for n in (before, after))
            return func(torch.cat([next(pads), x, next(pads)]), p, training)[before : before + own]
        func(x.new_zeros(before + after, *x.shape[1:]), p, training)  # the same draws as everywhere
        return x
