"""Groups, irreps and Clebsch-Gordan tensors, in numpy. The only folder that knows which group it is; loads no torch."""

from eqlib.groups import weights
from eqlib.groups.clebsch_gordan import CG
from eqlib.groups.element import Element
from eqlib.groups.embedding import Embedding, embed
from eqlib.groups.finite import Finite, Icosahedral, Octahedral, Symmetric
from eqlib.groups.generated import from_generators
from eqlib.groups.group import Group
from eqlib.groups.identities import check
from eqlib.groups.irrep import Irrep
from eqlib.groups.lorentz import SL2C, Lorentz
from eqlib.groups.null_spaces import copies, intertwiners
from eqlib.groups.planar import O2, SO2, Cyclic, Dihedral
from eqlib.groups.product import Product
from eqlib.groups.rep import Rep, fields
from eqlib.groups.root_subgroups import embed_roots
from eqlib.groups.simple import E6, E7, E8, F4, G2, SU, Simple, Sp, Spin
from eqlib.groups.spatial import O3, SO3
from eqlib.groups.subgroups import induce, induced_multiplicity, regular, restrict, spanning_vectors

__all__ = [
    "CG",
    "E6",
    "E7",
    "E8",
    "F4",
    "G2",
    "O2",
    "O3",
    "SL2C",
    "SO2",
    "SO3",
    "SU",
    "Cyclic",
    "Dihedral",
    "Element",
    "Embedding",
    "Finite",
    "Group",
    "Icosahedral",
    "Irrep",
    "Lorentz",
    "Octahedral",
    "Product",
    "Rep",
    "Simple",
    "Sp",
    "Spin",
    "Symmetric",
    "check",
    "copies",
    "embed",
    "embed_roots",
    "fields",
    "from_generators",
    "induce",
    "induced_multiplicity",
    "intertwiners",
    "regular",
    "restrict",
    "spanning_vectors",
    "weights",
]
