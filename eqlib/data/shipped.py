"""The files that the package ships: npz arrays with their recipe inside, split into parts that lie one after the other."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from eqlib.doubtful import most_unpacked, named

FOLDER = Path(__file__).with_name("files")


def read(
    path: Path, checksum: str | None, names: Iterable[str], optional: Iterable[str], what: str
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays of these names, those of `optional` that there are, and the recipe. Objects (pickles) are refused, and so are
    arrays of other names, since one of `optional` whose name is damaged would be left out without a word.

    checksum: SHA-256; None: not checked. what: such as "jets of make_jets.py", for the message.
    ValueError, which names the file, for a wrong checksum and for a truncated, damaged or other file.
    """
    content = path.read_bytes()
    if checksum is not None and (found := hashlib.sha256(content).hexdigest()) != checksum:
        raise ValueError(f"{path}: wrong checksum: got SHA-256 {found}, expected {checksum}: truncated or another file")
    with named(path, what), zipfile.ZipFile(io.BytesIO(content)) as archive:
        there = [name.removesuffix(".npy") for name in archive.namelist()]
        if unknown := {*there} - {*names, *optional, "recipe"}:
            raise ValueError(f"got arrays {sorted(unknown)}")
        if (size := sum(info.file_size for info in archive.infolist())) > most_unpacked(path):
            raise ValueError(f"{size} bytes unpacked")
        arrays = {name: _array(archive, name) for name in (*names, *({*optional} & {*there}))}
        recipe = json.loads(str(_array(archive, "recipe")))
        if not isinstance(recipe, dict):
            raise ValueError(f"got the recipe {recipe!r:.60}")
        return arrays, recipe


def shape(path: Path, name: str, what: str) -> tuple[int, ...]:
    """The shape of one array, of which its header alone is read; FileNotFoundError, and ValueError as `read`."""
    with named(path, what), zipfile.ZipFile(path) as archive, _member(archive, name) as file:
        return _header(file)[0]


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array, for which no memory is taken before it is clear that as many bytes are there."""
    with _member(archive, name) as file:
        content = io.BytesIO(file.read())
    found, kind = _header(content)
    given, wanted = len(content.getvalue()) - content.tell(), math.prod(found) * kind.itemsize
    if given != wanted and not kind.hasobject:
        raise ValueError(f"{name}: {given} bytes of an array of {wanted}")
    content.seek(0)
    return np.lib.format.read_array(content, allow_pickle=False)


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """An array's file, open; zipfile unpacks the kinds of compression that numpy does not write without a limit."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name}: compression of kind {info.compress_type}")
    return archive.open(info)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array, after which the file stands where its numbers begin."""
    forms = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    found, _, kind = forms[np.lib.format.read_magic(file)](file)
    return found, kind


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
