"""Surfaces, docking on a grid, and poses that no simple measure tells apart; on lumps of atoms made here."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation
from sklearn.metrics import roc_auc_score

from eqlib.data import docked_poses, fft_docking
from eqlib.data.docked_poses import Candidates, candidates, matched, measure
from eqlib.data.surface import POINTS, WATER, Surface, on_sphere

ELEMENTS = np.array([6, 7, 8, 16])


def lump(seed: int, size: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Atoms some 1.5 angstrom apart within a ball, and their elements."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3), -1).reshape(-1, 3) * 1.7
    at = at[np.argsort(np.linalg.norm(at, axis=1), kind="stable")][:size]
    return at + rng.uniform(-0.3, 0.3, at.shape), rng.choice(ELEMENTS, size)


def turn(seed: int) -> np.ndarray:
    return Rotation.from_quat(np.random.default_rng(seed).normal(size=4)).as_matrix()


@pytest.fixture(scope="module")
def pair() -> tuple[Surface, Surface]:
    (a, kinds_a), (b, kinds_b) = lump(0), lump(1, 120)
    return Surface.of(a, kinds_a), Surface.of(b + np.array([13.0, 2.0, 0.0]), kinds_b)


def test_points_of_a_sphere_are_spread_evenly() -> None:
    x = on_sphere(POINTS)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-12)
    assert np.abs(x.mean(0)).max() < 0.02 and np.abs(x.T @ x / POINTS - np.eye(3) / 3).max() < 0.02


def test_the_surface_is_what_no_other_atom_covers() -> None:
    """Each point against each atom; and two spheres by their caps."""
    at, kinds = lump(3, 60)
    found = Surface.of(at, kinds)
    grown = found.radii + WATER
    points = (at[:, None] + grown[:, None, None] * on_sphere(POINTS)).reshape(-1, 3)
    inside = cdist(points, at) < grown - 1e-9
    inside[np.arange(len(points)), np.repeat(np.arange(60), POINTS)] = False
    np.testing.assert_array_equal(found.points, points[~inside.any(1)])
    two = Surface.of(np.array([[0.0, 0, 0], [3.0, 0, 0]]), np.array([6, 6]))
    exact = 2 * (4 * np.pi * 3.1**2 - 2 * np.pi * 3.1 * (3.1 - 1.5))
    assert abs(two.areas.sum() / exact - 1) < 0.03


@pytest.mark.parametrize("seed", range(3))
def test_measures_by_their_definition(pair: tuple[Surface, Surface], seed: int) -> None:
    receptor, ligand = pair
    rotation = turn(seed) if seed else np.eye(3)
    centre = ligand.positions.mean(0)
    shift = centre - rotation @ centre  # a turn about its own centre
    moved = ligand.positions @ rotation.T + shift
    apart = cdist(receptor.positions, moved)
    contacts, clashes, buried = measure(receptor, ligand, rotation, shift)
    assert (contacts, clashes) == ((apart <= 5).sum(), (apart <= 3).sum()) and contacts > 0
    points = ligand.points @ rotation.T + shift
    grown = receptor.radii + WATER, ligand.radii + WATER
    expected = ligand.areas[(cdist(points, receptor.positions) < grown[0]).any(1)].sum()
    expected += receptor.areas[(cdist(receptor.points, moved) < grown[1]).any(1)].sum()
    assert buried == pytest.approx(expected, rel=1e-12) and buried > 0
    far = measure(receptor, ligand, rotation, np.array([0, 0, 200.0]))
    assert far.tolist() == [0, 0, 0]


def test_a_scan_counts_what_a_shift_of_the_grid_holds(pair: tuple[Surface, Surface]) -> None:
    """Every tenth of a thousand shifts by hand: atoms rounded to the grid, in the core and in the layer."""
    receptor, ligand = pair
    grid, rotation, offset = fft_docking.DockingGrid(receptor, ligand), turn(5), np.array([0.3, -0.5, 0.1])
    shifts, clashes, contacts = grid.scan(rotation, offset)
    assert len(np.unique(np.round(shifts, 6), axis=0)) == len(shifts) == np.prod(grid.shape)
    step, centre = fft_docking.STEP, ligand.positions.mean(0)
    low = receptor.positions.min(0) - fft_docking.LAYER - step
    turned = (ligand.positions - centre) @ rotation.T + centre + offset
    near = np.flatnonzero(clashes + contacts)
    for at in np.random.default_rng(0).choice(near, 100, replace=False):
        cells = low + step * np.round((turned - low) / step) + (shifts[at] - offset)
        distances = cdist(cells, receptor.positions).min(1)
        core = distances < fft_docking.CORE
        layer = (distances >= fft_docking.CORE) & (distances < fft_docking.LAYER)
        assert clashes[at] == core.sum() and contacts[at] == (layer & ligand.exposed).sum()
        whole = ligand.positions @ rotation.T + grid.motion(rotation, shifts[at])
        np.testing.assert_allclose(whole, turned - offset + shifts[at], atol=1e-9)
    lost = cdist(ligand.positions @ rotation.T + grid.motion(rotation, shifts[0]), receptor.positions).min()
    assert np.isfinite(lost)


def test_far_and_near_candidates(pair: tuple[Surface, Surface]) -> None:
    """The same seed gives the same; near ones are near, no candidate is without contact; all by the given quality."""
    receptor, ligand = pair

    def quality(rotation: np.ndarray, shift: np.ndarray) -> float:
        moved = ligand.positions @ rotation.T + shift - ligand.positions
        return float(1 / (1 + (moved**2).sum(1).mean() / 9))

    found, again = (candidates(receptor, ligand, quality, turns=6, near=10, far=20, seed=3) for _ in range(2))
    for name in ("rotations", "shifts", "quality", "measures"):
        np.testing.assert_array_equal(getattr(found, name), getattr(again, name))
    assert len(found) > 100 and found.measures[:, 0].min() >= docked_poses.LEAST_TOUCHING
    np.testing.assert_allclose(found.rotations @ found.rotations.transpose(0, 2, 1) - np.eye(3), 0, atol=1e-12)
    assert np.linalg.det(found.rotations).min() > 0
    for p in (0, len(found) - 1):
        motion = found.rotations[p], found.shifts[p]
        assert found.quality[p] == quality(*motion)
        np.testing.assert_array_equal(found.measures[p], measure(receptor, ligand, *motion))
    near = found.quality >= docked_poses.ACCEPTABLE
    assert 5 < near.sum() < 60


def made(seed: int, good: int = 60, bad: int = 1500) -> Candidates:
    """Good poses with fewer contacts, fewer clashes and a smaller buried surface than most bad ones."""
    rng = np.random.default_rng(seed)
    spread = np.array([[0.5, 0, 0], [0.3, 0.4, 0], [0.3, 0, 0.2]])
    logs = rng.normal(size=(good + bad, 3)) @ spread.T + [5.8, 3.5, 7.0]
    logs[:good] -= [0.7, 0.6, 0.35]
    quality = np.where(np.arange(good + bad) < good, rng.uniform(0.23, 1, good + bad), rng.uniform(0, 0.22, good + bad))
    n = good + bad
    return Candidates(np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3)), quality, np.expm1(logs))


def test_chosen_poses_are_not_told_by_their_measures() -> None:
    """Over 60 sets each measure, and their sum, ranks good above bad in half of the cases; before the choice in a third."""
    before, after = [], []
    for seed in range(60):
        poses = made(seed)
        which = matched(poses, seed=seed)
        assert which is not None and len(set(which.tolist())) == 100
        assert (poses.quality[which] >= docked_poses.ACCEPTABLE).tolist() == [True] * 5 + [False] * 95
        for part, aucs in ((np.arange(len(poses)), before), (which, after)):
            x, y = np.log1p(poses.measures[part]), poses.quality[part] >= docked_poses.ACCEPTABLE
            aucs.append([roc_auc_score(y, v) for v in (*x.T, x.sum(1))])
    assert np.mean(before, axis=0).max() < 0.36
    assert np.abs(np.mean(after, axis=0) - 0.5).max() < 0.02


def test_too_few_of_either_sort() -> None:
    assert matched(made(0, good=4)) is None and matched(made(0, bad=94)) is None
    assert len(matched(made(0, good=5, bad=95))) == 100  # all there are
    assert matched(made(0), good=2, bad=6).shape == (8,)
    with pytest.raises(ValueError, match="good: got 0"):
        matched(made(0), good=0)
