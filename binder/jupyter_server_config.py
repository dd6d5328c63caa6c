"""What JupyterLab needs to show a page that was not run: alt texts, and no mark of "unsaved" on opening it.

`make course` and binder/postBuild copy this file and overrides.json into the environment. Nothing changes on disk: the pages
are handed out like this, and tools/refresh.py drops it where a page was saved.

* JupyterLab compares a page's `language_info`, which has the exact version of Python, with the running kernel's, and shows the
  page as changed where they differ. The committed pages cannot know the reader's version.
* It gives the <img> of a PNG no alt text, whatever the metadata say. So a picture is there as HTML too, as it is when the cell
  has run (eqlib/viz/widgets.py); overrides.json lets JupyterLab show pictures of data: addresses in HTML that it does not trust.
"""

import html
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager


def as_shown(notebook: Any) -> None:
    """Change a Python notebook, as it was read, in place."""
    if notebook["metadata"].get("language_info", {}).get("name") != "python":
        return
    notebook["metadata"]["language_info"] = dict(IPythonKernel.language_info)
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
        data, alt = output.get("data", {}), output.get("metadata", {}).get("image/png", {}).get("alt")
        if alt and "image/png" in data:
            source = "data:image/png;base64," + "".join(data["image/png"]).replace("\n", "")
            data.setdefault("text/html", f'<img alt="{html.escape(alt)}" src="{source}">')


class Pages(AsyncLargeFileManager):
    """The usual files; notebooks `as_shown`."""

    async def get(self, path: str, content: bool = True, *rest: Any, **options: Any) -> Any:
        model = await super().get(path, content, *rest, **options)
        if model["type"] == "notebook" and model["content"] is not None:
            as_shown(model["content"])
        return model


c = get_config()  # noqa: F821  # type: ignore[name-defined]
c.ServerApp.contents_manager_class = Pages
