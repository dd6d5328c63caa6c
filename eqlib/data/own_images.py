"""A reader's own images of digits, brought into the form that the networks were trained on, or refused.

That form: bright ink on 0, one channel, and the digit as large and as central as those of `digits` or, for 28 pixels, of MNIST.
A network says nothing about images of another form, it just reads them wrongly (docs/data_digits.md has figures).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from .callers import outside
from .scikit_digits import inner_side

Array = NDArray[np.float32]

MNIST = 28  # pixels of a side; the digit takes 20 of them, and its centre of mass is that of the image
#: A digit's extent, averaged over all directions, in units of the longer side of its upright frame: 0.92 +- 0.04 in `digits`.
#: Unlike the frame it does not depend on how the digit is turned.
EXTENT = 0.92
#: 99 of 100 digits have an extent that differs from the mean by less, and a middle no farther from the picture's, in its side.
SIMILAR, CENTRAL = 0.12, 0.08
ANGLES = np.pi * np.arange(36) / 36
INK = 0.25  # of the brightest pixel
CELLS = 8  # across a digit of `digits`: its grey levels are shares of ink in such cells
#: Width of strokes in units of the extent: thinner ones than in any digit of `digits`, and as in the middle one of them.
THIN, WIDE = 0.12, 0.20
FINE = 128  # pixels of a side on which strokes, and large pictures' contrast, are measured
CONTRAST = 0.1  # of black and white: what differs by less is paper


def as_images(pixels: Any, size: int | None = None, *, ink: str = "auto") -> Array:
    """Pictures of digits as the networks take them, (n, 1, size, size), float32, bright ink on 0, at most 1.

    pixels: an array (h, w), (n, h, w), (n, 1, h, w), or colour (h, w, 3 or 4), (n, h, w, 3 or 4); a PIL image, the path of a
    picture, or a list of them. Whole numbers are levels 0 ... 255, other numbers lie in [0, 1].
    size: side in pixels that the network was trained on; None leaves the images as large as they are. Pictures of another
    size are resampled: whole where the digit takes as much of the picture as a training digit does, else about the digit.
    Strokes thinner than in training are made wider (for 28 pixels, MNIST's, they are left alone). An image of this very size is
    not looked at further.
    ink: "bright" on dark, as in training; "dark" on bright, which is inverted; "auto": inverted where the border is bright.
    One UserWarning says what was converted. Raises ValueError for what could mean more than one thing: levels beyond these
    ranges, whole numbers of at most 16, NaN, a border that is neither bright nor dark, other shapes, and for a picture without
    ink; FileNotFoundError.

    >>> drawn = np.full((40, 40), 255, np.uint8)  # a black stroke on white paper
    >>> drawn[8:32, 19:22] = 0
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     images = as_images(drawn, size=21)
    >>> images.shape, float(images.max()), float(images[0, 0, 0, 0])
    ((1, 1, 21, 21), 1.0, 0.0)
    >>> print(said[0].message)
    as_images: 0 ... 255 to 0 ... 1, dark ink inverted, 40 x 40 to 21 x 21 pixels
    """
    if ink not in ("auto", "bright", "dark"):
        raise ValueError(f'ink: got {ink!r}, expected "auto", "bright" or "dark"')
    if size is not None and size < 13:
        raise ValueError(f"size: got {size!r}, expected at least 13 pixels")
    done: list[str] = []
    grey = _grey(pixels, done)
    images = [_on_zero(image, ink, done) for image in grey]
    shapes = {image.shape for image in images}
    if size is None and (len(shapes) > 1 or any(h != w for h, w in shapes)):
        raise ValueError(
            f"pixels: got images of {sorted(shapes)} pixels, expected squares of one size, or the argument size"
        )
    if not all(_has_ink(image) for image in grey):
        raise ValueError("pixels: got a picture without ink, expected a digit")
    if size is not None:
        images = [image if image.shape == (size, size) else _fit(image, size, done) for image in images]
    if done:
        warnings.warn(f"as_images: {', '.join(dict.fromkeys(done))}", UserWarning, stacklevel=outside())
    side = size or max((h for h, _ in shapes), default=0)
    return np.reshape(images, (len(images), 1, side, side)).astype(np.float32).clip(0, 1)


def check_images(images: Any, size: int) -> None:
    """Raise ValueError unless these are images as a network for `size` pixels was trained on; `as_images` makes such.

    images: (n, 1, size, size), array or tensor, finite, within -0.2 ... 1.2 (turning by splines overshoots), with a dark border.

    >>> check_images(np.full((3, 1, 21, 21), 255.0), size=21)
    Traceback (most recent call last):
    ...
    ValueError: images: got values of 0 ... 255, expected 0 ... 1: see data.as_images
    """
    found = np.asarray(images)
    if found.ndim != 4 or found.shape[1:] != (1, size, size):
        raise ValueError(f"images: got shape {found.shape}, expected (n, 1, {size}, {size}): see data.as_images")
    low, high = (float(f(found, initial=0)) for f in (np.min, np.max))
    if not (-0.2 <= low and high <= 1.2):  # NaN fails too
        raise ValueError(f"images: got values of {low:.4g} ... {high:.4g}, expected 0 ... 1: see data.as_images")
    bright = [i for i, image in enumerate(found[:, 0]) if _border(image).mean() > 0.5]
    if bright:
        raise ValueError(
            f"images: got a bright border in image {bright[0]}, expected bright ink on 0: see data.as_images"
        )


def _grey(pixels: Any, done: list[str]) -> list[Array]:
    """Grey images (h, w) in [0, 1]."""
    if isinstance(pixels, str | Path):
        with Image.open(pixels) as picture:
            return _grey(picture, done)
    if isinstance(pixels, Image.Image):
        if pixels.mode in ("I", "F") or pixels.mode.startswith("I;"):
            raise ValueError(f"pixels: got a picture of mode {pixels.mode}, expected 8 bits a channel")
        transparent = "A" in pixels.mode or "transparency" in pixels.info
        plain = pixels.mode if pixels.mode in ("1", "L") and not transparent else "RGBA" if transparent else "RGB"
        return _grey(np.asarray(pixels.convert(plain)), done)
    if isinstance(pixels, list | tuple) and pixels and isinstance(pixels[0], str | Path | Image.Image):
        return [image for one in pixels for image in _grey(one, done)]
    array = np.asarray(pixels)
    colour = array.ndim in (3, 4) and array.shape[-1] in (3, 4)
    shape = array.shape[:-1] if colour else array.shape
    whole = len(shape) in (2, 3) or (len(shape) == 4 and shape[1] == 1)
    if not whole or 0 in shape[-2:]:
        raise ValueError(
            f"pixels: got shape {array.shape}, expected (h, w), (n, h, w), (n, 1, h, w), (h, w, 3 or 4) or (n, h, w, 3 or 4)"
        )
    array = _levels(array, done)
    if colour:
        done.append("colours to grey")
        grey = array[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)  # Rec. ITU-R BT.601
        if array.shape[-1] == 4:  # on white paper if what is drawn is dark, else on black
            alpha = array[..., 3]
            paper = float((grey * alpha).sum() < 0.5 * alpha.sum())
            grey = alpha * grey + (1 - alpha) * paper
        array = grey
    return list(array.reshape(-1, *array.shape[-2:]))


def _levels(array: NDArray[Any], done: list[str]) -> Array:
    """Any dtype -> float32 in [0, 1]."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"pixels: got dtype {array.dtype}, expected numbers")
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if array.dtype.kind in "iu":
        if low < 0 or high > 255 or 0 < high <= 16:
            raise ValueError(
                f"pixels: got whole numbers of {low:.0f} ... {high:.0f}, expected 0 ... 255; divide other levels by that of white"
            )
        done.append("0 ... 255 to 0 ... 1")
        return (array / 255).astype(np.float32)
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # NaN fails too
        raise ValueError(
            f"pixels: got numbers of {low:.4g} ... {high:.4g}, expected 0 ... 1, or 0 ... 255 in an integer dtype"
        )
    return array.astype(np.float32).clip(0, 1)


def _border(image: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])


def _on_zero(image: Array, ink: str, done: list[str]) -> Array:
    """Bright ink on 0."""
    border = float(_border(image).mean())
    if ink == "auto" and 0.4 < border < 0.6:
        raise ValueError(
            f'pixels: got a border of mean {border:.2f}, expected a bright or a dark one, or ink="bright" or "dark"'
        )
    if ink == "dark" or (ink == "auto" and border > 0.5):
        done.append("dark ink inverted")
        image = 1 - image
    paper = float(np.median(_border(image)))
    if 0.05 < paper < 1:
        done.append("grey background to 0 and ink to 1")
        image = ((image - paper) / max(float(image.max()) - paper, 1e-6)).clip(0, 1)
    return image


def _has_ink(image: Array) -> bool:
    """Whether anything stands out from the paper; in cells of a large picture, where the paper's noise averages out."""
    longer = max(image.shape)
    if longer > FINE:
        height, width = (max(1, side * FINE // longer) for side in image.shape)
        image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
    return bool(np.ptp(image) > CONTRAST)


def _fit(image: Array, size: int, done: list[str]) -> Array:
    """(h, w) -> (size, size), the digit as large and as central as in training."""
    done.append(f"{image.shape[0]} x {image.shape[1]} to {size} x {size} pixels")
    extent, centre = _place(image)
    if size != MNIST and (wider := _widened(image, extent, centre, done)) is not None:
        image = wider
        extent, centre = _place(image)
    inner = 20 if size == MNIST else inner_side(size)
    side = extent / (EXTENT * inner) * size  # of the square that becomes the image
    longer, middle = max(image.shape), np.array(image.shape) / 2
    if abs(side / longer - 1) < SIMILAR and np.abs(centre - middle).max() < CENTRAL * longer:
        side, centre = longer, middle  # laid out as in training: the digit's own size and place are part of the picture
    elif size == MNIST:
        centre = (image[..., None] * np.moveaxis(np.indices(image.shape), 0, -1)).sum((0, 1)) / image.sum() + 0.5
    margin = int(side) + 2  # room for the square wherever it lies
    top, left = centre + margin - side / 2
    ink = image[image > INK]
    # Training digits have grey edges; those of a drawing in ink and paper alone appear where cells are averaged.
    crisp = size != MNIST and side > 2 * size and ((ink < 0.8).mean() if ink.size else 1) < 0.25
    first = round(CELLS / inner * size) if crisp else size
    picture = Image.fromarray(np.pad(image, margin).astype(np.float32))
    cut = picture.resize((first, first), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return np.asarray(cut.resize((size, size), Image.Resampling.BICUBIC))


def _place(image: Array) -> tuple[float, NDArray[np.float64]]:
    """Extent of the ink, averaged over all directions, and its middle (row, column), in pixels."""
    points = np.argwhere(image > INK * image.max()) + 0.5
    directions = np.stack([np.cos(ANGLES), np.sin(ANGLES)])
    high, low = (points @ directions).max(0) + 0.5, (points @ directions).min(0) - 0.5
    return float((high - low).mean()), np.linalg.lstsq(directions.T, (high + low) / 2, rcond=None)[0]


def _widened(image: Array, extent: float, centre: NDArray[np.float64], done: list[str]) -> Array | None:
    """The digit on FINE x FINE pixels and a margin, its strokes as wide as in training; None if they are not thin."""
    margin = int(extent) + 2  # room for the square wherever it lies
    top, left = centre + margin - 0.6 * extent
    box = (left, top, left + 1.2 * extent, top + 1.2 * extent)
    page = Image.fromarray(np.pad(image, margin).astype(np.float32))
    fine = np.asarray(page.resize((FINE, FINE), Image.Resampling.BICUBIC, box=box)).clip(0, 1)
    extent = FINE / 1.2
    ink = np.pad(fine > 0.5 * fine.max(), 1)
    # Across a stroke of n pixels the distance to the nearest one without ink is (n + 2) / 4 on average.
    width = 4 * float(ndimage.distance_transform_edt(ink)[ink].mean()) - 2
    if width > THIN * extent:
        return None
    radius = (WIDE * extent - width) / (1 - WIDE) / 2  # the extent grows as well
    done.append("thin strokes made wider")
    reach = int(np.ceil(radius))
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= radius
    return ndimage.grey_dilation(np.pad(fine, reach + 2), footprint=disc)
