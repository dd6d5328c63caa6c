"""A page is not "unsaved" when it has just been opened.

JupyterLab compares a page's `language_info`, which has the exact version of Python, with the running kernel's, and shows the
page as changed where they differ. The committed pages cannot know the reader's version, so they are handed out with it.
`make course` and binder/postBuild copy this file into the environment; on disk a page changes only when it is saved.
"""

from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager


class PagesOfThisPython(AsyncLargeFileManager):
    """The usual files; a Python notebook's metadata say which Python reads it."""

    async def get(self, path: str, content: bool = True, *rest: Any, **options: Any) -> Any:
        model = await super().get(path, content, *rest, **options)
        if model["type"] == "notebook" and model["content"] is not None:
            metadata = model["content"]["metadata"]
            if metadata.get("language_info", {}).get("name") == "python":
                metadata["language_info"] = dict(IPythonKernel.language_info)
        return model


c = get_config()  # noqa: F821  # type: ignore[name-defined]
c.ServerApp.contents_manager_class = PagesOfThisPython
