"""Curves with the spread of their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from eqlib.viz.pictures import PALETTE

MARKERS = "osv^D*"


def plot_spread(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    xlabel: str,
    ylabel: str,
    log: bool = False,
    size: tuple[float, float] = (7.2, 3.4),
    log_y: bool = False,
) -> Figure:
    """One line for each entry of `curves`, (runs, len(x)): the mean, and bars from the lowest run to the highest.

    `log` spaces x by its logarithm, `log_y` y; every x is a tick. Lines differ in colour and in marker, and are moved apart by a
    few pixels so that their bars can be told apart; the legend stands beside the axes, in their order.
    """
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    x = np.asarray(x, dtype=np.float64)
    step = (np.log(x[-1] / x[0]) if log else x[-1] - x[0]) / 150
    for number, (name, runs) in enumerate(curves.items()):
        runs = np.atleast_2d(np.asarray(runs, dtype=np.float64))
        if runs.shape[1] != len(x):
            raise ValueError(f"curves[{name!r}] must have shape (runs, {len(x)}), got {runs.shape}")
        aside = (number - (len(curves) - 1) / 2) * step
        where = x * np.exp(aside) if log else x + aside
        mean = runs.mean(axis=0)
        bars = [np.maximum(mean - runs.min(axis=0), 0), np.maximum(runs.max(axis=0) - mean, 0)]  # against rounding
        style: dict[str, Any] = {
            "marker": MARKERS[number % len(MARKERS)],
            "color": PALETTE[number % len(PALETTE)],
            "markersize": 4,
        }
        axes.errorbar(where, mean, bars, label=name, capsize=2, linewidth=1.2, elinewidth=1, **style)
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log else "linear")
    axes.set_yscale("log" if log_y else "linear")
    axes.set_xticks(x, [f"{value:g}" for value in x])
    axes.minorticks_off()
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return figure


def plot_curves(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    xlabel: str,
    ylabel: str,
    log_y: bool = False,
    size: tuple[float, float] = (6.4, 2.8),
) -> Figure:
    """A smooth line for each name's (x, y), told apart by colour and by dashes; the legend stands beside the axes.

    >>> from eqlib import viz
    >>> figure = viz.plot_curves({"x²": ([0, 1, 2], [0, 1, 4])}, "x", "y")
    >>> len(figure.axes[0].lines)
    1
    """
    if not curves:
        raise ValueError("curves must not be empty")
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    for number, (name, (x, y)) in enumerate(curves.items()):
        across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if across.ndim != 1 or across.shape != up.shape:
            raise ValueError(f"curves[{name!r}] must be two rows of one length, got {across.shape} and {up.shape}")
        style = ["-", "--", "-.", ":"][number % 4]
        axes.plot(across, up, style, color=PALETTE[number % len(PALETTE)], label=name, linewidth=1.6)
    axes.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log_y else "linear")
    axes.margins(x=0)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return figure


def redraw_curves(figure: Figure, curves: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """The figure of `plot_curves` with other values (x, y) of some of its curves and the axes as they were, for a slider.

    A third of the time of a new figure, most of which goes into the layout. ValueError for a name that the figure has not.

    >>> from eqlib import viz
    >>> figure = viz.plot_curves({"x²": ([0, 1, 2], [0, 1, 4])}, "x", "y")
    >>> viz.redraw_curves(figure, {"x²": ([0, 1, 2], [4, 1, 0])}).axes[0].lines[0].get_ydata().tolist()
    [4, 1, 0]
    """
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    if unknown := [name for name in curves if name not in lines]:
        raise ValueError(f"curves: got {unknown}, expected some of {[*lines]}")
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    for name, (x, y) in curves.items():
        lines[name].set_data(np.asarray(x), np.asarray(y))
    return figure


def plot_paths(paths: Mapping[str, ArrayLike], size: tuple[float, float] = (5.6, 2.8)) -> Figure:
    """Curves in the plane side by side, each (n, 2) in a panel of its own, x to the right and y up, on one scale."""
    if not paths:
        raise ValueError("paths must not be empty")
    points = {name: np.asarray(path, dtype=np.float64) for name, path in paths.items()}
    for name, path in points.items():
        if path.ndim != 2 or path.shape[1] != 2:
            raise ValueError(f"paths[{name!r}] must have shape (n, 2), got {path.shape}")
    limit = 1.15 * max(float(np.abs(path).max()) for path in points.values())
    figure = Figure(figsize=size, layout="constrained")
    for axes, (name, path) in zip(np.atleast_1d(figure.subplots(1, len(points))), points.items(), strict=True):
        axes.axhline(0, color="#bbbbbb", linewidth=0.8)
        axes.axvline(0, color="#bbbbbb", linewidth=0.8)
        axes.plot(*path.T, color=PALETTE[0], linewidth=2)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="x", ylabel="y")
        axes.set_title(name, fontsize=10)
    return figure


def plot_roc(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], floor: float = 0.0, size: tuple[float, float] = (7.2, 3.6)
) -> Figure:
    """Background kept against signal kept, on a logarithmic axis, for each name's (signal, background) efficiencies.

    Below `floor` lies a grey band: too few background events are left there to measure anything.
    """
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    for number, (name, (signal, background)) in enumerate(curves.items()):
        x, y = np.asarray(signal, dtype=np.float64), np.asarray(background, dtype=np.float64)
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(f"curves[{name!r}] must be two rows of one length, got {x.shape} and {y.shape}")
        style = ["-", "--", "-.", ":"][number % 4]
        axes.plot(x[y > 0], y[y > 0], style, color=PALETTE[number % len(PALETTE)], label=name, linewidth=1.6)
    axes.set(xlabel="share of tops kept", ylabel="share of QCD jets kept", yscale="log", xlim=(0.7, 1))
    axes.set_ylim(1e-2, 1)
    if floor > 0:
        axes.axhspan(1e-2, floor, color="#dddddd", zorder=0)
    axes.grid(color="#eeeeee", linewidth=0.6)
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return figure


def plot_histograms(
    values: Mapping[str, ArrayLike], bins: ArrayLike, xlabel: str, ylabel: str, size: tuple[float, float] = (6.4, 2.8)
) -> Figure:
    """Outlines of the histograms of each name's values (n,), over the same bins (edges); the legend stands beside them."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    for number, (name, numbers) in enumerate(values.items()):
        style: dict[str, Any] = {"color": PALETTE[number % len(PALETTE)], "linestyle": ["-", "--"][number % 2]}
        axes.hist(np.asarray(numbers), np.asarray(bins).tolist(), histtype="step", label=name, linewidth=1.5, **style)
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(np.min(bins), np.max(bins)))
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return figure


def plot_bars(
    names: Sequence[str], series: Mapping[str, ArrayLike], xlabel: str, size: tuple[float, float] = (6.5, 3.2)
) -> Figure:
    """Bars to the right on a logarithmic scale, a group for each name, a colour for each entry of `series`, (len(names),)."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / max(1, len(series))
    for number, (label, values) in enumerate(series.items()):
        lengths = np.asarray(values, dtype=np.float64)
        if lengths.shape != (len(names),) or not (lengths > 0).all():
            raise ValueError(f"series[{label!r}] must be {len(names)} positive numbers, got {lengths}")
        places = np.arange(len(names)) + (number - (len(series) - 1) / 2) * height
        axes.barh(places, lengths, 0.9 * height, label=label, color=PALETTE[number % len(PALETTE)])
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel=xlabel, xscale="log")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(frameon=False, fontsize=9, loc="outside right upper")
    return figure
