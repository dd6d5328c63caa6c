"""Pictures from arrays, and a slider that changes one."""

from __future__ import annotations

import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from eqlib import viz
from eqlib.viz import pictures, widgets


def test_colours_follow_the_values() -> None:
    """Zero is the middle of the diverging map whatever the range; the ends are the ends; order is kept in lightness."""
    rgb = viz.colours([[-1.0, 0.0, 4.0]])
    table = pictures.table("diverging")
    assert rgb.shape == (1, 3, 3)
    assert (rgb[0, 1] >= 240).all() and (rgb[0, 2] == table[255]).all()
    assert (viz.colours([[-9.0, 9.0]], limits=(-1, 1)) == table[[0, 255]]).all()
    assert (np.diff(pictures.table("sequential").astype(int) @ [3, 6, 1]) >= 0).all()
    assert (pictures.table("cyclic")[0] == pictures.table("cyclic")[255]).all()
    assert viz.colours([[2.0, 2.0]], "grey").tolist() == [[[128] * 3] * 2]


def test_a_picture_has_row_0_at_the_top() -> None:
    image = viz.picture([[1.0, 0.0], [0.0, 0.0]], "grey", size=64)
    assert image.size == (64, 64)
    assert image.getpixel((2, 2)) == (255, 255, 255) and image.getpixel((2, 40)) == (0, 0, 0)
    assert Image.open(io.BytesIO(viz.png(image))).size == (64, 64)


def test_tiles_stand_side_by_side() -> None:
    black = Image.new("RGB", (10, 20))
    assert viz.tile([black] * 3, gap=5).size == (50, 30)
    sheet = viz.tile([black] * 3, columns=2, gap=5, captions=["θ", "b", "c"], text_size=10)
    assert sheet.size == (35, 87)
    assert sheet.getpixel((6, 22)) == (0, 0, 0) and sheet.getpixel((18, 22)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.picture(np.zeros(3)), r"array must have shape \(height, width\) and not be empty, got \(3,\)"),
        (lambda: viz.picture([[np.nan]]), "array must be finite"),
        (lambda: viz.picture([[0.0]], "jet"), "cmap must be one of .* got 'jet'"),
        (lambda: viz.tile([]), "pictures must not be empty"),
        (lambda: viz.tile([Image.new("RGB", (1, 1))], captions=[]), "got 0 for 1"),
        (lambda: viz.show(Image.new("RGB", (1, 1)), alt=""), "alt must say in words"),
        (lambda: viz.show("x", alt="a b c"), "drawing must be .* got str"),
        (lambda: box(value=9), "value must lie in start..stop"),
        (lambda: viz.matrix(np.zeros((2, 3)), []), r"array must have shape \(n, n\), got \(2, 3\)"),
        (lambda: viz.matrix(np.zeros((2, 2)), [3]), r"edges must lie in 0 ... 2, got \[3\]"),
        (lambda: viz.plot_stages([]), "stages: got none"),
        (lambda: viz.plot_stages([("a", [], "")] * 2, repeat=(0, 1)), r"repeat: got \(0, 1\)"),
        (lambda: viz.plot_spread([1, 2], {"a": [1.0]}, "x", "y"), r"curves\['a'\] must have shape \(runs, 2\)"),
    ],
)
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_dial_points_where_it_should() -> None:
    """The hand's blue lies at its angle, counterclockwise from the right, and the start's orange where it began."""
    at = 100.0 + 46 * 0.5 * np.array([2 * np.cos(np.pi / 3), -2 * np.sin(np.pi / 3)])
    face = viz.dial(np.pi / 3, start=np.pi, size=200)
    assert face.size == (200, 200)
    assert np.allclose(face.getpixel(tuple(at.astype(int))), (0, 114, 178), atol=40)
    assert face.getpixel((100, 170)) == (238, 238, 238)
    left = np.asarray(face)[95:106, 10:30].astype(int)
    assert (left[..., 0] - left[..., 2]).max() > 100
    assert viz.png(viz.dial(0.1)) != viz.png(viz.dial(0.2)) != viz.png(viz.dial(0.2, start=1.0))


def test_a_matrix_shows_its_blocks_and_its_zeros() -> None:
    """Zero is grey and no other entry is; lines stand at the edges of the blocks."""
    sheet = viz.matrix([[1.0, 0.0], [1e-3, -1.0]], edges=[1], size=100)
    assert sheet.size == (100, 100)
    assert sheet.getpixel((75, 25)) == (214, 214, 214) and sheet.getpixel((25, 75)) != (214, 214, 214)
    assert sheet.getpixel((50, 25)) == sheet.getpixel((25, 50)) == sheet.getpixel((0, 25)) == (0, 0, 0)
    assert sheet.getpixel((25, 25)) == (127, 39, 4)


def test_a_curve_shows_mean_and_spread() -> None:
    figure = viz.plot_spread([1, 2, 4], {"a": [[0, 1, 2], [2, 3, 8]], "b": [5, 5, 5]}, "n", "score", log=True)
    (axes,) = figure.axes
    lines = [container.lines[0] for container in axes.containers]
    assert [list(line.get_ydata()) for line in lines] == [[1, 2, 5], [5, 5, 5]]
    (bars,) = axes.containers[0].lines[2]
    assert [list(bar[:, 1]) for bar in bars.get_segments()] == [[0, 2], [1, 3], [2, 8]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "4"]
    assert lines[0].get_marker() != lines[1].get_marker()
    assert axes.get_yscale() == "linear"
    assert viz.plot_spread([1, 2], {"equal": [[91.4, 93.3]] * 3}, "n", "their mean is rounded").axes
    assert viz.plot_spread([1, 2], {"a": [1, 10]}, "n", "error", log_y=True).axes[0].get_yscale() == "log"


def test_curves_are_lines_of_their_own() -> None:
    """Each name's points as they are, in a colour and a dash of its own; the axis is logarithmic if asked."""
    x, y = [0.0, 1.0, 3.0], [1.0, 10.0, 100.0]
    figure = viz.plot_curves({"one": (x, y), "two": (x, [5.0, 5.0, 6.0])}, "x", "y", log_y=True)
    (axes,) = figure.axes
    assert axes.lines[0].get_xydata().tolist() == [[0, 1], [1, 10], [3, 100]]
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 2
    assert axes.get_yscale() == "log" and (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]
    assert viz.plot_curves({"one": (x, y)}, "x", "y").axes[0].get_yscale() == "linear"
    with pytest.raises(ValueError, match="curves must not be empty"):
        viz.plot_curves({}, "x", "y")
    with pytest.raises(ValueError, match=r"curves\['one'\] must be two rows of one length, got \(3,\) and \(2,\)"):
        viz.plot_curves({"one": (x, [1.0, 2.0])}, "x", "y")
    limits = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert viz.redraw_curves(figure, {"two": (x, [6.0, 5.0, 6.0])}) is figure
    assert figure.axes[0].lines[1].get_ydata().tolist() == [6.0, 5.0, 6.0]
    assert np.array_equal(figure.axes[0].lines[0].get_ydata(), y)  # the other is as it was, and so are the axes
    assert limits == (figure.axes[0].get_xlim(), figure.axes[0].get_ylim())
    with pytest.raises(ValueError, match="curves: got \\['three'\\], expected some of \\['one', 'two'\\]"):
        viz.redraw_curves(figure, {"three": (x, y)})


def test_roc_curves_leave_out_what_has_no_background() -> None:
    figure = viz.plot_roc({"a": ([0, 0.5, 1], [0, 0.01, 1]), "b": ([0, 1], [0.1, 1])}, floor=0.05)
    (axes,) = figure.axes
    a, b = axes.lines
    assert list(a.get_xdata()) == [0.5, 1] and list(b.get_ydata()) == [0.1, 1]
    assert axes.get_yscale() == "log" and a.get_linestyle() != b.get_linestyle()
    assert axes.patches[0].get_height() == pytest.approx(0.05 - 1e-2)  # the band
    assert not viz.plot_roc({"a": ([0, 1], [0, 1])}).axes[0].patches
    with pytest.raises(ValueError, match=r"curves\['a'\] must be two rows of one length, got \(2,\) and \(3,\)"):
        viz.plot_roc({"a": ([0, 1], [0, 1, 1])})


def test_histograms_share_their_bins() -> None:
    figure = viz.plot_histograms({"a": [0.5, 0.6, 1.5], "b": [2.5]}, [0, 1, 2, 3], "m", "jets")
    (axes,) = figure.axes
    assert [patch.get_xy()[:, 1].max() for patch in axes.patches] == [2, 1]
    assert axes.get_xlim() == (0, 3)
    assert len({patch.get_edgecolor() for patch in axes.patches}) == 2


def box(value: float = 1.0) -> Any:
    return widgets.build(
        lambda x: viz.picture([[x, 5.0]], "grey", limits=(0, 5), size=32),
        name="angle", start=0, stop=5, step=1, value=value, text=lambda x: f"<{x:.1f}>", alt="two grey squares",
    )  # fmt: skip


def test_a_plot_gets_the_steps_of_its_slider() -> None:
    """64.99999999999999, as a browser sends it, is the step 65: a plot may index by it."""
    seen = []

    def plot(now):
        seen.append(now)
        return viz.picture([[now]])

    made = widgets.build(plot, name="t", start=-180, stop=177, step=5, value=60, alt="one grey square")
    for value in (64.99999999999999, 70.00000000000001, 177):
        made.children[0].value = value
    assert seen == [60, 65, 70, 175]


def test_the_slider_changes_picture_and_text() -> None:
    control, picture, below = box().children
    assert control.description == "angle"
    assert picture.tooltip == "two grey squares. angle = 1°: <1.0>"
    assert below.value == "angle = 1°: &lt;1.0&gt;"
    before = picture.value
    control.value = 2.0
    assert picture.value != before and picture.value == box(2.0).children[1].value
    assert below.value == "angle = 2°: &lt;2.0&gt;"
    assert picture.tooltip == "two grey squares. angle = 2°: <2.0>"


def test_one_output_holds_widget_picture_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(widgets, "display", lambda data, metadata, raw: shown.append((data, metadata)))
    viz.slider(lambda x: viz.picture([[x]]), name="a", start=0, stop=5, step=1, value=1, alt="one grey square")
    figure, axes = plt.subplots()
    axes.plot([0, 1])
    viz.show(figure, alt='a rising "line"')
    (slider, about), caption, (still, _), (below, _) = shown
    assert set(slider) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert slider["text/plain"] == "[slider from 0 to 5°] a = 1°"
    assert about == {"image/png": {"alt": "one grey square"}}
    assert caption[0].pop("text/html").startswith("<p><em>one grey square</em></p><script>")  # which names the handle
    text = f"*one grey square*\n\n{widgets.RUN_IT}"
    assert caption == ({"text/plain": "one grey square", "text/markdown": text}, {})
    assert below["text/markdown"] == '*a rising "line"*'
    assert "text/html" not in below
    assert still["text/plain"] == below["text/plain"] == 'a rising "line"'
    assert still["image/png"].startswith("iVBOR")
    assert still["text/html"].startswith('<img alt="a rising &quot;line&quot;" src="data:image/png;base64,iVBOR')
    assert plt.get_fignums() == []


def test_what_is_printed_in_a_fold_is_one_folded_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[dict[str, str]] = []
    monkeypatch.setattr(widgets, "display", lambda data, metadata, raw: shown.append(data))
    with pytest.raises(ZeroDivisionError), viz.folded("a < b?"):
        print("one")
        print("error 3e-16 < 1e-12")
        1 / 0  # noqa: B018
    assert capsys.readouterr().out == "" and len(shown) == 1
    assert shown[0]["text/plain"] == "one\nerror 3e-16 < 1e-12"
    assert shown[0]["text/markdown"].startswith(
        "<details><summary>a &lt; b?</summary>\n\n```text\none\nerror 3e-16 < 1e-12\n```"
    )


def test_bars_are_as_long_as_their_numbers() -> None:
    (axes,) = viz.plot_bars(["x", "y"], {"a": [1, 10], "b": [3, 4]}, "error").axes
    assert [patch.get_width() for patch in axes.patches] == [1, 10, 3, 4]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["x", "y"]
    tops = [patch.get_y() for patch in axes.patches]
    assert tops[0] < tops[2] < tops[1] < tops[3] and axes.yaxis_inverted()
    with pytest.raises(ValueError, match=r"series\['a'\] must be 2 positive numbers"):
        viz.plot_bars(["x", "y"], {"a": [1, 0]}, "error")


def test_stages_stand_from_left_to_right() -> None:
    """Each with its boxes and words, an arrow to the next, and a line back where they are repeated."""
    stages = [("in", ["4x0e"], "atoms"), ("mix", ["4x0e", "2x1o"], "gate"), ("out", ["51"], "sum")]
    for repeat, arrows in ((None, 2), ((2, 1), 3)):
        (axes,) = viz.plot_stages(stages, repeat).axes
        words = {text.get_text(): text.get_position()[0] for text in axes.texts if text.get_text()}
        assert words["in"] < words["mix"] < words["out"] and words["2x1o"] == words["mix"] == words["gate"]
        assert sum(text.arrow_patch is not None for text in axes.texts if hasattr(text, "arrow_patch")) == arrows
        assert ("repeat" in words) == (repeat is not None)
