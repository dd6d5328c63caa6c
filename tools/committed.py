"""What of a notebook's outputs is committed, and when two outputs are the same: used by `refresh.py` and by the tests.

Texts are compared exactly but for what `sanitise.cfg` drops, pictures by eye: `look_alike`. PNGs are base64 texts, as they
stand in the file. Of HTML only what `viz.turntable` makes is committed, and compared by the scene that it holds: `turn_alike`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import re
import socket
import sys
from pathlib import Path

import nbformat
import numpy as np
from nbformat import NotebookNode
from PIL import Image, ImageFilter

PICTURE_BYTES = 60_000
SANITISE = Path(__file__).resolve().parent / "sanitise.cfg"
WIDGET = "application/vnd.jupyter.widget-view+json"
TURNTABLE = re.compile(
    r'<div class="eqlib-turntable">(.*?)document\.currentScript,(\{.*\})\);</script></div>', re.DOTALL
)
IGNORE_TAG, IGNORE_COMMENT = "nbval-ignore-output", "# NBVAL_IGNORE_OUTPUT"
PATH = re.compile(r"(?<![\w.:/])/(?:home|Users|root|tmp|var|opt|usr|mnt|private|srv)/[\w.-]+|\b[A-Za-z]:\\\w[\w.\\-]*")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@functools.cache
def dropped() -> list[tuple[re.Pattern[str], str]]:
    """What nbval drops from texts, as (pattern, what stands there instead)."""
    from nbval.plugin import get_sanitize_patterns  # type: ignore[import-untyped]

    return [(re.compile(regex), new) for regex, new in get_sanitize_patterns(SANITISE.read_text(encoding="utf-8"))]


def sanitised(text: str) -> str:
    """A text as it is compared: without numbers left of `<` or `in` and their limit, and without seconds."""
    for pattern, new in dropped():
        text = pattern.sub(new, text)
    return text


def decode(png: str) -> Image.Image:
    """PIL picture from the base64 text in a notebook, on white."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def small(png: str) -> str:
    """The picture with at most 256 colours, as base64 text; fewer colours where that is still above the limit."""
    image = decode(png)
    for colours in (256, 64, 24):
        buffer = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() <= PICTURE_BYTES:
            break
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def look_alike(old: str, new: str) -> bool:
    """Whether two pictures (base64 PNG) look the same: one size, and after a slight blur hardly a pixel that differs.

    Half a pixel of antialiasing passes; a line moved by three pixels, a changed digit or a flipped sign does not.
    """
    a, b = decode(old), decode(new)
    if a.size != b.size:
        return False
    blurred = [np.asarray(image.filter(ImageFilter.BoxBlur(1)), dtype=np.int16) for image in (a, b)]
    difference = np.abs(blurred[0] - blurred[1]).max(axis=-1)
    return bool((difference > 40).mean() < 5e-4 and difference.mean() < 3.0)


def turntables(outputs: list[NotebookNode]) -> list[str]:
    """The HTML of the pictures that turn."""
    pages = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    return [page for page in pages if TURNTABLE.fullmatch(page)]


def turn_alike(old: str, new: str) -> bool:
    """Whether two pictures that turn show the same: one script, one scene, but for a few steps of the grid of its points."""
    one, other = TURNTABLE.fullmatch(old), TURNTABLE.fullmatch(new)
    if not one or not other or one[1] != other[1]:
        return False
    a, b = json.loads(one[2]), json.loads(other[2])
    for name, kind in (("vertices", "<i2"), ("shades", np.uint8)):
        left, right = (np.frombuffer(base64.b64decode(scene.pop(name)), kind).astype(np.int64) for scene in (a, b))
        if left.shape != right.shape or np.abs(left - right).max(initial=0) > 8:
            return False
    numbers = [[scene.pop("unit"), scene.pop("reach"), *scene.pop("view")] for scene in (a, b)]
    return bool(np.allclose(numbers[0], numbers[1], rtol=1e-3, atol=1e-2)) and a == b


def ignored(cell: NotebookNode) -> bool:
    """Whether nbval is told not to compare this cell's output."""
    return IGNORE_TAG in cell.metadata.get("tags", []) or IGNORE_COMMENT in cell.source


def texts(outputs: list[NotebookNode]) -> list[str]:
    """Every text that is compared, as a list of strings: HTML is not, it repeats a picture or a plain text."""
    found = []
    for output in coalesced(outputs):
        if output.output_type == "stream":
            found.append(f"{output.name}: {output.text}")
        elif output.output_type == "error":
            found.append(f"{output.ename}: {output.evalue}")
        else:
            kinds = sorted(kind for kind in output.data if kind not in (WIDGET, "image/png", "text/html"))
            found += [f"{kind}: {output.data[kind]}" for kind in kinds]
    return found


def same_texts(one: list[NotebookNode], other: list[NotebookNode]) -> bool:
    """Whether two outputs say the same, as nbval compares them."""
    return [sanitised(text) for text in texts(one)] == [sanitised(text) for text in texts(other)]


def pictures(outputs: list[NotebookNode]) -> list[str]:
    """The PNGs of these outputs, base64."""
    return [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def coalesced(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Neighbouring pieces of one stream joined: how a print is cut into pieces is a matter of timing."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
            joined[-1] = NotebookNode(joined[-1], text=joined[-1].text + output.text)
        else:
            joined.append(output)
    return joined


def private(text: str, folder: Path) -> str | None:
    """What in this text belongs to the machine rather than to the lesson: a path, the host's name, an address."""
    if path := PATH.search(text):
        return f"an absolute path ({path[0]})"
    for word in (str(folder.resolve().parent), sys.prefix):
        if len(word) > 2 and word in text:
            return f"an absolute path ({word})"
    host = socket.gethostname()
    if len(host) > 3 and host != "localhost" and re.search(rf"\b{re.escape(host)}\b", text):
        return f"this machine's name ({host})"
    if address := re.search(r"\b0x[0-9a-f]{8,}\b", text):
        return f"an address in memory ({address[0]})"
    return None


def clean_output(output: NotebookNode, ignore: bool) -> NotebookNode | None:
    """An output as it is committed; None for a bare widget (a progress bar) whose text nobody compares."""
    if output.output_type not in ("display_data", "execute_result"):
        return output
    data = {kind: value for kind, value in output.data.items() if kind != WIDGET}
    if WIDGET in output.data and ignore and "image/png" not in data:
        return None
    if "image/png" in data:
        data["image/png"] = small(data["image/png"])
    if "image/png" in data or "text/markdown" in data:
        data.pop("text/html", None)  # the picture or caption again: see eqlib/viz/widgets.py
    alt = output.metadata.get("image/png", {}).get("alt")
    metadata = {"image/png": {"alt": alt}} if alt else {}
    return NotebookNode(output, data=NotebookNode(data), metadata=nbformat.from_dict(metadata))


def refusals(cell: NotebookNode, folder: Path) -> list[str]:
    """Why a cell's output must not be committed."""
    found = []
    for output in cell.outputs:
        if output.output_type == "error":
            found.append(f"raises {output.ename}: {output.evalue}")
        if output.get("name") == "stderr":
            found.append(f"writes to stderr: {output.text.strip()[:200]}")
    for text in texts(cell.outputs):
        if reason := private(text, folder):
            found.append(f"prints {reason}")
    for png in pictures(cell.outputs):
        if (size := len(base64.b64decode(png))) > PICTURE_BYTES:
            found.append(f"has a picture of {size // 1000} kB, more than {PICTURE_BYTES // 1000}")
    return found


def normalise(notebook: NotebookNode) -> None:
    """Metadata, cell ids and execution counts that follow from the notebook's text alone."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: set[str] = set()
    count = 0
    for cell in notebook.cells:
        kept = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        if cell.metadata.get("jupyter", {}).get("outputs_hidden"):  # a picture that would give an answer away
            kept["jupyter"] = {"outputs_hidden": True}
        cell.metadata = nbformat.from_dict(kept)
        salt = 0
        while (name := hashlib.sha256(f"{cell.cell_type}{salt}{cell.source}".encode()).hexdigest()[:8]) in seen:
            salt += 1
        seen.add(name)
        cell.id = name
        if cell.cell_type == "code":
            count += 1
            if cell.execution_count is not None:
                cell.execution_count = count
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = cell.execution_count


def compare(cell: NotebookNode, old: list[NotebookNode], number: int) -> list[str]:
    """How a cell's new outputs differ from the old ones: texts exactly, pictures by eye."""
    if ignored(cell):
        return []
    found = []
    if not same_texts(cell.outputs, old):
        found.append(f"cell {number}: text {texts(cell.outputs)} instead of {texts(old)}")
    before, after = pictures(old), pictures(cell.outputs)
    if len(before) != len(after):
        found.append(f"cell {number}: {len(after)} pictures instead of {len(before)}")
    for place, (one, other) in enumerate(zip(before, after, strict=False)):
        if not look_alike(one, small(other)):
            found.append(f"cell {number}: picture {place + 1} looks different")
    turned, turns = turntables(old), turntables(cell.outputs)
    if len(turned) != len(turns) or not all(map(turn_alike, turned, turns)):
        found.append(f"cell {number}: a picture that turns is another")
    return found
