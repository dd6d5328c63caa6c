"""Proteins from PDB and mmCIF files: what is kept, what is left out and counted, and what is refused."""

import gzip
import re
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from eqlib import data
from eqlib.data import structure_text
from eqlib.data.structures import HEAVY, LETTERS, join

gemmi = pytest.importorskip("gemmi")

FOLDER = Path(__file__).with_name("complexes")
SEQUENCE = ["GLY", "ALA", "SER", "TRP", "MET", "HIS"]


def line(
    name, residue, number, x, *, chain="A", alt=" ", code=" ", occupancy=1.0, element=None, record="ATOM", serial=1
):
    """An atom of a PDB file."""
    place = f"{record:<6}{serial % 100000:5}  {name:<3}{alt}{residue:>3} {chain}{number:4}{code}   "
    xyz = "".join(f"{value:8.3f}" for value in x)
    return f"{place}{xyz}{occupancy:6.2f}  0.00{element or name[0]:>12}"


def residue_lines(residue, number, start=(0.0, 0.0, 0.0), names=None, **kwargs):
    names = [n for n in HEAVY[residue] if n != "OXT"] if names is None else names
    return [
        line(n, residue, number, np.add(start, [0.5 * i, 0.3 * i * i % 2, i]), **kwargs) for i, n in enumerate(names)
    ]


def protein_lines(chain="A", sequence=SEQUENCE):
    found = []
    for i, residue in enumerate(sequence, 1):
        found += residue_lines(residue, i, (3.8 * i, 0, 0), chain=chain)
    return found


def written(folder, lines, name="some.pdb", end=("TER", "END")):
    path = folder / name
    path.write_text("\n".join([*lines, *end, ""]), encoding="utf-8")
    return path


def as_mmcif(path):
    """The same file as mmCIF, by gemmi."""
    structure = gemmi.read_pdb(str(path))
    structure.setup_entities()
    out = path.with_suffix(".cif")
    structure.make_mmcif_document().write_file(str(out))
    return out


def assert_same(one, other):
    for name in vars(one):
        if name != "dropped":
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.fixture
def small(tmp_path):
    return written(tmp_path, protein_lines())


# what is read ---------------------------------------------------------------------------------------------------------


def test_a_small_file_gives_its_arrays(small):
    s = data.read_structure(small)
    assert s.sequence == "GASWMH" and s.residue_names.tolist() == SEQUENCE and s.chains.tolist() == ["A"] * 6
    assert s.numbers.tolist() == [1, 2, 3, 4, 5, 6] and s.insertions.tolist() == [""] * 6 and s.dropped == {}
    assert s.names[s.alpha].tolist() == ["CA"] * 6 and s.residues[s.alpha].tolist() == [*range(6)]
    assert (np.diff(s.residues) >= 0).all() and len(s.names) == sum(len(HEAVY[name]) - 1 for name in SEQUENCE)
    assert s.elements[s.names == "SD"].tolist() == [16] and set(s.elements[s.residues == 3].tolist()) == {6, 7, 8}
    assert s.positions.dtype == np.float64 and s.positions[0].tolist() == [3.8, 0, 0]


def test_pdb_mmcif_and_packed_files_give_the_same(small):
    s = data.read_structure(small)
    cif = as_mmcif(small)
    for path in (small, cif):
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        assert_same(data.read_structure(path), s)
        assert_same(data.read_structure(packed), s)


def test_a_real_interface_is_whole():
    s = data.read_structure(FOLDER / "1CGI_l_b.pdb.gz")
    assert len(s) == 30 and s.dropped == {} and set(s.residue_names) <= set(LETTERS)
    neighbours = np.linalg.norm(np.diff(s.positions[s.alpha], axis=0), axis=1)
    assert np.median(neighbours) == pytest.approx(3.8, abs=0.1)


def test_chains_are_chosen_by_name(tmp_path):
    path = written(tmp_path, [*protein_lines("A"), "TER", *protein_lines("B", SEQUENCE[::-1])])
    assert data.read_structure(path).sequence == "GASWMHHMWSAG"
    assert data.read_structure(path, "B").sequence == data.read_structure(path, ["B"]).sequence == "HMWSAG"
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}: got no chain 'C', expected one of 'A', 'B'"):
        data.read_structure(path, ["A", "C"])


# stated treatments ----------------------------------------------------------------------------------------------------


def test_what_is_no_protein_is_left_out_and_counted(tmp_path):
    lines = protein_lines()
    lines += [
        line("H", "GLY", 1, [0, 0, 1]),
        line("HA2", "GLY", 1, [0, 1, 1]),
        line("D1", "GLY", 1, [0, 1, 2], element="D"),
    ]
    lines += [line("P", "DA", 20, [0, 0, 9]), line("P", "U", 21, [0, 0, 9])]
    lines += [line("O", "HOH", 30 + i, [9, 9, i], record="HETATM") for i in range(3)]
    lines += [line("ZN", "ZN", 40, [5, 5, 5], record="HETATM", element="ZN")]
    lines += residue_lines("GLU", 41, record="HETATM")  # a free amino acid
    lines += residue_lines("UNK", 42, names=["N", "CA", "C", "O"]) + residue_lines(
        "DAL", 43, names=["N", "CA", "C", "O"]
    )
    lines += residue_lines("XYZ", 44, names=["N", "CA", "C", "O"])
    s = data.read_structure(written(tmp_path, lines))
    assert s.sequence == "GASWMH"
    assert s.dropped == {"hydrogens": 3, "nucleotides": 2, "waters": 3, "ligands": 2, "non-standard residues": 3}


def test_selenomethionine_is_methionine_and_phosphoserine_serine(tmp_path):
    lines = protein_lines()
    lines += residue_lines("MSE", 7, names=["N", "CA", "C", "O", "CB", "CG", "SE", "CE"], record="HETATM")
    lines += residue_lines("SEP", 8, names=["N", "CA", "C", "O", "CB", "OG", "P", "O1P"], record="HETATM")
    s = data.read_structure(written(tmp_path, lines))
    assert s.sequence == "GASWMHMS" and s.dropped == {"atoms that the standard parent lacks": 2}
    assert s.names[s.residues == 6].tolist() == ["N", "CA", "C", "O", "CB", "CG", "SD", "CE"]
    assert s.elements[s.residues == 6].tolist() == [7, 6, 6, 8, 6, 6, 16, 6]


@pytest.mark.parametrize(("occupancies", "kept"), [((0.5, 0.5), 10.0), ((0.4, 0.6), 20.0), ((0.6, 0.4), 10.0)])
def test_the_alternate_location_of_highest_occupancy_is_taken_for_the_whole_residue(occupancies, kept, tmp_path):
    """Also where a single atom of the other one has more."""
    lines = [*protein_lines(), line("N", "SER", 7, [1, 1, 1])]
    for name in ("CA", "C", "O", "CB", "OG"):
        odd = name == "OG"
        for alt, x, occupancy in zip("AB", (10, 20), occupancies if not odd else occupancies[::-1], strict=True):
            lines.append(line(name, "SER", 7, [x, 0, 0], alt=alt, occupancy=occupancy))
    s = data.read_structure(written(tmp_path, lines))
    last = s.positions[s.residues == 6]
    assert last[0].tolist() == [1, 1, 1] and (last[1:, 0] == kept).all() and len(last) == 6
    assert s.dropped == {"atoms of other alternate locations": 5}


def test_two_residues_at_one_place_are_alternate_locations(tmp_path):
    lines = protein_lines()
    lines += residue_lines("SER", 7, alt="A", occupancy=0.3) + residue_lines("THR", 7, alt="B", occupancy=0.7)
    assert data.read_structure(written(tmp_path, lines)).sequence == "GASWMHT"


def test_an_atom_without_a_letter_is_an_alternate_of_one_with_a_letter(tmp_path):
    lines = protein_lines()
    for name in ("N", "CA", "C", "O"):
        lines.append(line(name, "GLY", 7, [1, 0, 0], occupancy=0.6))
        lines.append(line(name, "GLY", 7, [2, 0, 0], alt="B", occupancy=0.4))
    s = data.read_structure(written(tmp_path, lines))
    assert (s.positions[s.residues == 6, 0] == 1).all() and (s.residues == 6).sum() == 4


def test_insertion_codes_make_residues_of_their_own(tmp_path):
    lines = (
        protein_lines()
        + residue_lines("GLY", 52)
        + residue_lines("ALA", 52, code="A")
        + residue_lines("SER", 52, code="B")
    )
    path = written(tmp_path, lines)
    for s in (data.read_structure(path), data.read_structure(as_mmcif(path))):
        assert s.sequence == "GASWMHGAS" and s.numbers[-3:].tolist() == [52] * 3
        assert s.insertions[-3:].tolist() == ["", "A", "B"]


def test_of_several_models_the_first_is_taken(tmp_path):
    lines = ["MODEL        1", *protein_lines(), "ENDMDL", "MODEL        2", *protein_lines(sequence=["GLY"]), "ENDMDL"]
    s = data.read_structure(written(tmp_path, lines, end=["END"]))
    assert s.sequence == "GASWMH" and s.dropped == {"models": 1}


def test_residues_without_alpha_carbon_are_dropped_unless_they_are_many(tmp_path):
    lines = protein_lines(sequence=["GLY"] * 19) + residue_lines("SER", 20, names=["N", "C", "O"])
    s = data.read_structure(written(tmp_path, lines))
    assert s.sequence == "G" * 19 and s.dropped == {"residues without alpha carbon": 1}
    t = data.read_structure(written(tmp_path, lines), partial=True)
    assert t.sequence == "G" * 19 + "S" and t.names[t.alpha].tolist() == ["CA"] * 19 + ["N"] and t.dropped == {}
    assert_same(t.only(np.arange(19)), s)
    bare = [each for each in protein_lines(sequence=["GLY"] * 20) if each[13:16] != "CA "]
    with pytest.raises(
        ValueError, match=r"some\.pdb: got 20 of 20 residues without alpha carbon, expected at most a tenth"
    ):
        data.read_structure(written(tmp_path, bare))


def test_elements_come_from_names_where_the_column_holds_something_else(tmp_path):
    lines = [f"{each[:76]}{(' 7', 'A ', ' C')[i % 3]}13" for i, each in enumerate(protein_lines())]
    s = data.read_structure(written(tmp_path, lines))
    assert s.elements.tolist() == [{"N": 7, "C": 6, "O": 8, "S": 16}[name[0]] for name in s.names]


def test_a_file_may_lack_its_end_where_its_last_residue_is_whole(tmp_path):
    assert len(data.read_structure(written(tmp_path, protein_lines(), end=()))) == 6


# what is refused ------------------------------------------------------------------------------------------------------


def refused(path, words, chains=None):
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}.*{words}") as error:
        data.read_structure(path, chains)
    assert "\n" not in str(error.value)


def test_files_without_proteins_are_refused(tmp_path):
    water = [line("O", "HOH", i, [9, 9, i], chain="W", record="HETATM") for i in range(3)]
    refused(written(tmp_path, water), "got no atoms of proteins but 3 waters")
    refused(written(tmp_path, protein_lines() + water), "no atoms of proteins but 3 waters", ["W"])
    refused(written(tmp_path, protein_lines() + water), "chain 'W' without atoms of proteins", ["A", "W"])
    refused(written(tmp_path, ["HEADER"]), "got no atoms")
    refused(written(tmp_path, [], end=()), "empty file")


@pytest.mark.parametrize("word", ["     nan", "     inf", "        ", "   1_0.0", "   1.2.3", "  ********", "     1e9"])
def test_coordinates_that_are_no_finite_numbers_are_refused(word, tmp_path):
    lines = protein_lines()
    lines[4] = lines[4][:38] + word[:8] + lines[4][46:]
    refused(written(tmp_path, lines), "line 5: got .* expected an atom with three finite coordinates")


@pytest.mark.parametrize("word", ["nan", "?", "1_0", "inf", "1e9"])
def test_coordinates_of_mmcif_that_are_no_finite_numbers_are_refused(word, small):
    path = as_mmcif(small)
    text = path.read_text(encoding="utf-8")
    assert " 3.8 " in text
    path.write_text(text.replace(" 3.8 ", f" {word} ", 1), encoding="utf-8")
    refused(path, "atom 1: got .* expected a finite coordinate")


def test_atoms_and_residues_that_come_twice_are_refused(tmp_path):
    lines = protein_lines()
    refused(written(tmp_path, [*lines, lines[-1]]), "residue HIS A 6: got atom NE2 twice")
    refused(written(tmp_path, [*lines, *lines]), "twice")
    refused(
        written(tmp_path, [*lines, *residue_lines("GLY", 6)]),
        "residue HIS A 6: got two residues of one number, HIS and GLY",
    )


def test_truncated_files_are_refused_wherever_they_are_cut(small):
    """But behind the last line of a whole residue: that is the file of a shorter protein."""
    text = small.read_text(encoding="utf-8")
    lines = text[: text.index("TER")].splitlines(keepends=True)
    last = [i for i in range(len(lines)) if i + 1 == len(lines) or lines[i][22:26] != lines[i + 1][22:26]]
    whole = {sum(map(len, lines[: i + 1])) for i in last}
    for cut in range(1, sum(map(len, lines)) + 1, 3):
        small.write_text(text[:cut], encoding="utf-8")
        if cut not in whole:
            refused(small, "(truncated|an end within|got no atoms)")
    for cut in whole:
        small.write_text(text[:cut], encoding="utf-8")
        assert text[:cut].count(" CA ") == len(data.read_structure(small))


def test_truncated_mmcif_and_gzip_are_refused(small):
    path = as_mmcif(small)
    content = path.read_bytes()
    rows = content.index(b"ATOM")
    for cut in (rows + 30, rows + 200, rows + 777, len(content) - 3):
        path.write_bytes(content[:cut])
        refused(path, "")
    path.write_bytes(content[: content.index(b"\n", rows + 200)])  # a whole row, as far as one can see
    refused(path, "got a last line without an end")
    packed = small.with_suffix(".gz")
    whole = gzip.compress(small.read_bytes())
    for cut in (5, 50, len(whole) - 3):
        packed.write_bytes(whole[:cut])
        refused(packed, "(truncated|empty|no atoms)")


def test_binary_files_are_refused(tmp_path):
    for content in (
        bytes(range(256)),
        "\n".join(protein_lines()).encode() + bytes(100),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        np.random.default_rng(0).bytes(3000),
    ):
        (tmp_path / "some.pdb").write_bytes(content)
        refused(tmp_path / "some.pdb", "binary file")


@pytest.mark.parametrize("kind", ["pdb", "cif"])
def test_more_than_100_000_atoms_are_refused_soon_and_in_little_memory(kind, tmp_path):
    path = tmp_path / f"large.{kind}"
    if kind == "pdb":
        row = line("CA", "GLY", 1, [0, 0, 0])
        path.write_text("\n".join([row] * 100_001 + ["END", ""]), encoding="utf-8")
    else:
        head = "data_x\nloop_\n" + "".join(f"_atom_site.Cartn_{axis}\n" for axis in "xyz")
        path.write_text(head + "1 2 3\n" * 100_001, encoding="utf-8")
    begin = time.perf_counter()
    refused(path, "got 100,001 atoms, expected at most 100,000")
    assert time.perf_counter() - begin < 5


def test_files_that_are_or_unpack_to_too_much_are_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "bomb.pdb.gz"
    path.write_bytes(40 * gzip.compress(b"ATOM  " + bytes(10_000_000), 1))
    tracemalloc.start()
    try:
        refused(path, "got more than 34 MB")
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
    words = tmp_path / "words.cif"
    words.write_text("data_x\nloop_\n_a.b\n" + "1 " * 4_000_000 + "\n", encoding="utf-8")
    refused(words, "got more than 3,000,000 words")


def test_a_file_that_is_not_there_and_a_package_that_is_not_are_said(small, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"none\.pdb: no such file"):
        data.read_structure("none.pdb")
    monkeypatch.setitem(sys.modules, "gemmi", None)
    with pytest.raises(ImportError, match=re.escape('pip install "eqlib[complexes]"')):
        data.read_structure(small)


def test_a_file_of_almost_100_000_atoms_is_read(tmp_path):
    lines = [each for i in range(99) for each in residue_lines("GLY", i + 1)]
    s = data.read_structure(written(tmp_path, lines))
    assert len(s) == 99 and structure_text.MOST_ATOMS == 100_000


# the arrays themselves ------------------------------------------------------------------------------------------------


def test_moved_only_and_join_are_what_they_say(small):
    s = data.read_structure(small)
    R = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(s.moved(R, [1, 2, 3]).positions, s.positions @ R.T + [1, 2, 3], atol=1e-14)
    some = s.only([4, 1])
    assert some.sequence == "MA" and some.names[some.alpha].tolist() == ["CA", "CA"]
    np.testing.assert_array_equal(some.positions[some.residues == 1], s.positions[s.residues == 1])
    assert_same(s.only(s.residue_names != "TRP"), s.only([0, 1, 2, 4, 5]))
    assert_same(join(s.only([0, 1]), s.only([2, 3, 4, 5])), s)
    assert s.only([]).sequence == ""


def test_arrays_that_do_not_fit_are_refused(small):
    s = data.read_structure(small)
    for words, change in {
        "residues: got 6 ... 6": lambda: s.only([6]),
        "residues: got truth values": lambda: s.only([True]),
        "matrices: got one that is not": lambda: s.moved(2 * np.eye(3)),
        "shift: got": lambda: s.moved(np.eye(3), [0, np.nan, 0]),
        "alpha: got": lambda: data.Structure(**(vars(s) | {"alpha": s.alpha[::-1]})),
        "residue_names: got 'XYZ'": lambda: data.Structure(**(vars(s) | {"residue_names": ["XYZ"] * 6})),
        "residues: got others": lambda: data.Structure(**(vars(s) | {"residues": s.residues[::-1]})),
        "chains: got shape": lambda: data.Structure(**(vars(s) | {"chains": ["A"]})),
    }.items():
        with pytest.raises(ValueError, match=re.escape(words)):
            change()
