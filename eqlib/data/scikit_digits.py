"""The handwritten digits that scikit-learn ships, upright or rotated: the data set that needs no download."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .images import Split, Splits, rotate

VALID, TEST = 297, 500


def digits(size: int = 25, rotated: bool = False, seed: int = 0, train: int = 1000) -> Splits:
    """The 1,797 digits that scikit-learn ships, enlarged from 8 x 8 and split by image; needs no network.

    size: side of the square images in pixels, odd (so that a pixel sits at the centre) and at least 13. The digit takes
    the largest central square whose corners stay inside under any rotation: 17 of 25 pixels.
    rotated: turn every image, valid and test included, by its own angle, uniform in [-pi, pi).
    seed: draws the split and the angles. train: how many training images, at most 1,000; a smaller set is the beginning
    of a larger one, while the 297 validation and the 500 test images stay the same.
    Raises ValueError for a size or a number of training images that cannot be.

    A 6 turned by half a turn resembles a 9, and a 9 a 6. The label stays that of the upright digit, so in a rotated set
    only the handwriting tells them apart (docs/data_digits.md has figures).

    >>> splits = digits(size=21, rotated=True, train=100)
    >>> splits.train.images.shape, splits.test.labels[:5].tolist()
    ((100, 1, 21, 21), [2, 8, 2, 6, 6])
    """
    if size < 13 or size % 2 == 0:
        raise ValueError(f"size: got {size!r}, expected an odd number of pixels, at least 13")
    raw, labels = _load()
    most = len(labels) - VALID - TEST
    if not 1 <= train <= most:
        raise ValueError(f"train: got {train!r}, expected 1 ... {most}")
    images = _enlarge(raw.reshape(-1, 8, 8) / 16, size)[:, None].astype(np.float32)
    # RandomState, because its streams are frozen: a checkpoint must never meet its training images in a later test set.
    random = np.random.RandomState(seed)
    order = random.permutation(len(labels))
    angles = random.uniform(-np.pi, np.pi, len(labels)) if rotated else np.zeros(len(labels))

    def part(chosen: NDArray[np.int64]) -> Split:
        turned = np.clip(rotate(images[chosen], angles[chosen]), 0, 1)
        return Split(turned, labels[chosen].astype(np.int64), angles[chosen], "scikit-learn digits")

    test, valid, rest = np.split(order, [TEST, TEST + VALID])
    return Splits(part(rest[:train]), part(valid), part(test))


@cache
def _load() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What `sklearn.datasets.load_digits` returns, from the file that it reads: importing that module takes 74 MB."""
    found = find_spec("sklearn")
    for folder in (found and found.submodule_search_locations) or []:
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            table = np.loadtxt(path, delimiter=",")
            return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    raw, labels = load_digits(return_X_y=True)
    return raw, labels.astype(np.int64)


def inner_side(size: int) -> int:
    """Side of the largest central square whose corners stay inside under any rotation, with equal margins: 17 of 25."""
    inner = int(size / np.sqrt(2))
    return inner - (size - inner) % 2


def _enlarge(images: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """(n, 8, 8) -> (n, size, size) by cubic splines, centred, with a margin; clipped to [0, 1]."""
    side = images.shape[-1]
    inner = inner_side(size)
    # Pixel centres: position p of the enlarged image, measured from its middle, shows position p * side / inner.
    coordinates = (np.arange(size) - (size - 1) / 2) * side / inner + (side - 1) / 2
    # Splines are linear in the image and separable, so one matrix, found from unit vectors, enlarges both axes.
    matrix = np.stack([ndimage.map_coordinates(e, [coordinates], order=3, mode="grid-constant") for e in np.eye(side)])
    return np.clip(np.einsum("ip,nij,jq->npq", matrix, images, matrix), 0, 1)
