"""The networks of the course, one a file, and what they are compared with."""

from eqlib.models.angular import AngularNetwork
from eqlib.models.committee import Committee
from eqlib.models.complexes import ComplexRanker
from eqlib.models.composition import crystal_trees
from eqlib.models.emlp import EquivariantMLP, hidden_rep
from eqlib.models.gradients import forces
from eqlib.models.graph_network import GraphNetwork
from eqlib.models.harmonic import HarmonicNet
from eqlib.models.jet_baselines import DeepSets, JetTransformer
from eqlib.models.jet_tree import boosted_tree
from eqlib.models.lorentz_group import LorentzGroupNetwork
from eqlib.models.molecules import MoleculeNetwork
from eqlib.models.nearest import nearest_neighbour
from eqlib.models.particle_net import ParticleNet
from eqlib.models.phonons import PhononNet
from eqlib.models.plain_cnn import PlainCNN, dense_reader
from eqlib.models.plain_graphs import DenseGraphs
from eqlib.models.plain_points import CoordinateMLP, PairMLP
from eqlib.models.poses import Poses
from eqlib.models.space_time import PoincareNetwork, SourceNetwork
from eqlib.models.steerable_cnn import GroupCNN, SteerableCNN
from eqlib.models.tensor_field import TensorFieldNetwork
from eqlib.models.time_apart import SpaceAndTime, TimeApartNetwork
from eqlib.models.volume_cnn import VolumeCNN

__all__ = [
    "AngularNetwork",
    "Committee",
    "ComplexRanker",
    "CoordinateMLP",
    "DeepSets",
    "DenseGraphs",
    "EquivariantMLP",
    "GraphNetwork",
    "GroupCNN",
    "HarmonicNet",
    "JetTransformer",
    "LorentzGroupNetwork",
    "MoleculeNetwork",
    "PairMLP",
    "ParticleNet",
    "PhononNet",
    "PlainCNN",
    "PoincareNetwork",
    "Poses",
    "SourceNetwork",
    "SpaceAndTime",
    "SteerableCNN",
    "TensorFieldNetwork",
    "TimeApartNetwork",
    "VolumeCNN",
    "boosted_tree",
    "crystal_trees",
    "dense_reader",
    "forces",
    "hidden_rep",
    "nearest_neighbour",
]
