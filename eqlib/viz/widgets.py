"""A slider that redraws a picture, `show` for pictures that stand still, and `folded` for what is to be guessed first.

Pictures carry alt text and a caption.

    from eqlib import viz

    def plot_filter(angle):                     # pure: a number -> PIL image, PNG bytes or matplotlib figure
        return viz.picture(rotated(angle), size=256)

    viz.slider(plot_filter, name="filter angle", start=0, stop=360, step=5, value=30,
               text=lambda angle: f"largest response at {peak(angle):.0f}°",
               alt="A filter with three-fold symmetry, turned by the slider's angle")
    viz.show(viz.picture(array), alt="What a reader who cannot see it needs to know")

One output holds the widget, a PNG and a line of text. Where a kernel runs, the page shows the widget; where none runs,
it shows the PNG (`tools/refresh.py` drops the widget from the committed file), so the page teaches in both.
The line of text, which has the slider's range and `text(value)`, is compared by nbval like any other output.

JupyterLab gives the <img> of a PNG no alt text, whatever the metadata say. So a still picture is also there as HTML
with an alt text, which JupyterLab prefers; but in a page that was not run it removes pictures from HTML, so that form
is not committed either: `make course` and Binder hand it out (binder/jupyter_server_config.py). Elsewhere, and on GitHub, the
same words stand under the picture as a caption.

ipywidgets gives a slider's handle no name that a screen reader could say, and has no setting for it. So a slider's caption
has an HTML form too, whose script gives the handle the words of its label.
"""

from __future__ import annotations

import base64
import contextlib
import html
import io
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets
from IPython.display import display
from PIL import Image

from eqlib.viz.pictures import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Drawing = Image.Image | Figure | bytes


RUN_IT = "Run this cell, and a slider appears above the picture; the arrow keys move it too."

# A handle is made when its widget is, after the caption; so it is waited for.
NAME_THE_HANDLES = """<script>
(() => {
  const area = document.currentScript.closest(".jp-OutputArea") || document.body;
  const name = () => {
    for (const slider of area.querySelectorAll(".widget-slider")) {
      const label = slider.querySelector("label"), handle = slider.querySelector(".noUi-handle");
      if (label && handle) handle.setAttribute("aria-label", label.textContent);
      const readout = slider.querySelector(".widget-readout");
      if (label && readout) { readout.setAttribute("role", "textbox"); readout.setAttribute("aria-label", label.textContent); }
    }
  };
  new MutationObserver(name).observe(area, {childList: true, subtree: true});
  name();
})();
</script>"""


def encode(drawing: Drawing, dpi: int = 100) -> bytes:
    """PNG bytes of a PIL image, a matplotlib figure (which is then closed) or PNG bytes."""
    if isinstance(drawing, bytes):
        return drawing
    if isinstance(drawing, Image.Image):
        return png(drawing)
    if hasattr(drawing, "savefig"):
        buffer = io.BytesIO()
        drawing.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
        if "matplotlib.pyplot" in sys.modules:  # otherwise the figure never was in pyplot's list
            sys.modules["matplotlib.pyplot"].close(drawing)
        return buffer.getvalue()
    raise ValueError(f"drawing must be a PIL image, a matplotlib figure or PNG bytes, got {type(drawing).__name__}")


def _checked_alt(alt: str) -> str:
    if not isinstance(alt, str) or len(alt.split()) < 3:
        raise ValueError(f"alt must say in words what the picture shows, got {alt!r}")
    return alt


def show(drawing: Drawing, alt: str, dpi: int = 100) -> None:
    """Display a picture that stands still, with its alt text as a caption under it."""
    picture = encode(drawing, dpi)
    source = f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"
    words = html.escape(_checked_alt(alt))
    _display(picture, alt, {"text/html": f'<img alt="{words}" src="{source}">', "text/plain": alt})


@contextlib.contextmanager
def folded(summary: str = "Open when you have made up your mind") -> Iterator[None]:
    """What is printed within stands folded under `summary` until the reader opens it, with a kernel and without.

    with viz.folded("Which sign has the exponent?"):
        print(f"{sign} i m theta, off by", within(error, 1e-12))
    """
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        text = printed.getvalue().rstrip()
        fold = f"<details><summary>{html.escape(summary)}</summary>\n\n```text\n{text}\n```\n\n</details>"
        display({"text/plain": text, "text/markdown": fold}, metadata={}, raw=True)


class Picture(ipywidgets.Image):
    """`ipywidgets.Image` whose tooltip, as the element's title, is its accessible name: it has no alt text.

    The browser side sets an element's title only where its description is empty, and Image has none at all.
    """

    description = traitlets.Unicode("").tag(sync=True)


def build(
    plot: Callable[[float], Drawing],
    *,
    name: str,
    start: float,
    stop: float,
    step: float,
    value: float,
    alt: str,
    text: Callable[[float], str] | None = None,
    unit: str = "°",
) -> ipywidgets.VBox:
    """Slider, picture and line of text, joined by one `observe`; its three children, in this order."""
    if not start <= value <= stop or step <= 0:
        raise ValueError(f"value must lie in start..stop and step be positive, got {value}, {start}..{stop}, {step}")

    def line(now: float) -> str:
        return f"{name} = {now:g}{unit}" + (f": {text(now)}" if text is not None else "")

    decimals = len(f"{step:g}".partition(".")[2])
    control = ipywidgets.FloatSlider(
        value=value, min=start, max=stop, step=step, description=name, readout_format=f".{decimals}f",
        style={"description_width": "initial"}, layout={"width": "min(100%, 32rem)"},
    )  # fmt: skip
    _checked_alt(alt)
    shown = Picture(format="png", layout={"max_width": "100%"})
    below = ipywidgets.HTML()

    def draw(now: float) -> None:
        shown.value = encode(plot(now))
        shown.tooltip = f"{alt.rstrip('.')}. {line(now)}"
        below.value = html.escape(line(now))

    draw(value)

    def redraw(change: dict[str, Any]) -> None:  # a browser's number can lie a rounding beside its step
        draw(min(stop, start + step * round((change["new"] - start) / step)))

    control.observe(redraw, names="value")
    return ipywidgets.VBox([control, shown, below], layout={"align_items": "flex-start"})


def slider(
    plot: Callable[[float], Drawing],
    *,
    name: str,
    start: float,
    stop: float,
    step: float,
    value: float,
    alt: str,
    text: Callable[[float], str] | None = None,
    unit: str = "°",
) -> None:
    """Display a slider that redraws `plot(value)`, a pure function of one number.

    Args:
        plot: number -> PIL image, PNG bytes or matplotlib figure (a figure is slow: about 50 ms).
        name: the slider's description, and what its number is called.
        start, stop, step, value: its range, its step for an arrow key, and where it begins.
        alt: what the picture shows, whatever the number is; the line under the picture says what it is at this one.
        text: number -> the number that matters, for the line under the picture.
        unit: printed after the number.
    """
    box = build(plot, name=name, start=start, stop=stop, step=step, value=value, alt=alt, text=text, unit=unit)
    line = html.unescape(box.children[2].value)
    bundle = {
        "application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": box.model_id},
        "text/plain": f"[slider from {start:g} to {stop:g}{unit}] {line}",
    }
    _display(box.children[1].value, alt, bundle, NAME_THE_HANDLES)


def _display(picture: bytes, alt: str, others: dict[str, Any], script: str = "") -> None:
    """One output with this PNG, its alt text, and other forms of the same thing, of which a page shows the richest.

    A second output is the caption; with a script, if there is one.
    """
    bundle = {"image/png": base64.b64encode(picture).decode("ascii")} | others
    display(bundle, metadata={"image/png": {"alt": alt}}, raw=True)
    caption = {"text/plain": alt, "text/markdown": f"*{alt}*"}
    if script:  # the slider is there only where the cell has run, and then this HTML is shown
        caption["text/markdown"] += f"\n\n{RUN_IT}"
        caption["text/html"] = f"<p><em>{html.escape(alt)}</em></p>{script}"
    display(caption, metadata={}, raw=True)
