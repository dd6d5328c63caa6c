"""Files from a public address, on request only: checked, cached, and safe when two processes ask at once."""

import gzip
import hashlib
import os
import sys
import time
import urllib.request
import zlib
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock
from tqdm.auto import tqdm

CHUNK = 1 << 18
SMALL, LARGEST_RATIO = 1 << 26, 100  # bytes that any archive may hold, and beside them so many times its own size
PATIENCE, SLOWEST = 30.0, 1000  # seconds, after which a download may not be slower on the whole, bytes a second


class DownloadError(ConnectionError):
    """The address could not be read; the message says where the file can be put by hand.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> download((folder / "none").as_uri(), "sha256:00", folder=folder, progress=False)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    eqlib.data.fetch.DownloadError: cannot download ...
    """


def cache_folder() -> Path:
    """$EQLIB_CACHE if set, else the platform's folder for caches with `eqlib` in it. Nothing is created.

    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, {"EQLIB_CACHE": "my_folder"}):
    ...     print(cache_folder())
    my_folder
    """
    if chosen := os.environ.get("EQLIB_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "eqlib"


def checksum(path: Path, kind: str) -> str:
    """Hexadecimal digest of a file; kind is a name that hashlib knows, such as "md5" or "sha256"."""
    with path.open("rb") as file:
        # An identity check against a published number, not a defence.
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


def check(path: Path, expected: str, name: str | None = None) -> None:
    """Raise ValueError unless the file has the expected checksum, written "md5:..." or "sha256:..."."""
    kind, _, digest = expected.partition(":")
    if kind not in ("md5", "sha256") or not digest:
        raise ValueError(f'checksum: got {expected!r}, expected "md5:..." or "sha256:..."')
    if (found := checksum(path, kind)) != digest:
        raise ValueError(
            f"{name or path}: wrong checksum: got {kind} {found}, expected {digest}. "
            "The file is damaged or another one: delete it and fetch it again"
        )


def download(
    url: str, expected: str, *, folder: Path | None = None, name: str | None = None, progress: bool = True
) -> Path:
    """Return the local copy of a file, downloading it if it is not there yet.

    url: http(s) or file address. An address that ends in .gz is stored unpacked, without that ending.
    expected: "sha256:..." or "md5:..." of the file as stored, that is, unpacked.
    folder: where it is kept, by default `cache_folder()`. name: the name there, by default the address's own.
    progress: show a bar with the time left.
    Raises DownloadError (a ConnectionError) when the address cannot be read, ValueError for a wrong checksum or a
    damaged archive, and OSError when the folder cannot be written. Nothing half-written ever has the final name.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "remote.txt").write_text("content", encoding="utf-8")
    >>> sum = checksum(folder / "remote.txt", "sha256")
    >>> path = download((folder / "remote.txt").as_uri(), f"sha256:{sum}", folder=folder, name="mine.txt", progress=False)
    >>> path.name, path.read_text(encoding="utf-8")
    ('mine.txt', 'content')
    """
    folder = cache_folder() if folder is None else Path(folder)
    last = url.rsplit("/", 1)[-1]
    packed = last.endswith(".gz")
    target = folder / (name or last.removesuffix(".gz"))
    if target.exists():
        check(target, expected)
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{target}.lock").acquire()
    except OSError as error:
        raise OSError(
            f"{folder}: cannot write there ({error}). Set EQLIB_CACHE to a folder that can be written"
        ) from error
    with lock:
        if target.exists():  # another process fetched it while this one waited
            check(target, expected)
            return target
        temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            _download(url, temporary, target, expected, progress)
            if packed:
                _unpack(temporary, url)
            check(temporary, expected, name=url)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    return target


def _download(url: str, temporary: Path, target: Path, expected: str, progress: bool) -> None:
    """Copy what the address holds to the temporary file, piece by piece."""
    with temporary.open("wb") as out:
        try:
            with urllib.request.urlopen(url, timeout=30) as source:
                length = int(source.headers.get("Content-Length") or 0)
                bar = tqdm(total=length or None, unit="B", unit_scale=True, desc=target.name, disable=not progress)
                # One read takes what has come; `read` would wait for a whole chunk, however slowly bytes trickle in.
                take, start = getattr(source, "read1", source.read), time.monotonic()
                with bar:
                    while piece := take(CHUNK):
                        out.write(piece)
                        bar.update(len(piece))
                        if (took := time.monotonic() - start) > PATIENCE and out.tell() < SLOWEST * took:
                            raise TimeoutError(f"{out.tell()} bytes in {took:.0f} s")
        except (OSError, HTTPException) as error:  # URLError, HTTPError and time-outs are OSErrors
            raise DownloadError(
                f"cannot download {url} ({error}). If this machine is offline, put the unpacked file {target.name} "
                f"({expected}) at {target}"
            ) from error
    if length and (got := temporary.stat().st_size) != length:
        raise DownloadError(f"cannot download {url}: it broke off after {got} of {length} bytes. Try again")


def _unpack(path: Path, url: str) -> None:
    """Replace a gzip file by its content, under the same (temporary) name."""
    unpacked = path.with_name(path.name + ".raw")
    try:
        most = SMALL + LARGEST_RATIO * path.stat().st_size
        with gzip.open(path, "rb") as source, unpacked.open("wb") as out:
            while piece := source.read(CHUNK):
                out.write(piece)
                if out.tell() > most:
                    raise ValueError(
                        f"{url}: got an archive that holds more than {most} bytes, expected no more than that"
                    )
        os.replace(unpacked, path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{url}: got a damaged archive ({error}), expected gzip") from error
    finally:
        unpacked.unlink(missing_ok=True)
