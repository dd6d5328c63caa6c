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
from .complexes import (
    Complex,
    Interface,
    atom_kinds,
    benchmark_complexes,
    benchmark_names,
    benchmark_sequences,
    docked_complex,
    superposed,
)
from .crystal_file import alloys
from .crystal_graphs import CrystalGraphs
from .crystals import Crystals, as_crystals
from .docking import Docking, DockingQuality, docking_quality
from .extended_xyz import isolated_energies, read_xyz
from .fetch import DownloadError, cache_folder, download
from .images import Split, Splits, rotate, shift
from .jet_file import jets
from .jet_observables import Observables, observables, observe
from .jet_sets import JetInputs, Jets
from .jet_stream import JetFiles, JetStream
from .light_cone import network_input
from .mnist_idx import mnist, read_idx, rotated_mnist
from .molecule_downloads import acac, ethanol, qm9
from .molecule_file import glycol, small_molecules
from .molecule_graphs import MoleculeGraphs
from .molecules import Molecules, as_molecules
from .nsubjettiness import subjettiness
from .own_images import as_images, check_images
from .phonon_csv import phonon_dos, read_phonon_csv
from .phonons import heat_capacity, mean_frequency
from .reference_set import reference_jets
from .relatives import folds, sequence_clusters
from .scikit_digits import digits
from .spins import Spins, rename_nodes, spins_on_graphs
from .structure_file import read_structure
from .structures import Structure
from .volumes import Volumes, draw_cubes, tetris, tetris_volumes

__all__ = [
    "Bodies",
    "Complex",
    "CrystalGraphs",
    "Crystals",
    "Docking",
    "DockingQuality",
    "DownloadError",
    "Interface",
    "JetFiles",
    "JetInputs",
    "JetStream",
    "Jets",
    "MoleculeGraphs",
    "Molecules",
    "MovingCharges",
    "Observables",
    "Spins",
    "Split",
    "Splits",
    "Structure",
    "Volumes",
    "acac",
    "alloys",
    "as_crystals",
    "as_images",
    "as_molecules",
    "atom_kinds",
    "benchmark_complexes",
    "benchmark_names",
    "benchmark_sequences",
    "boost_jets",
    "cache_folder",
    "check_images",
    "digits",
    "docked_complex",
    "docking_quality",
    "download",
    "draw_cubes",
    "electric_magnetic",
    "ethanol",
    "field_basis",
    "field_of_charges",
    "field_tensor",
    "folds",
    "glycol",
    "heat_capacity",
    "inertia",
    "isolated_energies",
    "jets",
    "mean_frequency",
    "mnist",
    "moving_charges",
    "network_input",
    "observables",
    "observe",
    "phonon_dos",
    "qm9",
    "random_boosts",
    "random_turns",
    "read_idx",
    "read_phonon_csv",
    "read_structure",
    "read_xyz",
    "reference_jets",
    "rename_nodes",
    "rename_nodes_anew",
    "rigid_bodies",
    "rotate",
    "rotated_mnist",
    "sequence_clusters",
    "shift",
    "shift_images",
    "small_molecules",
    "spins_on_graphs",
    "subjettiness",
    "superposed",
    "tetris",
    "tetris_volumes",
    "to_irreps",
    "to_matrices",
    "turn_bodies",
    "turn_images",
    "turn_volumes",
]
