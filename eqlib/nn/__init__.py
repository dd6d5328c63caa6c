"""Layers on features of any group: one flat axis `rep.dim`, in the irrep basis."""

from eqlib.nn.activations import BatchNorm, Dropout, Gate, Invariants, LayerNorm, NormActivation
from eqlib.nn.fourier import FourierActivation, GroupPool
from eqlib.nn.grid import CircularMask, GridConv, GridPool
from eqlib.nn.linear import Linear, Restrict, TensorProduct
from eqlib.nn.points import PointConv

__all__ = [
    "BatchNorm",
    "CircularMask",
    "Dropout",
    "FourierActivation",
    "Gate",
    "GridConv",
    "GridPool",
    "GroupPool",
    "Invariants",
    "LayerNorm",
    "Linear",
    "NormActivation",
    "PointConv",
    "Restrict",
    "TensorProduct",
]
