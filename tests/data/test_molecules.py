"""Molecules: what is taken, turned and taken off, and what is refused."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eqlib import data
from eqlib.data.elements import ELEMENTS
from eqlib.data.molecules import BOHR, DEBYE, HARTREE

SIZES = [3, 1, 4, 2]
PER_MOLECULE, PER_ATOM = ("energies", "dipoles", "moments", "gaps"), ("numbers", "positions", "forces")


def made_up(seed=0):
    """Molecules with everything that can be known of them; positions are atom numbers where they are looked at."""
    random, atoms, n = np.random.RandomState(seed), sum(SIZES), len(SIZES)
    return data.as_molecules(
        random.choice([1, 6, 8], atoms),
        random.normal(size=(atoms, 3)),
        SIZES,
        energies=random.normal(size=n),
        forces=random.normal(size=(atoms, 3)),
        dipoles=random.normal(size=(n, 3)),
        gaps=random.uniform(3, 9, n),
    )


def coulomb(molecules):
    """Energies and forces of charges numbers^(1/2) that repel each other: a potential that every turn leaves alone."""
    energies, forces = np.zeros(len(molecules)), np.zeros_like(molecules.positions)
    for i in range(len(molecules)):
        where = molecules.points(np.array([i]))
        x, q = molecules.positions[where], np.sqrt(molecules.numbers[where])
        apart = x[:, None] - x
        inverse = 1 / (np.linalg.norm(apart, axis=-1) + 1e9 * np.eye(len(x)))
        energies[i] = (q[:, None] * q * inverse).sum() / 2
        forces[where] = np.einsum("i,j,ij,ijk->ik", q, q, inverse**3, apart)
    return energies, forces


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in (*PER_MOLECULE, *PER_ATOM, "sizes"))


def test_elements_are_in_order():
    assert len(ELEMENTS) == len(set(ELEMENTS)) == 118
    for number, symbol in {1: "H", 6: "C", 9: "F", 26: "Fe", 57: "La", 79: "Au", 92: "U", 118: "Og"}.items():
        assert ELEMENTS[number - 1] == symbol


def test_units_are_those_of_codata():
    constants = pytest.importorskip("scipy.constants")
    found = {name: constants.physical_constants[name][0] for name in ("Hartree energy in eV", "Bohr radius")}
    np.testing.assert_allclose([HARTREE, BOHR], [found["Hartree energy in eV"], 1e10 * found["Bohr radius"]], rtol=1e-8)
    np.testing.assert_allclose(DEBYE, 1e-21 / constants.c / constants.e * 1e10, rtol=1e-12)
    np.testing.assert_allclose(1.8546 * DEBYE, 0.38612, rtol=1e-4)  # water's dipole moment


@pytest.mark.parametrize(
    ("chosen", "indices"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        ([2, 0, 2], [2, 0, 2]),
        (np.array([3]), [3]),
        (np.array([True, False, False, True]), [0, 3]),
        (-1, [3]),
        ([], []),
        (slice(4, 9), []),
    ],
    ids=str,
)
def test_any_choice_takes_what_belongs_to_each_molecule(chosen, indices):
    whole, taken = made_up(), made_up()[chosen]
    assert len(taken) == len(indices) and taken.sizes.tolist() == [SIZES[i] for i in indices]
    starts = np.cumsum([0, *SIZES])
    for name in PER_ATOM:
        parts = [getattr(whole, name)[starts[i] : starts[i + 1]] for i in indices]
        assert np.array_equal(getattr(taken, name), np.concatenate([getattr(whole, name)[:0], *parts])), name
    for name in PER_MOLECULE:
        assert np.array_equal(getattr(taken, name), getattr(whole, name)[indices]), name


def test_one_molecule_and_all_of_them_one_by_one():
    whole = made_up()
    assert same(whole.molecule(2), whole[[2]]) and same(whole.molecule(-1), whole[3:])
    assert [len(one.numbers) for one in whole] == SIZES
    for wrong in (4, -5, [0, 4]):
        with pytest.raises(IndexError):
            whole[wrong]
    assert whole.points(np.array([3, 0])).tolist() == [8, 9, 0, 1, 2]


def test_what_is_not_known_stays_unknown():
    bare = data.as_molecules([1], [[0, 0, 0]], [1])
    for found in (bare[[0]], bare.moved(np.eye(3)), bare[:0]):
        assert [getattr(found, name) for name in (*PER_MOLECULE, "forces")] == [None] * 5
    assert "with" not in repr(bare) and "with energies, dipoles, moments, gaps, forces" in repr(made_up())


@pytest.mark.parametrize("kind", ["turned", "reflected"])
def test_forces_and_dipoles_follow_and_scalars_stay(kind):
    molecules = made_up()
    energies, forces = coulomb(molecules)
    molecules = data.as_molecules(
        molecules.numbers, molecules.positions, SIZES, energies=energies, forces=forces, dipoles=molecules.dipoles
    )
    matrices = Rotation.random(len(SIZES), random_state=1).as_matrix() * (1 if kind == "turned" else -1)
    moved = molecules.moved(matrices)
    energies, forces = coulomb(moved)  # computed anew where the atoms are now
    np.testing.assert_allclose(moved.energies, energies, rtol=1e-12)
    np.testing.assert_allclose(moved.forces, forces, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(moved.dipoles, axis=1), moved.moments, rtol=1e-12)
    for i, R in enumerate(matrices):
        np.testing.assert_allclose(moved.dipoles[i], R @ molecules.dipoles[i], rtol=1e-12)
        np.testing.assert_allclose(
            moved.molecule(i).positions, molecules.molecule(i).positions @ R.T, rtol=0, atol=1e-12
        )
    back = moved.moved(matrices.swapaxes(1, 2))
    np.testing.assert_allclose(back.positions, molecules.positions, rtol=0, atol=1e-12)
    one = molecules.moved(matrices[0])
    np.testing.assert_allclose(one.forces, molecules.forces @ matrices[0].T, rtol=1e-12)


def test_without_atoms_is_exact_where_float32_is_not():
    atoms = {1: -13.568422178253735, 6: -1026.8538996116154, 8: -2037.796869412825, 7: 0.0}
    numbers = [6] * 5 + [8] * 2 + [1] * 8
    binding = np.array([-73.0449, -73.0443])  # 0.6 meV apart
    whole = sum(atoms[n] for n in numbers) + binding
    molecules = data.as_molecules(2 * numbers, np.zeros((30, 3)), [15, 15], energies=whole)
    left = molecules.without_atoms(atoms)
    np.testing.assert_allclose(left.energies, binding, atol=1e-11)
    assert np.abs(np.diff(whole.astype(np.float32)) - 6e-4)[0] > 3e-4  # what rounding first would have cost
    assert same(data.as_molecules(2 * numbers, np.zeros((30, 3)), [15, 15]), molecules) is False
    assert np.array_equal(molecules.energies, whole)  # the set itself is as it was
    for wrong, message in (
        ({1: -13.6, 6: -1027.0}, "energies: got none of O, expected one for each element"),
        ({n: e / HARTREE for n, e in atoms.items()}, "eV an atom left in molecule 0, expected at most 20"),
        (atoms | {8: np.nan}, "got nan eV an atom left in molecule 0"),
    ):
        with pytest.raises(ValueError, match=message):
            molecules.without_atoms(wrong)
    with pytest.raises(ValueError, match="without_atoms: got molecules without energies"):
        data.as_molecules([1], [[0, 0, 0]], [1]).without_atoms(atoms)


def test_sets_of_nothing_and_molecules_of_one_atom_are_inputs():
    assert len(data.as_molecules([], np.zeros((0, 3)), [])) == 0
    one = data.as_molecules([2], [[1, 2, 3]], [1], energies=[-79.0])
    assert one.without_atoms({2: -79.0}).energies.tolist() == [0.0]
    assert one.numbers.dtype == one.sizes.dtype == np.int64 and one.positions.dtype == np.float64


GOOD = {"numbers": [9, 1, 2], "positions": np.zeros((3, 3)), "sizes": [2, 1]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sizes": [2, 2]}, r"numbers: got shape \(3,\), expected \(4,\), the sum of sizes"),
        ({"sizes": [3, 0]}, "sizes: got molecule 1 with 0 atoms, expected at least 1"),
        ({"sizes": [4, -1]}, "sizes: got molecule 1 with -1 atoms"),
        ({"sizes": [1.5, 1.5]}, r"sizes: got float64 \(2,\), expected whole numbers in one row"),
        ({"numbers": [9, 1, 0]}, "numbers: got 0 ... 9, expected atomic numbers 1 ... 118"),
        ({"numbers": [9, 1, 119]}, "numbers: got 1 ... 119, expected"),
        ({"numbers": [9.0, 1, 2]}, r"numbers: got float64 \(3,\), expected whole"),
        ({"positions": np.zeros((3, 2))}, r"positions: got shape \(3, 2\), expected \(3, 3\)"),
        ({"positions": [[0, 0, np.nan]] * 3}, "positions: got NaN or inf"),
        ({"energies": [1.0]}, r"energies: got shape \(1,\), expected \(2,\)"),
        ({"energies": [1.0, np.inf]}, "energies: got NaN or inf"),
        ({"forces": np.zeros((2, 3))}, r"forces: got shape \(2, 3\), expected \(3, 3\)"),
        ({"dipoles": np.zeros((3, 3))}, r"dipoles: got shape \(3, 3\), expected \(2, 3\)"),
        ({"gaps": [[1, 2]]}, r"gaps: got shape \(1, 2\), expected \(2,\)"),
        ({"moments": [0.1, -0.1]}, "moments: got a negative one"),
        ({"moments": [0, 0], "dipoles": np.zeros((2, 3))}, "moments: got them and dipoles, expected one of the two"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_arrays_are_refused(changed, message):
    data.as_molecules(**GOOD)
    with pytest.raises(ValueError, match=message):
        data.as_molecules(**(GOOD | changed))


@pytest.mark.parametrize(
    ("matrices", "message"),
    [
        (np.eye(2), r"matrices: got shape \(2, 2\), expected \(3, 3\) or \(4, 3, 3\)"),
        (np.stack([np.eye(3)] * 3), r"matrices: got shape \(3, 3, 3\)"),
        (1.01 * np.eye(3), "matrices: got one that is not orthogonal"),
        (np.full((3, 3), np.nan), "matrices: got one that is not orthogonal"),
    ],
)
def test_other_matrices_are_refused(matrices, message):
    with pytest.raises(ValueError, match=message):
        made_up().moved(matrices)


def test_reversed_arrays_are_as_good():
    """torch takes no negative strides: a reader's own arrays may have them."""
    numbers, positions = np.array([1, 9])[::-1], np.array([[0, 0, 0.92], [0, 0, 0]])[::-1]
    molecules = data.as_molecules(numbers, positions, [2])
    inputs = data.MoleculeGraphs(molecules, 1.5, None).batch(np.array([0]))
    assert inputs[0].tolist() == [9, 1] and inputs[2].tolist() == [[1, 0], [0, 1]]
