"""What the tasks of molecules and crystals share: networks on atoms that differ in degree, and a reader's own atoms as inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from eqlib import groups, models


def points(
    kind: str,
    degree: int,
    channels: int,
    layers: int,
    radial: Callable[[], torch.nn.Module],
    neighbours: float,
    vector: bool = False,
) -> Any:
    """A network of scalars of points to scalars, and one vector behind them if asked for.

    kind: "tensors", with irreps up to `degree` between its layers, those of harmonics alone; "angles", with scalars alone,
    which see angles by harmonics up to `degree`.
    """
    O3 = groups.O3()
    irreps = [O3.harmonic(J) for J in range(degree + 1)]
    between, scalars = O3.rep([(channels, a) for a in irreps]), O3.rep([(channels, irreps[0])])
    if kind == "angles":
        return models.AngularNetwork(scalars, degree, layers, radial, neighbours)
    out = scalars + O3.vector if vector else scalars
    how: dict[str, Any] = {"neighbours": neighbours, "channels": channels, "residual": True}
    return models.TensorFieldNetwork(scalars, out, [between] * (layers - 1), degree, radial, **how)


def own(raw: Any, kind: type, names: tuple[str, ...], make: Callable[..., Any]) -> Any:
    """A reader's own set of this kind, or the one that `make` makes of a single one's parts; ValueError for anything else."""
    if isinstance(raw, kind):
        return raw
    if not isinstance(raw, list | tuple) or len(raw) != len(names):
        came = f"{len(raw)} items" if isinstance(raw, list | tuple) else type(raw).__name__
        raise ValueError(f"raw: got {came}, expected data.{kind.__name__}, or ({', '.join(names)}) of one")
    return make(*raw)


def inputs(examples: Any) -> tuple[Any, ...]:
    """All examples of a data set as one batch of tensors, without the target."""
    *found, _ = examples.batch(np.arange(len(examples)))
    return tuple(torch.as_tensor(x) if isinstance(x, np.ndarray) else x for x in found)
