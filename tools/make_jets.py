"""Make top and QCD jets with Pythia 8 and FastJet, by the recipe of the reference top-tagging set.

    pip install -e ".[generate]" -c constraints.txt
    python tools/make_jets.py --jets 10000 --seed 1 --out eqlib/data/files/jets.npz
    python tools/make_jets.py --calibrate eqlib/data/files/jets.npz      # needs no generator
    python tools/make_jets.py --picture docs/jets.png

The package never imports this file: the course reads what it made (docs/data_jets.md). pp at 14 TeV; light quarks and
gluons against top pairs whose W decay to quarks; no multiple interactions, no pile-up; the detector of detector.py;
anti-kT jets of R = 0.8, the leading one of an event, 550 < pT < 650 GeV, |eta| < 2; a top jet has a top and its three
quarks within 0.8. Events come in batches of one size, each with its own random numbers for the detector, so a run for
fewer jets gives the first jets of a longer one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import detector
import jet_calibration
import numpy as np
from detector import Array, Index
from npz_file import write
from numpy.typing import NDArray

from eqlib.data.jet_file import ANGLE_STEP, FORM, KIND, LEAST, MOST, PT_STEP, unpack
from eqlib.data.nsubjettiness import subjettiness

BATCH = 2000
CLASSES = ("QCD", "top")  # by their label
R, PT, ETA = 0.8, (550.0, 650.0), 2.0
COMMON = (
    "Print:quiet = on",
    "Beams:eCM = 14000",
    "PartonLevel:MPI = off",
    "PhaseSpace:pTHatMin = 350",  # no upper cut, and none nearer to 550: it would shape the QCD mass
    "ParticleDecays:limitTau0 = on",
    "ParticleDecays:tau0Max = 10",
    "Random:setSeed = on",
)
PROCESS = {
    0: ("HardQCD:all = on",),
    1: ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", "24:onMode = off", "24:onIfAny = 1 2 3 4 5"),
}
# What another set-up changes: how well a tagger does on jets of a generator that it was not trained on.
SETUPS: dict[str, tuple[str, ...]] = {
    "standard": (),
    "coupling": (
        "TimeShower:alphaSvalue = 0.12",
        "SpaceShower:alphaSvalue = 0.12",
    ),  # softer showers: 0.1365 by default
    "underlying": ("PartonLevel:MPI = on",),  # several partons of the two protons collide
}


class Jet(NamedTuple):
    """One jet: axis (3,) = (pT in GeV, eta, phi), constituents (n, 3) = (pT, eta, phi), by falling pT, and their kinds (n,)."""

    axis: Array
    constituents: Array
    kinds: Index


class Events(NamedTuple):
    """Flat over all entries of a batch's event records; `offsets` (events + 1,) says where each event begins."""

    offsets: Index
    pdg: Index
    status: Index
    mother: Index  # of the flat arrays
    pt: Array
    eta: Array
    phi: Array
    energy: Array


def start(label: int, seed: int, setup: str) -> Any:
    """A Pythia ready to run; label 0 for QCD, 1 for top; a set-up of SETUPS."""
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    for line in (*COMMON, *PROCESS[label], *SETUPS[setup], f"Random:seed = {2 * seed + label + 1}"):
        if not pythia.readString(line):
            raise RuntimeError(f"Pythia refused the setting {line!r}")
    if not pythia.init():
        raise RuntimeError("Pythia did not start: see its message above")
    return pythia


def events(pythia: Any) -> Events:
    """The next batch of event records."""
    import awkward as ak

    record = pythia.nextBatch(BATCH).prt
    count = ak.to_numpy(ak.num(record))
    offsets = np.concatenate([[0], np.cumsum(count)])
    flat = ak.flatten(record)

    def column(values: Any) -> Any:
        return ak.to_numpy(values, allow_missing=False)

    px, py, pz, energy = (column(flat.p[name]) for name in ("px", "py", "pz", "e"))
    pt = np.hypot(px, py)
    with np.errstate(divide="ignore", invalid="ignore"):  # the beams
        eta = np.arcsinh(pz / pt)
    mother = column(flat.mother1).astype(np.int64) + np.repeat(offsets[:-1], count)
    pdg, status = column(flat.id).astype(np.int64), column(flat.status).astype(np.int64)
    return Events(offsets, pdg, status, mother, pt, eta, np.arctan2(py, px), energy)


def particles(batch: Events) -> tuple[Index, Index]:
    """Which of the flat arrays reach the detector, but neutrinos, and the event of each.

    About one event in 300,000 keeps a particle that ought to have decayed, as too heavy a one for its energy (f0(1370) was
    seen): no detector knows it, and none of its event's particles is returned.
    """
    stable = np.flatnonzero((batch.status > 0) & ~np.isin(np.abs(batch.pdg), detector.INVISIBLE))
    event = np.searchsorted(batch.offsets, stable, side="right") - 1
    spoiled = np.unique(event[~np.isin(np.abs(batch.pdg[stable]), [*detector.CHARGES])])
    kept = ~np.isin(event, spoiled)
    return stable[kept], event[kept]


def leading_jets(flow: detector.Flow, number: int) -> Iterator[tuple[int, Jet]]:
    """(event, jet) of each of so many events whose leading jet passes the cuts."""
    import awkward as ak
    import fastjet

    count = np.bincount(flow.event, minlength=number)
    px, py, pz = flow.pt * np.cos(flow.phi), flow.pt * np.sin(flow.phi), flow.pt * np.sinh(flow.eta)
    columns = {"px": px, "py": py, "pz": pz, "E": flow.pt * np.cosh(flow.eta)}
    inputs = ak.unflatten(ak.zip(columns, with_name="Momentum4D"), count)
    cluster = fastjet.ClusterSequence(inputs, fastjet.JetDefinition(fastjet.antikt_algorithm, R))
    found, members = cluster.inclusive_jets(min_pt=PT[0] / 2), cluster.constituent_index(min_pt=PT[0] / 2)
    first = np.concatenate([[0], np.cumsum(count)])
    pt = np.hypot(found.px, found.py)
    best = ak.argmax(pt, axis=1)
    for event in np.flatnonzero(ak.to_numpy(ak.fill_none(ak.max(pt, axis=1), 0.0)) > PT[0]):
        jet = found[event][best[event]]
        axis = np.array(
            [pt[event][best[event]], np.arcsinh(jet.pz / np.hypot(jet.px, jet.py)), np.arctan2(jet.py, jet.px)]
        )
        if axis[0] < PT[1] and abs(axis[1]) < ETA:
            chosen = first[event] + ak.to_numpy(members[event][best[event]])
            chosen = chosen[np.argsort(-flow.pt[chosen], kind="stable")]
            kinds = np.zeros(0, np.int64) if flow.kind is None else flow.kind[chosen]
            yield int(event), Jet(axis, np.stack([flow.pt[chosen], flow.eta[chosen], flow.phi[chosen]], 1), kinds)


def holds_a_top(batch: Events, event: int, axis: Array) -> bool:
    """Whether a top and its three quarks are within R of the axis."""
    part = slice(batch.offsets[event], batch.offsets[event + 1])
    status, pdg, first = np.abs(batch.status[part]), np.abs(batch.pdg[part]), batch.offsets[event]
    near = np.hypot(batch.eta[part] - axis[1], detector.wrap(batch.phi[part] - axis[2])) < R
    quarks = np.flatnonzero((status == 23) & (pdg <= 5))
    origin = quarks.copy()
    for _ in range(50):  # up the record, W by W, to the top that decayed
        above = pdg[origin] != 6
        if not above.any():
            break
        origin[above] = batch.mother[part][origin[above]] - first
    tops = np.flatnonzero((status == 62) & (pdg == 6))
    return any(near[top] and (origin == top).sum() == 3 and near[quarks[origin == top]].all() for top in tops)


def make(label: int, number: int, seed: int, setup: str = "standard") -> tuple[list[Jet], int]:
    """So many jets of one class (0 QCD, 1 top), and how many events they took."""
    found: list[Jet] = []
    pythia, tried, began = start(label, seed, setup), 0, time.perf_counter()
    while len(found) < number:
        batch = events(pythia)
        random = np.random.RandomState([seed, label, tried])
        stable, event = particles(batch)
        pdg, pt, eta = batch.pdg[stable], batch.pt[stable], batch.eta[stable]
        flow = detector.energy_flow(event, pdg, pt, eta, batch.phi[stable], batch.energy[stable], random)
        for where, jet in leading_jets(flow, len(batch.offsets) - 1):
            if label == 0 or holds_a_top(batch, where, jet.axis):
                found.append(jet)
        tried += BATCH
        seconds = (time.perf_counter() - began) * max(number - len(found), 0) / max(len(found), 1)
        left = f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d} left"
        print(f"{CLASSES[label]}: {len(found)} of {number} jets, {tried} events, {left}", file=sys.stderr)
    return found[:number], tried


def shuffle(classes: Sequence[Sequence[Jet]], seed: int) -> tuple[list[Jet], NDArray[np.uint8]]:
    """QCD and top jets in pairs, the order in a pair drawn by the seed: balanced wherever it is cut at an even place."""
    first = np.random.RandomState([seed, 2]).randint(0, 2, len(classes[0]))
    labels = np.stack([first, 1 - first], 1).ravel().astype(np.uint8)
    return [classes[int(label)][n // 2] for n, label in enumerate(labels)], labels


def pack(jets: Sequence[Jet], labels: NDArray[np.uint8], splits: Sequence[int]) -> dict[str, NDArray[Any]]:
    """The arrays of eqlib.data.jet_file.FORM: constituents rounded, at most MOST of them; tau from what was kept."""
    kept = [jet.constituents[:MOST] for jet in jets]
    offsets = np.concatenate([[0], np.cumsum([len(k) for k in kept])])
    axis = np.reshape([jet.axis for jet in jets], (-1, 3)).astype(np.float32)
    flat = np.concatenate([np.zeros((0, 3)), *kept])
    around = np.repeat(axis.astype(np.float64), np.diff(offsets), axis=0)
    angles = np.column_stack([flat[:, 1] - around[:, 1], detector.wrap(flat[:, 2] - around[:, 2])])
    rounded = {"pt": np.rint(np.log(flat[:, 0] / LEAST) / PT_STEP), "angles": np.rint(angles / ANGLE_STEP)}
    for name, values in rounded.items():
        limits = np.iinfo(np.uint16 if name == "pt" else np.int16)
        if values.size and (values.min() < limits.min or values.max() > limits.max):
            raise ValueError(
                f"{name}: got {values.min()} ... {values.max()} steps, expected {limits.min} ... {limits.max}"
            )
    arrays = {"offsets": offsets, "axis": axis, "labels": labels, "splits": splits, "taus": np.zeros((len(jets), 3))}
    packed = {name: np.asarray((arrays | rounded)[name]).astype(kind) for name, kind in FORM.items()}
    packed["kinds"] = np.concatenate([np.zeros(0, KIND), *(jet.kinds[:MOST] for jet in jets)]).astype(KIND)
    for n in range(0, len(jets), 500):  # a few at a time: padded arrays are large
        some = slice(n, min(n + 500, len(jets)))
        packed["taus"][some] = subjettiness(*unpack(packed, {}, some).momenta())
    return packed


def main() -> None:
    """Make jets, or print the calibration table, or draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--jets", type=int, default=10_000, help="how many, a multiple of 20: 6 : 1 : 3 and as many tops"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=CLASSES, help="all jets of this class, and all of them test jets")
    parser.add_argument("--setup", choices=SETUPS, default="standard", help="of the generator")
    parser.add_argument("--out", type=Path, help="npz to write")
    parser.add_argument(
        "--calibrate", type=Path, metavar="NPZ", help="print the table beside the reference set's numbers"
    )
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw masses and mean images of the shipped jets")
    options = parser.parse_args()
    if options.jets < 20 or options.jets % 20:
        parser.error(f"--jets: got {options.jets}, expected a multiple of 20")
    if options.out:
        began = time.process_time()
        asked = [label for label, name in enumerate(CLASSES) if options.only in (None, name)]
        made = [make(label, options.jets // len(asked), options.seed, options.setup) for label in asked]
        speed = options.jets / (time.process_time() - began)
        if options.only:
            jets, labels = made[0][0], np.full(options.jets, asked[0], np.uint8)
        else:
            jets, labels = shuffle([found for found, _ in made], options.seed)
        changed = {"setup": SETUPS[options.setup]} if SETUPS[options.setup] else {}
        recipe = {
            "seed": options.seed,
            "events": {CLASSES[label]: tried for label, (_, tried) in zip(asked, made, strict=True)},
            "settings": {"common": COMMON, "QCD": PROCESS[0], "top": PROCESS[1], **changed},
            "jets": {"algorithm": "anti-kT", "R": R, "pT": PT, "eta": ETA},
            "versions": {name: version(name) for name in ("pythia8mc", "fastjet", "numpy")},
            "cut to 128 constituents": sum(len(jet.constituents) > MOST for jet in jets),
            "licence": "CC BY 4.0",
        }
        parts = (0, 0, 10) if options.only else (6, 1, 3)
        arrays = pack(jets, labels, [options.jets * part // 10 for part in parts])
        digest = write(options.out, arrays, recipe)
        size = options.out.stat().st_size
        print(f"{options.out}: {size} bytes, SHA-256 {digest}; {speed:.1f} jets a CPU second")
    if options.calibrate:
        print(jet_calibration.table(options.calibrate))
    if options.picture:
        jet_calibration.picture(options.picture)


if __name__ == "__main__":
    main()
