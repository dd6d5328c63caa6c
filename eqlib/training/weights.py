"""Trained weights on disk, with plain notes of how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from eqlib import processes
from eqlib.training.checkpoint import compare, read, shapes, write


def count_parameters(model: nn.Module) -> int:
    """How many trainable numbers the model has.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def save_weights(model: nn.Module, path: Path | str, /, **meta: Any) -> None:
    """Write parameters (as float32) and persistent buffers, with plain notes such as command, seed and seconds.

    The file appears whole or not at all, and the same weights give the same bytes. Its folder is made if need be. Under
    torchrun process 0 alone writes.
    Raises ValueError for meta that JSON cannot hold.
    """
    try:
        notes = json.dumps(meta)
    except TypeError as error:
        raise ValueError(f"meta: got {meta!r}, expected text, numbers, lists and dicts ({error})") from error
    parameters = dict(model.named_parameters())
    weights = {k: (v.float() if k in parameters else v).detach().cpu() for k, v in model.state_dict().items()}
    if processes.rank() == 0:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write(path, "weights", {"shapes": shapes(model), "meta": notes, "weights": weights})


def load_weights(model: nn.Module, path: Path | str) -> dict[str, Any]:
    """Load what `save_weights` wrote, in the model's own dtype and device; returns its notes.

    Raises ValueError for a file that is not such, and for another model's, naming the first parameter that differs.
    """
    content = read(path, "weights")
    compare(path, "parameter", content["shapes"], shapes(model))
    model.load_state_dict(content["weights"])
    return json.loads(content["meta"])
