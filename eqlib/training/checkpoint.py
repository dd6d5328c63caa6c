"""Files of a run: written whole or not at all, by one run at a time, read without executing anything, compared by name."""

from __future__ import annotations

import contextlib
import glob
import io
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from eqlib import processes
from eqlib.doubtful import named
from eqlib.groups import Rep

DAMAGED = "a damaged or foreign file"
#: What a file is that was taken for another.
KINDS = {"checkpoint": "; this is the checkpoint of a run; weights are what --weights or save_weights wrote"}


def shapes(model: nn.Module, dtype: bool = False) -> dict[str, str]:
    """What identifies a model: the shape of each parameter and persistent buffer, by name, and its dtype if asked.

    Layers add the reps that they map between, since weights of one shape may belong to different ones.
    """
    tensors = {k: v for k, v in model.state_dict().items() if isinstance(v, Tensor)}
    found = {k: f"{tuple(v.shape)} {v.dtype}" if dtype else str(tuple(v.shape)) for k, v in tensors.items()}
    for name, module in model.named_modules():
        reps = {k: v for k, v in vars(module).items() if isinstance(v, Rep)}
        found |= {
            f"{name}.{k}": " ".join(filter(None, (repr(v), v.group.fingerprint))) for k, v in sorted(reps.items())
        }
    return found


def compare(
    path: Path | str, what: str, found: Mapping[str, str], expected: Mapping[str, str], advice: str = ""
) -> None:
    """Raise ValueError at the first entry in which two such descriptions differ; it ends with the advice."""
    for name in [*expected, *(k for k in found if k not in expected)]:
        came, wanted = found.get(name, "nothing"), expected.get(name, "nothing")
        if came != wanted:
            raise ValueError(f"{path}: {what} {name!r} differs: got {came} from the file, expected {wanted}{advice}")


def write(path: Path | str, kind: str, content: dict[str, Any]) -> None:
    """Write beside the file, then rename: a reader, or a crash, never meets half of it."""
    file = (
        io.BytesIO()
    )  # given a path, torch would write its name into the file, and a full disk is "unexpected pos 64 vs 0"
    torch.save({"kind": kind} | content, file)
    with whole(path) as temporary:
        temporary.write_bytes(file.getbuffer())


def rewrite(path: Path | str) -> None:
    """Write the same file once more: what forbids it is raised now, and not when there is work to lose."""
    with whole(path) as temporary:
        shutil.copyfile(path, temporary)


def read(path: Path | str, kind: str) -> dict[str, Any]:
    """Read what `write` wrote; nothing in the file is executed. ValueError for anything else, and for no file."""
    if not Path(path).is_file():
        came = "a folder" if Path(path).is_dir() else "no file of this name"
        raise ValueError(f"{path}: got {came}, expected {kind} written by eqlib")
    with Path(path).open("rb"):  # what forbids reading is told as it is
        pass
    with named(path, f"{kind} written by eqlib", DAMAGED):
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums
            # Nor at how much is packed; it writes without compression.
            if packed := [info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]:
                raise zipfile.BadZipFile(f"{packed[0]}: compressed")
            # And it counts places from the file's beginning, where zipfile finds an archive behind anything else: both must
            # read the same bytes.
            places, names = [info.header_offset for info in archive.infolist()], archive.namelist()
            if len({*names}) < len(names) or min(places, default=0):
                raise zipfile.BadZipFile("two archives in one, or a name twice")
            if (bad := archive.testzip()) is not None:
                raise zipfile.BadZipFile(bad)
        content = torch.load(path, map_location="cpu", weights_only=True)
    found = content.get("kind") if isinstance(content, dict) else None
    if found != kind:
        raise ValueError(
            f"{path}: got another kind of file, expected {kind} written by eqlib{KINDS.get(str(found), '')}"
        )
    return content


@contextlib.contextmanager
def reserved(path: Path | str | None) -> Iterator[None]:
    """This run alone may write the checkpoint: ValueError if another one does, or if its folder is not there.

    The lock, `<path>.lock`, is the operating system's, which takes it back from a process that was killed. Under torchrun
    process 0 holds it. What such a process had half written is removed.
    """
    if path is None:
        yield
        return
    folder, lock = Path(path).parent, FileLock(f"{path}.lock", timeout=0)

    def hold() -> None:
        if not folder.is_dir() or Path(path).is_dir():
            raise ValueError(f"checkpoint: got {str(path)!r}, expected a file in a folder that is there")
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(f"checkpoint: got {str(path)!r}, expected a file that no other run is writing") from None
        except OSError as error:
            raise ValueError(
                f"checkpoint: got {str(path)!r}, expected a folder that can be written ({error})"
            ) from error
        for left in folder.glob(f"{glob.escape(Path(path).name)}.[0-9]*.part"):
            with contextlib.suppress(OSError):
                left.unlink()

    processes.from_first(hold)
    try:
        yield
    finally:
        if lock.is_locked:
            with contextlib.suppress(OSError):  # before the release, or it might be the next run's; not so on Windows
                os.unlink(lock.lock_file)
            lock.release()


@contextlib.contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """A temporary file's name; what is written there takes the place of `path` at the end, or vanishes with an error.

    OSError, such as that of a full disk, names `path`.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:  # that of a full disk names no file, and others the temporary one
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # it is not there any more; or what went wrong is told above
            temporary.unlink()
