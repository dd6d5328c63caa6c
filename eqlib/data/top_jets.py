"""Top and QCD jets: 10,000 simulated ones that the package ships, for the Lorentz group's networks and their rivals.

Raw momenta are (E, px, py, pz) in GeV, metric (+,-,-,-), float64. What a network is given are components of
`groups.Lorentz().vector`, light-cone coordinates about the jet's own axis: ((E+pz)/sqrt2, (E-pz)/sqrt2, px, py), z along
the jet, formed once in float64. How the jets were made: docs/data_jets.md, tools/make_jets.py.
"""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .nsubjettiness import padded

Array = NDArray[np.float64]

FILE = Path(__file__).with_name("files") / "jets.npz"
SHA256 = "e500cb250f6e59ad44f42e8f771b8c81504b5c200e158fbc55377fc52833407d"
SPLITS = ("train", "valid", "test")
MOST = 128  # constituents of a jet, the hardest ones

#: pT = LEAST exp(PT_STEP k), k uint16: 0.01 GeV ... 1 TeV with an error below 0.009 %. Angles = ANGLE_STEP k, k int16.
LEAST, PT_STEP, ANGLE_STEP = 0.01, np.log(1e5) / 65535, 5e-5

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


@dataclass(frozen=True, eq=False)
class Jets:
    """n jets with N constituents in all; `training.fit` takes it as it is.

    labels: (n,), int64, 1 for top and 0 for QCD.
    axis: (n, 3), float64: pT in GeV, pseudorapidity eta and phi of the jet as it was clustered.
    offsets: (n + 1,), int64: jet i has constituents offsets[i] ... offsets[i + 1], by falling pT.
    constituents: (N, 3), float64: pT in GeV, eta - eta(axis), phi - phi(axis). All are massless.
    taus: (n, 3), float64: tau_1, tau_2, tau_3 of `subjettiness`.
    inputs: (n, particles, 4), components of `groups.Lorentz().vector` in GeV, zero where there is no particle.
    mask: (n, particles), bool: which particles there are.
    recipe: seed, versions and settings they were made with.
    """

    labels: NDArray[np.int64]
    axis: Array
    offsets: NDArray[np.int64]
    constituents: Array
    taus: Array
    inputs: NDArray[Any]
    mask: NDArray[np.bool_]
    recipe: dict[str, Any]

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.int64]]:
        """Inputs, mask and labels of these indices."""
        return self.inputs[indices], self.mask[indices], self.labels[indices]

    def momenta(self, particles: int = MOST) -> tuple[Array, NDArray[np.bool_]]:
        """Raw momenta of the hardest particles, (n, particles, 4) as (E, px, py, pz) in GeV, zero-padded; and the mask."""
        return lab_momenta(self.axis, self.offsets, self.constituents, particles)


class Observables(NamedTuple):
    """What taggers used before networks, each (n,), float64; 0 for a jet without constituents.

    mass and pt in GeV; multiplicity: number of constituents; tau21 = tau_2 / tau_1 and tau32 = tau_3 / tau_2.
    """

    mass: Array
    pt: Array
    multiplicity: Array
    tau21: Array
    tau32: Array


def jets(
    split: str = "train",
    particles: int = MOST,
    *,
    number: int | None = None,
    dtype: DTypeLike = np.float32,
    path: Path | str | None = None,
    checksum: str | None = SHA256,
) -> Jets:
    """The shipped jets: 6,000 "train", 1,000 "valid" or 3,000 "test", half of each tops; needs no network.

    particles: how many of a jet's hardest particles `inputs` holds. number: only the first so many jets of the split; of
    each pair that begins at an even place one is a top. dtype: of `inputs`, np.float32 or np.float64.
    path: another file that tools/make_jets.py wrote. checksum: its SHA-256; None: not checked.
    Raises ValueError for an unknown split, a number that cannot be, another dtype, and for a truncated, damaged or
    other file, naming it; FileNotFoundError if there is none.
    """
    if split not in SPLITS:
        raise ValueError(f"split: got {split!r}, expected one of {SPLITS}")
    arrays, recipe = read(FILE if path is None else Path(path), checksum)
    place = SPLITS.index(split)
    first, most = int(arrays["splits"][:place].sum()), int(arrays["splits"][place])
    number = most if number is None else number
    if not 1 <= number <= most:
        raise ValueError(f"number: got {number!r}, expected 1 ... {most}, the jets of split {split!r}")
    chosen = slice(first, first + number)
    axis, offsets, constituents = unpack(arrays, first, number)
    inputs, mask = network_input(*lab_momenta(axis, offsets, constituents, MOST), particles, dtype)
    chosen = slice(first, first + number)
    labels, taus = arrays["labels"][chosen].astype(np.int64), arrays["taus"][chosen].astype(np.float64)
    return Jets(labels, axis, offsets, constituents, taus, inputs, mask, recipe)


def network_input(
    momenta: ArrayLike,
    mask: ArrayLike,
    particles: int | None = None,
    dtype: DTypeLike = np.float64,
    mass: ArrayLike = 0.0,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Components of `groups.Lorentz().vector` with each jet's axis turned to z, formed in float64.

    momenta: (n, p, 4), raw (E, px, py, pz) in GeV, boosted or not. mask: (n, p), bool. particles: keep the first so many of
    each jet, or fill up with zeros; by default p. dtype: of the result, np.float32 or np.float64. mass: of the particles,
    one number or (n, p), GeV; those of the shipped jets have none.
    The axis is the sum of all p momenta. x points along increasing theta, y along increasing phi, z along the axis. Then
    E - z = (m^2 + x^2 + y^2) / (E + z): the difference itself has lost the digits that a narrow jet's mass is made of.
    Returns ((n, particles, 4), (n, particles)), zero where the mask is False.
    Raises ValueError for other shapes, NaN or inf, particles < 1, and energies that do not fit momentum and mass.
    """
    momenta, mask = padded(momenta, mask)
    particles = momenta.shape[1] if particles is None else particles
    if particles < 1:
        raise ValueError(f"particles: got {particles!r}, expected at least 1")
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype: got {dtype!r}, expected np.float32 or np.float64")
    mass = np.where(mask, np.broadcast_to(np.asarray(mass, dtype=np.float64), mask.shape), 0.0)
    energy = np.sqrt(mass**2 + (momenta[..., 1:] ** 2).sum(-1))
    if not np.allclose(energy, momenta[..., 0], rtol=1e-5, atol=1e-9):
        worst = np.unravel_index(np.abs(energy - momenta[..., 0]).argmax(), mask.shape)
        raise ValueError(
            f"momenta: got an energy of {momenta[worst][0]:.6g} GeV, expected {energy[worst]:.6g} for the momentum "
            f"{momenta[worst][1:]} and mass {mass[worst]:.6g}: raw (E, px, py, pz) in GeV"
        )
    x, y, z = np.moveaxis(np.einsum("nij,npj->npi", _frames(momenta.sum(1)[:, 1:]), momenta[..., 1:]), -1, 0)
    large = energy + np.abs(z)
    small = (mass**2 + x**2 + y**2) / np.where(large > 0, large, 1.0)
    plus, minus = np.where(z < 0, small, large), np.where(z < 0, large, small)
    inputs = np.stack([plus / np.sqrt(2), minus / np.sqrt(2), x, y], -1)
    missing = max(particles - momenta.shape[1], 0)
    inputs = np.pad(inputs[:, :particles], ((0, 0), (0, missing), (0, 0)))
    return inputs.astype(dtype), np.pad(mask[:, :particles], ((0, 0), (0, missing)))


def observables(jets: Jets) -> Observables:
    """Mass, pT, multiplicity, tau21 and tau32 of each jet, from all its constituents, in float64."""
    return observe(*jets.momenta(), jets.taus)


def observe(momenta: ArrayLike, mask: ArrayLike, taus: Array) -> Observables:
    """`observables` of any raw momenta (n, particles, 4), GeV, boosted or not, with their mask and `subjettiness` (n, 3)."""
    momenta, mask = padded(momenta, mask)
    inputs, _ = network_input(momenta, mask)
    plus, minus, x, y = inputs.sum(1).T
    total = momenta.sum(1)
    ratios = [np.where(taus[:, n] > 0, taus[:, n + 1] / np.where(taus[:, n] > 0, taus[:, n], 1), 0.0) for n in (0, 1)]
    mass = np.sqrt(np.maximum(2 * plus * minus - x**2 - y**2, 0.0))
    return Observables(mass, np.hypot(total[:, 1], total[:, 2]), mask.sum(1).astype(np.float64), *ratios)


def read(path: Path, checksum: str | None) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays of FORM and the recipe, checked; see `jets`. Objects (pickles) are refused."""
    content = path.read_bytes()
    if checksum is not None and (found := hashlib.sha256(content).hexdigest()) != checksum:
        raise ValueError(f"{path}: wrong checksum: got SHA-256 {found}, expected {checksum}: truncated or another file")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in FORM}
            recipe = json.loads(str(file["recipe"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: got a damaged file or another one ({error}), expected jets of make_jets.py"
        ) from error
    n, constituents = arrays["labels"].size, arrays["pt"].size
    shapes = {"offsets": (n + 1,), "pt": (constituents,), "angles": (constituents, 2), "axis": (n, 3)}
    for name, shape in (shapes | {"labels": (n,), "taus": (n, 3), "splits": (3,)}).items():
        if arrays[name].shape != shape or arrays[name].dtype != FORM[name]:
            raise ValueError(
                f"{path}: {name}: got {arrays[name].dtype} {arrays[name].shape}, expected {np.dtype(FORM[name])} {shape}"
            )
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
    return arrays, recipe


def unpack(arrays: dict[str, NDArray[Any]], first: int, number: int) -> tuple[Array, NDArray[np.int64], Array]:
    """axis, offsets and constituents, as in `Jets`, of so many jets of the file's arrays."""
    offsets = arrays["offsets"][first : first + number + 1].astype(np.int64)
    part = slice(offsets[0], offsets[-1])
    pt, angles = LEAST * np.exp(PT_STEP * arrays["pt"][part]), ANGLE_STEP * arrays["angles"][part]
    axis = arrays["axis"][first : first + number].astype(np.float64)
    return axis, offsets - offsets[0], np.column_stack([pt, angles])


def lab_momenta(
    axis: Array, offsets: NDArray[np.int64], constituents: Array, particles: int
) -> tuple[Array, NDArray[np.bool_]]:
    """Ragged (pT, eta, phi) about the axis -> padded (n, particles, 4) in the lab, and the mask."""
    if particles < 1:
        raise ValueError(f"particles: got {particles!r}, expected at least 1")
    count = np.diff(offsets)
    jet = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(jet)) - offsets[jet]
    pt, eta, phi = constituents[:, 0], constituents[:, 1] + axis[jet, 1], constituents[:, 2] + axis[jet, 2]
    four = np.column_stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])
    kept = place < particles
    momenta = np.zeros((len(count), particles, 4))
    momenta[jet[kept], place[kept]] = four[kept]
    return momenta, np.arange(particles) < count[:, None]


def _frames(total: Array) -> Array:
    """Rotations (n, 3, 3) whose rows are the unit vectors of theta, phi and r at each total momentum (n, 3)."""
    phi = np.arctan2(total[:, 1], total[:, 0])
    theta = np.arctan2(np.hypot(total[:, 0], total[:, 1]), total[:, 2])
    c, s, zero = np.cos(phi), np.sin(phi), np.zeros(len(total))
    rows = [[np.cos(theta) * c, np.cos(theta) * s, -np.sin(theta)], [-s, c, zero]]
    rows.append([np.sin(theta) * c, np.sin(theta) * s, np.cos(theta)])
    return np.moveaxis(np.array(rows), -1, 0)
