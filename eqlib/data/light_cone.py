"""What the Lorentz group's networks are given: light-cone components about each jet's own axis, formed in float64."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .nsubjettiness import padded

Array = NDArray[np.float64]


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

    >>> inputs, mask = network_input([[[5.0, 3, 0, 4]]], [[True]])  # one particle, which is the jet's axis
    >>> (inputs * np.sqrt(2)).round(6).tolist()
    [[[10.0, 0.0, 0.0, 0.0]]]
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
    x, y, z = np.moveaxis(np.einsum("nij,npj->npi", frames(momenta.sum(1)[:, 1:]), momenta[..., 1:]), -1, 0)
    large = energy + np.abs(z)
    small = (mass**2 + x**2 + y**2) / np.where(large > 0, large, 1.0)
    plus, minus = np.where(z < 0, small, large), np.where(z < 0, large, small)
    inputs = np.stack([plus / np.sqrt(2), minus / np.sqrt(2), x, y], -1)
    missing = max(particles - momenta.shape[1], 0)
    inputs = np.pad(inputs[:, :particles], ((0, 0), (0, missing), (0, 0)))
    return inputs.astype(dtype), np.pad(mask[:, :particles], ((0, 0), (0, missing)))


def frames(total: Array) -> Array:
    """Rotations (n, 3, 3) whose rows are the unit vectors of theta, phi and r at each total momentum (n, 3).

    They take (px, py, pz) to the axes of `network_input`.

    >>> frames(np.array([[0.0, 3.0, 4.0]])).round(6).tolist()  # the last row is the axis
    [[[0.0, 0.8, -0.6], [-1.0, 0.0, 0.0], [0.0, 0.6, 0.8]]]
    """
    phi = np.arctan2(total[:, 1], total[:, 0])
    theta = np.arctan2(np.hypot(total[:, 0], total[:, 1]), total[:, 2])
    c, s, zero = np.cos(phi), np.sin(phi), np.zeros(len(total))
    rows = [[np.cos(theta) * c, np.cos(theta) * s, -np.sin(theta)], [-s, c, zero]]
    rows.append([np.sin(theta) * c, np.sin(theta) * s, np.cos(theta)])
    return np.moveaxis(np.array(rows), -1, 0)
