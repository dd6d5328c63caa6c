"""Extended xyz: both readers give the same, to the last bit, and say where a file is not as it should be."""

import numpy as np
import pytest

from eqlib import data
from eqlib.data.elements import ELEMENTS
from eqlib.data.molecules import BOHR, HARTREE

BOX = 'Lattice="50.0 0.0 0.0 0.0 50.0 0.0 0.0 0.0 50.0" '
FORCES = "Properties=species:S:1:pos:R:3:forces:R:3"


def frame(numbers, energy=-100.0, seed=0, properties=FORCES, rest='config_type=300K_MD pbc="F F F"'):
    """A frame as the public sets write it: eight decimals, energies to the last digit."""
    random, columns = np.random.RandomState(seed), 6 if "forces" in properties else 3
    rows = [f"{ELEMENTS[n - 1]:<2}" + "".join(f"{x:17.8f}" for x in random.normal(size=columns)) for n in numbers]
    said = "" if energy is None else f"energy={energy!r} "
    return "\n".join([str(len(numbers)), f"{BOX}{properties} OH_dist=1.0373 {said}{rest}", *rows, ""])


WATER, ALCOHOL = [8, 1, 1], [6, 8, 1, 1, 1, 1]
WHOLE = "".join(frame(WATER if i % 2 else ALCOHOL, (-2081.1 if i % 2 else -3150.7) + 0.1 * i, seed=i) for i in range(5))


@pytest.fixture(params=["strict", "ase"])
def reader(request):
    if request.param == "ase":
        pytest.importorskip("ase", reason="ASE is not installed: its reader is not tested")
    return request.param


@pytest.fixture
def refused(tmp_path, reader):
    """A function that reads a text, which must be refused with this message."""

    def check(text, message, **options):
        path = tmp_path / "some.xyz"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=rf"some\.xyz: {message}"):
            data.read_xyz(path, reader=reader, **options)

    return check


def written(tmp_path, text):
    path = tmp_path / "some.xyz"
    path.write_text(text, encoding="utf-8")
    return path


def test_both_readers_agree_to_the_last_bit(tmp_path):
    pytest.importorskip("ase", reason="ASE is not installed: there is nothing to compare with")
    for text in (WHOLE, frame(WATER, None, rest='dipole="0.1 -0.2 0.3" pbc="F F F"') + "\n\n"):
        path = written(tmp_path, text)
        strict, ase = (data.read_xyz(path, reader=reader) for reader in ("strict", "ase"))
        for name in ("numbers", "positions", "sizes", "energies", "forces", "dipoles", "moments"):
            assert np.array_equal(getattr(strict, name), getattr(ase, name)), name


def test_all_of_a_file_is_read(tmp_path, reader):
    molecules = data.read_xyz(written(tmp_path, WHOLE), reader=reader)
    assert molecules.sizes.tolist() == [6, 3, 6, 3, 6] and molecules.numbers[:9].tolist() == ALCOHOL + WATER
    assert molecules.energies.tolist() == [(-2081.1 if i % 2 else -3150.7) + 0.1 * i for i in range(5)]
    expected = np.random.RandomState(3).normal(size=(3, 6)).round(8)
    np.testing.assert_allclose(molecules.molecule(3).positions, expected[:, :3], atol=1e-8)
    np.testing.assert_allclose(molecules.molecule(3).forces, expected[:, 3:], atol=1e-8)


def test_the_reader_is_ase_where_it_is_installed(tmp_path, monkeypatch):
    """Columns that the strict reader counts as one too many ASE reads by another rule: none where there are no words."""
    path, asked = written(tmp_path, WHOLE), []
    monkeypatch.setattr(data.extended_xyz, "_by_ase", lambda path, energy: asked.append(path) or [])
    for found, expected in ((object(), [path]), (None, [])):
        asked.clear()
        monkeypatch.setattr(data.extended_xyz, "find_spec", lambda name, found=found: found)
        if found is None:
            assert len(data.read_xyz(path)) == 5
        else:
            with pytest.raises(ValueError, match="got no frames"):
                data.read_xyz(path)
        assert asked == expected


def test_other_columns_keys_and_layouts(tmp_path, reader):
    text = (
        '2\nProperties=id:I:1:species:S:1:forces:R:3:pos:R:3 REF_energy=-4.5 note="two words = one" pbc="F F F"\n'
        "7 H 1 2 3 0 0 0\n8 He 4.0 5e-1 -6 0 0 7.5\n"
    )
    path = written(tmp_path, text)
    found = data.read_xyz(path, reader=reader, energy="REF_energy")
    assert found.numbers.tolist() == [1, 2] and found.positions[1].tolist() == [0, 0, 7.5]
    assert found.forces.tolist() == [[1, 2, 3], [4, 0.5, -6]] and found.energies.tolist() == [-4.5]
    assert data.read_xyz(path, reader=reader).energies is None
    plain = data.read_xyz(written(tmp_path, "1\nany words\nO 1 2 3\n"), reader=reader)
    assert plain.numbers.tolist() == [8] and plain.forces is None


def test_units_are_converted(tmp_path, reader):
    path = written(tmp_path, frame(WATER, -76.4, rest='dipole="0 0 1.0" energy_unit=hartree pbc="F F F"'))
    plain = data.read_xyz(written(tmp_path / "..", frame(WATER)), reader=reader)
    found = data.read_xyz(path, reader=reader, units=("hartree", "bohr"))
    np.testing.assert_allclose(found.positions, plain.positions * BOHR, rtol=1e-14)
    np.testing.assert_allclose(found.forces, plain.forces * HARTREE / BOHR, rtol=1e-14)
    np.testing.assert_allclose(found.energies, -76.4 * HARTREE, rtol=1e-14)
    np.testing.assert_allclose(found.dipoles, [[0, 0, BOHR]], rtol=1e-14)
    kilojoule, kilocalorie = (data.extended_xyz.ENERGY[name] for name in ("kJ/mol", "kcal/mol"))
    np.testing.assert_allclose([1 / kilojoule, 1 / kilocalorie], [96.48533, 23.06055], rtol=1e-6)


# what is refused ------------------------------------------------------------------------------------------------------

LINES = WHOLE.splitlines()  # frames begin in lines 1, 9, 14, 22, 27


def changed(line, text):
    """WHOLE with this line, from 1, as this text; None takes it out."""
    return "\n".join([*LINES[: line - 1], *([] if text is None else [text]), *LINES[line:], ""])


def test_a_file_that_breaks_off(refused):
    for kept in range(23, 26):
        refused("\n".join(LINES[:kept]), f"frame 3, line 22: truncated: got {max(0, kept - 23)} atoms, expected 3")
    refused("\n".join(LINES[:22]), "frame 3, line 22: truncated: got 0 atoms, expected 3")
    refused(WHOLE[:-12], r"frame 4, line 34: got \d columns, .* expected 7")
    refused("", "got no frames|.*")


def test_a_wrong_number_of_atoms(refused):
    refused(changed(9, "4"), r"frame 1, line 14: got 1 columns, '6', expected 7")
    refused(changed(9, "2"), r"frame 2, line 13: got 'H .*', expected the number of atoms")
    refused(changed(9, "three"), "frame 1, line 9: got 'three', expected the number of atoms")
    refused(changed(9, "0"), "frame 1, line 9: got '0', expected the number of atoms of a frame, at least 1")


def test_unknown_elements_missing_columns_and_words_for_numbers(refused):
    refused(changed(12, LINES[11].replace("H", "Xx")), "frame 1, line 12: got an unknown element 'Xx'")
    refused(changed(12, LINES[11][:-17]), "frame 1, line 12: got 6 columns, .*, expected 7")
    refused(changed(12, LINES[11][:-17] + "   force"), "frame 1, line 12: forces: got .*force', expected numbers")
    refused(
        changed(10, LINES[9].replace("pos:R:3", "place:R:3")), r"frame 1, line (9|10): .*(3 columns of|a column) pos"
    )


def test_a_column_too_many_is_for_the_strict_reader_alone(tmp_path):
    """ASE leaves it out of account."""
    with pytest.raises(ValueError, match=r"frame 1, line 12: got 8 columns, .*, expected 7"):
        data.read_xyz(written(tmp_path, changed(12, f"{LINES[11]} 0.5")), reader="strict")


@pytest.mark.parametrize("word", ["nan", "inf"])
def test_numbers_that_are_none(refused, word):
    refused(changed(12, LINES[11][:-12] + word), r"frame 1, line 9: forces: got NaN or inf")
    parts = LINES[11].split()
    refused(changed(12, " ".join([*parts[:2], word, *parts[3:]])), "frame 1, line 9: positions: got NaN or inf")
    refused(changed(10, LINES[9].replace("energy=", f"energy={word} was=")), "frame 1, line 9: energy: got NaN or inf")


def test_what_only_some_frames_have(refused):
    refused(changed(10, LINES[9].replace("energy=", "no=")), "frame 1, line 9: got no energy here, unlike in frame 0")
    bare = frame(WATER, -2081.0, properties="Properties=species:S:1:pos:R:3")
    refused(WHOLE + bare, "frame 5, line 35: got no forces here, unlike in frame 0")
    refused(bare + WHOLE, "frame 1, line 6: got forces here")
    refused(WHOLE + frame(WATER, -2081.0, rest='dipole="0 0 1" pbc="F F F"'), "frame 5, line 35: got dipole here")


def test_periodic_boxes(refused):
    refused(changed(10, LINES[9].replace("F F F", "T T T")), "frame 1, line 9: got a periodic box")
    refused(changed(10, LINES[9].replace("F F F", "F F T")), "frame 1, line 9: got a periodic box")
    refused(
        changed(10, LINES[9].replace(' pbc="F F F"', "")), "frame 1, line 9: got a periodic box"
    )  # the format's rule


def test_units_that_a_frame_states(refused, tmp_path, reader):
    for said, found in (
        ("energy_units=Hartree", "hartree"),
        ('units="kcal/mol/Angstrom"', "kcal/mol"),
        ('forces_unit="eV/bohr"', "bohr"),
        ('units="a.u."', "hartree"),
    ):
        refused(changed(10, f"{LINES[9]} {said}"), f"frame 1, line 9: got the unit {found}, expected eV and angstrom")
    fine = written(tmp_path, changed(10, f'{LINES[9]} units="energy: eV, forces: eV/Angstrom"'))
    assert len(data.read_xyz(fine, reader=reader)) == 5


@pytest.mark.parametrize("factor", [HARTREE, HARTREE / 2, 1 / 23.06, 1e-3, 1.6])
def test_a_total_energy_in_another_unit_than_the_others(refused, factor):
    other = frame(WATER, -2081.1 / factor, seed=9)
    refused(WHOLE + other, "frame 5, line 35: energy: got .* eV, expected about -20.*, as in other frames")


def test_energies_that_may_differ(tmp_path, reader):
    """Binding energies, and other formulas, differ by any factor."""
    binding = "".join(frame(WATER, energy, seed=i) for i, energy in enumerate([-9.7, -9.5, -0.3, 2.0]))
    for text in (binding, WHOLE + frame([1], -13.6), WHOLE + frame(ALCOHOL, -2900.0)):
        assert len(data.read_xyz(written(tmp_path, text), reader=reader)) in (4, 6)


def test_other_arguments_are_refused(tmp_path, reader):
    path = written(tmp_path, WHOLE)
    for options, message in (
        ({"units": ("eV", "feet")}, r"units: got \('eV', 'feet'\), expected one of \['eV'"),
        ({"units": ("eV",)}, r"units: got \('eV',\)"),
        ({"reader": "other"}, "reader: got 'other', expected"),
    ):
        with pytest.raises(ValueError, match=message):
            data.read_xyz(path, **options)
    with pytest.raises(FileNotFoundError):
        data.read_xyz(tmp_path / "none.xyz", reader=reader)


# isolated atoms -------------------------------------------------------------------------------------------------------


def test_energies_of_the_isolated_atoms(tmp_path, reader):
    def alone(number, energy):
        return frame([number], energy, properties="Properties=species:S:1:pos:R:3", rest='pbc="F F F"')

    several = frame(WATER, -2081.0, properties="Properties=species:S:1:pos:R:3")
    good = alone(1, -13.568422178253735) + alone(6, -1026.8538996116154)
    found = data.isolated_energies(written(tmp_path, good), reader=reader)
    assert found == {1: -13.568422178253735, 6: -1026.8538996116154}
    for text, message in (
        (good + several, "frame 2: got 3 atoms, expected one in each frame"),
        (good + alone(6, -1026.8), "got 3 atoms of 2 elements, expected each element once"),
        (alone(1, None), "got no energies, expected energy=... in each frame"),
    ):
        with pytest.raises(ValueError, match=message):
            data.isolated_energies(written(tmp_path, text), reader=reader)
