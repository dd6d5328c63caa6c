"""Several processes that train one model as one process would: shares of a batch, and sums over the processes.

`torchrun --nproc-per-node=2 -m eqlib.train ...` starts them; `run` joins them, `eqlib.training.fit` shares each batch out.
With one process every function here does nothing, and asks nothing of torch.distributed.

Left to each process on its own are the random numbers of a model: dropout draws other masks than one process would, so that
the result is as good but not the same. A mean over the batch that a layer takes by itself, not by `batch_mean` or torch's
BatchNorm, is one of the process's rows; where it enters a buffer or the weights, `agree_on_state` finds the difference.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")
_counts: bool | None = None  # while several processes train: whether this one's rows count


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
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if nccl else "gloo", **_meeting_point())
    with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
        if rank():
            stack.enter_context(contextlib.redirect_stdout(nowhere))
        main()
    torch.distributed.destroy_process_group()


def _meeting_point() -> dict[str, Any]:
    """Where the processes find each other, for init_process_group; nothing, where torch's own choice will do.

    `torchrun --max-restarts` keeps one store of addresses for all attempts: those of processes that have ended are still
    there, and the new ones would call them (PyTorch's issue 135712). So each attempt has keys of its own. With several
    machines, whose counts of attempts may differ, it is left to TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1.
    """
    if (os.environ.get("TORCHELASTIC_USE_AGENT_STORE"), os.environ.get("GROUP_WORLD_SIZE")) != ("True", "1"):
        return {}
    store, rank, size = next(torch.distributed.rendezvous("env://"))
    attempt = torch.distributed.PrefixStore(f"attempt {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    return {"store": attempt, "rank": rank, "world_size": size}


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
    """Mean of x over these axes, the batch's among them; while `fit` trains, over the rows of all processes.

    weight: broadcasts with x; the mean is then sum(weight x) / sum(weight), or 0 where all weights are 0.
    A layer in training mode must take every mean over the batch by this function. It is differentiable, and all
    processes must call it equally often.
    """
    return x.mean(dims) if weight is None and _counts is None else _mean(x, dims, weight)[0]


def _mean(x: Tensor, dims: list[int] | tuple[int, ...], weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The mean, and the number of entries, or sum of weights, that it is over."""
    values = (x if weight is None else x * weight).sum(dims)
    number = values.new_full(values.shape, math.prod(x.shape[d] for d in dims))
    count = number if weight is None else weight.expand_as(x).sum(dims)
    if _counts is not None:
        values, count = _Sum.apply(torch.stack([values, count]) * _counts)
    return values / (count + (count == 0)), count


class _Sum(torch.autograd.Function):
    """The sum over the processes; its gradient is the sum of their gradients. (torch's own is deprecated.)"""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return total(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _Sum.apply(gradient.contiguous())


Loss = Callable[[Any, Any], Tensor]


@contextlib.contextmanager
def synchronised(model: torch.nn.Module, loss: Loss) -> Iterator[Callable[[Any, Any, float], Tensor]]:
    """The function (inputs, target, weight) -> `loss(model(*inputs), target)`, on this process's rows, which weigh so much.

    Its gradients are means over the processes, stay None where no process has one, and may be second derivatives; torch's
    DistributedDataParallel takes them while the backward pass goes on. Meanwhile `batch_mean` and torch's BatchNorm in the
    model are over the whole batch, and a compiled model runs uncompiled. (torch's own SyncBatchNorm refuses the CPU and
    second derivatives, and knows no rows of weight 0.)
    """
    objective = _Objective(model, loss)
    if size() == 1:
        yield objective
        return
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and type(m).forward is _BatchNorm.forward]
    group = torch.distributed.new_group()  # sums of gradients and of statistics may come in another order elsewhere
    try:
        for norm in norms:
            norm.forward = functools.partial(_batch_norm, norm)  # type: ignore[method-assign]
        with warnings.catch_warnings():  # torch 2.13 renames broadcast_buffers
            warnings.simplefilter("ignore", FutureWarning)
            options: Any = {"broadcast_buffers": False, "init_sync": False, "find_unused_parameters": True}
            together = DistributedDataParallel(objective, process_group=group, **options)
        yield together
    finally:
        for norm in norms:
            del norm.forward
        torch.distributed.destroy_process_group(group)


class _Objective(torch.nn.Module):
    """The loss as a module's output: from it DistributedDataParallel sees which parameters have a gradient."""

    def __init__(self, model: torch.nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss
        some = next(model.parameters(), torch.zeros(1))
        self.unused = torch.nn.Parameter(some.new_zeros(1))  # torch warns where it looks for such and finds none

    def forward(self, inputs: Any, target: Any, weight: float) -> Tensor:
        global _counts
        if size() == 1:
            return self.loss(self.model(*inputs), target)
        with torch.compiler.set_stance("force_eager"):
            _counts = weight > 0
            try:
                return self.loss(self.model(*inputs), target)
            finally:
                _counts = None


def _batch_norm(norm: _BatchNorm, x: Tensor) -> Tensor:
    """The forward pass of torch's BatchNorm with statistics of the whole batch."""
    norm._check_input_dim(x)
    if _counts is None or not norm.training:
        return _BatchNorm.forward(norm, x)
    dims, shape = (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
    mean, count = _mean(x, dims)
    if count[0] <= 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}")
    x = x - mean.view(shape)
    variance, _ = _mean(x.square(), dims)
    if norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None:
        with torch.no_grad():
            norm.num_batches_tracked += 1
            share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean, share)
            norm.running_var.lerp_(variance * count / (count - 1), share)
    scale = (variance + norm.eps).rsqrt()
    x = x * (scale if norm.weight is None else scale * norm.weight).view(shape)
    return x if norm.bias is None else x + norm.bias.view(shape)
