"""The reference set's format. Its files are large and pandas is not required, so a stand-in for both is read here."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from eqlib import data


class Table(dict):
    """As much of a data frame as is used: columns by name, or a two-dimensional array by a list of names."""

    def __getitem__(self, names):
        return super().__getitem__(names) if isinstance(names, str) else np.column_stack([self[n] for n in names])


def columns(n=6, seed=0):
    """n jets: number i has i massless particles by falling pT, in float32."""
    momenta = np.zeros((n, 200, 4))
    momenta[..., 1:] = 100 * np.random.RandomState(seed).normal(size=(n, 200, 3))
    momenta[np.arange(200) >= np.arange(n)[:, None]] = 0
    order = np.argsort(-np.hypot(momenta[..., 1], momenta[..., 2]), axis=1)
    momenta = np.take_along_axis(momenta, order[..., None], axis=1)
    momenta[..., 0] = np.linalg.norm(momenta[..., 1:], axis=-1)
    momenta = momenta.astype(np.float32)
    table = {f"{name}_{k}": momenta[:, k, i] for k in range(200) for i, name in enumerate(("E", "PX", "PY", "PZ"))}
    return momenta, table | {"is_signal_new": np.arange(n) % 2}


@pytest.fixture
def reference(monkeypatch, tmp_path):
    """write(table) -> path"""
    path = tmp_path / "test.h5"
    held = {}

    def read_hdf(path, key, start, stop):
        assert key == "table"
        return Table({name: column[start:stop] for name, column in held.items()})

    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(read_hdf=read_hdf))
    monkeypatch.setitem(sys.modules, "tables", SimpleNamespace(HDF5ExtError=RuntimeError))

    def write(table):
        path.touch()
        held.clear()
        held.update(table)
        return path

    return write


def test_momenta_mask_and_labels(reference):
    momenta, table = columns()
    path = reference(table)
    jets = data.reference_jets(path, 6)
    (found, mask), labels = jets.momenta(), jets.labels
    assert len(jets) == 6 and jets.mass is None
    assert found.shape == (6, 200, 4) and found.dtype == np.float64
    np.testing.assert_allclose(found, momenta, rtol=1e-6)
    assert mask.sum(1).tolist() == [0, 1, 2, 3, 4, 5] and labels.tolist() == [0, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(found[..., 0], np.linalg.norm(found[..., 1:], axis=-1), rtol=1e-15)
    some = data.reference_jets(path, 2, first=3, particles=3)
    assert np.array_equal(some.momenta()[0], found[3:5, :3]) and some.labels.tolist() == [1, 0]
    inputs, _ = data.network_input(found, mask, particles=4)
    assert np.isfinite(inputs).all()


def test_wrong_numbers_and_files_are_refused(reference, tmp_path):
    path = reference(columns()[1])
    for options, message in (
        ({"number": 0}, "number, first: got 0 and 0"),
        ({"number": 1, "first": -1}, "number, first: got 1 and -1"),
        ({"number": 1, "particles": 201}, r"particles: got 201, expected 1 ... 200"),
        ({"number": 4, "first": 3}, "number: got 4 from jet 3 on, expected at most 3"),
    ):
        with pytest.raises(ValueError, match=message):
            data.reference_jets(path, **options)
    with pytest.raises(FileNotFoundError, match=r"none.h5: no such file. train.h5"):
        data.reference_jets(tmp_path / "none.h5", 1)
    for change, message in (
        ({"PX_2": np.full(6, np.nan, np.float32)}, "got NaN, inf or labels"),
        ({"is_signal_new": np.arange(6)}, r"labels \[0 1 2 3 4 5\], expected finite"),
    ):
        with pytest.raises(ValueError, match=message):
            data.reference_jets(reference(columns()[1] | change), 6)
    table = columns()[1]
    del table["PX_2"]
    with pytest.raises(ValueError, match=r"expected a table with E_0, PX_0 ... and is_signal_new"):
        data.reference_jets(reference(table), 6)


def test_without_pandas_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    (tmp_path / "test.h5").touch()
    with pytest.raises(ImportError, match=r"need pandas and tables .*: pip install pandas tables"):
        data.reference_jets(tmp_path / "test.h5", 1)
