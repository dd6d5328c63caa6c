"""Steerable kernels: angular parts, radial functions, and the kernels that pixels can carry."""

from eqlib.kernels.radial import Bessel, Gaussians, Logarithmic, RadialMLP, envelope
from eqlib.kernels.steerable import SteerableKernel, angular_basis, elements, level

__all__ = [
    "Bessel",
    "Gaussians",
    "Logarithmic",
    "RadialMLP",
    "SteerableKernel",
    "angular_basis",
    "elements",
    "envelope",
    "level",
]
