"""Files of jets for the tests: the reference set's form, as pandas writes it, and shards of make_jets.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eqlib.data.jet_file import FILE, SHA256, read

COLUMNS = [f"{name}_{k}" for k in range(200) for name in ("E", "PX", "PY", "PZ")]
TRUTH = ["truthE", "truthPX", "truthPY", "truthPZ"]


def momenta_of(number: int, seed: int = 0) -> np.ndarray:
    """(number, 200, 4), float32: massless particles by falling pT, jet i with i % 60 of them."""
    momenta = np.zeros((number, 200, 4))
    momenta[..., 1:] = 100 * np.random.default_rng(seed).normal(size=(number, 200, 3))
    momenta[np.arange(200) >= (np.arange(number) % 60)[:, None]] = 0
    order = np.argsort(-np.hypot(momenta[..., 1], momenta[..., 2]), axis=1, kind="stable")
    momenta = np.take_along_axis(momenta, order[..., None], axis=1)
    momenta[..., 0] = np.linalg.norm(momenta[..., 1:], axis=-1)
    return momenta.astype(np.float32)


def write_hdf5(path: Path, number: int, seed: int = 0, key: str = "table", how: str = "table", **changed: Any) -> Path:
    """A file of the reference set's form, as pandas writes it: 806 columns, blosc. changed: columns, None to leave one out."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    momenta = momenta_of(number, seed)
    frame = pandas.DataFrame(momenta.reshape(number, 800), columns=COLUMNS)
    frame = frame.join(pandas.DataFrame(momenta.sum(1), columns=TRUTH))
    frame = frame.join(pandas.DataFrame({"ttv": 0, "is_signal_new": np.arange(number) % 2}))
    for name, values in changed.items():
        if values is None:
            del frame[name]
        else:
            frame[name] = values
    frame.to_hdf(path, key=key, format=how, mode="w", complib="blosc", complevel=9)
    return path


def write_shard(path: Path, first: int, number: int) -> Path:
    """Some of the shipped jets as a shard, by the function that make_jets.py writes with."""
    import make_jets  # not at the top: a process of torchrun's that reads such files has no tools/ on its path

    arrays, recipe = read(FILE, SHA256)
    offsets = arrays["offsets"][first : first + number + 1]
    part = slice(offsets[0], offsets[-1])
    cut = {name: arrays[name][first : first + number] for name in ("axis", "labels", "taus")}
    cut |= {name: arrays[name][part] for name in ("pt", "angles", "kinds")} | {"offsets": offsets - offsets[0]}
    cut["splits"] = np.array([number, 0, 0], np.int32)
    make_jets.write(path, cut, recipe)
    return path
