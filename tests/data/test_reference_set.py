"""The reference set's format, in small files that pandas writes; tests/data/test_jet_stream.py has what is wrong with files."""

import sys

import numpy as np
import pytest

from eqlib import data, doubtful
from eqlib.data import reference_set
from tests.jet_files import momenta_of, write_hdf5


def test_momenta_mask_and_labels(tmp_path):
    path = write_hdf5(tmp_path / "test.h5", 6)
    jets = data.reference_jets(path, 6)
    (found, mask), labels = jets.momenta(), jets.labels
    assert len(jets) == 6 and jets.mass is None
    assert found.shape == (6, 200, 4) and found.dtype == np.float64
    np.testing.assert_allclose(found, momenta_of(6), rtol=1e-6)
    assert mask.sum(1).tolist() == [0, 1, 2, 3, 4, 5] and labels.tolist() == [0, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(found[..., 0], np.linalg.norm(found[..., 1:], axis=-1), rtol=1e-15)
    some = data.reference_jets(path, 2, first=3, particles=3)
    assert np.array_equal(some.momenta()[0], found[3:5, :3]) and some.labels.tolist() == [1, 0]
    inputs, _ = data.network_input(found, mask, particles=4)
    assert np.isfinite(inputs).all()


def test_wrong_numbers_are_refused(tmp_path):
    path = write_hdf5(tmp_path / "test.h5", 6)
    for options, message in (
        ({"number": 0}, "number, first: got 0 and 0"),
        ({"number": 1, "first": -1}, "number, first: got 1 and -1"),
        ({"number": 1, "particles": 201}, r"particles: got 201, expected 1 ... 200"),
        ({"number": 4, "first": 3}, "number: got 4 from jet 3 on, expected at most 3"),
        ({"number": 4, "first": 30}, "number: got 4 from jet 30 on, expected at most 0"),
    ):
        with pytest.raises(ValueError, match=message):
            data.reference_jets(path, **options)
    with pytest.raises(FileNotFoundError, match=r"none.h5: no such file. train.h5"):
        data.reference_jets(tmp_path / "none.h5", 1)


def test_a_file_on_which_the_library_crashes(tmp_path, monkeypatch):
    """Found by chance in one of 2,500 damaged files; here by a script that kills itself, or never ends."""
    path = write_hdf5(tmp_path / "test.h5", 2)
    monkeypatch.setattr(reference_set, "PROBE", "import os; os.abort()")
    with pytest.raises(ValueError, match=r"test.h5: got a file on which the HDF5 library crashes"):
        data.reference_jets(path, 1)
    assert doubtful.dies("while True: pass", path, seconds=0.5)


def test_without_tables_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tables", None)
    (tmp_path / "test.h5").touch()
    with pytest.raises(ImportError, match=r'need tables .*: pip install "eqlib\[hdf5\]"'):
        data.reference_jets(tmp_path / "test.h5", 1)
