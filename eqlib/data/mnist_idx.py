"""MNIST: 60,000 training and 10,000 test digits, 28 x 28, read from the original idx files, and its rotated form."""

import gzip
import hashlib
import math
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eqlib.doubtful import most_unpacked

from . import fetch
from .images import Split, Splits, rotate

ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"

#: Images and labels of each kind.
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

#: MD5 of the unpacked files: archives with other headers hold the same bytes.
CHECKSUMS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}

HELD_OUT, VALID = 10_000, 2_000


def read_idx(path: Path | str, dimensions: int, md5: str | None = None) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes, raw or gzip (by its first bytes, not by its name).

    dimensions: how many axes it must have, 3 for images (n, height, width) and 1 for labels (n,).
    md5: hexadecimal checksum of the unpacked bytes, if they are to be checked.
    Raises ValueError, naming the file, for a damaged archive, a wrong magic number, a length that is not the header's
    and a wrong checksum; FileNotFoundError if there is no such file.

    >>> import struct, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1]) + struct.pack(">I", 3) + bytes([7, 2, 1]))
    >>> read_idx(path, dimensions=1).tolist()
    [7, 2, 1]
    """
    path = Path(path)
    header = 4 + 4 * dimensions
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            head = file.read(header)
            # No more than the header says, and a byte to see that there is more: an archive may hold anything. Nor more than
            # there can be: as much memory is taken before it is read.
            shape = tuple(int(n) for n in np.frombuffer(head[4 : 4 + len(head[4:]) // 4 * 4], ">u4"))
            expected = math.prod(shape)
            pixels = file.read(min(expected, most_unpacked(path) if packed else path.stat().st_size) + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: got a truncated or damaged gzip file ({error}), expected a whole one") from error
    # Two zero bytes, 8 for unsigned bytes, the number of axes; then each length, big-endian.
    magic = bytes([0, 0, 8, dimensions])
    if head[:4] != magic:
        raise ValueError(f"{path}: got magic number 0x{head[:4].hex()}, expected 0x{magic.hex()}, an idx file of bytes")
    if len(head) < header:
        raise ValueError(f"{path}: truncated: got {len(head)} bytes, expected a header of {header}")
    if len(pixels) != expected:
        kind = "truncated" if len(pixels) < expected else "too long"
        raise ValueError(
            f"{path}: {kind}: got {header + len(pixels)} bytes, expected {header + expected} for the header's shape {shape}"
        )
    if md5 is not None and (found := _md5(head, pixels)) != md5:
        raise ValueError(
            f"{path}: wrong checksum: got MD5 {found} of the unpacked bytes, expected {md5}. The file is damaged or "
            f"another one: delete it and take the original, {ADDRESS}{path.name.removesuffix('.gz')}.gz"
        )
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def _md5(*parts: bytes) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def mnist(
    folder: Path | str | None = None,
    download: bool = False,
    kind: str = "train",
    *,
    checksums: Mapping[str, str] = CHECKSUMS,
) -> Split:
    """Read MNIST's original files and check them.

    folder: where the idx files are, raw or .gz, under their original names; by default the cache's `mnist` folder.
    download: fetch what is missing there (11 MB for both kinds). Nothing is downloaded unless asked.
    kind: "train" (60,000 images) or "test" (10,000).
    checksums: MD5 of the unpacked files by name; the default is that of the originals.
    Returns images (n, 1, 28, 28), float32 in [0, 1], and labels (n,).
    Raises ValueError for a bad file (see `read_idx`), FileNotFoundError for a missing one, DownloadError when offline.

    >>> mnist("a folder", download=True).images.shape  # doctest: +SKIP
    (60000, 1, 28, 28)
    """
    images, labels = _load(folder, download, kind, checksums)
    return _split(images, labels, f"MNIST {kind} file")


def rotated_mnist(
    folder: Path | str | None = None,
    train: int = 12_000,
    seed: int = 0,
    download: bool = False,
    *,
    valid: int = VALID,
    checksums: Mapping[str, str] = CHECKSUMS,
) -> Splits:
    """MNIST with each image turned about its centre by its own angle, uniform in [-pi, pi), in the three parts alike.

    Training and validation images are drawn from the first 50,000 of MNIST's training file. The test part is MNIST's test
    file where `folder` has it (or `download` fetches it); where it has neither images nor labels of it, it is the training
    file's last 10,000 images. Those are set apart in any case, so train and valid are the same with and without the test
    file, and `splits.test.source` says which of the two it is.
    The usual "rotated MNIST" is a split of its own, with 50,000 test images and the validation images taken out of the
    12,000; here they come on top, so figures can stand beside published ones but are not the same measurement.
    seed: draws the parts and the angles. A smaller training set is the beginning of a larger one.
    Raises ValueError if train + valid is more than what is left of the training file; else as `mnist`.

    >>> [len(part) for part in rotated_mnist("a folder", download=True)]  # doctest: +SKIP
    [12000, 2000, 10000]
    """
    images, labels = _load(folder, download, "train", checksums)
    left = len(labels) - min(HELD_OUT, len(labels) // 6)  # a smaller file, as in tests, keeps the proportion
    if train < 1 or valid < 1 or train + valid > left:
        raise ValueError(
            f"train, valid: got {train!r} and {valid!r}, expected at least 1 each and at most {left} together"
        )
    random = np.random.RandomState(seed)  # its streams are frozen: the parts stay the same in every version
    validation, rest = np.split(random.permutation(left), [valid])
    held_out = np.arange(left, len(labels))
    angles = random.uniform(-np.pi, np.pi, len(labels))  # one for each image of the file, whatever part it falls into

    def part(chosen: NDArray[np.int64], source: str = "MNIST train file") -> Split:
        return _turn(_split(images[chosen], labels[chosen], source), angles[chosen])

    if download or any(_find(_folder(folder), name) for name in FILES["test"]):
        whole = mnist(folder, download, "test", checksums=checksums)
        test = _turn(whole, random.uniform(-np.pi, np.pi, len(whole)))
    else:
        test = part(held_out, "MNIST train file, held out")
    return Splits(part(rest[:train]), part(validation), test)


def _folder(folder: Path | str | None) -> Path:
    return fetch.cache_folder() / "mnist" if folder is None else Path(folder)


def _find(folder: Path, name: str) -> Path | None:
    """The raw file if there is one, else the packed one, else nothing."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _load(
    folder: Path | str | None, download: bool, kind: str, checksums: Mapping[str, str]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (n, height, width) and labels (n,) as bytes, checked."""
    if kind not in FILES:
        raise ValueError(f'kind: got {kind!r}, expected "train" or "test"')
    base = _folder(folder)
    arrays = []
    for name, dimensions in zip(FILES[kind], (3, 1), strict=True):
        if name not in checksums:
            raise ValueError(f"checksums: got none for {name}, expected the MD5 of the unpacked file")
        path = _find(base, name)
        if path is None and download:
            path = fetch.download(f"{ADDRESS}{name}.gz", f"md5:{checksums[name]}", folder=base)
        if path is None:
            raise FileNotFoundError(
                f"{base}: no {name} and no {name}.gz there. Put one of them there, pass folder=..., or download=True "
                f"to fetch {ADDRESS}{name}.gz"
            )
        arrays.append(read_idx(path, dimensions, checksums[name]))
    images, labels = arrays
    if len(images) != len(labels):
        raise ValueError(
            f"{base}: got {len(images)} images and {len(labels)} labels of kind {kind!r}, expected as many"
        )
    return images, labels


def _turn(split: Split, angles: NDArray[np.float64]) -> Split:
    return replace(split, images=np.clip(rotate(split.images, angles), 0, 1), angles=angles)


def _split(images: NDArray[np.uint8], labels: NDArray[np.uint8], source: str) -> Split:
    scaled = images[:, None].astype(np.float32)
    scaled /= 255
    return Split(scaled, labels.astype(np.int64), np.zeros(len(labels)), source)
