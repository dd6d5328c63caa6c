"""Acetylacetone, ethanol and QM9: small files of the real formats, from a local folder and a file address."""

import bz2
import hashlib
import io
import shutil
import tarfile
import threading
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest

from eqlib import data
from eqlib.data import molecule_downloads as downloads
from eqlib.data.molecules import DEBYE, HARTREE
from eqlib.data.qm9_archive import read_qm9

FRAME = """2
Lattice="50.0 0.0 0.0 0.0 50.0 0.0 0.0 0.0 50.0" Properties=species:S:1:pos:R:3:forces:R:3 energy={} pbc="F F F"
O        0.07874433       1.40230941       0.08237721       1.47339228       1.13796366       0.06391102
H        0.67897464       0.14947662      -0.34019955      -0.90563015       1.18186533       0.43014326
"""
ATOM = '1\nProperties=species:S:1:pos:R:3 config_type=isolated_atom energy={} pbc="F F F"\n{} 0.0 0.0 0.0\n'
ATOMS = ATOM.format(-13.5, "H") + ATOM.format(-2037.5, "O")
SETS = {
    "acac": ("acac_train_300K.xyz", "acac_isolated_atoms.xyz"),
    "ethanol": ("ethanol_train.xyz", "ethanol_isolated_atoms.xyz"),
}
# Properties and geometry of methane and water as QM9 writes them; the dipole moment and one coordinate in its odd form.
METHANE = """5
gdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\t-0.3877\t0.1171\t0.5048\
\t35.3641\t0.044749\t-40.47893\t-40.476062\t-40.475117\t-40.498597\t6.469\t
C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689
H\t 2.150416*^-3\t-6.0313176*^-3\t 0.0019761204\t 0.133921
H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922
H\t-0.540815069\t 1.4475266138\t-0.8766437152\t 0.133923
H\t-0.5238136345\t 1.4379326443\t 0.9063972942\t 0.133923
1341.307\t1341.3284\t1341.365\t1562.6731\t1562.7453\t3038.3205\t3151.6034\t3151.6788\t3151.7078
C\tC\t
InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4
"""
WATER = """3
gdb 3\t799.58812\t437.90386\t282.94545\t1.8511\t6.31\t-0.2928\t0.0687\t0.3615\
\t19.0002\t0.021375\t-76.404702\t-76.401867\t-76.400922\t-76.422349\t6.002\t
O\t-0.0343604951\t 0.9775395708\t 0.0076015923\t-0.589706
H\t 0.0647664923\t 0.0205721989\t 0.0015346341\t 0.294853
H\t 0.8717903737\t 1.3007924048\t 0.0006931336\t 0.294853
1671.4222\t3803.6305\t3907.698
O\tO\t
InChI=1S/H2O/h1H2\tInChI=1S/H2O/h1H2
"""


def checksums(folder):
    return {path.name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in folder.iterdir()}


def archive(path, *entries):
    """A tar.bz2 of (name, text) in this order, under QM9's name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name, text in entries:
            content = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    path.write_bytes(bz2.compress(buffer.getvalue()))
    return path


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """A folder of all files by the names that they have here; the addresses lead to copies, by other names as upstream."""
    folder = tmp_path / "remote"
    folder.mkdir()
    for name, atoms in SETS.values():
        (folder / name).write_text(FRAME.format(-2052.5) + FRAME.format(-2052.25), encoding="utf-8")
        (folder / atoms).write_text(ATOMS, encoding="utf-8")
    archive(folder / "dsgdb9nsd.xyz.tar.bz2", ("dsgdb9nsd_000003.xyz", WATER), ("dsgdb9nsd_000001.xyz", METHANE))
    monkeypatch.setenv("EQLIB_CACHE", str(tmp_path / "cache"))
    upstream = tmp_path / "upstream"
    upstream.mkdir()
    copies = {path.name: shutil.copy(path, upstream / f"{i}") for i, path in enumerate(sorted(folder.iterdir()))}
    monkeypatch.setattr(downloads, "ADDRESSES", {name: copy.as_uri() for name, copy in copies.items()})
    return folder


# acetylacetone and ethanol --------------------------------------------------------------------------------------------


def test_addresses_are_those_of_one_commit_and_all_have_checksums():
    assert set(downloads.ADDRESSES) == set(downloads.CHECKSUMS)
    for name, address in downloads.ADDRESSES.items():
        kind, digest = downloads.CHECKSUMS[name].split(":")
        assert len(digest) == {"sha256": 64, "md5": 32}[kind]
        assert address.startswith("https://") and (
            "29e6d467317e4b5967b7ea5cbee54de953fa0d45" in address or kind == "md5"
        )


@pytest.mark.parametrize("name", SETS)
def test_frames_from_the_cache_once_fetched_and_from_a_folder(name, remote, tmp_path):
    load, sums = getattr(data, name), checksums(remote)
    with pytest.raises(FileNotFoundError, match=rf"no {SETS[name][0]} there\. Put it there, .*download=True to fetch"):
        load(checksums=sums)
    fetched = load(download=True, checksums=sums)
    assert (tmp_path / "cache" / "molecules" / SETS[name][0]).is_file()
    assert fetched.energies.tolist() == [-2052.5, -2052.25] and fetched.numbers.tolist() == [8, 1, 8, 1]
    shutil.rmtree(tmp_path / "upstream")  # no longer there: the cache has it
    assert np.array_equal(load(download=True, checksums=sums).forces, fetched.forces)
    assert np.array_equal(load(tmp_path / "cache" / "molecules", checksums=sums).forces, fetched.forces)


@pytest.mark.parametrize("name", SETS)
def test_the_isolated_atoms_may_be_taken_off(name, remote):
    left = getattr(data, name)(remote, without_atoms=True, checksums=checksums(remote))
    assert left.energies.tolist() == [-1.5, -1.25]


def test_what_is_damaged_leaves_the_cache_as_it_was(remote, tmp_path):
    sums, cache = checksums(remote), tmp_path / "cache" / "molecules"
    name = "acac_train_300K.xyz"
    Path(url2pathname(urlsplit(downloads.ADDRESSES[name]).path)).write_text(FRAME, encoding="utf-8")
    with pytest.raises(ValueError, match=r"upstream.*: wrong checksum: got sha256"):
        data.acac(download=True, checksums=sums)
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == []
    (cache / name).write_text("damaged", encoding="utf-8")
    for download in (False, True):
        with pytest.raises(ValueError, match=f"{name}: wrong checksum.*delete it and fetch it again"):
            data.acac(download=download, checksums=sums)
    assert (cache / name).read_text(encoding="utf-8") == "damaged"  # nothing is deleted unasked
    with pytest.raises(ValueError, match=f"checksums: got none for {name}"):
        data.acac(checksums={})


def test_no_network_says_where_the_file_goes(remote, tmp_path, monkeypatch):
    for name in downloads.ADDRESSES:
        monkeypatch.setitem(downloads.ADDRESSES, name, f"http://127.0.0.1:9/{name}")  # nobody listens
    for load, name in ((data.acac, "acac_train_300K.xyz"), (data.qm9, "dsgdb9nsd.xyz.tar.bz2")):
        with pytest.raises(data.DownloadError, match=rf"offline, put the unpacked file {name} ") as caught:
            load(download=True)
        assert str(tmp_path / "cache" / "molecules" / name) in str(caught.value)


def test_two_at_once_read_the_same(remote):
    sums, found = checksums(remote), []
    threads = [
        threading.Thread(target=lambda: found.append(data.ethanol(download=True, checksums=sums).energies.tolist()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == 4 * [[-2052.5, -2052.25]]


# QM9 ------------------------------------------------------------------------------------------------------------------


def test_qm9_is_read_from_the_archive_in_the_order_of_its_numbers(remote):
    molecules = data.qm9(remote, checksums=checksums(remote), progress=False)
    assert molecules.sizes.tolist() == [5, 3] and molecules.numbers.tolist() == [6, 1, 1, 1, 1, 8, 1, 1]
    assert molecules.positions[1].tolist() == [2.150416e-3, -6.0313176e-3, 0.0019761204]
    np.testing.assert_allclose(molecules.energies, np.array([-40.47893, -76.404702]) * HARTREE, rtol=1e-15)
    np.testing.assert_allclose(molecules.moments, np.array([0, 1.8511]) * DEBYE, rtol=1e-15)
    np.testing.assert_allclose(molecules.gaps, [13.7363, 9.8369], atol=1e-4)
    assert molecules.dipoles is None and molecules.forces is None
    first = data.qm9(remote, number=1, checksums=checksums(remote), progress=False)
    assert first.numbers.tolist() == [8, 1, 1]  # the first of the archive
    assert len(data.qm9(download=True, checksums=checksums(remote), progress=False)) == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dsgdb9nsd_000003.xyz", WATER.replace("O\t-0.03", "Q\t-0.03"), "line 3: got an unknown element 'Q'"),
        ("dsgdb9nsd_000003.xyz", WATER.replace("0.9775395708", "nan"), "got NaN or inf"),
        (
            "dsgdb9nsd_000003.xyz",
            WATER.replace("0.9775395708", "x"),
            "got could not convert string .*, expected numbers",
        ),
        ("dsgdb9nsd_000003.xyz", WATER.replace("\t1.8511", ""), "line 2: got 'gdb 3.*expected gdb 3 A B C mu"),
        ("dsgdb9nsd_000003.xyz", WATER.replace("gdb 3", "gdb 4"), "line 2: got 'gdb 4.*expected gdb 3 A B C mu"),
        ("dsgdb9nsd_000003.xyz", WATER.replace("\t 0.294853", "", 1), "line 4: got 4 columns"),
        ("dsgdb9nsd_000003.xyz", WATER.replace("3\n", "4\n", 1), "got 8 lines, the first '4'"),
        ("dsgdb9nsd_000003.xyz", WATER[:200], r"got \d lines, the first '3'"),
        ("dsgdb9nsd_000003.xyz", "", "got 1 lines, the first ''"),
        ("other.xyz", WATER, r"got \d+ bytes, expected dsgdb9nsd_000001\.xyz"),
        ("dsgdb9nsd_000003.xyz", WATER + 70000 * " ", r"got 70\d+ bytes, expected .* small files"),
    ],
)
def test_qm9_says_which_molecule_is_wrong(name, text, message, tmp_path):
    path = archive(tmp_path / "some.tar.bz2", ("dsgdb9nsd_000001.xyz", METHANE), (name, text))
    with pytest.raises(ValueError, match=rf"some\.tar\.bz2: {name}.*{message}"):
        read_qm9(path, progress=False)
    assert len(read_qm9(path, 1, progress=False)) == 1  # what comes later is not looked at


def test_qm9_archives_that_are_cut_off_or_something_else(tmp_path):
    some = [(f"dsgdb9nsd_{i:06}.xyz", WATER.replace("gdb 3", f"gdb {i}")) for i in range(1, 60)]
    path = archive(tmp_path / "some.tar.bz2", *some)
    content = path.read_bytes()
    assert len(read_qm9(path, progress=False)) == 59
    for damaged in (
        content[:-4],
        content[: len(content) // 2],
        content[:10],
        b"",
        b"no archive",
        bz2.compress(b"no tar" * 200),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"some\.tar\.bz2: got (a truncated or damaged archive|0 molecules)"):
            read_qm9(path, progress=False)
    archive(path, *some[:2])
    with pytest.raises(ValueError, match="got 2 molecules, expected 3"):
        read_qm9(path, 3, progress=False)
    archive(path, some[0], some[0])
    with pytest.raises(ValueError, match="got 2 molecules of 1 numbers, expected each number once"):
        read_qm9(path, progress=False)
    with pytest.raises(ValueError, match="number: got 0, expected at least 1"):
        read_qm9(path, 0)
    with pytest.raises(FileNotFoundError):
        read_qm9(tmp_path / "none.tar.bz2", progress=False)
