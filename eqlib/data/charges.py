"""Charges that move uniformly, and their electromagnetic field: exact, and invariant under the whole Poincare group.

Lengths and times in m (c = 1); charges in units whose field is 1 at a distance of 1 m, and fields in that unit. Metric
(+,-,-,-), events (t, x, y, z); an event and a 4-velocity, u.u = 1, are all that is said of a charge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eqlib import graphs
from eqlib.groups import Element, Lorentz

Array = NDArray[np.float64]
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
NEAREST, FARTHEST = 0.5, 4.0  # m, in a charge's rest frame, of the events that are asked for


@dataclass(frozen=True, eq=False)
class MovingCharges:
    """Systems of moving charges and the field at some events, one system after the other; `training.fit` takes them.

    charges: (N,), float64. events: (N, 4), m: one event of each charge's world line. velocities: (N, 4): its 4-velocity.
    sizes: (systems,), int64: how many charges each system has.
    at: (M, 4), m: events that are asked for, `asked` of each system. fields: (M, 6): E and B there, of the system's charges.

    >>> made = moving_charges(2, charges=3, asked=4)
    >>> [array.shape for array in made.batch(np.array([1]))]
    [(3, 5), (3, 4), (3, 4), (4, 4), (2, 12), (2, 6), (4, 6)]
    """

    charges: Array
    events: Array
    velocities: Array
    sizes: NDArray[np.int64]
    at: Array
    fields: Array

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def asked(self) -> int:
        """How many events are asked for in each system."""
        return len(self.at) // max(1, len(self))

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32] | NDArray[np.int64], ...]:
        """Sources (P, 5), events (P, 4), velocities (P, 4), at (Q, 4), pairs (2, E), among (2, E'), target (Q, 6).

        sources: a charge and its 4-current, charge times velocity, the rep (0,0) + (1,1). at: events asked for. pairs: every
        charge of a system above every event asked for there. among: all pairs of its charges. target: the field as the rep
        (2,0). Vectors are components of `groups.Lorentz().vector`, formed in float64; float32 and int64.
        """
        ends = np.cumsum(self.sizes)
        none = np.zeros(0, dtype=np.int64)
        where = np.concatenate([none, *(np.arange(ends[i] - self.sizes[i], ends[i]) for i in indices)])
        asked = np.concatenate([none, *(np.arange(i * self.asked, (i + 1) * self.asked) for i in indices)])
        system = np.repeat(np.arange(len(indices)), self.sizes[indices])
        pairs = np.stack(np.nonzero(system[:, None] == np.repeat(np.arange(len(indices)), self.asked)))
        among = graphs.complete_graph([int(n) for n in self.sizes[indices]]).numpy()
        events, u, at = (
            x @ Lorentz().coordinates.T for x in (self.events[where], self.velocities[where], self.at[asked])
        )
        q = self.charges[where, None]
        arrays = np.hstack([q, q * u]), events, u, at, self.fields[asked] @ field_basis().T
        sources, events, u, at, target = (a.astype(np.float32) for a in arrays)
        return sources, events, u, at, pairs, among, target

    def joined(self, *others: MovingCharges) -> MovingCharges:
        """These systems and then those of others, of which as many events are asked for in each.

        >>> made = moving_charges(2, charges=3)
        >>> len(made.joined(made.moved(Lorentz().sample(2, seed=0))))
        4
        """
        parts = [self, *others]
        if len(asked := {part.asked for part in parts}) > 1:
            raise ValueError(f"others: got systems with {sorted(asked)} events asked for, expected as many in each")
        names = [f.name for f in fields_of(MovingCharges)]
        return MovingCharges(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def moved(self, elements: Element, shift: ArrayLike = 0.0) -> MovingCharges:
        """The same systems after Lorentz transformations, one for all or (systems,) of them, and then a shift (..., 4), m.

        Fields are moved as F -> L F L^T, not computed again.

        >>> made = moving_charges(2, charges=3)
        >>> moved = made.moved(Lorentz().sample(2, seed=0), shift=[1.0, 0, 0, 0])
        >>> again = field_of_charges(moved.charges[:3], moved.events[:3], moved.velocities[:3], moved.at[:1])
        >>> bool(np.allclose(again, moved.fields[:1]))
        True
        """
        found = np.broadcast_to(Lorentz().matrix(elements), (len(self), 4, 4))
        shifts = np.broadcast_to(np.asarray(shift, dtype=np.float64), (len(self), 4))
        of, asked = np.repeat(np.arange(len(self)), self.sizes), np.repeat(np.arange(len(self)), self.asked)
        tensors = found[asked] @ field_tensor(self.fields) @ found[asked].swapaxes(1, 2)
        return replace(
            self,
            events=np.einsum("nij,nj->ni", found[of], self.events) + shifts[of],
            velocities=np.einsum("nij,nj->ni", found[of], self.velocities),
            at=np.einsum("nij,nj->ni", found[asked], self.at) + shifts[asked],
            fields=electric_magnetic(tensors),
        )


def field_of_charges(charges: ArrayLike, events: ArrayLike, velocities: ArrayLike, at: ArrayLike) -> Array:
    """E and B (..., 6) at events `at` (..., 4), the sum over charges that move uniformly for ever.

    F = sum of q (r ^ u) / d^3 with r = at - event, (r ^ u)^{mn} = r^m u^n - r^n u^m and d^2 = (r.u)^2 - r.r, the squared
    distance in the charge's rest frame: Lienard's and Wiechert's field without acceleration. It does not depend on which
    event of the world line stands for the charge.

    charges: (n,). events: (n, 4), m. velocities: (n, 4), u.u = 1 and u^0 > 0. See the module for units.
    Raises ValueError for shapes that do not fit, NaN and inf, another u.u, and an event on a charge.

    A charge at rest has Coulomb's field, here 2 m away in x:

    >>> field_of_charges([1.0], [[0, 0, 0, 0]], [[1, 0, 0, 0]], at=[7.0, 2, 0, 0]).tolist()
    [0.25, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    q, a, u, b = (np.asarray(x, dtype=np.float64) for x in (charges, events, velocities, at))
    _check(q, a, u, b)
    r = b[..., None, :] - a
    r_r, r_u = invariants(a, u, b)
    squares = r_u**2 - r_r
    if (squares <= 1e-14 * (r**2).sum(-1) * (u**2).sum(-1)).any():  # what rounding leaves of 0
        raise ValueError("at: got an event on the world line of a charge, expected d > 0: the field is infinite there")
    outer = r[..., :, None] * u[:, None, :]
    return electric_magnetic(np.einsum("...n,...nij->...ij", q * squares**-1.5, outer - outer.swapaxes(-1, -2)))


def invariants(events: ArrayLike, velocities: ArrayLike, at: ArrayLike) -> tuple[Array, Array]:
    """r.r and r.u (..., n), m^2 and m, of r = at - event for events and 4-velocities (n, 4) and `at` (..., 4).

    With u.u = 1 the squared distance in the rest frame is (r.u)^2 - r.r.

    >>> r_r, r_u = invariants([[0, 0, 0, 0]], [[1, 0, 0, 0]], at=[1.0, 2, 0, 0])
    >>> r_r.tolist(), r_u.tolist()
    ([-3.0], [1.0])
    """
    a, u, b = (np.asarray(x, dtype=np.float64) for x in (events, velocities, at))
    r = b[..., None, :] - a
    return np.einsum("...i,ij,...j->...", r, METRIC, r), np.einsum("...ni,ij,nj->...n", r, METRIC, u)


def usual(events: ArrayLike, velocities: ArrayLike, at: ArrayLike) -> NDArray[np.bool_]:
    """Whether an event asked for is space-like to a charge's event and 0.5 ... 4 m from it in its rest frame, (..., n).

    >>> usual([[0, 0, 0, 0]], [[1, 0, 0, 0]], at=[[0, 1.0, 0, 0], [2, 1, 0, 0], [0, 5, 0, 0]])[:, 0].tolist()
    [True, False, False]
    """
    r_r, r_u = invariants(events, velocities, at)
    squares = r_u**2 - r_r
    return (r_r < 0) & (squares > NEAREST**2) & (squares < FARTHEST**2)


def field_tensor(fields: ArrayLike) -> Array:
    """E and B (..., 6) as F^{mn} (..., 4, 4), F^{i0} = E^i and F^{ij} = -epsilon_{ijk} B^k. Back: `electric_magnetic`.

    >>> field_tensor([1.0, 0, 0, 0, 0, 2.0]).tolist()
    [[0.0, -1.0, 0.0, 0.0], [1.0, 0.0, -2.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    f = np.asarray(fields, dtype=np.float64)
    found = np.zeros((*f.shape[:-1], 4, 4))
    for component, (i, j) in enumerate(_PLACES):
        found[..., i, j] = f[..., component]
    return found - found.swapaxes(-1, -2)


def electric_magnetic(tensors: ArrayLike) -> Array:
    """F^{mn} (..., 4, 4) as E and B (..., 6). The other way: `field_tensor`.

    >>> electric_magnetic(field_tensor([1.0, 2, 3, 4, 5, 6])).tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """
    f = np.asarray(tensors, dtype=np.float64)
    return np.stack([f[..., i, j] for i, j in _PLACES], -1)


# Row and column of F where each component of (E, B) stands.
_PLACES = (1, 0), (2, 0), (3, 0), (3, 2), (1, 3), (2, 1)


@cache
def field_basis() -> Array:
    """(6, 6), orthogonal: components of the Lorentz group's (2,0) = field_basis() @ (E, B).

    It is the Clebsch-Gordan tensor of (1,1) (x) (1,1) -> (2,0) that `PointConv` has first, applied to F.

    >>> basis = field_basis()
    >>> bool(np.allclose(basis @ basis.T, np.eye(6)))
    True
    """
    group = Lorentz()
    first = group.clebsch_gordan("(1,1)", "(1,1)", "(2,0)").dense()[0]
    q = group.coordinates
    return np.einsum("abc,am,bn,kmn->ck", first, q, q, field_tensor(np.eye(6))) / 2**0.5


def of_charges(charges: ArrayLike, events: ArrayLike, velocities: ArrayLike, at: ArrayLike) -> MovingCharges:
    """One system of given charges (n,), events and 4-velocities (n, 4), and events asked for (m, 4); computes the fields.

    Raises ValueError for what `field_of_charges` refuses.

    >>> of_charges([1.0], [[0, 0, 0, 0]], [[1, 0, 0, 0]], at=[[0.0, 2, 0, 0]]).fields[0, 0]
    np.float64(0.25)
    """
    q, a, u, b = (np.asarray(x, dtype=np.float64) for x in (charges, events, velocities, at))
    if b.ndim != 2:
        raise ValueError(f"at: got shape {b.shape}, expected (m, 4)")
    found = field_of_charges(q, a, u, b)
    return MovingCharges(q, a, u, np.array([len(q)]), b, found)


def moving_charges(
    systems: int,
    charges: int | tuple[int, int] = (3, 8),
    asked: int = 4,
    rapidity: float = 1.0,
    seed: int = 0,
) -> MovingCharges:
    """Random systems: charges of 0.5 ... 1.5 of either sign in a cube of side 2 m, moving in all directions.

    charges: of each system; (low, high) draws the number for each anew, both ends included. asked: events asked for in each.
    rapidity: the largest of a charge; each draws its own, uniformly. seed: draws everything.
    A charge is told by its world line at a random proper time, -0.5 ... 0.5 m. Events asked for are uniform in |t| < 0.5 m
    and a cube of side 3 m, space-like to each of the events told, and 0.5 ... 4 m from each charge in its rest frame.
    Raises ValueError for negative numbers and an empty range of charges.

    >>> moving_charges(3, charges=(2, 5), seed=0).sizes
    array([2, 5, 3])
    """
    low, high = (charges, charges) if isinstance(charges, int) else charges
    if not 0 <= low <= high:
        raise ValueError(f"charges: got {charges!r}, expected a number, or (low, high) with 0 <= low <= high")
    for name, number in (("systems", systems), ("asked", asked)):
        if number < 0:
            raise ValueError(f"{name}: got {number!r}, expected 0 or more")
    if not 0 <= rapidity <= 3:
        raise ValueError(
            f"rapidity: got {rapidity!r}, expected 0 ... 3, beyond which no event is space-like and near to all"
        )
    # RandomState, because its streams are frozen: a logged run must find the same systems again.
    random = np.random.RandomState(seed)
    sizes = random.randint(low, high + 1, size=systems).astype(np.int64)
    n = int(sizes.sum())
    q = random.uniform(0.5, 1.5, n) * random.choice([-1.0, 1.0], n)
    direction, eta = random.normal(size=(n, 3)), rapidity * random.uniform(size=n)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    u = np.column_stack([np.cosh(eta), np.sinh(eta)[:, None] * direction])
    a = np.column_stack([np.zeros(n), random.uniform(-1, 1, (n, 3))]) + random.uniform(-0.5, 0.5, (n, 1)) * u
    at, fields = [np.zeros((0, 4))], [np.zeros((0, 6))]
    for stop, size in zip(np.cumsum(sizes), sizes, strict=True):
        here = slice(stop - size, stop)
        found = _asked(random, a[here], u[here], asked)
        at.append(found)
        fields.append(field_of_charges(q[here], a[here], u[here], found))
    return MovingCharges(q, a, u, sizes, np.concatenate(at), np.concatenate(fields))


def _asked(random: np.random.RandomState, a: Array, u: Array, number: int) -> Array:
    """So many events (number, 4), space-like to all of `a` and neither too near nor too far."""
    found = np.zeros((0, 4))
    while len(found) < number:
        b = np.column_stack([random.uniform(-0.5, 0.5, 64), random.uniform(-1.5, 1.5, (64, 3))])
        found = np.concatenate([found, b[usual(a, u, b).all(1)]])
    return found[:number]


def _check(q: Array, a: Array, u: Array, b: Array) -> None:
    if q.ndim != 1:
        raise ValueError(f"charges: got shape {q.shape}, expected (n,)")
    for name, x in (("events", a), ("velocities", u)):
        if x.shape != (len(q), 4):
            raise ValueError(f"{name}: got shape {x.shape}, expected ({len(q)}, 4)")
    if b.shape[-1:] != (4,):
        raise ValueError(f"at: got shape {b.shape}, expected (..., 4)")
    for name, x in (("charges", q), ("events", a), ("velocities", u), ("at", b)):
        if not np.isfinite(x).all():
            raise ValueError(f"{name}: got NaN or inf, expected finite numbers")
    squares = np.einsum("ni,ij,nj->n", u, METRIC, u)
    wrong = (np.abs(squares - 1) > 1e-9 * (u**2).sum(1)) | (u[:, 0] <= 0)
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(
            f"velocities: got u.u = {squares[i]:.6g} with u^0 = {u[i, 0]:.6g}, expected 1 and u^0 > 0: time-like, to the future"
        )
