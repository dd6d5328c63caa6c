"""Files that a disc, a network, an editor or an enemy changed: each reader gives what is right, or says which file is wrong.

Right is the result of the whole file, or, where the format has no checksum, another one that such a file may hold. All else must
be a ValueError that names the file, soon, and in little memory: 200 MB and twice the file. EQLIB_FUZZ=5000 takes as many changed
files of each reader; by default they are few.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import struct
import tarfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from eqlib import data, training
from eqlib.data import crystal_file, jet_file, molecule_file
from eqlib.data.elements import ELEMENTS
from eqlib.data.jet_stream import JetFiles, _sums
from eqlib.data.mnist_idx import read_idx
from eqlib.data.qm9_archive import read_qm9
from eqlib.data.structures import LETTERS
from eqlib.training import runs
from tests.jet_files import write_hdf5, write_shard

MANY = int(os.environ.get("EQLIB_FUZZ", "0"))
SLOWEST = 5.0  # seconds of one file; the machines that run the tests are busy
SPARE = 200_000_000  # bytes beside twice the file

# changes --------------------------------------------------------------------------------------------------------------

#: What stands in place of a number, or anywhere: no numbers, too large ones, digits of other scripts, deep brackets.
WORDS = [
    "",
    "nan",
    "-inf",
    "1e999",
    "-1",
    "0",
    "1",
    "7",
    "1.5",
    "1_0",
    "999999999999",
    "9" * 400,
    "9" * 5000,
    "0x10",
    "1j",
]
WORDS += [
    "٣",
    "１",
    "५.५",
    "²",
    "é",
    "å",
    "\u2028",
    "\0",
    "None",
    "True",
    '"',
    "'",
    ",",
    "\n",
    "\r\n",
    "\ufeff",
    "  ",
    "[]",
    "{}",
]
WORDS += [
    "[" * 150,
    "[" * 20_000,
    "{'a':" * 3000,
    "-" * 20_000,
    "(" * 300,
    "1," * 5000,
    "e",
    "E-3",
    ":",
    "=",
    "%s",
    "../x",
]
NUMBER = re.compile(rb"\d+(\.\d+)?")
HUGE = [0, 1, 255, 1 << 15, (1 << 16) - 1, 1 << 31, (1 << 32) - 1, 10**12, (1 << 63) - 1]

Change = Callable[[bytearray, np.random.Generator], None]


def _range(content: bytearray, random: np.random.Generator) -> slice:
    """A stretch, of any length up to all of it, short ones as often as long ones."""
    length = min(len(content), int(2 ** random.uniform(0, 1 + np.log2(1 + len(content)))))
    first = int(random.integers(len(content) - length + 1))
    return slice(first, first + length)


def _flip(content: bytearray, random: np.random.Generator) -> None:
    for _ in range(int(random.integers(1, 9))):
        if content:
            content[random.integers(len(content))] ^= 1 << int(random.integers(8))


def _noise(content: bytearray, random: np.random.Generator) -> None:
    where = _range(content, random)
    where = slice(where.start, min(where.stop, where.start + 64))
    content[where] = random.bytes(where.stop - where.start)


def _delete(content: bytearray, random: np.random.Generator) -> None:
    del content[_range(content, random)]


def _zero(content: bytearray, random: np.random.Generator) -> None:
    where = _range(content, random)
    content[where] = bytes(where.stop - where.start)


def _twice(content: bytearray, random: np.random.Generator) -> None:
    where = _range(content, random)
    content[where.stop : where.stop] = bytes(content[where])


def _swap(content: bytearray, random: np.random.Generator) -> None:
    a, b = _range(content, random), _range(content, random)
    content[a], content[b] = content[b], content[a]


def _cut(content: bytearray, random: np.random.Generator) -> None:
    del content[random.integers(len(content) + 1) :]


def _double(content: bytearray, random: np.random.Generator) -> None:
    content.extend(bytes(content))


def _empty(content: bytearray, random: np.random.Generator) -> None:
    content.clear()


def _word(content: bytearray, random: np.random.Generator) -> None:
    place = int(random.integers(len(content) + 1))
    content[place:place] = WORDS[random.integers(len(WORDS))].encode()


def _number(content: bytearray, random: np.random.Generator) -> None:
    """Another word for a number."""
    if found := [*NUMBER.finditer(bytes(content))]:
        one = found[random.integers(len(found))]
        content[one.start() : one.end()] = WORDS[random.integers(len(WORDS))].encode()


def _digit(content: bytearray, random: np.random.Generator) -> None:
    if found := [*re.finditer(rb"\d", bytes(content))]:
        content[found[random.integers(len(found))].start()] = 48 + int(random.integers(10))


def _sign(content: bytearray, random: np.random.Generator) -> None:
    if found := [*NUMBER.finditer(bytes(content))]:
        place = found[random.integers(len(found))].start()
        content[place:place] = b"-"


def _count(content: bytearray, random: np.random.Generator) -> None:
    """Where a binary format has a number, another one, often a huge one."""
    value, size = HUGE[random.integers(len(HUGE))], int(random.choice([1, 2, 4, 8]))
    order = ("little", "big")[random.integers(2)]
    place = int(random.integers(len(content) + 1))
    content[place : place + size] = (value % (1 << 8 * size)).to_bytes(size, order)


def _line(content: bytearray, random: np.random.Generator) -> None:
    """A line less, or one that comes twice."""
    lines = bytes(content).splitlines(keepends=True)
    if lines:
        i = int(random.integers(len(lines)))
        lines[i : i + 1] = [lines[i]] * int(random.choice([0, 2]))
        content[:] = b"".join(lines)


CHANGES: list[Change] = [
    _flip,
    _flip,
    _noise,
    _delete,
    _zero,
    _twice,
    _swap,
    _cut,
    _word,
    _number,
    _number,
    _digit,
    _sign,
]
CHANGES += [_count, _count, _line, _double, _empty]


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The content with one to three changes; now and then there is none left of them."""
    out = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        CHANGES[random.integers(len(CHANGES))](out, random)
    return bytes(out)


# what is inside of archives -------------------------------------------------------------------------------------------


def in_zip(content: bytes, random: np.random.Generator) -> bytes:
    """A zip archive with a changed file in it, whose checksums are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = [(info.filename, archive.read(info)) for info in archive.infolist()]
    i, out = int(random.integers(len(files))), io.BytesIO()
    name, inner = files[i]
    files[i : i + 1] = [] if random.random() < 0.05 else [(name, mutated(inner, random))]
    with zipfile.ZipFile(out, "w") as archive:
        for name, inner in files:
            archive.writestr(name, inner)
    return out.getvalue()


def in_gzip(content: bytes, random: np.random.Generator) -> bytes:
    return gzip.compress(mutated(gzip.decompress(content), random), 1)


def in_bz2(content: bytes, random: np.random.Generator) -> bytes:
    return bz2.compress(mutated(bz2.decompress(content), random), 1)


def in_tar(content: bytes, random: np.random.Generator) -> bytes:
    """QM9's archive with a changed file in it, whose size in the archive is right."""
    with tarfile.open(fileobj=io.BytesIO(bz2.decompress(content))) as archive:
        files = [(m.name, archive.extractfile(m).read()) for m in archive]  # type: ignore[union-attr]
    i = int(random.integers(len(files)))
    files[i] = (files[i][0], mutated(files[i][1], random))
    return qm9_archive(files)


# the readers ----------------------------------------------------------------------------------------------------------


class Reader(NamedTuple):
    """make: writes a valid file in a folder. read: arrays and the like by name, checked. inside: changes within an archive,
    whose own checksums find out all other changes. few: how many changed files, where EQLIB_FUZZ does not say."""

    make: Callable[[Path], Path]
    read: Callable[[Path], dict[str, Any]]
    inside: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = ()
    few: int = 30


def idx(folder: Path, packed: bool = False) -> Path:
    content = bytes([0, 0, 8, 3]) + struct.pack(">III", 5, 4, 4) + np.arange(80, dtype=np.uint8).tobytes()
    (folder / "images").write_bytes(gzip.compress(content) if packed else content)
    return folder / "images"


def read_images(path: Path) -> dict[str, Any]:
    images = read_idx(path, 3)
    assert images.dtype == np.uint8 and images.ndim == 3
    return {"images": images}


def csv_table(folder: Path) -> Path:
    frequencies, rows = [20.0 * i for i in range(6)], ["mp_id,structure,phfreq,phdos\n"]
    for i in range(4):
        structure = {
            "numbers": [11, 17],
            "positions": [[0, 0, 0.0], [2.8, 0.1 * i, 0]],
            "cell": [[0.0, 2.8, 2.8], [2.8, 0.0, 2.8], [2.8, 2.8, 0.0]],
            "pbc": [True] * 3,
        }
        rows.append(f'mp-{i},"{structure}","{frequencies}","{[0.0, 2.0, 0.5, 0.25 * i, 0.1, 0]}"\n')
    (folder / "data.csv").write_text("".join(rows), encoding="utf-8")
    return folder / "data.csv"


def fields(bodies: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The arrays of molecules or crystals, which are as such arrays are."""
    found = {name: getattr(bodies, name) for name in names if getattr(bodies, name) is not None}
    assert len(found["sizes"]) > 0 and found["sizes"].min() > 0 and found["sizes"].sum() == len(found["numbers"])
    assert found["numbers"].min() >= 1 and found["numbers"].max() <= len(ELEMENTS)
    assert found["positions"].shape == (len(found["numbers"]), 3)
    assert all(np.isfinite(x).all() for x in found.values() if isinstance(x, np.ndarray))
    return found


def of_crystals(crystals: data.Crystals) -> dict[str, Any]:
    found = fields(crystals, ("numbers", "positions", "cells", "sizes", "names", "frequencies", "spectra"))
    assert found["spectra"].min() >= 0 and (found["spectra"].max(axis=1) == 1).all()
    assert all(isinstance(name, str) for name in found["names"])
    return found


def of_molecules(molecules: data.Molecules) -> dict[str, Any]:
    names = ("numbers", "positions", "sizes", "energies", "forces", "dipoles", "moments", "gaps")
    return fields(molecules, names)


def xyz(folder: Path) -> Path:
    box, random, text = 'Lattice="50.0 0.0 0.0 0.0 50.0 0.0 0.0 0.0 50.0"', np.random.default_rng(0), ""
    for i in range(4):
        text += f'3\n{box} Properties=species:S:1:pos:R:3:forces:R:3 energy={-2081.1 + 0.1 * i} dipole="0.1 0 {i}" pbc="F F F"\n'
        for symbol in ("O", "H", "H"):
            text += f"{symbol:<2}" + "".join(f"{x:17.8f}" for x in random.normal(size=6)) + "\n"
    (folder / "some.xyz").write_text(text, encoding="utf-8")
    return folder / "some.xyz"


def alloys(folder: Path) -> Path:
    spectra = np.eye(3, 51, 10)
    arrays = {
        "sizes": [1, 2, 1],
        "numbers": [29, 29, 79, 13],
        "positions": [[0, 0, 0], [0, 0, 0], [2, 2, 2], [0, 0, 0]],
    }
    arrays |= {
        "cells": [1.8 * (1 - np.eye(3)), 4 * np.eye(3), 2 * (1 - np.eye(3))],
        "spectra": spectra,
        "splits": [1, 1, 1],
    }
    packed = {name: np.asarray(arrays[name]).astype(kind) for name, kind in crystal_file.FORM.items()}
    np.savez(folder / "crystals.npz", **packed, recipe=json.dumps({"names": ["Cu", "CuAu", "Al"]}))
    return folder / "crystals.npz"


def molecules(folder: Path) -> Path:
    n, random = 6, np.random.default_rng(0)
    arrays = {"sizes": [3] * n, "numbers": [8, 1, 1] * n, "positions": random.normal(size=(3 * n, 3))}
    arrays |= {
        "energies": random.normal(size=n),
        "dipoles": random.normal(size=(n, 3)),
        "gaps": random.uniform(3, 9, n),
    }
    packed = {
        name: np.asarray((arrays | {"splits": [2, 1, 2, 1]})[name]).astype(k) for name, k in molecule_file.FORM.items()
    }
    packed["forces"] = random.normal(size=(3 * n, 3)).astype(np.float32)
    np.savez(folder / "molecules.npz", **packed, recipe=json.dumps({"seed": 0}))
    return folder / "molecules.npz"


def of_jets(jets: data.Jets) -> dict[str, Any]:
    names = ("particles", "offsets", "labels", "axis", "constituents", "taus", "extra")
    found = {name: getattr(jets, name) for name in names if getattr(jets, name) is not None}
    assert len(jets) and np.diff(found["offsets"]).min() >= 0 and found["offsets"][-1] == len(found["particles"])
    assert all(np.isfinite(x).all() for x in found.values()) and set(found["labels"].tolist()) <= {0, 1}
    return found


def shard(path: Path) -> dict[str, Any]:
    files = JetFiles([path])
    return of_jets(files.read_all())


def qm9_archive(files: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return bz2.compress(out.getvalue())


def qm9(folder: Path) -> Path:
    files = []
    for i in (1, 2, 3):
        rows = "O\t-0.034\t 0.97\t 0.0076\t-0.58\nH\t 6.4*^-2\t 0.02\t 0.001\t 0.29\nH\t 0.87\t 1.3\t 0.0006\t 0.29\n"
        head = f"3\ngdb {i}\t799.5\t437.9\t282.9\t1.85\t6.31\t-0.29\t0.068\t0.36\t19.0\t0.02\t-76.4\t-76.4\t-76.4\t-76.4\t6.0\t\n"
        files.append((f"dsgdb9nsd_{i:06}.xyz", (head + rows + "1671.4\t3803.6\nO\tO\nInChI\tInChI\n").encode()))
    (folder / "dsgdb9nsd.xyz.tar.bz2").write_bytes(qm9_archive(files))
    return folder / "dsgdb9nsd.xyz.tar.bz2"


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


def weights(folder: Path) -> Path:
    training.save_weights(network(), folder / "net.pt", seed=0, width=4)
    return folder / "net.pt"


def loaded(path: Path) -> dict[str, Any]:
    trained = training.load(path, make=lambda notes: network())
    found = {name: x.numpy() for name, x in trained.network.state_dict().items()}
    assert all(np.isfinite(x).all() for x in found.values()) and isinstance(trained.notes, dict)
    return found | {"notes": trained.notes}


def task_weights(folder: Path) -> Path:
    from eqlib import files

    (folder / "task.pt").write_bytes(files.checkpoint("inertia-field.pt").read_bytes())
    return folder / "task.pt"


def task_loaded(path: Path) -> dict[str, Any]:
    trained = training.load(path)
    found = {name: x.numpy() for name, x in trained.network.state_dict().items()}
    assert all(np.isfinite(x).all() for x in found.values())
    return found | {"notes": trained.notes}


def of_run() -> training.state.State:
    net = network()
    optim, generator = torch.optim.Adam(net.parameters()), torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optim.step()
    return training.state.State(net, optim, {"recipe": "Recipe(...)"}, torch.device("cpu"), generator)


def run(folder: Path) -> Path:
    state = of_run()
    state.history.loss.append(0.5)
    state.save(folder / "run.pt")
    return folder / "run.pt"


def resumed(path: Path) -> dict[str, Any]:
    """A run that goes on from the file."""
    state, before = of_run(), torch.get_rng_state()
    try:
        state.load(path)
    finally:
        torch.set_rng_state(before)
    found = {name: x.numpy() for name, x in state.model.state_dict().items()}
    assert all(isinstance(x, float) for x in state.history.loss)
    return found | {"loss": state.history.loss}


def log(folder: Path) -> Path:
    for seed in range(3):
        runs.add(folder / "log.json", {"model": "a", "images": 10, "seed": seed, "test_accuracy": 0.5, "wrong": "1 2"})
    return folder / "log.json"


def lines(path: Path) -> dict[str, Any]:
    found = runs.read(path)
    assert all(isinstance(line, dict) for line in found)
    return {"lines": found}


def sums(folder: Path) -> Path:
    (folder / "SHA256SUMS").write_text("".join(f"{i:064x}  train{i}.npz\n" for i in range(4)), encoding="utf-8")
    return folder / "SHA256SUMS"


def pdb(folder: Path) -> Path:
    """Two chains with a water, a modified residue, alternate locations and an insertion code."""
    atoms, n = [], 0
    for chain, residues in (("A", ("GLY", "ALA", "MSE", "SER")), ("B", ("TRP", "GLY", "SER"))):
        for i, residue in enumerate(residues):
            for name in ("N", "CA", "C", "O"):
                for alt in "AB" if residue == "SER" and name != "N" else " ":
                    n += 1
                    record, code = ("HETATM" if residue == "MSE" else "ATOM"), ("A" if residue == "ALA" else " ")
                    place = f"{record:<6}{n:5}  {name:<3}{alt}{residue} {chain}{i + 1:4}{code}   "
                    atoms.append(f"{place}{1.5 * n:8.3f}{n % 7:8.3f}{-n:8.3f}  0.50 20.00{name[0]:>12}")
        atoms.append(f"TER   {n:5}      {residues[-1]} {chain}{len(residues):4}")
    atoms.append(f"HETATM{n + 1:5}  O   HOH A 101       9.000   9.000   9.000  1.00 20.00           O")
    head = [
        "HEADER    PROTEIN",
        "CRYST1   50.000   60.000   70.000  90.00  90.00  90.00 P 1           1",
        "MODEL        1",
    ]
    (folder / "some.pdb").write_text("\n".join([*head, *atoms, "ENDMDL", "END", ""]), encoding="utf-8")
    return folder / "some.pdb"


def mmcif(folder: Path) -> Path:
    import gemmi

    structure = gemmi.read_pdb(str(pdb(folder)))
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(folder / "some.cif"))
    return folder / "some.cif"


def of_structure(path: Path) -> dict[str, Any]:
    found = vars(data.read_structure(path)).copy()
    n, r = len(found["elements"]), len(found["numbers"])
    assert n >= r > 0 and found["positions"].shape == (n, 3) and np.isfinite(found["positions"]).all()
    assert (found["names"][found["alpha"]] == "CA").all() and set(found["residue_names"].tolist()) <= set(LETTERS)
    assert (np.diff(found["residues"]) >= 0).all() and all(count > 0 for count in found["dropped"].values())
    return found


READERS = {
    "idx": Reader(idx, read_images),
    "idx.gz": Reader(lambda folder: idx(folder, packed=True), read_images, (in_gzip,)),
    "csv": Reader(csv_table, lambda path: of_crystals(data.read_phonon_csv(path))),
    "xyz strict": Reader(xyz, lambda path: of_molecules(data.read_xyz(path, reader="strict"))),
    "xyz ase": Reader(xyz, lambda path: of_molecules(data.read_xyz(path, reader="ase"))),
    "jets npz": Reader(
        lambda folder: write_shard(folder / "jets.npz", 0, 20),
        lambda path: of_jets(data.jets(path=path, checksum=None)),
        (in_zip,),
    ),
    "shard npz": Reader(lambda folder: write_shard(folder / "train0.npz", 0, 20), shard, (in_zip,)),
    "crystals npz": Reader(alloys, lambda path: of_crystals(crystal_file.read(path, None)[0]), (in_zip,)),
    "molecules npz": Reader(molecules, lambda path: of_molecules(molecule_file.read(path, None)[0]), (in_zip,)),
    "hdf5": Reader(lambda folder: write_hdf5(folder / "train.h5", 30), shard, few=10),
    "qm9": Reader(qm9, lambda path: of_molecules(read_qm9(path, progress=False)), (in_bz2, in_tar)),
    "weights": Reader(weights, loaded, (in_zip,)),
    "task weights": Reader(task_weights, task_loaded, (in_zip,)),
    "checkpoint": Reader(run, resumed, (in_zip,)),
    "log": Reader(log, lines),
    "pdb": Reader(pdb, of_structure),
    "mmcif": Reader(mmcif, of_structure),
    "sums": Reader(sums, lambda path: {"sums": _sums(path.parent)}),
}
NEEDS = {"xyz ase": "ase", "hdf5": "tables", "pdb": "gemmi", "mmcif": "gemmi"}

# the test -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def little_memory(most: int) -> Iterator[None]:
    """No more than so many bytes may be taken within: what wants more gets a MemoryError. On Linux; elsewhere nothing is done."""
    try:
        import resource

        taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (ImportError, FileNotFoundError):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def out_of_memory(error: BaseException | None) -> bool:
    """Whether that is what is behind an error, whoever caught it; a parser's own limit has no text."""
    while error is not None:
        if (isinstance(error, MemoryError) and str(error)) or "alloc" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def fault(reader: Reader, path: Path, whole: dict[str, Any] | None) -> str | None:
    """What is wrong with the way in which a changed file is read. whole: the only result it may have."""
    begin = time.perf_counter()
    found: dict[str, Any] | None = None
    with warnings.catch_warnings(), little_memory(2 * path.stat().st_size + SPARE):
        warnings.simplefilter("ignore")  # what the readers' libraries say beside what is looked at here
        try:
            found = reader.read(path)
        except Exception as error:
            if out_of_memory(error):
                return f"memory: {error!r}"
            if type(error) is not ValueError and not isinstance(error, UnicodeDecodeError | json.JSONDecodeError):
                return f"{type(error).__name__}: {str(error)[:200]}"
            if str(path) not in str(error):
                return f"a message without the file: {type(error).__name__}: {str(error)[:200]}"
    if (took := time.perf_counter() - begin) > SLOWEST:
        return f"{took:.1f} s"
    if found is not None and whole is not None and not same(found, whole):
        return "another result, although the format has checksums"
    return None


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_read_rightly_or_refused_by_name(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    reader = READERS[name]
    path = reader.make(tmp_path)
    whole, content = reader.read(path), path.read_bytes()
    ways = [(mutated, whole if reader.inside else None), *((inside, None) for inside in reader.inside)]
    for seed in range(MANY or reader.few):
        random = np.random.default_rng(seed)
        change, wanted = ways[seed % len(ways)]
        path.write_bytes(change(content, random))
        assert (wrong := fault(reader, path, wanted)) is None, f"{name}, {change.__name__}, seed {seed}: {wrong}"


# what no chance finds --------------------------------------------------------------------------------------------------


def bomb_gzip(folder: Path) -> tuple[Path, Callable[[Path], Any]]:
    """A header that claims 400 MB of images, and as many zeros in half a megabyte."""
    head = bytes([0, 0, 8, 3]) + struct.pack(">III", 400, 1000, 1000)
    (folder / "images").write_bytes(gzip.compress(head) + 40 * gzip.compress(bytes(10_000_000), 1))
    return folder / "images", read_images


def claim_idx(folder: Path) -> tuple[Path, Callable[[Path], Any]]:
    path = idx(folder)
    path.write_bytes(path.read_bytes()[:4] + struct.pack(">III", *[2**32 - 1] * 3) + bytes(100))
    return path, read_images


def npz_with(folder: Path, member: bytes, kind: int) -> tuple[Path, Callable[[Path], Any]]:
    """Crystals whose spectra are this file."""
    path = alloys(folder)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in (files | {"spectra.npy": member}).items():
            archive.writestr(name, content)
    return path, lambda path: crystal_file.read(path, None)


def npy(shape: tuple[int, ...], number: int) -> bytes:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return head.getvalue() + bytes(number)


def claim_npz(folder: Path) -> tuple[Path, Callable[[Path], Any]]:
    return npz_with(folder, npy((10**12, 51), 100), zipfile.ZIP_DEFLATED)


def bomb_npz(folder: Path) -> tuple[Path, Callable[[Path], Any]]:
    return npz_with(folder, npy((60_000_000,), 240_000_000), zipfile.ZIP_DEFLATED)


def bz2_npz(folder: Path) -> tuple[Path, Callable[[Path], Any]]:
    """bz2 within zip, of which zipfile unpacks all at once, whatever size the archive states."""
    return npz_with(folder, npy((3, 51), 612), zipfile.ZIP_BZIP2)


def bomb_tar(folder: Path) -> tuple[Path, Callable[[Path], Any]]:
    """A name of 400 MB, which tarfile takes at once."""
    entry, path = tarfile.TarInfo("././@LongLink"), folder / "some.tar.bz2"
    entry.size, entry.type = 400_000_000, tarfile.GNUTYPE_LONGNAME
    path.write_bytes(bz2.compress(entry.tobuf(tarfile.GNU_FORMAT)) + 40 * bz2.compress(bytes(10_000_000), 1))
    return path, lambda path: read_qm9(path, progress=False)


def claim_xyz(folder: Path) -> tuple[Path, Callable[[Path], Any]]:
    """A frame of so many atoms that ASE alone would look for them all night."""
    path = xyz(folder)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[5] = "9" * 15
    path.write_text("\n".join(lines), encoding="utf-8")
    return path, data.read_xyz


def long_literal(folder: Path) -> tuple[Path, Callable[[Path], Any]]:
    path = csv_table(folder)
    path.write_text(path.read_text(encoding="utf-8").replace("[0.0,", "[" + "1," * 2_000_000), encoding="utf-8")
    return path, data.read_phonon_csv


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (claim_xyz, "frame 1, line 6: (got|truncated)"),
        (bomb_gzip, "truncated: got .* bytes, expected 400000016"),
        (claim_idx, "truncated: got .* bytes, expected 792"),
        (claim_npz, "spectra: 100 bytes of an array of 204000000000000"),
        (bomb_npz, "2400.* bytes unpacked"),
        (bz2_npz, "sizes: compression of kind 12"),
        (bomb_tar, "more than .* bytes without a molecule"),
        (long_literal, "got 4.* characters, expected at most"),
    ],
)
def test_what_claims_or_unpacks_to_too_much_is_refused_before_memory_is_taken(
    make: Any, words: str, tmp_path: Path
) -> None:
    path, reads = make(tmp_path)
    assert fault(Reader(lambda folder: path, reads), path, None) is None
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}.*{words}"):
        reads(path)


@pytest.mark.parametrize("name", ["kinds", "forces"])
def test_an_array_whose_name_is_damaged_is_not_left_out(name: str, tmp_path: Path) -> None:
    """Of those that a file need not have."""
    reader = READERS[{"kinds": "jets npz", "forces": "molecules npz"}[name]]
    path = reader.make(tmp_path)
    path.write_bytes(path.read_bytes().replace(name.encode(), b"?" + name[1:].encode()))
    with pytest.raises(ValueError, match=re.escape(str(path))):
        reader.read(path)


@pytest.mark.parametrize("word", ["1_0", "٣", "１.5"])
@pytest.mark.parametrize("name", ["xyz strict", "qm9", "csv"])
def test_what_only_python_takes_for_a_number_is_refused(name: str, word: str, tmp_path: Path) -> None:
    reader = READERS[name]
    path = reader.make(tmp_path)
    if name == "qm9":
        content = bz2.decompress(path.read_bytes())
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            files = [(m.name, archive.extractfile(m).read().replace(b"0.97", word.encode())) for m in archive]  # type: ignore
        path.write_bytes(qm9_archive(files))
    else:
        old = {"csv": b"2.8", "xyz strict": re.findall(rb"\d+\.\d{8}", path.read_bytes())[0]}[name]
        path.write_bytes(path.read_bytes().replace(old, word.encode()))
    with pytest.raises(ValueError, match=re.escape(str(path))):
        reader.read(path)


def test_no_molecules_are_lost_behind_a_damaged_head(tmp_path: Path) -> None:
    """tarfile takes it for the end of the archive."""
    path = qm9(tmp_path)
    content = bytearray(bz2.decompress(path.read_bytes()))
    content[1024] ^= 1  # the second file's name
    path.write_bytes(bz2.compress(content))
    with pytest.raises(ValueError, match=r"tar\.bz2: got a truncated or damaged archive .*damaged head"):
        read_qm9(path, progress=False)


def test_two_checkpoints_in_one_file_are_refused(tmp_path: Path) -> None:
    """zipfile, which looks at the checksums, would read the second, and torch the first."""
    path = weights(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content + content)
    with pytest.raises(ValueError, match=r"net\.pt: got a damaged or foreign file .*two archives"):
        loaded(path)


@pytest.mark.parametrize("name", ["jets npz", "crystals npz", "molecules npz"])
def test_with_a_checksum_every_change_is_refused(name: str, tmp_path: Path) -> None:
    path = READERS[name].make(tmp_path)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    read = {"jets npz": jet_file.read, "crystals npz": crystal_file.read, "molecules npz": molecule_file.read}[name]
    read(path, digest)
    for seed in range(20):
        changed = mutated(content, np.random.default_rng(seed))
        path.write_bytes(changed)
        if changed != content:
            with pytest.raises(ValueError, match="wrong checksum"):
                read(path, digest)


@pytest.mark.parametrize("kind", ["h5", "npz"])
def test_a_file_that_changes_while_it_is_streamed_is_told(kind: str, tmp_path: Path) -> None:
    """Another content of the same size and form, and the same content written anew: by its time of writing."""
    path = tmp_path / f"train.{kind}"
    make = (lambda first: write_hdf5(path, 40, first)) if kind == "h5" else (lambda first: write_shard(path, first, 40))
    make(0)
    stream = data.JetStream(JetFiles([path], block=10), at_once=10)
    stream.batch(np.arange(10))
    status = path.stat()
    make(40)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    stream._held.clear()
    with pytest.raises(ValueError, match=rf"train\.{kind}: got another file than before"):
        stream.batch(np.arange(20, 40))
    assert len(data.JetStream(JetFiles([path]))) == 40
