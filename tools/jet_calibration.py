"""How the jets of make_jets.py compare with the reference top-tagging set, and a picture of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eqlib.data import Jets, jets, observables
from eqlib.data.jet_file import SPLITS

Array = NDArray[np.float64]

WINDOW = (145.0, 205.0)  # GeV
#: Of the reference set (Kasieczka et al., zenodo.2603256), where known.
REFERENCE = {
    "top mass, mode / GeV": "170-175",
    "QCD mass, mode / GeV": "about 50",
    "tops with 145 < mass < 205 GeV / %": "89",
    "QCD with 145 < mass < 205 GeV / %": "10",
    "top constituents, mean": "about 59",
    "QCD constituents, mean": "about 46",
    "accuracy, mass alone / %": "90.4",
    "accuracy, boosted tree on mass, multiplicity, tau32 / %": "about 93",
}


def mode(values: Array, width: float) -> float:
    """Where the density of values is highest, smoothed by a Gaussian of this width; both in GeV."""
    grid = np.arange(0.0, 400.0, 0.5)
    return float(grid[np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2).sum(1).argmax()])


def accuracy(columns: list[Array], labels: NDArray[np.int64]) -> str:
    """Of scikit-learn's boosted tree on these columns, in percent, over five folds, with its binomial error."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    tree = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.1, max_leaf_nodes=15, random_state=0)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    value = 100 * cross_val_score(tree, np.column_stack(columns), labels, cv=folds).mean()
    return f"{value:.1f} ± {np.sqrt(value * (100 - value) / len(labels)):.1f}"


def measure(path: Path) -> dict[str, str]:
    """The same quantities as REFERENCE, from all jets of a file of make_jets.py."""
    parts = [jets(split, path=path, checksum=None) for split in SPLITS]
    values = [observables(part) for part in parts]
    labels = np.concatenate([part.labels for part in parts if part.labels is not None])
    mass, multiplicity, tau32 = (
        np.concatenate([getattr(v, name) for v in values]) for name in ("mass", "multiplicity", "tau32")
    )
    inside = (mass > WINDOW[0]) & (mass < WINDOW[1])
    top, qcd = labels == 1, labels == 0

    def percent(chosen: NDArray[np.bool_]) -> str:
        share = 100 * inside[chosen].mean()
        return f"{share:.1f} ± {np.sqrt(share * (100 - share) / chosen.sum()):.1f}"

    measured = [
        f"{mode(mass[top], 3):.0f}",
        f"{mode(mass[qcd], 6):.0f}",
        percent(top),
        percent(qcd),
        f"{multiplicity[top].mean():.1f} ± {multiplicity[top].std() / np.sqrt(top.sum()):.1f}",
        f"{multiplicity[qcd].mean():.1f} ± {multiplicity[qcd].std() / np.sqrt(qcd.sum()):.1f}",
        accuracy([mass], labels),
        accuracy([mass, multiplicity, tau32], labels),
    ]
    return dict(zip(REFERENCE, measured, strict=True))


def table(path: Path) -> str:
    """A markdown table: quantity, reference set, these jets."""
    rows = [f"| {name} | {REFERENCE[name]} | {value} |" for name, value in measure(path).items()]
    return "\n".join(["| | reference set | these jets |", "| --- | --- | --- |", *rows])


def image(part: Jets, label: int, bins: int = 40) -> Array:
    """Mean share of pT in cells of (eta, phi) about the axis, +-0.8, (bins, bins), of the jets with this label."""
    assert part.labels is not None and part.constituents is not None  # make_jets.py knows both
    jet = np.repeat(np.arange(len(part)), np.diff(part.offsets))
    chosen = part.labels[jet] == label
    pt, eta, phi = part.constituents[chosen].T
    edges = np.linspace(-0.8, 0.8, bins + 1)
    total = np.bincount(jet, part.constituents[:, 0], minlength=len(part))[jet[chosen]]
    return np.histogram2d(phi, eta, [edges, edges], weights=pt / total)[0] / (part.labels == label).sum()


def picture(path: Path) -> None:
    """Masses of both classes, and their mean images; a PNG of about 1,000 x 320 pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    part = jets("train")
    labels, values = np.asarray(part.labels), observables(part)
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    histogram, *images = figure.subplots(1, 3, width_ratios=(1.35, 1, 1))
    for label, name, colour, style in ((1, "top", "#0072B2", "-"), (0, "QCD", "#D55E00", "--")):
        mass = values.mass[labels == label]
        histogram.hist(mass, np.arange(0, 305, 5), histtype="step", color=colour, ls=style, lw=1.6, label=name)
    histogram.axvspan(*WINDOW, color="0.9", zorder=0)
    histogram.set(xlabel="jet mass / GeV", ylabel="jets per 5 GeV", xlim=(0, 300))
    histogram.legend(frameon=False)
    for axes, label, name in zip(images, (1, 0), ("top", "QCD"), strict=True):
        shown = axes.imshow(
            image(part, label), norm=LogNorm(1e-5, 0.3), cmap="cividis", origin="lower", extent=(-0.8, 0.8, -0.8, 0.8)
        )
        axes.set(xlabel="η − η(jet)", ylabel="φ − φ(jet)", title=f"{name}: mean share of $p_T$")
        axes.set(xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5))
        axes.set_facecolor(shown.cmap(0.0))
    figure.colorbar(shown, ax=images, shrink=0.85)
    figure.savefig(path, dpi=100, metadata={"Software": None}, pil_kwargs={"optimize": True})
