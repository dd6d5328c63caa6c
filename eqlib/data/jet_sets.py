"""Jets of any source, shipped, public or a reader's own, and what a tagger is given of them.

Raw momenta are (E, px, py, pz) in GeV, metric (+,-,-,-), float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eqlib import groups

from .light_cone import network_input
from .nsubjettiness import MOST

Array = NDArray[np.float64]

PARTICLES = 50  # of a jet are what taggers are given unless told otherwise
AT_ONCE = 500  # jets
# What may be known of jets, an entry for each jet, and for each particle beside its momentum.
OF_JETS, OF_PARTICLES = ("labels", "axis", "taus"), ("mass", "constituents", "extra")
ORDERS = ("invariant", "pt")
EXTRA = ("stored", "beam")
SPACE_LIKE = 2e-5  # m^2 below -SPACE_LIKE E^2 is no rounding; `network_input` allows energies to be off by half of it


@dataclass(frozen=True, eq=False, repr=False)
class Jets:
    """n jets with N particles in all, as they were measured: `jets`, `reference_jets` and `Jets.from_momenta` make them.

    particles: (N, 4), float64, raw (E, px, py, pz) in GeV; those of a jet by falling pT, as pT was before any `moved`, or as
    `ordered` sorted them.
    offsets: (n + 1,), int64: jet i has particles offsets[i] ... offsets[i + 1]; none is a jet too.
    most: how many particles `momenta` gives unless told otherwise.
    labels: (n,), int64, classes, 1 for top and 0 for QCD; None where nobody knows.
    mass: (N,), float64, GeV, of each particle; None where all are massless.
    axis: (n, 3), float64: pT in GeV, pseudorapidity eta and phi of each jet as it was clustered; None if not known.
    constituents: (N, 3), float64: pT in GeV, eta - eta(axis), phi - phi(axis), with `axis`.
    extra: (N, k), float32: other numbers of each particle that no transformation changes, such as its type, or None.
    taus: (n, 3), float64: tau_1, tau_2, tau_3 of `subjettiness`; None where they have yet to be computed.
    recipe: seed, versions and settings they were made with, if known.

    >>> jets = Jets.from_momenta([[[5, 3, 0, 4], [13, 0, 5, 12]], []], labels=[1, 0])  # two particles, and none
    >>> jets
    Jets(2 jets, 2 particles, labelled)
    >>> momenta, mask = jets.momenta()
    >>> momenta.shape, mask.sum(1).tolist()
    ((2, 2, 4), [2, 0])
    >>> fast = jets.moved(groups.Lorentz().element([0, 0, 0, 0, 0, 1.0]))  # rapidity 1 along z
    >>> bool(fast.momenta()[0][0, 0, 0] > 13)
    True
    """

    particles: Array
    offsets: NDArray[np.int64]
    most: int
    labels: NDArray[np.int64] | None = None
    mass: Array | None = None
    axis: Array | None = None
    constituents: Array | None = None
    taus: Array | None = None
    extra: NDArray[np.float32] | None = None
    recipe: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_momenta(
        cls,
        momenta: ArrayLike | Sequence[ArrayLike],
        mask: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        extra: ArrayLike | Sequence[ArrayLike] | None = None,
    ) -> Jets:
        """A reader's own jets.

        momenta: (n, p, 4), or a list of n arrays (p_i, 4): raw (E, px, py, pz) in GeV, in any order of the particles.
        mask: (n, p), bool, which particles there are; by default those that are not four zeros. labels: (n,), whole numbers
        from 0, or None. extra: (n, p, k), or a list of n arrays (p_i, k): other numbers of each particle, or None.
        A jet without particles is an input like any other.
        A particle's mass is that of its E and p. m^2 within the rounding of the momenta's dtype, or below 0 by at most 2e-5 E^2,
        counts as 0, and E is then set to |p|.
        Raises ValueError for other shapes and dtypes, NaN or inf, a negative energy, and a space-like momentum.
        """
        rows, counts, eps = _rows(momenta)
        jet = np.repeat(np.arange(len(counts)), counts)
        there = rows.any(1)
        if mask is not None:
            m, shape = np.asarray(mask, dtype=bool), (len(counts), int(counts.max(initial=0)))
            if (counts != shape[1]).any() or m.shape != shape:
                raise ValueError(f"mask: got shape {m.shape}, expected one for each particle of an array (n, p, 4)")
            there = m.ravel()
        others = None if extra is None else _others(extra, counts)[there]
        rows, jet = rows[there], jet[there]
        counts = np.bincount(jet, minlength=len(counts))
        order = np.lexsort((-np.hypot(rows[:, 1], rows[:, 2]), jet))
        rows, others = rows[order], None if others is None else others[order]
        length = np.linalg.norm(rows[:, 1:], axis=1)
        square = (rows[:, 0] - length) * (rows[:, 0] + length)
        for wrong, what in (
            (~np.isfinite(rows).all(1), "NaN or inf"),
            (rows[:, 0] < 0, "a negative energy"),
            (square < -SPACE_LIKE * rows[:, 0] ** 2, "a space-like momentum"),
            (rows[:, 0] > MOST, f"an energy of {rows[:, 0].max(initial=0.0):.2g}"),
        ):
            if wrong.any():
                where = int(wrong.argmax())
                raise ValueError(
                    f"momenta: got {what}, {rows[where].tolist()} in jet {jet[where]}, expected (E, px, py, pz) in GeV "
                    "with E >= |p|"
                )
        massive = square > 8 * eps * rows[:, 0] ** 2
        rows[:, 0] = np.where(massive, rows[:, 0], length)
        mass = np.sqrt(np.where(massive, square, 0.0)) if massive.any() else None
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return cls(rows, offsets, max(int(counts.max(initial=0)), 1), _labels(labels, len(counts)), mass, extra=others)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, chosen: slice) -> Jets:
        """Some jets that lie side by side, `jets[10:20]`. ValueError for anything but a slice without a step."""
        if not isinstance(chosen, slice) or chosen.step not in (None, 1):
            raise ValueError(f"chosen: got {chosen!r}, expected a slice of jets, such as 10:20")
        first, last, _ = chosen.indices(len(self))
        last = max(first, last)
        own = slice(self.offsets[first], self.offsets[last])
        of_jets = {name: getattr(self, name) for name in OF_JETS}
        parts: dict[str, Any] = {name: None if x is None else x[first:last] for name, x in of_jets.items()}
        return replace(self._taken(own), offsets=self.offsets[first : last + 1] - self.offsets[first], **parts)

    def __repr__(self) -> str:
        labelled = "unlabelled" if self.labels is None else "labelled"
        return f"Jets({len(self)} jets, {len(self.particles):,} particles, {labelled})"

    def momenta(self, particles: int | None = None) -> tuple[Array, NDArray[np.bool_]]:
        """The first particles, (n, particles, 4) as (E, px, py, pz) in GeV, zero-padded, and the mask (n, particles).

        particles: `most` by default. The first ones are the hardest, of jets as they came; see `ordered` and `moved`.
        """
        particles = self.most if particles is None else particles
        return self._padded(self.particles, particles), np.arange(particles) < np.diff(self.offsets)[:, None]

    def masses(self, particles: int | None = None) -> Array:
        """Of the same particles, (n, particles), GeV, zero-padded: `network_input` takes them."""
        mass = np.zeros(len(self.particles)) if self.mass is None else self.mass
        return self._padded(mass, self.most if particles is None else particles)

    def moved(self, g: groups.Element) -> Jets:
        """Every jet by its own Lorentz transformation, or all by one; labels and masses stay, axis and taus do not.

        g: n elements of `groups.Lorentz()` or one. The order of the particles stays, so `momenta(50)` are the same particles
        as before; `moved(g).ordered("pt").momenta(50)` are the hardest of the moved jets, which may be others.
        """
        if not isinstance(g.group, groups.SL2C):
            raise ValueError(f"g: got an element of {g.group}, expected one of {groups.Lorentz()}")
        if len(g) not in (1, len(self)):
            raise ValueError(f"g: got {len(g)} elements, expected 1 or {len(self)}, one for each jet")
        momenta, mask = self.momenta(max(int(np.diff(self.offsets).max(initial=0)), 1))
        moved = (momenta @ g.group.matrix(g).swapaxes(1, 2))[mask]
        return replace(self, particles=moved, axis=None, constituents=None, taus=None)

    def ordered(self, by: str) -> Jets:
        """The same jets, the particles of each sorted anew, so that `momenta` and `masses` give other ones first.

        by: "pt", falling pT as it is now, which boosts and turns change. "invariant", falling p.P, where P is the sum of all
        particles of the jet: their energies in its rest frame times its mass, which no Lorentz transformation changes. p and
        P are light-cone components about P in float64, where p.P is a sum of positive terms: boosted by gamma = 1000 it is the
        same to 1e-9, and E E' - p.p' is off by 5e-5. Equal particles keep their order; between different ones with the same
        p.P rounding decides, as it does in a jet without mass, all of whose p.P are 0.
        Raises ValueError for another `by`.

        >>> jets = Jets.from_momenta([[[5, 3, 0, 4], [6, 0, 0, 6], [2, -2, 0, 0]]])
        >>> jets.ordered("invariant").momenta()[0][0, :, 0].tolist()  # p.P = 28, 22, 18 with P = (13, 1, 0, 10)
        [2.0, 5.0, 6.0]
        """
        if by not in ORDERS:
            raise ValueError(f"by: got {by!r}, expected one of {ORDERS}")
        count = np.diff(self.offsets)
        if by == "pt":
            size = np.hypot(self.particles[:, 1], self.particles[:, 2])
        else:
            most = max(int(count.max(initial=0)), 1)
            momenta, mask = self.momenta(most)
            p, _ = network_input(momenta, mask, mass=self.masses(most))
            size = np.einsum("npi,ij,nj->np", p, groups.Lorentz().metric, p.sum(1))[mask]
        return self._taken(np.lexsort((-size, np.repeat(np.arange(len(self)), count))))

    def only(self, kept: ArrayLike) -> Jets:
        """The same jets with some of their particles, as another detector might see them; none is a jet too.

        kept: (N,), bool, which particles stay, of all jets one after the other as in `particles` and `extra`.
        Labels and axis stay, taus do not: they were of all particles. ValueError for another shape or dtype.

        >>> jets = Jets.from_momenta([[[5, 3, 0, 4], [13, 0, 5, 12]], [[2, 2, 0, 0]]])
        >>> soft = jets.only(jets.particles[:, 0] < 10)
        >>> soft, soft.momenta(2)[1].sum(1).tolist()
        (Jets(2 jets, 2 particles, unlabelled), [1, 1])
        """
        k = np.asarray(kept)
        if k.shape != (len(self.particles),) or k.dtype != bool:
            raise ValueError(
                f"kept: got {k.dtype} {k.shape}, expected bool ({len(self.particles)},), one of each particle"
            )
        left = np.concatenate([[0], np.cumsum(k)])[self.offsets]
        return replace(self._taken(np.flatnonzero(k)), offsets=left, taus=None)

    def _taken(self, places: NDArray[np.intp] | slice) -> Jets:
        """The particles at these places, with all that is known of each."""
        others = {name: getattr(self, name) for name in OF_PARTICLES}
        others = {name: None if x is None else x[places] for name, x in others.items()}
        return replace(self, particles=self.particles[places], **others)

    def _padded(self, values: NDArray[Any], particles: int) -> NDArray[Any]:
        """(N, ...) -> (n, particles, ...)"""
        if particles < 1:
            raise ValueError(f"particles: got {particles!r}, expected at least 1")
        jet = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        place = np.arange(len(jet)) - self.offsets[jet]
        kept = place < particles
        out = np.zeros((len(self), particles, *values.shape[1:]), values.dtype)
        out[jet[kept], place[kept]] = values[kept]
        return out


class JetInputs:
    """Some particles of each jet as a tagger takes them; `training.fit` takes them as they are, if they have labels.

    frame: "jet" for components of `groups.Lorentz().vector` about the axis of these particles (`network_input`), which the
    Lorentz group's networks take; "lab" for raw (E, px, py, pz), which ParticleNet takes.
    extra: other numbers of each particle, behind the mask in a batch: "stored", the jets' `extra`; "beam", what a detector
    measures along its beam, log(E / GeV), log(pT / GeV) and pseudorapidity, centred and of order one, which
    boosts and turns change. None: none.
    particles: how many of each jet, the first by `order`. order: "invariant" or "pt", see `Jets.ordered`; "stored", as the
    jets hold them. By default "invariant" in the frame "jet": an invariant network of particles that were chosen by pT is not
    invariant. By default "stored" in the frame "lab": the hardest, as pT was before any `Jets.moved`.

    momenta: (n, particles, 4), GeV, formed in float64 and rounded to float32 at the end. mask: (n, particles), bool.
    extra: (n, particles, k), float32, or None. labels: (n,), int64, or None.

    >>> from eqlib import data
    >>> momenta, mask, labels = JetInputs(data.jets("test", number=10), "jet").batch(np.arange(4))
    >>> momenta.shape, momenta.dtype, mask.shape, labels.tolist()
    ((4, 50, 4), dtype('float32'), (4, 50), [1, 0, 0, 1])
    """

    def __init__(
        self,
        jets: Jets,
        frame: str = "jet",
        particles: int = PARTICLES,
        order: str | None = None,
        extra: str | None = None,
    ) -> None:
        if frame not in ("jet", "lab"):
            raise ValueError(f'frame: got {frame!r}, expected "jet" or "lab"')
        order = order or ("invariant" if frame == "jet" else "stored")
        if order not in (*ORDERS, "stored"):
            raise ValueError(f"order: got {order!r}, expected one of {(*ORDERS, 'stored')}")
        if extra not in (None, *EXTRA):
            raise ValueError(f"extra: got {extra!r}, expected None or one of {EXTRA}")
        if extra == "stored" and jets.extra is None:
            raise ValueError(
                'extra: got "stored" for jets without other numbers of their particles, expected None or "beam"'
            )
        # A few at a time: all particles of thousands of jets, padded, in float64, are larger than what is kept of them.
        parts = [
            _taken(jets[n : n + AT_ONCE], frame, particles, order, extra) for n in range(0, len(jets) or 1, AT_ONCE)
        ]
        momenta, mask, others = (list(columns) for columns in zip(*parts, strict=True))
        self.momenta, self.mask, self.labels = np.concatenate(momenta), np.concatenate(mask), jets.labels
        self.extra = None if extra is None else np.concatenate(others)

    def __len__(self) -> int:
        return len(self.momenta)

    def batch(self, indices: NDArray[np.int64]) -> tuple[Any, ...]:
        """Momenta, mask, extra if there are any, and labels of these indices; None for labels that nobody knows."""
        arrays = [x for x in (self.momenta, self.mask, self.extra) if x is not None]
        return *(x[indices] for x in arrays), None if self.labels is None else self.labels[indices]


def _taken(
    jets: Jets, frame: str, particles: int, order: str, extra: str | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32] | None]:
    """Momenta, mask and extra of `JetInputs`."""
    jets = jets if order == "stored" else jets.ordered(order)
    momenta, mask = jets.momenta(particles)
    others = _along_the_beam(momenta, mask) if extra == "beam" else None
    if extra == "stored" and jets.extra is not None:
        others = jets._padded(jets.extra, particles)
    if frame == "jet":
        momenta, mask = network_input(momenta, mask, mass=jets.masses(particles))
    return momenta.astype(np.float32), mask, others


def _along_the_beam(momenta: Array, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(n, p, 4) -> (n, p, 3): log E, log pT and pseudorapidity, centred and of order one, at most 10 each way."""
    pt = np.maximum(np.hypot(momenta[..., 1], momenta[..., 2]), 1e-8)
    found = np.stack(
        [np.log(np.maximum(momenta[..., 0], 1e-8)) - 1.5, np.log(pt) - 1.5, np.arcsinh(momenta[..., 3] / pt)], -1
    )
    return (np.clip(found, -10, 10) * mask[..., None]).astype(np.float32)


def _rows(momenta: ArrayLike | Sequence[ArrayLike]) -> tuple[Array, NDArray[np.int64], float]:
    """All particles, padding too, (N, 4) float64; how many each jet has, (n,); the relative rounding of their dtype."""
    if isinstance(momenta, list | tuple):
        parts = [np.asarray(p) for p in momenta]
        parts = [p.reshape(0, 4) if p.shape == (0,) else p for p in parts]
        wrong = [p.shape for p in parts if p.ndim != 2 or p.shape[1] != 4]
    else:
        whole = np.asarray(momenta)
        wrong = [] if whole.ndim == 3 and whole.shape[2] == 4 else [whole.shape]
        parts = [] if wrong else list(whole)
    if wrong:
        raise ValueError(f"momenta: got shape {wrong[0]}, expected (n, p, 4), or a list of arrays (p, 4)")
    dtype = np.result_type(*parts) if parts else np.dtype(np.float64)
    if dtype.kind not in "fiu":
        raise ValueError(f"momenta: got dtype {dtype}, expected real numbers")
    rows = np.concatenate([np.zeros((0, 4)), *parts]).astype(np.float64)
    counts = np.array([len(p) for p in parts], dtype=np.int64)
    return rows, counts, float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)


def _others(extra: ArrayLike | Sequence[ArrayLike], counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Other numbers of all particles, padding too, (N, k)."""
    parts = [np.asarray(e) for e in extra]  # type: ignore[union-attr]
    shapes = [e.shape for e in parts]
    widths = {shape[1:] for shape in shapes if shape[0]} or {(0,)}
    if [shape[:1] for shape in shapes] != [(n,) for n in counts] or len(widths) > 1 or len(min(widths)) != 1:
        raise ValueError(f"extra: got shapes {shapes[:3]}, expected (p, k) for each jet, p as of its momenta")
    (width,) = widths
    rows = np.concatenate([np.zeros((0, *width)), *(e for e in parts if len(e))]).astype(np.float32)
    if not np.isfinite(rows).all():
        raise ValueError("extra: got NaN or inf, expected finite numbers")
    return rows


def _labels(labels: ArrayLike | None, number: int) -> NDArray[np.int64] | None:
    if labels is None:
        return None
    found = np.asarray(labels)
    if found.shape != (number,):
        raise ValueError(f"labels: got shape {found.shape}, expected ({number},), one for each jet")
    if found.dtype.kind not in "biuf":
        raise ValueError(f"labels: got {found.tolist()[:1]} of {found.dtype}, expected whole numbers from 0 on")
    if found.dtype.kind == "f" or found.min(initial=0) < 0:
        raise ValueError(f"labels: got {found.dtype} from {found.min(initial=0)} on, expected whole numbers from 0 on")
    return found.astype(np.int64)
