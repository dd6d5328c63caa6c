"""On which device a network is trained, and that device's random numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from eqlib.training.batches import CPU

KEPT = (1 << 25) - (1 << 16)  # bytes: malloc's limit grows to that of the largest block it gave back, up to 32 MiB


def keep_memory() -> None:
    """Let one step find the memory of the last: glibc gives back what is free at its end, and the first touch of new is slow.

    A block that is asked for and freed, never touched, raises what it keeps (mallopt(3), M_MMAP_THRESHOLD) to 64 MiB; elsewhere
    nothing happens. A step of a small network may lose a quarter of its time otherwise.
    """
    torch.empty(KEPT, dtype=torch.uint8)


def device(name: str | torch.device | None = None) -> torch.device:
    """The device of this name; None or "auto": the first that is here of cuda, mps and cpu.

    Raises ValueError for one that is not here, naming those that are.

    >>> device("cpu")
    device(type='cpu')
    """
    here = [kind for kind, there in (("cuda", torch.cuda), ("mps", torch.backends.mps)) if there.is_available()] + [
        "cpu"
    ]
    if name is None or name == "auto":
        return torch.device(here[0])
    kind = str(name).split(":")[0]
    if kind not in here:
        raise ValueError(f"device: got {str(name)!r}, expected one of those that are here: {', '.join(here)}")
    return torch.device(name)


def device_of(model: nn.Module) -> torch.device:
    """Where the model's parameters and buffers are: that of the first; the CPU if it has none."""
    return next((t.device for t in (*model.parameters(), *model.buffers())), CPU)


@contextlib.contextmanager
def placed(model: nn.Module, name: str | torch.device | None) -> Iterator[torch.device]:
    """The model on `device(name)`: to stay there if it is named, for the time of the context if name is None.

    A model in float64 stays off mps, which has no float64: it goes to the CPU if name is None, else ValueError.
    """
    before, here = device_of(model), device(name)
    double = any(t.dtype == torch.float64 for t in (*model.parameters(), *model.buffers()))
    if here.type == "mps" and double:
        if name is not None:
            raise ValueError(f"device: got {str(name)!r}, expected cpu for a model in float64, which mps has not")
        here = CPU
    model.to(here)
    try:
        yield here
    finally:
        if name is None:
            model.to(before)


@contextlib.contextmanager
def seeded(here: torch.device, seed: int) -> Iterator[None]:
    """Random numbers of the CPU and of this device from the seed; afterwards the caller's go on as if nothing had been."""
    others = [] if here.type == "cpu" else [here]
    with torch.random.fork_rng(others, device_type=here.type if others else None):
        reseed(here, seed)
        yield


def reseed(here: torch.device, seed: int) -> None:
    """The random numbers of the CPU and of this device, and of no other, start from this seed."""
    torch.default_generator.manual_seed(seed)
    if here.type != "cpu":
        set_random(here, [torch.Generator(here).manual_seed(seed).get_state()])


def get_random(here: torch.device) -> list[Tensor]:
    """State of the random numbers of a device other than the CPU; of the CPU nothing."""
    return [] if here.type == "cpu" else [torch.get_device_module(here).get_rng_state(here)]


def set_random(here: torch.device, states: list[Tensor]) -> None:
    """What `get_random` returned is the state again; nothing happens for a state of another kind of device."""
    if here.type != "cpu":
        for state in states:
            torch.get_device_module(here).set_rng_state(state, here)
