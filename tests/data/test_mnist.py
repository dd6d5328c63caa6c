"""MNIST's idx files: small ones of the same format, written here."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from eqlib import data
from eqlib.data import mnist_idx as module

NAMES = module.FILES


def idx(array) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def write(folder, kind, n, packed=False):
    """Files of n random images; returns arrays and checksums."""
    random = np.random.default_rng(n)
    arrays = random.integers(0, 256, (n, 28, 28), dtype=np.uint8), random.integers(0, 10, n, dtype=np.uint8)
    sums = {}
    folder.mkdir(exist_ok=True)
    for name, array in zip(NAMES[kind], arrays, strict=True):
        content = idx(array)
        sums[name] = hashlib.md5(content).hexdigest()
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    return arrays, sums


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["train", "test"])
def test_files_are_read_raw_or_packed(tmp_path, kind, packed):
    (images, labels), sums = write(tmp_path, kind, 7, packed)
    split = data.mnist(tmp_path, kind=kind, checksums=sums)
    assert split.images.shape == (7, 1, 28, 28) and split.images.dtype == np.float32
    assert np.array_equal(np.rint(split.images[:, 0] * 255), images) and split.images.max() <= 1
    assert np.array_equal(split.labels, labels) and split.labels.dtype == np.int64
    assert kind in split.source


def test_the_default_folder_is_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EQLIB_CACHE", str(tmp_path))
    _, sums = write(tmp_path / "mnist", "train", 3)
    assert len(data.mnist(checksums=sums)) == 3


def test_by_default_the_checksums_are_those_of_the_originals(tmp_path):
    _, sums = write(tmp_path, "train", 3)
    name = NAMES["train"][0]
    known = "6bbc9ace898e44ae57da46a324031adb"
    with pytest.raises(ValueError, match="wrong checksum") as caught:
        data.mnist(tmp_path)
    for part in (str(tmp_path / name), sums[name], known, "delete it and take the original"):
        assert part in str(caught.value)


def test_truncated_archive(tmp_path):
    _, sums = write(tmp_path, "train", 5, packed=True)
    path = tmp_path / f"{NAMES['train'][0]}.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz: got a truncated or damaged gzip file"):
        data.mnist(tmp_path, checksums=sums)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(np.zeros((5, 28, 28), np.uint8))[:-1], r"truncated: got 3935 bytes, expected 3936 for .*\(5, 28, 28\)"),
        (idx(np.zeros((5, 28, 28), np.uint8)) + b"x", "too long: got 3937 bytes, expected 3936"),
        (idx(np.zeros((5, 28, 28), np.uint8))[:10], "truncated: got 10 bytes, expected a header of 16"),
        (idx(np.zeros(5, np.uint8)), "got magic number 0x00000801, expected 0x00000803"),
        (b"<html>not found</html>", "got magic number 0x3c68746d, expected 0x00000803"),
        (b"", "got magic number 0x, expected 0x00000803"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, content, message):
    _, sums = write(tmp_path, "train", 5)
    (tmp_path / NAMES["train"][0]).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        data.mnist(tmp_path, checksums=sums)
    assert "train-images-idx3-ubyte" in str(caught.value)


def test_numbers_of_images_and_labels_must_agree(tmp_path):
    _, sums = write(tmp_path, "train", 5)
    labels = idx(np.zeros(4, np.uint8))
    (tmp_path / NAMES["train"][1]).write_bytes(labels)
    with pytest.raises(ValueError, match="got 5 images and 4 labels"):
        data.mnist(tmp_path, checksums=sums | {NAMES["train"][1]: hashlib.md5(labels).hexdigest()})


def test_what_is_missing_is_said_and_nothing_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(module.fetch, "download", lambda *_, **__: pytest.fail("downloaded without being asked"))
    with pytest.raises(FileNotFoundError, match="no train-images-idx3-ubyte and no"):
        data.mnist(tmp_path)
    with pytest.raises(ValueError, match="kind: got 'valid'"):
        data.mnist(tmp_path, kind="valid")
    with pytest.raises(ValueError, match="checksums: got none for train-images-idx3-ubyte"):
        data.mnist(tmp_path, checksums={})


def test_download_on_request(tmp_path, monkeypatch):
    (images, _), sums = write(tmp_path / "server", "train", 6, packed=True)
    monkeypatch.setattr(module, "ADDRESS", (tmp_path / "server").as_uri() + "/")
    split = data.mnist(tmp_path / "mine", download=True, checksums=sums)
    assert np.array_equal(np.rint(split.images[:, 0] * 255), images)
    assert (tmp_path / "mine" / NAMES["train"][0]).read_bytes() == idx(images)


def test_rotated_parts_share_no_image(tmp_path):
    (images, labels), sums = write(tmp_path, "train", 60)
    splits = data.rotated_mnist(tmp_path, train=40, valid=10, checksums=sums)
    assert [len(s) for s in splits] == [40, 10, 10]
    assert splits.test.source == "MNIST train file, held out"
    upright = [data.rotate(s.images, -s.angles) for s in splits]
    numbers = []
    for split, turned_back in zip(splits, upright, strict=True):
        # Noise does not survive two interpolations well, but is still nearest to its own original.
        centre = (slice(None), slice(9, 19), slice(9, 19))
        distance = np.abs(turned_back[centre[0], 0, 9:19, 9:19][:, None] - images[centre] / 255).mean((2, 3))
        nearest = distance.argmin(1)
        assert np.array_equal(labels[nearest], split.labels)
        numbers += list(nearest)
    assert sorted(numbers) == list(range(60))


def test_the_test_file_is_used_where_it_is_and_changes_nothing_else(tmp_path):
    _, sums = write(tmp_path, "train", 60)
    without = data.rotated_mnist(tmp_path, train=30, valid=10, checksums=sums)
    (images, labels), more = write(tmp_path, "test", 12)
    with_test = data.rotated_mnist(tmp_path, train=20, valid=10, checksums=sums | more)
    assert with_test.test.source == "MNIST test file" and np.array_equal(with_test.test.labels, labels)
    scaled = images[:, None].astype(np.float32) / 255
    assert np.array_equal(with_test.test.images, np.clip(data.rotate(scaled, with_test.test.angles), 0, 1))
    assert np.array_equal(with_test.train.images, without.train.images[:20])
    assert np.array_equal(with_test.valid.images, without.valid.images)
    again, other = (data.rotated_mnist(tmp_path, 20, s, valid=10, checksums=sums | more) for s in (0, 1))
    assert all(np.array_equal(a.images, b.images) for a, b in zip(with_test, again, strict=True))
    assert not any(np.array_equal(a.images, b.images) for a, b in zip(with_test, other, strict=True))


def test_half_a_test_file_is_an_error_not_a_fallback(tmp_path):
    _, sums = write(tmp_path, "train", 60)
    _, more = write(tmp_path, "test", 12)
    (tmp_path / NAMES["test"][1]).unlink()
    with pytest.raises(FileNotFoundError, match="no t10k-labels-idx1-ubyte"):
        data.rotated_mnist(tmp_path, train=20, valid=10, checksums=sums | more)


def test_rotated_refuses_more_than_there_is(tmp_path):
    _, sums = write(tmp_path, "train", 60)
    with pytest.raises(
        ValueError, match="train, valid: got 45 and 10, expected at least 1 each and at most 50 together"
    ):
        data.rotated_mnist(tmp_path, train=45, valid=10, checksums=sums)
