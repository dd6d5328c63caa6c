"""A picture of space that the reader turns, without a kernel, and the same picture standing still above it.

    viz.turntable([viz.Points(atoms), viz.Sticks(atoms[i], atoms[j])], alt="Eight atoms at the corners of a cube")

There are three outputs: what `viz.show` displays, a PNG and its caption, and a piece of HTML with a script that draws the scene
on a canvas. Nothing is fetched. Which of them a reader sees:

* The cell was run, or the page is trusted (`jupyter trust`), or it stands on a site or in nbviewer: both. The canvas turns with
  a drag or the arrow keys, and says its alt text to a screen reader.
* JupyterLab before the page is run, unless it is trusted; GitHub: they take scripts away. The still picture is there, and under
  it a line says that running the cell brings the other.

So the still picture teaches, and the other one adds. The HTML is committed (at most 60 kB); tools/refresh.py keeps an old one
that shows the same.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path

import numpy as np
from IPython.display import display
from numpy.typing import ArrayLike, NDArray

from eqlib.viz.pictures import MAPS
from eqlib.viz.scenes import Scenes, named, places, taken_apart
from eqlib.viz.views import HEADLINE, LIGHT, frame, layout, plot_scene, reach_of
from eqlib.viz.widgets import show

# What stands there where the script does not run; the script removes it.
FALLBACK = "A copy of this picture that turns stands here once the cell has been run."
MOST = 60_000  # bytes of HTML
ACROSS = 12000  # a vertex lies on a grid of this many steps from the middle to the furthest


def turntable(
    scene: Scenes,
    alt: str,
    towards: ArrayLike = (1.0, 0.7, 0.5),
    up: ArrayLike = (0, 0, 1),
    size: int = 320,
    columns: int | None = None,
    reach: float | None = None,
) -> None:
    """Display the scene (see `eqlib.viz.scenes`) as a still picture, with `alt` as its caption, and as one that turns.

    It turns about the axis `up` and tilts; the other arguments are those of `plot_scene`, which draws where both begin.
    """
    show(plot_scene(scene, towards, up, size, columns, reach), alt)
    page = turntable_html(scene, alt, towards, up, size, columns, reach)
    if len(page) > MOST:
        raise ValueError(f"scene: got {len(page)} bytes of HTML, expected at most {MOST}: make surfaces less fine")
    kinds = [type(piece).__name__ for pieces in named(scene).values() for piece in pieces]
    count = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    display({"text/html": page, "text/plain": f"[a picture that turns: {count}]"}, metadata={}, raw=True)


def turntable_html(
    scene: Scenes,
    alt: str,
    towards: ArrayLike = (1.0, 0.7, 0.5),
    up: ArrayLike = (0, 0, 1),
    size: int = 320,
    columns: int | None = None,
    reach: float | None = None,
) -> str:
    """The HTML of a scene that turns, for any page that may run scripts; arguments as for `turntable`.

    >>> from eqlib import viz
    >>> from eqlib.viz.turning import turntable_html
    >>> page = turntable_html([viz.Points([(0, 0, 1)])], alt="a single point")
    >>> page.startswith('<div class="eqlib-turntable">'), len(page) < 12000
    (True, True)
    """
    scenes, parts = named(scene), taken_apart(scene)
    (width, height), centres = layout(scenes, size, columns)
    basis, (turn, tilt) = _upright(towards, up)
    vertices = np.concatenate(parts.vertices) @ basis.T
    unit = float(np.abs(vertices).max()) / ACROSS or 1.0
    data = {
        "alt": alt.rstrip("."),
        "width": width,
        "size": size,
        "height": height,
        "reach": reach or reach_of(parts),
        "view": [round(turn, 3), round(tilt, 3)],
        "unit": unit,
        "vertices": _text((vertices / unit).round().astype("<i2")),
        "shades": _text(np.concatenate([np.zeros(0, dtype=np.uint8), *parts.shades])),
        "panels": [(n, *centres[panel].tolist()) for n, panel in parts.panels],
        "names": [(name, x, y - size / 2 - HEADLINE / 2) for name, (x, y) in zip(scenes, centres, strict=True)],
        "grids": parts.grids,
        "discs": parts.discs,
        "sticks": parts.sticks,
        "heads": parts.heads,
        "words": parts.words,
        "map": MAPS["diverging"],
        "light": LIGHT.tolist(),
    }
    inline = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    script = f"{_script()}(document.currentScript,{inline});"
    return f'<div class="eqlib-turntable"><p>{FALLBACK}</p><script>{script}</script></div>'


@cache
def _script() -> str:
    """The function of turning.js, without its comments and indents."""
    lines = Path(__file__).with_suffix(".js").read_text(encoding="utf-8").splitlines()
    return "\n".join(line.split(" // ")[0].strip() for line in lines if line.strip() and not line.startswith("//"))


def _text(array: NDArray[np.int16] | NDArray[np.uint8]) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")


def _upright(towards: ArrayLike, up: ArrayLike) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """A right-handed basis as rows whose third is `up`, and turn and tilt of the eye in it, in degrees.

    The eye's turn is 0 along the first row, which is that part of `towards` that is level.
    """
    view = frame(towards, up)
    axis = places("up", up, (3,)) / np.linalg.norm(places("up", up, (3,)))
    first = np.cross(view[0], axis)
    return np.stack([first, view[0], axis]), (0.0, float(np.degrees(np.arcsin(np.clip(view[2] @ axis, -1, 1)))))
