"""The log of points.py as a table and as a picture over l."""

from __future__ import annotations

import statistics
from typing import Any

from edge_layers import CASES

from eqlib.training import runs


def table(lines: list[dict[str, Any]]) -> str:
    """A row for each measure and degree: medians over seeds of milliseconds, MB, ratios, and of the value."""
    rows = [("measure", "of", "l", "value", "what else")]
    by: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        by.setdefault(runs.key(line, ("measure", "of", "degree")), []).append(line)
    for (measure, of, degree), found in sorted(by.items()):
        words = []
        for key in (
            "ms",
            "mb",
            "ratio",
            "over_sphericart",
            "difference",
            "exponent",
            "first_s",
            "floor_ms",
            "gb_per_s",
            "compile_s",
        ):
            entry = found[0].get(key)
            if isinstance(entry, dict) and not any(isinstance(number, list) for number in entry.values()):
                middle = {name: statistics.median(line[key][name] for line in found) for name in entry}
                words.append(f"{key}: " + " ".join(f"{name} {number:.3g}" for name, number in middle.items()))
            elif isinstance(entry, float):
                words.append(f"{key} {statistics.median(line[key] for line in found):.3g}")
        value = statistics.median(line["value"] for line in found)
        rows.append((measure, of, str(degree), f"{value:.3g}", "; ".join(words)))
    return "\n".join(f"{a:10s} {b:10s} {c:>2s} {d:>9s}  {e}" for a, b, c, d, e in rows)


def plot(lines: list[dict[str, Any]], path: str) -> None:
    """Milliseconds over l of harmonics and of a layer whose l grows, and how many times faster than e3nn each pass is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for axes, way in ((left, "backward"), (middle, "degree")):
        chosen = [line for line in lines if line["of"] == way]
        for name in chosen[0]["ms"] if chosen else ():
            over: dict[int, list[float]] = {}
            for line in chosen:
                some = line["ms"][name]
                pairs = zip(line["sizes"], some, strict=True) if way == "degree" else [(line["degree"], some)]
                for l, ms in pairs:
                    over.setdefault(l, []).append(ms)
            axes.semilogy(sorted(over), [statistics.median(over[l]) for l in sorted(over)], "o-", label=name)
        axes.set(xlabel="l", ylabel="ms")
        if chosen:
            axes.legend()
    left.set_title("harmonics of 10,000 points, with backward")
    middle.set_title("layer, 2,000 edges, 16 channels")
    for number, case in enumerate(CASES):
        for engine, style, label in (("eqlib-fast", "o-", case), ("eqlib-torch", "o:", None)):
            values = [median_of(lines, "step", case, degree, "ratio", engine) for degree in degrees(lines)]
            right.plot(degrees(lines), values, style, color=f"C{number}", label=label)
    right.set(xlabel="l", title="times as fast as e3nn (dotted: torch)", ylim=(0, None), xticks=(2, 4, 6))
    right.legend()
    figure.savefig(path, dpi=90)


def degrees(lines: list[dict[str, Any]]) -> list[int]:
    """Those that layers were timed at."""
    return sorted({line["degree"] for line in lines if line["measure"] == "step"})


def median_of(lines: list[dict[str, Any]], measure: str, of: str, degree: int, key: str, name: str) -> float:
    """The median over repetitions."""
    wanted = (measure, of, degree)
    return statistics.median(
        line[key][name] for line in lines if (line["measure"], line["of"], line["degree"]) == wanted
    )


def markdown(lines: list[dict[str, Any]]) -> str:
    """The table of docs/speed.md: a row for each pass and degree."""
    engines = ("eqlib-torch", "eqlib-fast")
    times = [("ms", name, " ms") for name in ("e3nn", *engines)] + [("ratio", name, "") for name in engines]
    rows = [
        "| pass | l | e3nn | torch | fast | times as fast: torch | fast | memory, by e3nn's: torch | fast |",
        "|" + " --- |" * 9,
    ]
    passes = [("step", of) for of in CASES]
    passes += [("products", of) for of in ("depthwise", "all channels", "matrices")]
    for measure, of in passes:
        for degree in degrees(lines):
            cells = [of, str(degree)]
            for key, name, unit in times:
                number = median_of(lines, measure, of, degree, key, name)
                cells.append(f"{number:.{0 if number >= 100 else 1}f}{unit}")
            memory = measure == "step"
            cells += [f"{median_of(lines, 'memory', of, degree, 'ratio', n):.2f}" if memory else "" for n in engines]
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
