"""N-subjettiness: how much of a jet lies away from its N best axes (Thaler and Van Tilburg, JHEP 03 (2011) 015).

tau_N = sum_i pT_i min_k dR(i, axis k) / (R0 sum_i pT_i), dR^2 = dy^2 + dphi^2. The axes are those of exclusive kT
clustering, moved downhill to the nearest minimum of tau_N ("one pass").
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MOST = 1e9  # GeV, far above any collider: beyond, momenta stand in eV
STEPS, CLOSE = 60, 1e-6  # of the descent, and the distance below which a particle sits on its axis


def subjettiness(momenta: ArrayLike, mask: ArrayLike, most: int = 3, radius: float = 0.8) -> Array:
    """tau_1 ... tau_most of each jet, dimensionless.

    momenta: (n, particles, 4), (E, px, py, pz) in GeV, finite, raw: no axis has been turned. mask: (n, particles), bool,
    which of them exist. radius: R0, that of the jet algorithm.
    Returns (n, most), float64. It is exactly 0 where a jet has at most N particles. About 5 ms a jet.
    Raises ValueError for other shapes, NaN or inf, most < 1 and a radius that is not positive.

    Two particles of equal pT, 0.4 apart: each is 0.2 from the best single axis, and two axes leave nothing.

    >>> momenta = [[[10.0, 10 * np.cos(phi), 10 * np.sin(phi), 0] for phi in (0.0, 0.4)]]
    >>> subjettiness(momenta, [[True, True]]).round(6).tolist()
    [[0.25, 0.0, 0.0]]
    """
    momenta, mask = padded(momenta, mask)
    if most < 1:
        raise ValueError(f"most: got {most!r}, expected at least 1")
    if not radius > 0:
        raise ValueError(f"radius: got {radius!r}, expected a positive number")
    axes = np.zeros((most, len(momenta), most, 2))
    known = np.zeros((most, len(momenta), most), dtype=bool)
    for jet, (p, there) in enumerate(zip(momenta, mask, strict=True)):
        for found in kt_axes(p[there], most):
            axes[len(found) - 1, jet, : len(found)] = found
            known[len(found) - 1, jet, : len(found)] = True
    pt = np.where(mask, np.hypot(momenta[..., 1], momenta[..., 2]), 0.0)
    place = np.where(mask[..., None], rapidity_and_phi(momenta), 0.0)
    taus = [_descend(pt, place, axes[n, :, : n + 1], known[n, :, : n + 1]) for n in range(most)]
    norm = radius * pt.sum(1)
    enough = mask.sum(1)[:, None] > np.arange(1, most + 1)
    return np.where(enough, np.stack(taus, 1) / np.where(norm > 0, norm, 1.0)[:, None], 0.0)


def kt_axes(momenta: Array, most: int) -> list[Array]:
    """Exclusive kT clustering of one jet, (n, 4) GeV: axes (k, 2) = (y, phi) when k = most, ..., 1 clusters are left.

    The pair with the smallest min(pT_i, pT_j)^2 dR_ij^2 is replaced by its sum, again and again; nothing goes to the beam.
    """
    p, left = momenta.copy(), np.ones(len(momenta), dtype=bool)
    square = p[:, 1] ** 2 + p[:, 2] ** 2
    place = rapidity_and_phi(p)
    distance = _distance(place[:, None] - place[None]) * np.minimum(square[:, None], square[None])
    np.fill_diagonal(distance, np.inf)
    axes = []
    for clusters in range(len(p), 0, -1):
        if clusters <= most:
            axes.append(place[left])
        if clusters > 1:
            i, j = divmod(int(distance.argmin()), len(p))
            p[i] += p[j]
            left[j] = False
            distance[j], distance[:, j] = np.inf, np.inf
            square[i] = p[i, 1] ** 2 + p[i, 2] ** 2
            place[i] = rapidity_and_phi(p[i])
            row = np.where(left, _distance(place - place[i]) * np.minimum(square, square[i]), np.inf)
            row[i] = np.inf
            distance[i], distance[:, i] = row, row
    return axes


def rapidity_and_phi(momenta: Array) -> Array:
    """(..., 4) -> (..., 2): y = artanh(pz / E), within +-20, and phi = atan2(py, px); zeros for a momentum that is zero."""
    energy, px, py, pz = np.moveaxis(momenta, -1, 0)
    # (m^2 + pT^2) / (E + |pz|) instead of E - |pz|, which has no digits left for a particle along the beam.
    large = energy + np.abs(pz)
    mass = np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0)
    small = np.maximum(mass + px**2 + py**2, large**2 * np.exp(-40.0))
    y = np.sign(pz) * 0.5 * np.log(np.where(large > 0, large**2, 1.0) / np.where(large > 0, small, 1.0))
    return np.stack([y, np.arctan2(py, px)], -1)


def padded(momenta: ArrayLike, mask: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    """Momenta (n, particles, 4) in float64 and mask (n, particles); ValueError for other shapes and NaN or inf."""
    momenta, mask = np.asarray(momenta, dtype=np.float64), np.asarray(mask, dtype=bool)
    if momenta.ndim != 3 or momenta.shape[2] != 4:
        raise ValueError(f"momenta: got shape {momenta.shape}, expected (n, particles, 4)")
    if mask.shape != momenta.shape[:2]:
        raise ValueError(f"mask: got shape {mask.shape}, expected {momenta.shape[:2]}, one for each particle")
    if not np.isfinite(momenta[mask]).all():
        raise ValueError("momenta: got NaN or inf, expected finite numbers in GeV")
    if (largest := np.abs(momenta[mask]).max(initial=0.0)) > MOST:
        raise ValueError(f"momenta: got entries up to {largest:.2g}, expected momenta in GeV")
    return np.where(mask[..., None], momenta, 0.0), mask


def _distance(difference: Array) -> Array:
    """dR^2 of differences (..., 2) in (y, phi)."""
    phi = (difference[..., 1] + np.pi) % (2 * np.pi) - np.pi
    return difference[..., 0] ** 2 + phi**2


def _descend(pt: Array, place: Array, axes: Array, known: NDArray[np.bool_]) -> Array:
    """Move axes (n, k, 2) to a minimum of sum_i pT_i min_k dR; returns that sum (n,), the least that was met.

    Each axis goes to the mean of its particles with weights pT / dR: a step towards their geometric median.
    """
    best = np.full(len(pt), np.inf)
    for _ in range(STEPS):
        away = place[:, :, None] - axes[:, None]  # (n, particles, k, 2)
        away[..., 1] = (away[..., 1] + np.pi) % (2 * np.pi) - np.pi
        distance = np.where(known[:, None], np.hypot(away[..., 0], away[..., 1]), np.inf)
        nearest = distance.min(2, initial=np.inf)
        best = np.minimum(best, (pt * np.where(pt > 0, nearest, 0.0)).sum(1))
        own = (distance == nearest[..., None]) & known[:, None]
        weight = np.where(own, pt[..., None] / np.maximum(distance, CLOSE), 0.0)
        total = weight.sum(1)
        axes = axes + (weight[..., None] * away).sum(1) / np.where(total > 0, total, 1.0)[..., None]
    return best
