"""Images with labels, turned and shifted.

An image array is (batch, channels, height, width), float32 in [0, 1]; x points to the right and y up, row 0 is on
top, so that `numpy.rot90(images, 1, (-2, -1))` is a turn by +90 degrees, counterclockwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage


@dataclass(frozen=True, eq=False)
class Split:
    """Images and what belongs to each of them; `training.fit` takes it as it is.

    images: (n, 1, height, width), float32 in [0, 1].
    labels: (n,), int64, 0 ... 9. A rotated digit keeps its label.
    angles: (n,), float64, radians counterclockwise: how far each image was turned from upright.
    source: where the images come from, in words.

    >>> split = Split(np.zeros((5, 1, 9, 9), np.float32), np.arange(5), np.zeros(5), "made up")
    >>> images, labels = split.batch(np.array([3, 1]))
    >>> len(split), images.shape, labels.tolist()
    (5, (2, 1, 9, 9), [3, 1])
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    angles: NDArray[np.float64]
    source: str

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Images and labels of these indices."""
        return self.images[indices], self.labels[indices]


class Splits(NamedTuple):
    """Three parts that share no original image.

    >>> from eqlib import data
    >>> [len(part) for part in data.digits(size=13)]
    [1000, 297, 500]
    """

    train: Split
    valid: Split
    test: Split


def rotate(images: ArrayLike, angles: ArrayLike, order: int = 3) -> NDArray[np.float32]:
    """Turn each image counterclockwise about its centre, ((size - 1) / 2, (size - 1) / 2); zero comes in from outside.

    images: (n, channels, size, size), finite. angles: (n,), radians. order: 3 for cubic splines, 1 for bilinear
    interpolation (scipy.ndimage). Cubic splines blur less but overshoot at edges; clip where the range matters, as the
    data sets here do. A multiple of 90 degrees moves pixels and interpolates nothing: it equals `numpy.rot90`.
    Returns (n, channels, size, size), float32.
    Raises ValueError for another shape, for NaN or inf, and for another order.

    >>> image = np.array([[[[0, 0, 0], [0, 0, 1], [0, 0, 0]]]])  # a pixel to the right of the centre
    >>> print(rotate(image, [np.pi / 2])[0, 0])
    [[0. 1. 0.]
     [0. 0. 0.]
     [0. 0. 0.]]
    """
    images = np.asarray(images, dtype=np.float32)
    angles = np.asarray(angles, dtype=np.float64)
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise ValueError(f"images: got shape {images.shape}, expected (n, channels, size, size)")
    if angles.shape != images.shape[:1]:
        raise ValueError(f"angles: got shape {angles.shape}, expected {images.shape[:1]}, one for each image")
    for name, value in (("images", images), ("angles", angles)):
        if not np.isfinite(value).all():
            raise ValueError(f"{name}: got NaN or inf, expected finite numbers")
    if order not in (1, 3):
        raise ValueError(f"order: got {order!r}, expected 1 (bilinear) or 3 (cubic)")

    out = np.empty_like(images)
    turns = np.rint(angles / (np.pi / 2)).astype(np.int64)
    exact = np.abs(angles - turns * (np.pi / 2)) < 1e-9
    for k in range(4):
        chosen = exact & (turns % 4 == k)
        out[chosen] = np.rot90(images[chosen], k, (-2, -1))

    centre = np.full(2, (images.shape[2] - 1) / 2)
    for n in np.flatnonzero(~exact):
        c, s = np.cos(angles[n]), np.sin(angles[n])
        # Output pixel p shows input R^-1 p. In (row, column) coordinates, rows running down, that matrix is:
        back = np.array([[c, s], [-s, c]])
        for image, turned in zip(images[n], out[n], strict=True):
            # A pixel of zeros all round lets the border fade out instead of being cut off.
            ndimage.affine_transform(
                np.pad(image, 1), back, centre + 1 - back @ centre, image.shape, turned, order, mode="constant"
            )
    return out


def shift(images: ArrayLike, steps: ArrayLike) -> NDArray[Any]:
    """Move each image by whole pixels; zero comes in from outside, and what leaves the image is lost.

    images: (n, channels, height, width), of any dtype. steps: (n, 2), whole numbers of pixels: to the right, and up.
    Returns (n, channels, height, width) in the images' dtype.
    Raises ValueError for another shape and for steps that are no integers.

    >>> image = np.array([[[[0, 0], [7, 0]]]])
    >>> print(shift(image, [[1, 1]])[0, 0])  # one pixel to the right and one up
    [[0 7]
     [0 0]]
    """
    images, steps = np.asarray(images), np.asarray(steps)
    if images.ndim != 4:
        raise ValueError(f"images: got shape {images.shape}, expected (n, channels, height, width)")
    if steps.shape != (len(images), 2):
        raise ValueError(f"steps: got shape {steps.shape}, expected {(len(images), 2)}, right and up for each image")
    if not np.issubdtype(steps.dtype, np.integer):
        raise ValueError(f"steps: got dtype {steps.dtype}, expected whole pixels, an integer dtype")
    margin = int(np.abs(steps).max(initial=0))
    padded = np.pad(images, ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    # Row r of the result shows row r + up of the image, because row 0 is on top.
    rows = margin + np.arange(images.shape[2]) + steps[:, 1:]
    columns = margin + np.arange(images.shape[3]) - steps[:, :1]
    number = np.arange(len(images))[:, None, None]
    return np.ascontiguousarray(np.moveaxis(padded[number, :, rows[:, :, None], columns[:, None, :]], -1, 1))
