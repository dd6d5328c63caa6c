"""Steerable kernels: angular parts, radial functions, and the kernels that pixels can carry."""

from eqlib.kernels.alignment import Alignment
from eqlib.kernels.grid_basis import radial_profiles, sampled_basis
from eqlib.kernels.radial import Bessel, Gaussians, Logarithmic, Masses, RadialMLP, RestFrame, envelope
from eqlib.kernels.steerable import SteerableKernel, angular_basis, elements, level

__all__ = [
    "Alignment",
    "Bessel",
    "Gaussians",
    "Logarithmic",
    "Masses",
    "RadialMLP",
    "RestFrame",
    "SteerableKernel",
    "angular_basis",
    "elements",
    "envelope",
    "level",
    "radial_profiles",
    "sampled_basis",
]
