"""Jets in files: the same as in memory, every one once an epoch, in memory that does not grow; damaged files are named."""

from __future__ import annotations

import hashlib
import tracemalloc
import zipfile
from pathlib import Path

import make_jets
import numpy as np
import pytest
import torch

from eqlib import data
from eqlib.data.jet_file import SPLITS, read
from eqlib.data.jet_stream import Block
from tests.jet_files import momenta_of, write_hdf5, write_shard


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Seven shards of 60 jets and one of 30: the first 450 of the shipped ones."""
    folder = tmp_path_factory.mktemp("shards")
    return [write_shard(folder / f"train{k}.npz", 60 * k, min(60, 450 - 60 * k)) for k in range(8)]


def epoch(stream: data.JetStream, size: int, seed: int = 0) -> list[np.ndarray]:
    return [b.numpy() for b in stream.batches(size, torch.Generator().manual_seed(seed))]


def test_hdf5_in_blocks_is_what_pandas_wrote(tmp_path: Path) -> None:
    """Any rows, momenta to float32's last bit, labels; the momenta may stand in any column, and other columns are ignored."""
    path = write_hdf5(tmp_path / "train.h5", 130)
    files = data.JetFiles([path], block=50)
    assert repr(files) == "JetFiles(130 jets, 3 blocks)" and [b.number for b in files.blocks] == [50, 50, 30]
    wanted = momenta_of(130)
    for block in files.blocks:
        (found, mask), rows = files.read(block).momenta(), slice(block.first, block.first + block.number)
        assert np.array_equal(found.astype(np.float32)[..., 1:], wanted[rows, :, 1:])
        assert (mask.sum(1) == np.arange(130)[rows] % 60).all()
        np.testing.assert_allclose(found[..., 0], np.linalg.norm(found[..., 1:], axis=-1), rtol=1e-15)
        assert files.read(block).labels.tolist() == (np.arange(130)[rows] % 2).tolist()
    pandas = pytest.importorskip("pandas")
    turned = pandas.read_hdf(path, key="table").iloc[:, ::-1]
    turned.to_hdf(tmp_path / "turned.h5", key="table", format="table", mode="w")
    first, other = (data.reference_jets(tmp_path / name, 130) for name in ("train.h5", "turned.h5"))
    assert np.array_equal(first.particles, other.particles) and np.array_equal(first.labels, other.labels)


@pytest.mark.parametrize("kind", ["hdf5", "shards"])
@pytest.mark.parametrize("frame", ["jet", "lab"])
def test_a_stream_gives_what_memory_would(kind: str, frame: str, shards: list[Path], tmp_path: Path) -> None:
    """Bit for bit, in any order of the indices, with few blocks in memory."""
    if kind == "hdf5":
        path = write_hdf5(tmp_path / "test.h5", 210)
        files, jets = data.JetFiles([path], block=40), data.reference_jets(path, 210)
    else:
        files, jets = data.JetFiles(shards), data.jets("train", number=450)
    whole, stream = data.JetInputs(jets, frame), data.JetStream(files, frame, at_once=100)
    assert len(stream) == len(whole) == len(files)
    for indices in ([5, 3, 3, 209, 60, 0], range(210), [], *epoch(stream, 50)[:3]):
        chosen = np.array(indices, dtype=np.int64)
        for found, wanted in zip(stream.batch(chosen), whole.batch(chosen), strict=True):
            assert found.dtype == wanted.dtype and np.array_equal(found, wanted)
    for wrong in (-1, len(files)):
        with pytest.raises(IndexError, match=f"indices: got {wrong} ... {wrong}, expected 0 ... {len(files) - 1}"):
            stream.batch(np.array([wrong]))


@pytest.mark.parametrize("extra", ["stored", "beam"])
def test_other_numbers_of_the_particles_are_streamed_too(extra: str, shards: list[Path]) -> None:
    files, indices = data.JetFiles(shards), np.array([449, 3, 60, 59, 200])
    found = data.JetStream(files, "jet", extra=extra, at_once=60).batch(indices)
    wanted = data.JetInputs(files.read_all(), "jet", extra=extra).batch(indices)
    assert len(found) == 4 and found[2].shape == (5, 50, 4 if extra == "stored" else 3)
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(found, wanted, strict=True))


def test_all_of_the_files_in_memory(shards: list[Path]) -> None:
    """Every array of them is that of the shipped file."""
    found, wanted = data.JetFiles(shards).read_all(), data.jets("train", number=450)
    for name in ("particles", "offsets", "labels", "axis", "constituents", "taus"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    assert found.most == wanted.most and found.mass is None


@pytest.mark.parametrize("size", [1, 7, 50, 449, 450, 1000])
def test_an_epoch_has_every_jet_once(size: int, shards: list[Path]) -> None:
    """In batches of one size, whose order the generator alone decides, with one number that is drawn at once."""
    stream = data.JetStream(data.JetFiles(shards), at_once=130)
    generator = torch.Generator().manual_seed(0)
    batches = stream.batches(size, generator)
    after = generator.get_state()
    found = [b.numpy() for b in batches]
    assert torch.equal(generator.get_state(), after)
    assert sorted(np.concatenate(found).tolist()) == list(range(450))
    assert [len(b) for b in found] == [size] * (450 // size) + [450 % size] * (450 % size > 0)
    again, other = epoch(stream, size), epoch(stream, size, seed=1)
    assert all(map(np.array_equal, found, again))
    assert size >= 450 or not all(map(np.array_equal, found, other))
    assert not all(map(np.array_equal, found, [b.numpy() for b in stream.batches(size, generator)])) or size >= 450


def test_an_epoch_is_shuffled_in_blocks(shards: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks in a random order, two at a time; within two their jets are random, and every block is read once."""
    stream = data.JetStream(data.JetFiles(shards), at_once=130)  # two blocks of 60
    reads: list[Block] = []
    plain = data.JetFiles.read
    monkeypatch.setattr(data.JetFiles, "read", lambda self, block: reads.append(block) or plain(self, block))
    orders = set()
    for seed in range(5):
        batches = epoch(stream, 20, seed)
        jets = np.concatenate(batches)
        first = [set((jets[k : k + 60] // 60).tolist()) for k in range(0, 420, 60)]
        assert max(map(len, first)) <= 4  # a batch may have the end of two and the beginning of the next
        orders.add(tuple(dict.fromkeys((jets // 60).tolist())))
        stream._held.clear()
        reads.clear()
        for batch in batches:
            stream.batch(batch)
            assert len(stream._held) <= 2
        assert len(reads) == len(set(reads)) == 8
        full = [block for block in range(7) if block in first[0] | first[1]]
        if len(full) == 2:  # every batch of the first two blocks has jets from all over both
            for batch in batches[:6]:
                assert all(((batch // 60 == block).sum() > 2) for block in full)
                assert np.std(batch % 60) > 8
    assert len(orders) == 5


def test_two_processes_read_different_blocks(shards: list[Path]) -> None:
    """A batch's indices rise, so each half of it comes from about half of the blocks."""
    stream = data.JetStream(data.JetFiles(shards), at_once=480)
    for batch in epoch(stream, 200)[:2]:
        assert (np.diff(batch) > 0).all()
        halves = [set((half // 60).tolist()) for half in np.split(batch, 2)]
        assert len(halves[0] & halves[1]) <= 1 and max(map(len, halves)) <= 5


def test_memory_does_not_grow_with_the_jets(tmp_path: Path) -> None:
    """An epoch over 40 shards takes what one over 8 takes; in memory they would take five times as much."""
    one = write_shard(tmp_path / "one.npz", 0, 200)
    peaks = []
    for number in (8, 40):
        stream = data.JetStream(data.JetFiles([one] * number), at_once=800)
        tracemalloc.start()
        for batch in epoch(stream, 100):
            stream.batch(batch)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 0.05 * 32 * 200 * 50 * 17, peaks


def test_number_cuts_the_files(shards: list[Path], tmp_path: Path) -> None:
    """Across shards and blocks; more than there are is all of them."""
    for number, sizes in ((1, [1]), (60, [60]), (61, [60, 1]), (450, [60] * 7 + [30]), (999, [60] * 7 + [30])):
        files = data.JetFiles(shards, number=number)
        assert [b.number for b in files.blocks] == sizes and len(files) == sum(sizes)
        wanted = data.jets("train", number=len(files))
        assert np.array_equal(files.read_all().particles, wanted.particles)
    files = data.JetFiles(
        [write_hdf5(tmp_path / "a.h5", 30), write_hdf5(tmp_path / "b.h5", 30, 1)], number=45, block=20
    )
    assert [(b.path.name, b.first, b.number) for b in files.blocks] == [
        ("a.h5", 0, 20),
        ("a.h5", 20, 10),
        ("b.h5", 0, 15),
    ]


def test_a_folder_has_three_splits(shards: list[Path], tmp_path: Path) -> None:
    assert len(data.JetFiles.of(shards[0].parent, "train")) == 450
    write_hdf5(tmp_path / "val.h5", 12)
    assert len(data.JetFiles.of(tmp_path, "valid")) == 12
    with pytest.raises(
        ValueError, match=r"folder: got '.*', expected a folder with train.h5.*: no train.h5 and no train\*"
    ):
        data.JetFiles.of(tmp_path, "train")
    with pytest.raises(ValueError, match=r"split: got 'val', expected one of \('train', 'valid', 'test'\)"):
        data.JetFiles.of(tmp_path, "val")
    assert tuple(SPLITS) == ("train", "valid", "test")


def refused(path: Path, message: str) -> None:
    """A stream of the file is refused, when it is opened or when it comes to what is wrong; the file is named."""
    with pytest.raises(ValueError, match=message) as caught:
        stream = data.JetStream(data.JetFiles([path], block=1000))
        stream.batch(np.arange(len(stream)))
    assert str(path) in str(caught.value)


def test_an_hdf5_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    """Cut off half-way, with zeros in the middle, empty, another file, another key, another format."""
    whole = write_hdf5(tmp_path / "whole.h5", 2000)
    content = whole.read_bytes()
    path = tmp_path / "bad.h5"
    for part in (len(content) // 2, len(content) - 1):
        path.write_bytes(content[:part])
        refused(path, r"bad.h5: got 'truncated file.*from the HDF5 library, expected a pandas table named 'table'")
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(100_000) + content[middle + 100_000 :])
    refused(path, r"bad.h5: got 'Problems reading records.' from the HDF5 library")
    for other in (b"", b"PK" * 1000):
        path.write_bytes(other)
        refused(path, r"bad.h5: got .* from the HDF5 library, expected a pandas table")
    refused(write_hdf5(path, 5, key="jets"), r"bad.h5: got .*table.* from the HDF5 library, expected a pandas table")
    refused(write_hdf5(path, 5, how="fixed"), r"bad.h5: got .*table.* from the HDF5 library, expected a pandas table")


def test_an_hdf5_file_with_other_content_is_named(tmp_path: Path) -> None:
    """Missing columns, momenta of two types, no rows; NaN and wrong labels far in, with the number of the jet."""
    path = tmp_path / "bad.h5"
    for name in ("E_0", "PZ_199", "PX_17", "is_signal_new"):
        refused(write_hdf5(path, 5, **{name: None}), f"bad.h5: got no column '{name}', expected a pandas table")
    refused(write_hdf5(path, 5, PX_2=np.zeros(5)), r"bad.h5: got momenta of several types, expected one")
    refused(write_hdf5(path, 5, PX_2="x"), r"bad.h5: got no column 'PX_2'|bad.h5: got momenta of several types")
    with pytest.raises(ValueError, match=r"bad.h5: got no jets, expected at least one"):
        tables = pytest.importorskip("tables")
        write_hdf5(path, 5)
        with tables.open_file(str(path), "a") as file:
            file.get_node("/table/table").truncate(0)
        data.JetFiles([path])
    values = np.zeros(10_005, np.float32)
    values[10_000] = np.nan
    refused(write_hdf5(path, 10_005, PX_2=values), r"bad.h5: jet 10000: got NaN or inf, expected finite momenta")
    labels = np.arange(1500) % 2
    labels[1203] = 2
    refused(write_hdf5(path, 1500, is_signal_new=labels), r"bad.h5: jet 1203: got another label, expected 0 or 1")


def test_the_names_of_columns_are_read_and_not_executed(tmp_path: Path) -> None:
    """pandas pickles them; a pickle that would run a program does not, and is no list of names."""
    tables = pytest.importorskip("tables")
    path, ran = write_hdf5(tmp_path / "bad.h5", 5), tmp_path / "ran"
    evil = f"cpathlib\nPath\n(V{ran}\ntR(V\ntR.".encode()
    for pickled in (evil, b"", b"nonsense", b"(lp0\nVE_0\np1\na."):
        with tables.open_file(str(path), "a") as file:
            file.get_node("/table/table")._v_attrs.values_block_0_kind = np.bytes_(pickled)
        refused(path, r"bad.h5: got no column 'E_0', expected a pandas table")
    assert not ran.exists()


def test_a_shard_that_is_damaged_is_named(tmp_path: Path) -> None:
    whole = write_shard(tmp_path / "whole.npz", 0, 40)
    content, path = whole.read_bytes(), tmp_path / "bad.npz"
    for part in (0, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:part])
        refused(path, r"bad.npz: got a damaged file or another one .*, expected jets of make_jets.py")
    place = content.index(b"pt.npy") + 200
    path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    refused(path, r"bad.npz: got a damaged file or another one .*, expected jets of make_jets.py")
    arrays, recipe = read(whole, None)
    make_jets.write(path, arrays | {"labels": arrays["labels"] + 1}, recipe)
    refused(path, r"bad.npz: labels: got 2, expected 0 and 1")
    make_jets.write(path, {name: array for name, array in arrays.items() if name != "labels"}, recipe)
    refused(path, r"bad.npz: got a damaged file or another one")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("labels.npy", b"no array")
    refused(path, r"bad.npz: got a damaged file or another one")
    make_jets.write(path, arrays | {"labels": arrays["labels"][:0]}, recipe)
    refused(path, r"bad.npz: got no jets, expected at least one")
    files = data.JetFiles([whole])
    whole.write_bytes(write_shard(path, 0, 20).read_bytes())
    with pytest.raises(ValueError, match=r"whole.npz: got another file than before"):
        files.read(files.blocks[0])


def test_checksums_that_a_folder_lists_are_checked(tmp_path: Path) -> None:
    """Of shards and of HDF5, in the form of `sha256sum`; a file that is not listed is read as it is."""
    shard, other = write_shard(tmp_path / "a.npz", 0, 20), write_shard(tmp_path / "b.npz", 20, 20)
    digest = hashlib.sha256(shard.read_bytes()).hexdigest()
    sums = tmp_path / "SHA256SUMS"
    for mark in (" ", "*"):
        sums.write_text(f"{digest} {mark}a.npz\n", encoding="utf-8")
        assert len(data.JetStream(data.JetFiles([shard, other]))) == 40
    shard.write_bytes(other.read_bytes())
    refused(shard, rf"a.npz: wrong checksum: got SHA-256 [0-9a-f]+, expected {digest}")
    sums.write_text("a.npz\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"SHA256SUMS: got the line 'a.npz', expected a SHA-256 and a name"):
        data.JetFiles([shard])
    path = write_hdf5(tmp_path / "c.h5", 5)
    sums.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  c.h5\n", encoding="utf-8")
    assert len(data.JetFiles([path])) == 5
    write_hdf5(path, 6)
    refused(path, r"c.h5: wrong checksum: got SHA-256")


def test_wrong_arguments_are_refused(shards: list[Path], tmp_path: Path) -> None:
    for wrong, message in (
        (lambda: data.JetFiles([]), "files: got none, expected at least one"),
        (lambda: data.JetFiles(shards, number=0), "number: got 0, expected at least 1"),
        (lambda: data.JetFiles(shards, block=0), "block: got 0, expected at least 1"),
        (lambda: data.JetFiles([tmp_path / "a.csv"]), r"files: got '.*a.csv', expected files \*.h5 or \*.npz"),
        (lambda: data.JetStream(data.JetFiles(shards), at_once=0), "at_once: got 0, expected at least 1"),
        (lambda: data.JetStream(data.JetFiles(shards), "both"), "frame: got 'both'"),
        (lambda: data.JetStream(data.JetFiles(shards), particles=0), "particles: got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
    for name in ("none.npz", "none.h5"):
        with pytest.raises(FileNotFoundError, match=f"{name}: no such file"):
            data.JetFiles([tmp_path / name])
