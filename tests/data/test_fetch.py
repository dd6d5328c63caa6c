"""Downloads, from file addresses and from a server on the loopback: no test leaves this machine."""

import gzip
import hashlib
import http.server
import sys
import threading
import time
from pathlib import Path

import pytest

from eqlib import data

CONTENT = b"0123456789" * 100_000
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("EQLIB_CACHE", str(folder))
    return folder


@pytest.fixture
def server():
    """A server of CONTENT that counts its answers; /short.bin promises more than it sends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked += 1
            time.sleep(0.05)  # long enough for a second request to come meanwhile
            if self.path == "/missing.bin":
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:1000] if self.path == "/short.bin" else CONTENT)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = 0
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.address = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def left_over(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def test_a_file_is_fetched_once_checked_and_kept(cache, server, capsys):
    path = data.download(f"{server.address}/a.bin", SHA256)
    assert path == cache / "a.bin" and path.read_bytes() == CONTENT
    assert "a.bin" in capsys.readouterr().err  # the bar
    assert data.download(f"{server.address}/a.bin", MD5) == path
    assert server.asked == 1 and left_over(cache) == ["a.bin"]


def test_a_packed_file_is_stored_unpacked(tmp_path, cache):
    packed = tmp_path / "b.bin.gz"
    packed.write_bytes(gzip.compress(CONTENT))
    path = data.download(packed.as_uri(), SHA256, progress=False)
    assert path == cache / "b.bin" and path.read_bytes() == CONTENT
    elsewhere = data.download(packed.as_uri(), SHA256, folder=tmp_path / "other", name="c", progress=False)
    assert elsewhere == tmp_path / "other" / "c" and elsewhere.read_bytes() == CONTENT


def test_two_at_once_download_once(cache, server):
    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(data.download(f"{server.address}/a.bin", SHA256, progress=False))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [cache / "a.bin"] * 4 and server.asked == 1


def test_a_wrong_checksum_names_both_sums_and_leaves_nothing(cache, server):
    wrong = "sha256:" + "0" * 64
    with pytest.raises(ValueError, match=rf"a\.bin: wrong checksum: got sha256 {SHA256[7:]}, expected 0{{64}}"):
        data.download(f"{server.address}/a.bin", wrong, progress=False)
    assert left_over(cache) == []
    path = data.download(f"{server.address}/a.bin", SHA256, progress=False)
    path.write_bytes(b"damaged later")
    with pytest.raises(ValueError, match="delete it and fetch it again"):
        data.download(f"{server.address}/a.bin", SHA256, progress=False)


@pytest.mark.parametrize("name", ["short.bin", "missing.bin"])
def test_what_breaks_off_or_is_not_there_is_a_download_error(cache, server, name):
    with pytest.raises(data.DownloadError, match=f"cannot download {server.address}/{name}"):
        data.download(f"{server.address}/{name}", SHA256, progress=False)
    assert left_over(cache) == []


def test_offline_says_where_to_put_the_file(cache):
    # Port 9 of the loopback: nobody listens, as when there is no network.
    with pytest.raises(ConnectionError, match=r"offline, put the unpacked file d\.bin") as caught:
        data.download("http://127.0.0.1:9/d.bin.gz", SHA256, progress=False)
    assert str(cache / "d.bin") in str(caught.value) and SHA256 in str(caught.value)
    assert left_over(cache) == []


def test_a_damaged_archive_is_refused(tmp_path, cache):
    packed = tmp_path / "b.gz"
    packed.write_bytes(gzip.compress(CONTENT)[:-20])
    with pytest.raises(ValueError, match="got a damaged archive"):
        data.download(packed.as_uri(), SHA256, progress=False)
    assert left_over(cache) == []


def test_a_folder_that_cannot_be_made_says_what_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("EQLIB_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match="Set EQLIB_CACHE to a folder that can be written"):
        data.download("http://127.0.0.1:9/d.bin", SHA256)


def test_a_checksum_of_unknown_kind_is_refused(cache):
    cache.mkdir()
    (cache / "d.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="checksum: got 'crc:1', expected"):
        data.download("http://127.0.0.1:9/d.bin", "crc:1")


@pytest.mark.parametrize(
    ("platform", "variable", "rest"),
    [("linux", "XDG_CACHE_HOME", ()), ("win32", "LOCALAPPDATA", ()), ("darwin", "HOME", ("Library", "Caches"))],
)
def test_the_cache_is_where_the_platform_keeps_caches(platform, variable, rest, tmp_path, monkeypatch):
    monkeypatch.delenv("EQLIB_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert data.cache_folder() == tmp_path.joinpath(*rest, "eqlib")
