"""Data sets: generate, load, check. Arrays in, arrays out; nothing here knows about layers or models."""

from .augment import (
    boost_jets,
    random_boosts,
    random_turns,
    rename_nodes_anew,
    shift_images,
    turn_bodies,
    turn_images,
    turn_volumes,
)
from .bodies import Bodies, inertia, rigid_bodies, to_irreps, to_matrices
from .charges import (
    MovingCharges,
    electric_magnetic,
    field_basis,
    field_of_charges,
    field_tensor,
    moving_charges,
)
from .fetch import DownloadError, cache_folder, download
from .images import Split, Splits, rotate, shift
from .jet_file import jets
from .jet_observables import Observables, observables, observe
from .jet_sets import JetInputs, Jets
from .jet_stream import JetFiles, JetStream
from .light_cone import network_input
from .mnist_idx import mnist, read_idx, rotated_mnist
from .nsubjettiness import subjettiness
from .own_images import as_images, check_images
from .reference_set import reference_jets
from .scikit_digits import digits
from .spins import Spins, rename_nodes, spins_on_graphs
from .volumes import Volumes, draw_cubes, tetris, tetris_volumes

__all__ = [
    "Bodies",
    "DownloadError",
    "JetFiles",
    "JetInputs",
    "JetStream",
    "Jets",
    "MovingCharges",
    "Observables",
    "Spins",
    "Split",
    "Splits",
    "Volumes",
    "as_images",
    "boost_jets",
    "cache_folder",
    "check_images",
    "digits",
    "download",
    "draw_cubes",
    "electric_magnetic",
    "field_basis",
    "field_of_charges",
    "field_tensor",
    "inertia",
    "jets",
    "mnist",
    "moving_charges",
    "network_input",
    "observables",
    "observe",
    "random_boosts",
    "random_turns",
    "read_idx",
    "reference_jets",
    "rename_nodes",
    "rename_nodes_anew",
    "rigid_bodies",
    "rotate",
    "rotated_mnist",
    "shift",
    "shift_images",
    "spins_on_graphs",
    "subjettiness",
    "tetris",
    "tetris_volumes",
    "to_irreps",
    "to_matrices",
    "turn_bodies",
    "turn_images",
    "turn_volumes",
]
