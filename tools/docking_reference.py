"""What the program DockQ says of some poses: the expectation of tests/data/test_docking.py.

    python tools/docking_reference.py FOLDER DOCKQ [cut | whole]

FOLDER has complexes of the Docking Benchmark 5 as XXXX_{r,l}_{u,b-matched}.pdb; DOCKQ is the program, DockQ 2.1.3, which is
built from source where a C compiler is at hand: `pip install DockQ==2.1.3` in an environment of its own. Interfaces are cut out
of some complexes and written to tests/data/complexes; poses of these and of whole complexes, with DockQ's figures, go to
docking.json there. The unbound partners are superposed on the bound ones and the ligand is moved at random, from hardly to far.
With a third word only that part is made anew.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from eqlib import data
from eqlib.data.residue_pairs import paired

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "complexes"
# Of each: how many of the receptor's and of the ligand's residues are kept, those nearest to the partner.
CUT = {"1CGI": (36, 30), "1AVX": (30, 30), "1AZS": (32, 38)}
WHOLE = ("1A2K", "1AHW", "1AZS", "1DFJ", "1F6M", "1OFU", "2JEL", "3R9A")
OUTER = 12  # of these
POSES_CUT, POSES_WHOLE = 20, 10
FORMS = ("r_b", "l_b", "r_u", "l_u")


def bound_and_unbound(folder: Path, name: str, partial: bool) -> list[data.Structure]:
    paths = [folder / f"{name}_{form.replace('b', 'b-matched')}.pdb" for form in FORMS]
    return [data.read_structure(path, partial=partial) for path in paths]


def cut(parts: list[data.Structure], sizes: tuple[int, int]) -> list[data.Structure]:
    """The residues of the native nearest to the partner, and those of the unbound proteins that they are paired with.

    Where the two differ, a residue that only the unbound one has is kept beside its neighbours, so that pairing has work to do.
    """
    found = []
    trees = [cKDTree(part.positions) for part in parts[:2]]
    for k in range(2):
        bound, unbound = parts[k], parts[k + 2]
        distances = np.full(len(bound), np.inf)
        np.minimum.at(distances, bound.residues, trees[1 - k].query(bound.positions)[0])
        order, inner = np.argsort(distances), sizes[k] - OUTER
        outer = order[inner : inner + 2 * OUTER : 2]  # some within 10 angstrom of the partner, some beyond
        near = np.sort(np.concatenate([order[:inner], outer]))
        ours, theirs = paired("unbound", unbound, bound)
        kept = set(ours[np.isin(theirs, near)].tolist())
        only = set(range(len(unbound))) - set(ours.tolist())
        kept |= {i for i in only if i - 1 in kept or i + 1 in kept}
        found.append((bound.only(near), unbound.only(sorted(kept))))
    return [found[0][0], found[1][0], found[0][1], found[1][1]]


def pdb(parts: dict[str, data.Structure]) -> str:
    """Each part as one chain, its residues numbered from 1; coordinates to 0.001 angstrom, as the format has them."""
    lines, symbols = [], {6: "C", 7: "N", 8: "O", 16: "S"}
    for chain, part in parts.items():
        for i, (name, x, of) in enumerate(zip(part.names, part.positions, part.residues, strict=True)):
            place = f"{'ATOM':<6}{i % 99999 + 1:5}  {name:<3} {part.residue_names[of]} {chain}{of + 1:4}    "
            lines.append(f"{place}{x[0]:8.3f}{x[1]:8.3f}{x[2]:8.3f}  1.00  0.00{symbols[part.elements[i]]:>12}")
        lines.append("TER")
    return "\n".join([*lines, "END", ""])


def superposing(unbound: data.Structure, bound: data.Structure) -> tuple[Rotation, Any]:
    """The motion that brings the alpha carbons of one to those of the other."""
    ours, theirs = paired("unbound", unbound, bound)
    x, y = unbound.positions[unbound.alpha[ours]], bound.positions[bound.alpha[theirs]]
    turn, _ = Rotation.align_vectors(y - y.mean(0), x - x.mean(0))
    return turn, y.mean(0) - turn.apply(x.mean(0))


def poses(parts: list[data.Structure], number: int, random: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    """Rotation vectors and shifts of the unbound ligand about its place in the complex; the receptor stays where it is."""
    back, offset = superposing(parts[2], parts[0])
    turn, shift = superposing(parts[3], parts[1])
    turn, shift = back.inv() * turn, back.inv().apply(shift - offset)
    centre = turn.apply(parts[3].positions.mean(0)) + shift
    for i in range(number):
        size = 1.6 * (i / (number - 1)) ** 1.5
        more = Rotation.from_rotvec(size * random.normal(size=3) / 3**0.5)
        to = centre + more.apply(shift - centre) + 6 * size * random.normal(size=3) / 3**0.5
        yield (more * turn).as_rotvec().round(6), to.round(3)


def dockq(program: str, parts: list[data.Structure], turn: Any, shift: Any, folder: Path) -> dict[str, float]:
    """The program's figures for one pose."""
    native, model = folder / "native.pdb", folder / "model.pdb"
    native.write_text(pdb({"A": parts[0], "B": parts[1]}), encoding="ascii")
    moved = parts[3].moved(Rotation.from_rotvec(turn).as_matrix(), shift)
    model.write_text(pdb({"A": parts[2], "B": moved}), encoding="ascii")
    words = [program, str(model), str(native), "--mapping", "AB:AB", "--n_cpu", "1", "--json", str(folder / "out.json")]
    subprocess.run(words, check=True, capture_output=True)
    (found,) = json.loads((folder / "out.json").read_text(encoding="utf-8"))["best_result"].values()
    return {name: round(found[name], 5) for name in ("fnat", "iRMSD", "LRMSD", "DockQ")}


def main() -> None:
    source, program = Path(sys.argv[1]), sys.argv[2]
    OUT.mkdir(exist_ok=True)
    made = "by tools/docking_reference.py with DockQ 2.1.3; rotation: a rotation vector, radians; shift: angstrom"
    found: dict[str, Any] = {"made": made}
    if parts_asked := sys.argv[3:]:
        found |= json.loads((OUT / "docking.json").read_text(encoding="utf-8"))
    for kind, names, number in (("cut", CUT, POSES_CUT), ("whole", WHOLE, POSES_WHOLE)):
        if parts_asked and kind not in parts_asked:
            continue
        found[kind] = {}
        for name in names:
            parts = bound_and_unbound(source, name, kind == "whole")
            if kind == "cut":
                parts = cut(parts, CUT[name])
                for form, part in zip(FORMS, parts, strict=True):
                    packed = gzip.compress(pdb({form[0].upper(): part}).encode("ascii"), 9, mtime=0)
                    (OUT / f"{name}_{form}.pdb.gz").write_bytes(packed)
                parts = [data.read_structure(OUT / f"{name}_{form}.pdb.gz") for form in FORMS]
            random, lines = np.random.default_rng(sum(name.encode())), []
            with tempfile.TemporaryDirectory() as folder:
                for turn, shift in poses(parts, number, random):
                    figures = dockq(program, parts, turn, shift, Path(folder))
                    lines.append({"rotation": turn.tolist(), "shift": shift.tolist()} | figures)
            found[kind][name] = lines
            print(kind, name, [line["DockQ"] for line in lines], flush=True)
    rows = json.dumps(found).replace('{"rotation"', '\n{"rotation"')
    (OUT / "docking.json").write_text(rows + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
