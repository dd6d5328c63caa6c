"""Layers on features of any group: one flat axis `rep.dim`, in the irrep basis."""

from eqlib.nn.activations import Gate, NormActivation
from eqlib.nn.dropout import Dropout
from eqlib.nn.fourier import FourierActivation
from eqlib.nn.grid_conv import GridConv
from eqlib.nn.invariants import Invariants
from eqlib.nn.linear import Linear
from eqlib.nn.norms import BatchNorm, LayerNorm
from eqlib.nn.point_conv import PointConv
from eqlib.nn.pooling import CircularMask, GridPool, GroupPool
from eqlib.nn.restrict import Restrict
from eqlib.nn.tensor_product import TensorProduct

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
