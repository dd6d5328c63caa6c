"""The files that the package ships: npz whose bytes depend on what is in them alone, with their recipe inside."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write(path: Path, arrays: dict[str, NDArray[Any]], recipe: dict[str, Any]) -> str:
    """An npz whose bytes depend on its content alone (no time stamps), written whole or not at all; returns its SHA-256."""
    part = path.with_name(f"{path.name}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, array in (arrays | {"recipe": np.array(json.dumps(recipe, sort_keys=True))}).items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            file.writestr(entry, buffer.getvalue())
    os.replace(part, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
