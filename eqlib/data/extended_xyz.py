"""Extended xyz, the text format of most sets of molecules, read into `Molecules` and checked.

A frame is a line with the number of atoms, a line of key=value, and a line for each atom, whose columns the key Properties
names. ASE reads the files where it is installed, and a small strict reader where it is not; what either has read passes the
same checks, and what ASE cannot read the strict reader explains.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eqlib.doubtful import named

from .arrays import Array, count, real
from .elements import ELEMENTS, NUMBERS
from .molecules import BOHR, HARTREE, Molecules, as_molecules

MOL = 1.602176634e-19 * 6.02214076e23  # J / mol in an eV
ENERGY = {
    "eV": 1.0,
    "meV": 1e-3,
    "hartree": HARTREE,
    "rydberg": HARTREE / 2,
    "kcal/mol": 4184 / MOL,
    "kJ/mol": 1e3 / MOL,
}
LENGTH = {"angstrom": 1.0, "bohr": BOHR, "nm": 10.0}
# How files write a unit, in small letters; "au" is the hartree's, so that it is refused beside eV.
WRITTEN = {name.lower(): name for name in (*ENERGY, *LENGTH)}
WRITTEN |= {"ha": "hartree", "eh": "hartree", "au": "hartree", "a.u.": "hartree", "ry": "rydberg", "kcal": "kcal/mol"}
WRITTEN |= {"kj": "kJ/mol", "a": "angstrom", "å": "angstrom", "ang": "angstrom", "a0": "bohr"}

PLAIN = "species:S:1:pos:R:3"  # the columns where Properties does not name them
# From the beginning of a word on: from everywhere in a long one it would take hours.
KEY = re.compile(r"""(?<![^\s="])([^\s="]+)\s*=\s*("[^"]*"|'[^']*'|\{[^}]*\}|\[[^\]]*\]|\S+)""")
# Total energies, beyond 10 eV an atom, of molecules with one formula lie within a third of each other, whatever their geometry.
TOTAL, SPREAD = 10.0, 1 / 3


class Frame(NamedTuple):
    """One frame as it was read, in the file's units; line: where it begins, from 1; units: what its comment says."""

    line: int
    numbers: list[int]
    positions: Array
    forces: Array | None
    energy: float | None
    dipole: Array | None
    periodic: bool
    units: str


def read_xyz(
    path: Path | str, *, units: tuple[str, str] = ("eV", "angstrom"), energy: str = "energy", reader: str | None = None
) -> Molecules:
    """All frames of an extended xyz file, with their energies, forces and dipoles where it has them.

    units: of energy (eV, meV, hartree, rydberg, kcal/mol, kJ/mol) and length (angstrom, bohr, nm); forces are in the one over
    the other, dipoles in e times the length. Everything comes out in eV, angstrom and e.
    energy: the key that holds it. reader: "ase" or "strict"; by default ASE where it is installed.
    Raises ValueError, which names the file, the frame, counted from 0, and its line, for a file that ends within a frame, too
    many or too few atoms, an unknown element, a missing column, NaN or inf, a periodic box, energies, forces or dipoles that
    only some frames have, a unit that a frame states and `units` does not, and a total energy more than a third away from those
    of the same formula, which are in another unit. A file that is in another unit throughout and does not say so is not found
    out here; `Molecules.without_atoms` may tell.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "hf.xyz"
    >>> _ = path.write_text('''2
    ... Properties=species:S:1:pos:R:3:forces:R:3 energy=-142.1 pbc="F F F"
    ... F 0 0 0.00 0 0 -0.1
    ... H 0 0 0.92 0 0 0.1
    ... ''')
    >>> molecules = read_xyz(path)
    >>> molecules
    Molecules(1 molecules, 2 atoms, with energies, forces)
    """
    path = Path(path)
    if len(units) != 2 or units[0] not in ENERGY or units[1] not in LENGTH:
        raise ValueError(f"units: got {units!r}, expected one of {[*ENERGY]} and one of {[*LENGTH]}")
    if reader not in (None, "ase", "strict"):
        raise ValueError(f'reader: got {reader!r}, expected "ase", "strict" or None')
    by_ase = reader == "ase" or (reader is None and find_spec("ase") is not None)
    frames = _by_ase(path, energy) if by_ase else [*_strictly(path, energy)]
    if not frames:
        raise ValueError(f"{path}: got no frames, expected at least one")
    known = _checked(path, frames, units)
    e, a = ENERGY[units[0]], LENGTH[units[1]]
    with named(path, "molecules in these units", "what is none"):
        return as_molecules(
            [n for frame in frames for n in frame.numbers],
            a * np.concatenate([frame.positions for frame in frames]),
            [len(frame.numbers) for frame in frames],
            energies=e * np.array([frame.energy for frame in frames]) if "energy" in known else None,
            forces=e / a * np.concatenate([frame.forces for frame in frames]) if "forces" in known else None,
            dipoles=a * np.array([frame.dipole for frame in frames]) if "dipole" in known else None,
        )


def isolated_energies(
    path: Path | str, *, units: tuple[str, str] = ("eV", "angstrom"), energy: str = "energy", reader: str | None = None
) -> dict[int, float]:
    """Energies, eV, of the elements by atomic number, from a file whose frames are one atom each; for `without_atoms`.

    Options and errors are those of `read_xyz`; ValueError also for a frame with several atoms, an element that comes twice, and
    a file without energies.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "atoms.xyz"
    >>> _ = path.write_text('''1
    ... Properties=species:S:1:pos:R:3 energy=-13.57
    ... H 0 0 0
    ... ''')
    >>> isolated_energies(path)
    {1: -13.57}
    """
    atoms = read_xyz(path, units=units, energy=energy, reader=reader)
    if (atoms.sizes > 1).any():
        i = int((atoms.sizes > 1).argmax())
        raise ValueError(f"{path}: frame {i}: got {atoms.sizes[i]} atoms, expected one in each frame")
    if atoms.energies is None:
        raise ValueError(f"{path}: got no energies, expected {energy}=... in each frame")
    found = dict(zip(atoms.numbers.tolist(), atoms.energies.tolist(), strict=True))
    if len(found) < len(atoms):
        raise ValueError(f"{path}: got {len(atoms)} atoms of {len(found)} elements, expected each element once")
    return found


# reading --------------------------------------------------------------------------------------------------------------


def _by_ase(path: Path, energy: str) -> list[Frame]:
    """The frames as ASE reads them."""
    from ase.io import read

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        _there(path)
        frames = [_of_atoms(atoms, energy) for atoms in read(path, index=":", format="extxyz")]
    except MemoryError:
        raise
    except Exception as error:  # it raises whatever its parsers raise
        for _ in _strictly(path, energy):  # says where and what, if it is any of the usual things
            pass
        raise ValueError(f"{path}: ASE cannot read it ({type(error).__name__}: {error})") from error
    lines = np.cumsum([1, *(len(frame.numbers) + 2 for frame in frames)])
    return [frame._replace(line=int(line)) for frame, line in zip(frames, lines[:-1], strict=True)]


def _there(path: Path) -> None:
    """ValueError where a frame has more atoms than lines are left, or a property of 10,000 columns.

    ASE would look for the atoms one by one, for hours, and make room for the columns.
    """
    left = number = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if left:
                if left == number + 1 and (wide := re.search(r"Properties\s*=\s*\S*:\d{5,}", line)):
                    raise ValueError(f"{wide[0][:80]!r}")
                left -= 1
            elif (found := count(line.strip())) is not None:
                number, left = found, found + 1
            else:
                try:
                    int(line)
                except ValueError:  # ASE says so itself, or has a rule for it, or it is the end
                    return
                raise ValueError(f"number of atoms {line.strip()[:60]!r}")
    if left:
        raise ValueError(f"{left} lines less than its number of atoms")


def _of_atoms(atoms: Any, energy: str) -> Frame:
    known = {**atoms.info, **atoms.arrays, **({} if atoms.calc is None else atoms.calc.results)}
    forces, dipole = (None if name not in known else np.array(known[name], float) for name in ("forces", "dipole"))
    e = float(known[energy]) if energy in known else None
    units = " ".join(str(value) for key, value in atoms.info.items() if "unit" in key.lower())
    return Frame(0, atoms.numbers.tolist(), atoms.positions, forces, e, dipole, bool(atoms.pbc.any()), units)


def _strictly(path: Path, energy: str) -> Iterator[Frame]:
    """The frames as the small reader reads them, one after the other; ValueError where it finds no frame as it should be."""
    lines = path.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    start = frame = 0
    while start < len(lines):
        at = [f"{path}: frame {frame}, line {i + 1}" for i in range(start, min(start + 2, len(lines)))]
        number, first = count(lines[start].strip()), start + 2
        if not number:
            raise ValueError(f"{at[0]}: got {lines[start][:60]!r}, expected the number of atoms of a frame, at least 1")
        if len(lines) < first + number:
            raise ValueError(f"{at[0]}: truncated: got {max(0, len(lines) - first)} atoms, expected {number}")
        info = {key: value.strip("\"'{}[]") for key, value in KEY.findall(lines[start + 1])}
        columns = _columns(at[1], info.get("Properties", PLAIN))
        rows = [_row(f"{path}: frame {frame}, line {i + 1}", lines[i], columns) for i in range(first, first + number)]
        numbers, positions, forces = zip(*rows, strict=True)
        dipole = _numbers(at[1], "dipole", info["dipole"].replace(",", " ").split()) if "dipole" in info else None
        yield Frame(
            start + 1,
            [*numbers],
            np.array(positions),
            np.array(forces) if "forces" in columns else None,
            _numbers(at[1], energy, [info[energy]])[0] if energy in info else None,
            None if dipole is None else np.array(dipole),
            _periodic(info),
            " ".join(value for key, value in info.items() if "unit" in key.lower()),
        )
        start, frame = first + number, frame + 1


def _periodic(info: dict[str, str]) -> bool:
    """Whether any direction is; a box without a word on pbc is in all of them, by the format's rule."""
    said = re.findall(r"\w+", info.get("pbc", "T" if "Lattice" in info else "F"))
    return any(word.lower() not in ("f", "false", "0") for word in said)


def _columns(where: str, properties: str) -> dict[str, slice]:
    """Where each property stands in a row, and "" the end of it: species:S:1:pos:R:3 gives 0:1, 1:4 and 4:4."""
    parts, columns, end = properties.split(":"), {}, 0
    widths = [count(part) for part in parts[2::3]]
    if len(parts) % 3 or None in widths or len({*parts[::3]}) < len(widths):
        raise ValueError(f"{where}: Properties: got {properties!r}, expected name:kind:columns, each name once")
    for name, width in zip(parts[::3], widths, strict=True):
        columns[name], end = slice(end, end + (width or 0)), end + (width or 0)
    for name, wanted in (("species", 1), ("pos", 3), ("forces", 3)):
        found = columns.get(name, slice(0, 0 if name != "forces" else wanted))
        if found.stop - found.start != wanted:
            raise ValueError(f"{where}: Properties: got {properties!r}, expected {wanted} columns of {name}")
    return columns | {"": slice(end, end)}


def _row(where: str, line: str, columns: dict[str, slice]) -> tuple[int, list[float], list[float]]:
    """Atomic number, position and force, empty if there is none, of one atom's line."""
    words = line.split()
    if len(words) != columns[""].stop:
        raise ValueError(f"{where}: got {len(words)} columns, {line!r}, expected {columns[''].stop}")
    symbol = words[columns["species"]][0]
    if symbol not in NUMBERS:
        raise ValueError(f"{where}: got an unknown element {symbol!r}, expected a symbol such as C")
    position, force = (_numbers(where, name, words[columns.get(name, columns[""])]) for name in ("pos", "forces"))
    return NUMBERS[symbol], position, force


def _numbers(where: str, name: str, words: list[str]) -> list[float]:
    try:
        return [real(word) for word in words]
    except ValueError as error:
        raise ValueError(f"{where}: {name}: got {' '.join(words)!r}, expected numbers") from error


# checking -------------------------------------------------------------------------------------------------------------


def _checked(path: Path, frames: list[Frame], units: tuple[str, str]) -> set[str]:
    """Raise ValueError for what is wrong in any frame; which of energy, forces and dipole the frames have."""
    known = {name for name in ("energy", "forces", "dipole") if getattr(frames[0], name) is not None}
    for i, frame in enumerate(frames):
        where, number = f"{path}: frame {i}, line {frame.line}", len(frame.numbers)
        if not number or not all(1 <= n <= len(ELEMENTS) for n in frame.numbers):
            raise ValueError(f"{where}: got atomic numbers {frame.numbers}, expected at least one, each of an element")
        if frame.periodic:
            raise ValueError(f'{where}: got a periodic box, expected a molecule alone, pbc="F F F"')
        if stated := {WRITTEN[word] for word in _words(frame.units) if word in WRITTEN} - {*units}:
            raise ValueError(f"{where}: got the unit {', '.join(sorted(stated))}, expected {units[0]} and {units[1]}")
        shapes = {"positions": (number, 3), "energy": (), "forces": (number, 3), "dipole": (3,)}
        for name, shape in shapes.items():
            values: Any = getattr(frame, name)
            if name != "positions" and (values is not None) != (name in known):
                has = "no " if values is None else ""
                raise ValueError(
                    f"{where}: got {has}{name} here, unlike in frame 0, expected it in all frames or in none"
                )
            if values is not None and np.shape(values) != shape:
                raise ValueError(f"{where}: {name}: got shape {np.shape(values)}, expected {shape}")
            if values is not None and not np.isfinite(values).all():
                raise ValueError(f"{where}: {name}: got NaN or inf, expected finite numbers")
        if number > 1 and not np.ptp(frame.positions, axis=0).any():  # as ASE reads a frame without a column pos
            raise ValueError(f"{where}: positions: got all atoms at one place, expected a column pos and atoms apart")
    if "energy" in known:
        _one_unit(path, frames, units[0])
    return known


def _words(text: str) -> list[str]:
    """The units in a text such as "energy:kcal/mol, forces: eV/Angstrom", in small letters."""
    return re.split(r"[\s,;:()^*/]+", text.lower().replace("/mol", ""))


def _one_unit(path: Path, frames: list[Frame], unit: str) -> None:
    """Raise ValueError for a total energy that is no molecule's beside those of the same formula."""
    formulas: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, frame in enumerate(frames):
        formulas[tuple(sorted(frame.numbers))].append(i)
    for formula, where in formulas.items():
        energies = np.array([frames[i].energy for i in where])
        middle = float(np.sort(energies)[len(where) // 2])
        off = np.abs(energies - middle) > SPREAD * abs(middle)
        if abs(middle) * ENERGY[unit] > TOTAL * len(formula) and off.any():
            i = where[int(off.argmax())]
            raise ValueError(
                f"{path}: frame {i}, line {frames[i].line}: energy: got {frames[i].energy:.6g} {unit}, expected about "
                f"{middle:.6g}, as in other frames of this formula: is it in another unit?"
            )
