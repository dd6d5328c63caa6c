"""A slider moves a picture, in a real JupyterLab in a real browser.

The cells of notebook 05 run up to its first slider, which is focused and its arrow key pressed; the picture must
change. Below it the same slider stands again without its `observe`, where the same steps must fail. That the rest of
the page runs is nbval's business. Needs Playwright and the system's Chromium, and skips where either is missing,
unless EQLIB_REQUIRE_BROWSER=1. The time from key press to changed picture is printed (`pytest -s`), not asserted.

    EQLIB_BROWSER_NOTEBOOK=path.ipynb    another notebook instead of 05
    EQLIB_SCREENSHOTS=folder             keep screenshots
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import committed
import nbformat
import pytest
import refresh
from nbformat.v4 import new_code_cell

from eqlib.viz.turning import FALLBACK

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = Path(os.environ.get("EQLIB_BROWSER_NOTEBOOK", ROOT / "notebooks" / "05_harmonic_networks.ipynb"))
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
TOKEN = "course"
UNOBSERVED = "import ipywidgets\nipywidgets.FloatSlider.observe = lambda *a, **k: None"
PRESSES = 15
TURNING = """from eqlib import viz
scene = [viz.Points([(0, 0, 1)]), viz.Sticks([(0, 0, 0)], [(0.5, 0, 1)])]
viz.turntable(scene, alt="a single point and a stick")"""
# A page is slow on a busy machine: these are only there so that a failure ends.
START, RUN = 90.0, 180.0

# In the page: the bytes of a picture; and the time of the next key press, from the key until a picture with other bytes is
# loaded. (The widget loads its picture again when only the title has changed.)
DIGEST = """async image => {
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    return Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))).join(" ");
}"""
ARM = """([handle, image, before]) => {
    const digest = DIGEST;
    window.elapsed = null;
    handle.addEventListener("keydown", () => { window.pressed = performance.now(); }, {capture: true, once: true});
    image.onload = async () => {
        const now = performance.now();
        if (window.elapsed === null && await digest(image) !== before) window.elapsed = now - window.pressed;
    };
}""".replace("DIGEST", DIGEST)
STILL = """() => Array.from(document.querySelectorAll(".jp-OutputArea-output img"))
    .filter(image => !image.closest(".jupyter-widgets") && image.naturalWidth > 0)
    .map(image => [image.src, image.getAttribute("alt")])"""


def needs(what: Any, name: str) -> Any:
    """`what`, or a skip where it is missing, or a failure where it must not be."""
    if not what:
        if os.environ.get("EQLIB_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{name} is missing and EQLIB_REQUIRE_BROWSER=1")
        pytest.skip(f"{name} is missing")
    return what


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium with a new profile."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    needs(sync_playwright, "Playwright")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = needs(next(filter(None, map(shutil.which, names)), None), "Chromium")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=path,
            headless=True,
            chromium_sandbox=False,
            args=FLAGS,
            viewport={"width": 1200, "height": 900},
        )
        with closing(context):
            yield context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where JupyterLab is at home: the notebook up to its first slider, and what it loads from the folders beside it."""
    course = tmp_path_factory.mktemp("course")
    (course / "notebooks").mkdir()
    for name in ("checkpoints", "benchmarks"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, course / name)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    found = (number for number, cell in enumerate(notebook.cells) if re.search(r"^\s*viz\.slider\(", cell.source, re.M))
    notebook.cells = notebook.cells[: next(found) + 1]
    notebook.cells.append(new_code_cell(f"{UNOBSERVED}\n{notebook.cells[-1].source}"))
    nbformat.write(notebook, course / "notebooks" / NOTEBOOK.name)
    return course / "notebooks"


@pytest.fixture(scope="module")
def lab(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab that serves `folder`, with settings of its own."""
    home = tmp_path_factory.mktemp("jupyter")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        f"--IdentityProvider.token={TOKEN}",
    ]
    command += [f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    own = {
        name: str(home / name)
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_RUNTIME_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "IPYTHONDIR",
        )
    }
    with (home / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=folder, env=os.environ | own, stdout=log, stderr=log)
        try:
            wait_for_server(server, address, home / "log")
            yield address
        finally:
            server.terminate()
            server.wait(30)


def wait_for_server(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Until it answers; fails with its log if it stops."""
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text(encoding='utf-8')[-3000:]}")


def open_and_run(browser: Any, lab: str, path: Path) -> Any:
    """The page on which the notebook has run from top to bottom.

    Run All before the kernel is idle is lost in silence, so that is waited for. A last cell writes a file: then it is
    over.
    """
    done = path.with_suffix(".done")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_code_cell(f"open({done.name!r}, 'w').close()"))
    nbformat.write(notebook, path)
    page = browser.new_page()
    page.goto(f"{lab}/lab/tree/{path.name}?token={TOKEN}&reset", timeout=1000 * START)
    page.get_by_text(re.compile(r"\| Idle$")).first.wait_for(timeout=1000 * START)
    page.wait_for_timeout(500)  # the kernel's language comes a moment later
    screenshot(page, f"{path.stem}_opened")
    assert page.locator(".jp-mod-dirty").count() == 0, (
        "unsaved on opening: `make course` copies binder/jupyter_server_config.py"
    )
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    end = time.monotonic() + RUN
    while not done.exists():
        assert time.monotonic() < end, f"{path.name} did not run to its end"
        page.wait_for_timeout(200)
    page.get_by_text(re.compile(r"\| Idle$")).first.wait_for(timeout=1000 * START)
    return page


@pytest.fixture(scope="module")
def page(browser: Any, lab: str, folder: Path) -> Any:
    """The notebook's page, run."""
    return open_and_run(browser, lab, folder / NOTEBOOK.name)


def slider(page: Any, observed: bool) -> tuple[Any, Any]:
    """Handle of the slider that is observed or of the other, and the picture in its box; cells out of sight are sought."""
    mark = page.locator(".jp-InputArea", has_text=UNOBSERVED.splitlines()[-1])
    cell = page.locator(".jp-CodeCell", has_not=mark) if observed else page.locator(".jp-CodeCell", has=mark)
    box = cell.locator(".jp-OutputArea .widget-vbox", has=page.locator(".widget-slider"))
    notebook = page.locator(".jp-WindowedPanel-outer").first
    notebook.evaluate("panel => panel.scrollTo(0, 0)")
    for _ in range(200):
        page.wait_for_timeout(100)
        if box.count():
            break
        notebook.evaluate("panel => panel.scrollBy(0, 400)")
    box.scroll_into_view_if_needed()
    return box.get_by_role("slider"), box.locator("img")


def press(page: Any, handle: Any, image: Any, key: str = "ArrowRight", patience: float = 5.0) -> float:
    """Press a key on the slider. The *picture* must change: its bytes, not only the number. Returns milliseconds."""
    before, number = image.evaluate(DIGEST), handle.get_attribute("aria-valuenow")
    page.evaluate(ARM, [handle.element_handle(), image.element_handle(), before])
    handle.press(key)
    end = time.monotonic() + patience
    while page.evaluate("window.elapsed") is None and time.monotonic() < end:
        page.wait_for_timeout(20)
    assert handle.get_attribute("aria-valuenow") != number, "the slider itself did not move"
    assert image.evaluate(DIGEST) != before, "the picture did not change"
    return float(page.evaluate("window.elapsed"))


def screenshot(page: Any, name: str) -> None:
    if folder := os.environ.get("EQLIB_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def pictures_without_a_name(page: Any) -> tuple[int, int]:
    """How many still pictures the page has and how many of them have no alt text; it is scrolled through from the top."""
    found: dict[str, str] = {}
    notebook = page.locator(".jp-WindowedPanel-outer").first
    notebook.evaluate("panel => panel.scrollTo(0, 0)")
    for _ in range(200):
        page.wait_for_timeout(60)
        for source, alt in page.evaluate(STILL):
            found[source] = alt or ""
        if notebook.evaluate("panel => panel.scrollTop + panel.clientHeight >= panel.scrollHeight - 1"):
            break
        notebook.evaluate("panel => panel.scrollBy(0, 500)")
    return len(found), sum(not alt for alt in found.values())


def test_a_key_press_changes_the_picture(page: Any, folder: Path) -> None:
    """Each press of the arrow key on the notebook's first slider changes the picture; pictures and slider have names."""
    handle, image = slider(page, observed=True)
    handle.focus()
    screenshot(page, "before")
    times = [press(page, handle, image) for _ in range(PRESSES)]
    screenshot(page, "after")
    assert image.get_attribute("title"), "the picture has no title"
    name = page.get_by_role("img", name=re.compile(re.escape(image.get_attribute("title"))))
    assert name.count() == 1, "the picture has no accessible name"
    number = handle.get_attribute("aria-valuenow")
    assert f"= {float(number):g}" in image.get_attribute("title"), "the picture's name does not follow the slider"
    label = page.locator(".jp-OutputArea .widget-slider label").first.text_content()
    assert label, "the slider has no label"
    assert page.get_by_role("slider", name=label, exact=True).count() == 2, "the sliders' handles have no name"
    still, nameless = pictures_without_a_name(page)
    cells = nbformat.read(folder / NOTEBOOK.name, as_version=4).cells
    wanted = sum(bool(re.search(r"viz\.(show|turntable)\(", cell.source)) for cell in cells if cell.cell_type == "code")
    assert wanted > 0
    assert (still, nameless) == (wanted, 0), f"{still} of {wanted} pictures found, {nameless} without alt text"
    print(f"\nslider to picture: median {statistics.median(times):.0f} ms, {min(times):.0f} to {max(times):.0f} ms")


def test_without_observe_it_fails(page: Any) -> None:
    """The same press on a slider that nobody observes moves the slider and not the picture, and is found out."""
    handle, image = slider(page, observed=False)
    handle.focus()
    with pytest.raises(AssertionError, match="the picture did not change"):
        press(page, handle, image)


def picture_of(canvas: Any) -> str:
    return str(canvas.evaluate("canvas => canvas.toDataURL()"))


def test_a_picture_turns_by_hand(browser: Any, lab: str, folder: Path) -> None:
    """Before the page is run the still picture stands there, and a line; then a canvas that keys and the mouse turn."""
    path = folder / "turning.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[new_code_cell(TURNING), new_code_cell("print('below')")])
    refresh.execute(notebook, folder)
    for cell in notebook.cells:
        cell.outputs = [committed.clean_output(output, False) for output in cell.outputs]
    refresh.normalise(notebook)
    nbformat.write(notebook, path)
    page = browser.new_page()
    page.goto(f"{lab}/lab/tree/{path.name}?token={TOKEN}&reset", timeout=1000 * START)
    page.get_by_text(FALLBACK).wait_for(timeout=1000 * START)
    screenshot(page, "turning_untrusted")
    assert page.locator(".eqlib-turntable canvas").count() == 0
    assert page.locator(".jp-OutputArea-output img").count() == 1
    page.close()
    page = open_and_run(browser, lab, path)
    canvas = page.locator(".eqlib-turntable canvas")
    canvas.scroll_into_view_if_needed()
    assert page.get_by_text(FALLBACK).count() == 0
    assert (
        page.get_by_role(
            "application", name="a single point and a stick. Arrow keys turn it, Home turns it back."
        ).count()
        == 1
    )
    canvas.focus()
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    before = picture_of(canvas)
    seen = {before}
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        canvas.press(key)
        page.wait_for_timeout(100)
        seen.add(picture_of(canvas))
    assert len(seen) == 4, "each of three keys turns it to another view, and the fourth back"
    assert picture_of(canvas) == before
    assert canvas.evaluate("canvas => document.activeElement === canvas"), "a key took the focus away"
    canvas.press("b")  # JupyterLab's key for a new cell
    page.wait_for_timeout(300)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells, "a key went to JupyterLab"
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 130, steps=4)
    page.mouse.up()
    page.wait_for_timeout(100)
    screenshot(page, "turning_dragged")
    assert picture_of(canvas) != before and page.get_by_text("Turned to -36°, tilted by 40°").count() == 1
    canvas.press("Home")
    page.wait_for_timeout(100)
    assert picture_of(canvas) == before
    page.close()


def test_no_question_about_news_covers_the_page(browser: Any, lab: str) -> None:
    """Switched off by `make` and binder/postBuild; otherwise it comes a second after the menu."""
    page = browser.new_page()
    page.goto(f"{lab}/lab?token={TOKEN}&reset", timeout=1000 * START)
    page.get_by_role("menuitem", name="Run", exact=True).wait_for(timeout=1000 * START)
    page.wait_for_timeout(5000)
    assert page.get_by_text("Jupyter news").count() == 0, "run `make course`, which switches JupyterLab's news off"
    page.close()
