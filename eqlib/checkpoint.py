"""Weights and checkpoints on disk: written whole or not at all, read without executing anything, compared by name."""

import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eqlib.groups import Rep

from . import distributed


def count_parameters(model: nn.Module) -> int:
    """How many trainable numbers the model has."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def save_weights(model: nn.Module, path: Path | str, /, **meta: Any) -> None:
    """Write parameters (as float32) and persistent buffers, with plain notes such as command, seed and seconds.

    The file appears whole or not at all, and the same weights give the same bytes.
    Raises ValueError for meta that JSON cannot hold.
    """
    try:
        notes = json.dumps(meta)
    except TypeError as error:
        raise ValueError(f"meta: got {meta!r}, expected text, numbers, lists and dicts ({error})") from error
    parameters = dict(model.named_parameters())
    weights = {k: (v.float() if k in parameters else v).detach().cpu() for k, v in model.state_dict().items()}
    write(path, "weights", {"shapes": shapes(model), "meta": notes, "weights": weights})


def load_weights(model: nn.Module, path: Path | str) -> dict[str, Any]:
    """Load what `save_weights` wrote, in the model's own dtype and device; returns its notes.

    Raises ValueError for a file that is not such, and for another model's, naming the first parameter that differs.
    """
    content = read(path, "weights")
    compare(path, "parameter", content["shapes"], shapes(model))
    model.load_state_dict(content["weights"])
    return json.loads(content["meta"])


def shapes(model: nn.Module, dtype: bool = False) -> dict[str, str]:
    """What identifies a model: the shape of each parameter and persistent buffer, by name, and its dtype if asked.

    Layers add the reps that they map between, since weights of one shape may belong to different ones.
    """
    tensors = {k: v for k, v in model.state_dict().items() if isinstance(v, Tensor)}
    found = {k: f"{tuple(v.shape)} {v.dtype}" if dtype else str(tuple(v.shape)) for k, v in tensors.items()}
    for name, module in model.named_modules():
        reps = {k: v for k, v in vars(module).items() if isinstance(v, Rep)}
        found |= {
            f"{name}.{k}": " ".join(filter(None, (repr(v), v.group.fingerprint))) for k, v in sorted(reps.items())
        }
    return found


def compare(path: Path | str, what: str, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Raise ValueError at the first entry in which two such descriptions differ."""
    for name in [*expected, *(k for k in found if k not in expected)]:
        came, wanted = found.get(name, "nothing"), expected.get(name, "nothing")
        if came != wanted:
            raise ValueError(f"{path}: {what} {name!r} differs: got {came} from the file, expected {wanted}")


def write(path: Path | str, kind: str, content: dict[str, Any]) -> None:
    """Write beside the file, then rename: a reader, or a crash, never meets half of it. Under torchrun process 0 alone does."""
    if distributed.rank() > 0:
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:  # given a path, torch would write its name into the file
            torch.save({"kind": kind} | content, file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path | str, kind: str) -> dict[str, Any]:
    """Read what `write` wrote; nothing in the file is executed."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: got a damaged or foreign file, expected {kind} written by eqlib") from error
    if not isinstance(content, dict) or content.get("kind") != kind:
        raise ValueError(f"{path}: got another kind of file, expected {kind} written by eqlib")
    return content
