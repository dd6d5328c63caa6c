"""Jets of files that memory need not hold: read in blocks, shuffled in blocks, the same memory for any number of jets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eqlib.doubtful import named, stamp, unchanged

from . import shipped
from .jet_file import read, unpack
from .jet_sets import OF_JETS, OF_PARTICLES, PARTICLES, JetInputs, Jets
from .reference_set import ReferenceFile

BLOCK = 1000  # jets of an HDF5 file that are read at once, 3 MB
AT_ONCE = 50_000  # jets among which an epoch is shuffled, 42 MB of 50 particles each
SUMS = "SHA256SUMS"
#: Split -> its file in the public set, and its shards. (The public set says val, the shipped one valid.)
NAMES = {
    "train": ("train.h5", "train*.npz"),
    "valid": ("val.h5", "valid*.npz"),
    "test": ("test.h5", "test*.npz"),
}


class Block(NamedTuple):
    """Jets `first` ... `first + number` - 1 of a file."""

    path: Path
    first: int
    number: int


class JetFiles:
    """The jets of some files one after the other, which are read a block at a time; opening them reads their sizes alone.

    files: paths of HDF5 files of the reference set (*.h5, see `reference_jets`), read by `block` jets, and of shards that
    tools/make_jets.py wrote (*.npz), each read whole, its splits as one. Where a folder has a file SHA256SUMS, as
    `sha256sum` writes it, the files that it lists are checked: HDF5 when it is opened, a shard whenever it is read.
    number: only the first so many jets, if there are more.
    Raises ValueError that names the file for one that is damaged, empty or of another form, or has another checksum, here
    or when the block is read, and for one whose size or time of writing is no longer what it was here, so that jets of two
    files are never mixed; FileNotFoundError for one that is not there.

    >>> from eqlib.data.jet_file import FILE  # the shipped jets, as one shard
    >>> files = JetFiles([FILE], number=9000)
    >>> files
    JetFiles(9,000 jets, 1 block)
    >>> files.read(files.blocks[0])
    Jets(9000 jets, 476,287 particles, labelled)
    """

    def __init__(self, files: Sequence[Path | str], *, number: int | None = None, block: int = BLOCK) -> None:
        if number is not None and number < 1:
            raise ValueError(f"number: got {number!r}, expected at least 1")
        if block < 1:
            raise ValueError(f"block: got {block!r}, expected at least 1")
        if not files:
            raise ValueError("files: got none, expected at least one")
        paths = [Path(path) for path in files]
        listed = {folder: _sums(folder) for folder in {path.parent for path in paths}}
        self._sums: dict[Path, str | None] = {path: listed[path.parent].get(path.name) for path in paths}
        self._open: dict[Path, ReferenceFile] = {}
        self._stamps: dict[Path, tuple[int, int]] = {}
        self.blocks: list[Block] = []
        for path in paths:
            size, step = self._size(path), block
            if path.suffix == ".npz":
                step = size
            self.blocks += [Block(path, first, min(step, size - first)) for first in range(0, size, step)]
        ends = np.cumsum([block.number for block in self.blocks])
        if number is not None and number < ends[-1]:
            last = int(np.searchsorted(ends, number))
            path, first, size = self.blocks[last]
            self.blocks[last:] = [Block(path, first, size - int(ends[last]) + number)]
        #: Block i has the jets starts[i] ... starts[i + 1] - 1 of all.
        self.starts = np.cumsum([0, *(block.number for block in self.blocks)])

    @classmethod
    def of(cls, folder: Path | str, split: str, number: int | None = None) -> JetFiles:
        """The jets of a folder for "train", "valid" or "test": train.h5, val.h5, test.h5, or shards train*.npz and so on.

        ValueError for a folder without them, and for another split.
        """
        if split not in NAMES:
            raise ValueError(f"split: got {split!r}, expected one of {tuple(NAMES)}")
        one, shards = NAMES[split]
        found = [Path(folder) / one] if (Path(folder) / one).is_file() else sorted(Path(folder).glob(shards))
        if not found:
            raise ValueError(
                f"folder: got {str(folder)!r}, expected a folder with train.h5, val.h5 and test.h5, or with shards train*.npz, "
                f"valid*.npz and test*.npz: no {one} and no {shards}"
            )
        return cls(found, number=number)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __repr__(self) -> str:
        return f"JetFiles({len(self):,} jets, {len(self.blocks)} block{'s'[: len(self.blocks) != 1]})"

    def read(self, block: Block) -> Jets:
        """The jets of a block."""
        if block.path in self._open:
            return self._open[block.path].jets(block.first, block.number)
        arrays, recipe = read(block.path, self._sums[block.path])
        unchanged(block.path, self._stamps[block.path])
        return unpack(arrays, recipe, slice(block.first, block.first + block.number))

    def read_all(self) -> Jets:
        """All jets, in memory."""
        parts = [self.read(block) for block in self.blocks]
        offsets = np.cumsum(np.concatenate([[0], *(np.diff(p.offsets) for p in parts)]))

        def joined(name: str) -> Any:
            found = [getattr(p, name) for p in parts]
            return None if any(f is None for f in found) else np.concatenate(found)

        most = max(p.most for p in parts)
        return Jets(joined("particles"), offsets, most, **{name: joined(name) for name in (*OF_JETS, *OF_PARTICLES)})

    def _size(self, path: Path) -> int:
        """How many jets a file has."""
        if not path.is_file() and path.suffix in (".h5", ".npz"):
            raise FileNotFoundError(f"{path}: no such file")
        if path.suffix == ".h5":
            before = stamp(path)
            if (expected := self._sums[path]) is not None:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
                if found != expected:
                    raise ValueError(
                        f"{path}: wrong checksum: got SHA-256 {found}, expected {expected}: truncated or another file"
                    )
            self._open[path] = ReferenceFile(path)
            unchanged(path, before)
            return len(self._open[path])
        if path.suffix != ".npz":
            raise ValueError(f"files: got {str(path)!r}, expected files *.h5 or *.npz")
        self._stamps[path] = stamp(path)
        shape = shipped.shape(path, "labels", "jets of make_jets.py")
        if len(shape) != 1 or shape[0] < 1:
            raise ValueError(f"{path}: got no jets, expected at least one")
        return shape[0]


class JetStream:
    """The jets of some files as a tagger takes them, of which memory holds a few blocks; `training.fit` takes it as it is.

    files: what holds the jets. frame, particles, order, extra: as for `JetInputs`, which makes each block's inputs, once each
    time that it is read.
    at_once: how many jets memory holds; at least one block. An epoch takes the blocks in a random order, so many of them
    together, and their jets in a random order. Where files are sorted by class, the jets held must come from many blocks.

    >>> from eqlib.data.jet_file import FILE
    >>> stream = JetStream(JetFiles([FILE], number=100), "jet")
    >>> momenta, mask, labels = stream.batch(np.array([3, 50]))
    >>> momenta.shape, momenta.dtype, mask.shape, labels.tolist()
    ((2, 50, 4), dtype('float32'), (2, 50), [1, 0])
    >>> [len(batch) for batch in stream.batches(30, torch.Generator().manual_seed(0))]
    [30, 30, 30, 10]
    """

    def __init__(
        self,
        files: JetFiles,
        frame: str = "jet",
        particles: int = PARTICLES,
        order: str | None = None,
        extra: str | None = None,
        *,
        at_once: int = AT_ONCE,
    ) -> None:
        if at_once < 1:
            raise ValueError(f"at_once: got {at_once!r}, expected at least 1")
        self.files, self._how = files, (frame, particles, order, extra)
        self._together = max(1, at_once // max(block.number for block in files.blocks))
        self._held: dict[int, JetInputs] = {}  # what was read last stands last
        # What is wrong with the arguments is said here; kinds are the shapes and dtypes of a batch.
        self._kinds = [x[:0] for x in self._inputs(0).batch(np.zeros(1, np.int64))]

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        """Beside the jets' number all that the order of an epoch depends on: `training.fit` resumes with the same alone."""
        sizes = hashlib.sha256(self.files.starts.tobytes()).hexdigest()[:8]
        return f"JetStream({self.files!r}, {self._together} together, {self._how}, sizes {sizes})"

    def batches(self, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        """An epoch's batches of indices, (size,) and the last one the rest: every jet once. The generator draws one number, now.

        The indices of a batch rise: processes that share it out then read different blocks, for the most part.
        """
        seed = int(torch.randint(2**62, (), generator=generator))
        return self._batches(size, torch.Generator().manual_seed(seed))

    def _batches(self, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        starts, left = self.files.starts.tolist(), torch.zeros(0, dtype=torch.int64)
        for blocks in torch.randperm(len(starts) - 1, generator=generator).split(self._together):
            jets = torch.cat([torch.arange(starts[b], starts[b + 1]) for b in blocks.tolist()])
            left = torch.cat([left, jets[torch.randperm(len(jets), generator=generator)]])
            whole = len(left) // size * size
            yield from left[:whole].reshape(-1, size).sort().values
            left = left[whole:]
        if len(left):
            yield left.sort().values

    def batch(self, indices: NDArray[np.int64]) -> tuple[Any, ...]:
        """Momenta, mask, extra if asked for, and labels of these indices. IndexError for one that is not 0 ... len - 1."""
        indices = np.asarray(indices, dtype=np.int64)
        if indices.size and not (0 <= indices.min() and indices.max() < len(self)):
            raise IndexError(f"indices: got {indices.min()} ... {indices.max()}, expected 0 ... {len(self) - 1}")
        blocks = np.searchsorted(self.files.starts, indices, side="right") - 1
        out = tuple(np.empty((len(indices), *x.shape[1:]), x.dtype) for x in self._kinds)
        # Those that are here come first: one that has yet to be read may take the place of one of them.
        for block in sorted(np.unique(blocks).tolist(), key=lambda b: b not in self._held):
            rows = np.flatnonzero(blocks == block)
            for whole, part in zip(
                out, self._inputs(block).batch(indices[rows] - self.files.starts[block]), strict=True
            ):
                whole[rows] = part
        return out

    def _inputs(self, block: int) -> JetInputs:
        """The inputs of a block, which is read unless it is here."""
        if block not in self._held:
            while len(self._held) >= self._together:
                del self._held[next(iter(self._held))]
            self._held[block] = JetInputs(self.files.read(self.files.blocks[block]), *self._how)
        return self._held[block]


def _sums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256, as the folder's SHA256SUMS lists them; empty where it has none."""
    path, found = folder / SUMS, {}
    with named(path, "lines as sha256sum writes them"):
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        digest, _, name = line.partition(" ")
        if not (re.fullmatch("[0-9a-f]{64}", digest) and name.lstrip(" *")):
            raise ValueError(
                f"{path}: got the line {line[:80]!r}, expected a SHA-256 and a name, as sha256sum writes them"
            )
        found[name.lstrip(" *")] = digest
    return found
