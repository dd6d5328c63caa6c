"""Top and QCD jets: 10,000 simulated ones that the package ships, for the Lorentz group's networks and their baselines.

How they were made: docs/data_jets.md, tools/make_jets.py.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import shipped
from .jet_sets import Jets

Array = NDArray[np.float64]

FILE = Path(__file__).with_name("files") / "jets.npz"
SHA256 = "78cd75dcc38e6967ad716fc0728755aae4d2f8228491f9ff6232722ce764f123"
SPLITS = ("train", "valid", "test")
MOST = 128  # constituents of a jet, the hardest ones
STEEPEST = 20  # pseudorapidity of a jet; a proton's in the beam is 10

#: pT = LEAST exp(PT_STEP k), k uint16: 0.01 GeV ... 1 TeV with an error below 0.009 %. Angles = ANGLE_STEP k, k int16.
LEAST, PT_STEP, ANGLE_STEP = 0.01, np.log(1e5) / 65535, 5e-5

#: What the detector took a particle for: a track, by the sign of its charge, or what a track does not explain in a calorimeter.
KINDS = ("positive", "negative", "photon", "neutral")

#: The file's arrays and their types: n jets, N constituents of all of them.
FORM = {
    "offsets": np.int32,  # (n + 1,): jet i has constituents offsets[i] ... offsets[i + 1]
    "pt": np.uint16,  # (N,)
    "angles": np.int16,  # (N, 2): eta and phi, relative to the jet's axis
    "axis": np.float32,  # (n, 3): pT in GeV, eta, phi
    "labels": np.uint8,  # (n,): 1 for top, 0 for QCD
    "taus": np.float32,  # (n, 3)
    "splits": np.int32,  # (3,): how many jets are train, valid, test, in this order
}
KIND = np.uint8  # (N,), "kinds": of KINDS; files of before have none


def jets(
    split: str = "train",
    number: int | None = None,
    *,
    path: Path | str | None = None,
    checksum: str | None = SHA256,
) -> Jets:
    """The shipped jets: 6,000 "train", 1,000 "valid" or 3,000 "test", half of each tops; needs no network.

    number: only the first so many jets of the split; of each pair that begins at an even place one is a top.
    path: another file that tools/make_jets.py wrote. checksum: its SHA-256; None: not checked.
    All particles are massless, and a jet has at most 128. `extra` are what the detector took a particle for, one-hot, of KINDS.
    Raises ValueError for an unknown split, a number that cannot be, and for a truncated, damaged or other file, naming it;
    FileNotFoundError if there is none.

    >>> test = jets("test", number=10)
    >>> len(test), test.labels.tolist(), test.momenta()[0].shape
    (10, [1, 0, 0, 1, 1, 0, 0, 1, 0, 1], (10, 128, 4))
    """
    shipped.known(split, SPLITS)
    arrays, recipe = read(FILE if path is None else Path(path), checksum)
    return unpack(arrays, recipe, shipped.part(split, number, SPLITS, arrays["splits"].tolist(), "jets"))


def read(path: Path, checksum: str | None) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays of FORM and the recipe, checked; see `jets`. Objects (pickles) are refused."""
    arrays, recipe = shipped.read(path, checksum, FORM, ["kinds"], "jets of make_jets.py")
    n, constituents = arrays["labels"].size, arrays["pt"].size
    shapes = {"offsets": (n + 1,), "pt": (constituents,), "angles": (constituents, 2), "axis": (n, 3)}
    for name, shape in (shapes | {"labels": (n,), "taus": (n, 3), "splits": (3,)}).items():
        _check(path, name, arrays[name], FORM[name], shape)
    if "kinds" in arrays:
        _check(path, "kinds", arrays["kinds"], KIND, (constituents,))
        if arrays["kinds"].max(initial=0) >= len(KINDS):
            raise ValueError(f"{path}: kinds: got {arrays['kinds'].max()}, expected numbers of {KINDS}")
    count = np.diff(arrays["offsets"])
    if arrays["offsets"][0] != 0 or arrays["offsets"][-1] != constituents or count.min(initial=0) < 0:
        found = f"{arrays['offsets'][0]} ... {arrays['offsets'][-1]}, smallest step {count.min(initial=0)}"
        raise ValueError(f"{path}: offsets: got {found}, expected rising ones from 0 to {constituents}")
    if count.max(initial=0) > MOST or arrays["splits"].min() < 0 or arrays["splits"].sum() != n:
        raise ValueError(
            f"{path}: got jets of up to {count.max(initial=0)} constituents, splits {arrays['splits']}, "
            f"expected at most {MOST} and {n} jets in all"
        )
    if arrays["labels"].max(initial=0) > 1:
        raise ValueError(f"{path}: labels: got {arrays['labels'].max()}, expected 0 and 1")
    for name in ("axis", "taus"):
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{path}: {name}: got NaN or inf, expected finite numbers")
    if (steep := np.abs(arrays["axis"][:, 1]).max(initial=0)) > STEEPEST:
        raise ValueError(f"{path}: axis: got a pseudorapidity of {steep:.3g}, expected at most {STEEPEST}")
    return arrays, recipe


def _check(path: Path, name: str, array: NDArray[Any], kind: type, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != kind:
        raise ValueError(f"{path}: {name}: got {array.dtype} {array.shape}, expected {np.dtype(kind)} {shape}")


def unpack(arrays: dict[str, NDArray[Any]], recipe: dict[str, Any], chosen: slice) -> Jets:
    """These jets of the file's arrays."""
    offsets = arrays["offsets"][chosen.start : chosen.stop + 1].astype(np.int64)
    part = slice(offsets[0], offsets[-1])
    offsets -= offsets[0]
    relative = np.column_stack([LEAST * np.exp(PT_STEP * arrays["pt"][part]), ANGLE_STEP * arrays["angles"][part]])
    axis, taus = (arrays[name][chosen].astype(np.float64) for name in ("axis", "taus"))
    around = np.repeat(axis, np.diff(offsets), axis=0)
    pt, eta, phi = relative[:, 0], relative[:, 1] + around[:, 1], relative[:, 2] + around[:, 2]
    particles = np.column_stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])
    return Jets(
        particles=particles,
        offsets=offsets,
        most=MOST,
        labels=arrays["labels"][chosen].astype(np.int64),
        axis=axis,
        constituents=relative,
        taus=taus,
        extra=np.eye(len(KINDS), dtype=np.float32)[arrays["kinds"][part]] if "kinds" in arrays else None,
        recipe=recipe,
    )
