"""Poses of two molecules, a few of them right, that no simple measure of their interface tells apart.

Near poses are small turns of the right one, far ones any turn; both are placed by one procedure, on a grid of all shifts
(`fft_docking`), with the same limits on clashes and contacts. Then so many far ones are chosen for each near one that contacts,
clashes and buried surface are those of the near ones: what is left to learn is which atoms meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from eqlib.doors import Natural, Positive, typed

from .arrays import Array
from .docking import ACCEPTABLE
from .fft_docking import DockingGrid
from .surface import Surface

MEASURES = "contacts", "clashes", "buried surface"
TOUCH, CLASH = 5.0, 3.0  # angstrom, between heavy atoms
MOST_CLASHES, LEAST_CONTACTS = 14, 15  # of atoms in the receptor's core and layer, on the grid
TURN, WAY = 25.0, 7.0  # degrees and angstrom: how far near poses are from the right one
LEAST_TOUCHING = 30  # pairs of atoms: fewer are no interface


@dataclass(frozen=True, eq=False)
class Candidates:
    """Poses (P,) of a ligand: atoms at x @ rotations[p].T + shifts[p]; quality (P,), DockQ; measures (P, 3), see `MEASURES`."""

    rotations: Array
    shifts: Array
    quality: Array
    measures: Array

    def __len__(self) -> int:
        return len(self.quality)

    def only(self, which: NDArray[np.int64]) -> Candidates:
        return Candidates(self.rotations[which], self.shifts[which], self.quality[which], self.measures[which])


def measure(receptor: Surface, ligand: Surface, rotation: Array, shift: Array) -> Array:
    """Of a pose, (3,): contacts, pairs of atoms within 5 angstrom; clashes, within 3; buried surface, square angstrom."""
    moved = ligand.positions @ rotation.T + shift
    low, high = receptor.positions.min(0) - TOUCH, receptor.positions.max(0) + TOUCH
    near = moved[((moved > low) & (moved < high)).all(1)]
    if not len(near):
        return np.zeros(3)
    pairs = receptor.tree.count_neighbors(cKDTree(near), np.array([TOUCH, CLASH]))
    buried = receptor.buries(ligand, rotation, shift) + ligand.buries(receptor, rotation.T, -shift @ rotation)
    return np.array([*pairs, buried], dtype=np.float64)


@typed
def candidates(
    receptor: Surface,
    ligand: Surface,
    quality: Callable[[Array, Array], float],
    turns: Positive = 30,
    near: Positive = 8,
    far: Positive = 40,
    seed: Natural = 0,
) -> Candidates:
    """Poses of a ligand, which stands in its right place, against a receptor: `turns` turns of either sort.

    quality: DockQ of a rotation (3, 3) and a shift (3,). near, far: how many shifts of each turn; near ones are drawn from three
    times as many with the most contacts, far ones so that they have the near ones' contacts and clashes on the grid. It takes
    about 10 s for 2,000 atoms against 1,500.
    """
    rng, grid, found = np.random.default_rng(seed), DockingGrid(receptor, ligand), []
    wanted: list[Array] = []  # clashes and contacts on the grid of the near ones, which far ones are to have too
    for turn in range(2 * turns):
        is_near = turn < turns
        if is_near:
            axis = rng.normal(size=3)
            angle = np.deg2rad(rng.uniform(0, TURN))
            rotation = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
        else:
            rotation = Rotation.from_quat(rng.normal(size=4)).as_matrix()
        shifts, clashes, contacts = grid.scan(rotation, rng.uniform(-0.9, 0.9, 3))
        counts = np.stack([clashes, contacts], 1)
        allowed = (clashes <= MOST_CLASHES) & (contacts >= LEAST_CONTACTS)
        if is_near:
            which = np.flatnonzero(allowed & (np.linalg.norm(shifts, axis=1) < WAY))
            which = which[np.argsort(-contacts[which], kind="stable")[: 3 * near]]
            places = rng.permutation(which)[:near]
            wanted.extend(counts[places])
        else:
            places = _alike(counts, np.flatnonzero(allowed), wanted, far, rng)
        for at in places:
            shift = grid.motion(rotation, shifts[at])
            measures = measure(receptor, ligand, rotation, shift)
            if measures[0] >= LEAST_TOUCHING:
                found.append((rotation, shift, quality(rotation, shift), measures))
    rows = [np.array([row[k] for row in found], dtype=np.float64) for k in range(4)]
    shapes = (-1, 3, 3), (-1, 3), (-1,), (-1, 3)
    return Candidates(*(row.reshape(shape) for row, shape in zip(rows, shapes, strict=True)))


def _alike(
    counts: Array, allowed: NDArray[np.int64], wanted: list[Array], number: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """So many of the allowed shifts, each with the counts of one of the wanted, give or take one; fewer where there are none."""
    if not wanted or not len(allowed):
        return allowed[:0]
    found = []
    for one in rng.integers(len(wanted), size=number):
        fits = allowed[np.abs(counts[allowed] - wanted[one]).max(1) <= 1]
        if len(fits):
            found.append(rng.choice(fits))
    return np.unique(np.array(found, dtype=np.int64))


@typed
def matched(poses: Candidates, good: Positive = 5, bad: Positive = 95, seed: Natural = 0) -> NDArray[np.int64] | None:
    """Which candidates to take: `good` acceptable ones first, then `bad` others with measures like theirs. None where there are
    too few of either.

    Measures are compared as logarithms, in units of their spread among the bad ones. The good ones are drawn from that half of
    them which has most bad ones around it; then each in turn takes the free bad one that is nearest to it and that brings the
    mean of all differences nearest to zero.
    """
    is_good = poses.quality >= ACCEPTABLE
    goods, bads = np.flatnonzero(is_good), np.flatnonzero(~is_good)
    if len(goods) < good or len(bads) < bad:
        return None
    rng, logs = np.random.default_rng(seed), np.log1p(poses.measures)
    places = (logs - logs[bads].mean(0)) / np.maximum(logs[bads].std(0), 1e-9)
    crowd = min(3 * bad // good, len(bads))
    reach = np.reshape(cKDTree(places[bads]).query(places[goods], k=crowd)[0], (len(goods), -1))[:, -1]
    amid = goods[np.argsort(reach, kind="stable")][: max(good, len(goods) // 2)]
    chosen = rng.choice(amid, good, replace=False)
    free, total = np.ones(len(bads), dtype=bool), np.zeros(3)
    taken: list[int] = []
    while len(taken) < bad:
        for one in rng.permutation(chosen)[: bad - len(taken)]:
            apart = places[bads] - places[one]
            cost = (apart**2).sum(1) + 4 * ((total + apart) ** 2).sum(1)
            pick = int(np.where(free, cost, np.inf).argmin())
            total, free[pick] = total + apart[pick], False
            taken.append(int(bads[pick]))
    return np.concatenate([chosen, np.array(taken)])
