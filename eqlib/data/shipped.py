"""The files that the package ships: npz arrays with their recipe inside, split into parts that lie one after the other."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).with_name("files")


def read(
    path: Path, checksum: str | None, names: Iterable[str], optional: Iterable[str], what: str
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays of these names, those of `optional` that there are, and the recipe. Objects (pickles) are refused.

    checksum: SHA-256; None: not checked. what: such as "jets of make_jets.py", for the message.
    ValueError, which names the file, for a wrong checksum and for a truncated, damaged or other file.
    """
    content = path.read_bytes()
    if checksum is not None and (found := hashlib.sha256(content).hexdigest()) != checksum:
        raise ValueError(f"{path}: wrong checksum: got SHA-256 {found}, expected {checksum}: truncated or another file")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in (*names, *({*optional} & {*file.files}))}
            return arrays, json.loads(str(file["recipe"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: got a damaged file or another one ({error}), expected {what}") from error


def counts(path: Path, splits: NDArray[Any], parts: Sequence[str], total: int, what: str) -> list[int]:
    """How many are of each part. ValueError, which names the file, unless they add up to all."""
    if splits.shape != (len(parts),) or splits.min() < 0 or splits.sum() != total:
        raise ValueError(f"{path}: splits: got {splits}, expected {len(parts)} numbers that add up to {total} {what}")
    return [int(n) for n in splits]


def known(split: str, parts: Sequence[str]) -> None:
    """ValueError for a part that there is not; before a file is read, too."""
    if split not in parts:
        raise ValueError(f"split: got {split!r}, expected one of {tuple(parts)}")


def part(split: str, number: int | None, parts: Sequence[str], sizes: Sequence[int], what: str) -> slice:
    """Where the first `number` (None: all) of a part lie, of parts of these sizes one after the other.

    ValueError for a part that there is not and a number that cannot be.

    >>> from eqlib.data.shipped import part
    >>> part("test", 2, ("train", "test"), (10, 5), "jets")
    slice(10, 12, None)
    """
    known(split, parts)
    place = list(parts).index(split)
    first, most = sum(sizes[:place]), sizes[place]
    if number is not None and not 1 <= number <= most:
        raise ValueError(f"number: got {number!r}, expected 1 ... {most}, the {what} of split {split!r}")
    return slice(first, first + (most if number is None else number))
