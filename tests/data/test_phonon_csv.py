"""The public table of phonon spectra: its form, its split, what is damaged, and where it comes from."""

import hashlib

import numpy as np
import pytest

from eqlib import data
from eqlib.data import phonon_csv

CELL = [[0.0, 2.8, 2.8], [2.8, 0.0, 2.8], [2.8, 2.8, 0.0]]
FREQUENCIES = [20.0 * i for i in range(51)]


def row(name="mp-961678", spectrum=None, frequencies=FREQUENCIES, **change):
    structure = {"numbers": [11, 17], "positions": [[0, 0, 0], [2.8, 0, 0]], "cell": CELL, "pbc": [True] * 3} | change
    spectrum = [0.0, 2.0] + [0.5] * 49 if spectrum is None else spectrum
    return f'{name},"{structure}","{frequencies}","{spectrum}"\n'


HEAD = "mp_id,structure,phfreq,phdos\n"
TRAIN, VALID, OTHER = "mp-989638", "mp-961678", "mp-1"  # the last is in neither part of the published split


def table(folder, *rows, name="data.csv", head=HEAD):
    path = folder / name
    path.write_text(head + "".join(rows), encoding="utf-8")
    return path


def test_a_table_with_a_column_more(tmp_path):
    head = HEAD.rstrip("\n") + ",pdos\n"
    rows = [row(name).rstrip("\n") + ",\"{'Na': [1.0]}\"\n" for name in (TRAIN, VALID)]
    crystals = data.read_phonon_csv(table(tmp_path, *rows, head=head))
    assert crystals.names == (TRAIN, VALID) and crystals.formulas == ["ClNa", "ClNa"]
    assert crystals.frequencies.tolist() == FREQUENCIES and crystals.spectra[0, :3].tolist() == [0, 1, 0.25]
    assert crystals.cells[1].tolist() == CELL and crystals.positions[3].tolist() == [2.8, 0, 0]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "got no crystals"),
        ([row(), "mp-2,\"{'numbers': [11"], "after line 2: got a truncated"),
        ([row(), row()[:-40]], "after line 2: got a truncated"),
        ([row(), "mp-2,1\n"], "line 3: got 2 cells, expected 4"),
        ([row(), row(spectrum=[0.0] * 51)], r"line 3 \(mp-961678\): spectra: got that of crystal 0 zero"),
        ([row(spectrum=[0.0, float("nan"), 1.0])], "line 2"),
        ([row(spectrum=[1.0, 2.0])], r"line 2: got numbers \(2,\).* phdos \(2,\)"),
        ([row(), row(frequencies=[2 * x for x in FREQUENCIES])], "line 3: got other frequencies"),
        ([row(numbers=[11, 119])], "line 2 .*numbers: got 11 ... 119"),
        ([row(numbers=[11.5, 17])], "line 2: got numbers"),
        ([row(numbers=[11])], "line 2 .*positions: got shape"),
        ([row(cell=[[0, 0, 0]] * 3)], "line 2 .*cells: got crystal 0 with a volume of 0"),
        ([row(pbc=[True, True, False])], "line 2, structure: got pbc"),
        ([row(positions="x")], "line 2: got no arrays"),
        (['mp-2,"__import__(\'os\').getcwd()","[0]","[0]"\n'], "line 2, structure: got .*expected a Python literal"),
        (['mp-2,"[1, 2]","[0]","[0]"\n'], "line 2, structure: got .*expected a dictionary"),
    ],
)
def test_a_broken_line_is_named(tmp_path, rows, words):
    path = table(tmp_path, *rows)
    with pytest.raises(ValueError, match=words) as caught:
        data.read_phonon_csv(path)
    assert str(path) in str(caught.value)


def test_other_columns_and_no_text(tmp_path):
    with pytest.raises(ValueError, match="no 'structure': expected mp_id, structure, phfreq, phdos"):
        data.read_phonon_csv(table(tmp_path, row(), head="mp_id,phfreq,phdos\n"))
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00" * 100)
    with pytest.raises(ValueError, match="truncated or damaged table"):
        data.read_phonon_csv(tmp_path / "binary.csv")


def test_the_published_split():
    lines = map(str.split, phonon_csv.SPLIT.read_text(encoding="utf-8").splitlines())
    known = {name: numbers for name, *numbers in lines}
    assert {name: len(numbers) for name, numbers in known.items()} == {"train": 1191, "valid": 141}
    assert not set(known["train"]) & set(known["valid"]) and len(set(known["train"])) == 1191


def test_parts_of_the_whole_table_and_tables_of_one_part(tmp_path, monkeypatch):
    path = table(tmp_path, *(row(name) for name in (VALID, OTHER, TRAIN)))
    for split, name in (("train", TRAIN), ("valid", VALID), ("test", OTHER)):
        assert data.phonon_dos(split, tmp_path, checksum=None).names == (name,)
    with pytest.raises(ValueError, match="wrong checksum"):
        data.phonon_dos("train", tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.phonon_dos("train", tmp_path, checksum=f"sha256:{digest}").names == (TRAIN,)
    table(tmp_path, row("mp-7"), row("mp-8"), name="valid.csv")
    assert data.phonon_dos("valid", tmp_path).names == ("mp-7", "mp-8")
    with pytest.raises(ValueError, match="split: got 'all'"):
        data.phonon_dos("all", tmp_path)


def test_fetched_once_and_offline(tmp_path, monkeypatch):
    upstream = tmp_path / "upstream"
    upstream.mkdir()
    path = table(upstream, row(VALID), row(TRAIN))
    checksum = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    monkeypatch.setenv("EQLIB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match=r"no train\.csv and no data\.csv there\..*download=True"):
        data.phonon_dos()
    with monkeypatch.context() as patch:
        patch.setattr(phonon_csv, "ADDRESS", "http://127.0.0.1:9/data.csv")  # nobody listens
        with pytest.raises(data.DownloadError, match=r"offline, put the unpacked file data\.csv"):
            data.phonon_dos(download=True)
    monkeypatch.setattr(phonon_csv, "ADDRESS", path.as_uri())
    assert data.phonon_dos("train", download=True, checksum=checksum).names == (TRAIN,)
    path.unlink()
    assert data.phonon_dos("valid", checksum=checksum).names == (VALID,)
    assert (tmp_path / "cache" / "phonon_dos" / "data.csv").is_file()


def test_a_cell_of_the_table_may_be_long(tmp_path):
    """csv's own limit is 131,072 characters; it is as before when the table was read."""
    import csv

    before = csv.field_size_limit()
    n = 3000
    big = row(numbers=[11] * n, positions=np.random.default_rng(0).random((n, 3)).tolist())
    assert len(big) > 131_072
    assert data.read_phonon_csv(table(tmp_path, big)).sizes.tolist() == [n]
    assert csv.field_size_limit() == before
