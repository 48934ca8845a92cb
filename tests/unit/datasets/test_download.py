"""Downloads over a real connection to a server of the test; archives, good and hostile.

`download` takes https addresses only. The opener of these tests sends each to a plain HTTP server on this machine: all
but the encryption, which is Python's own, is real.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import threading
import urllib.request
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from antiphon.base.progress import silent
from antiphon.datasets.download import download, unzip
from antiphon.errors import DataError, RunError

CONTENT = os.urandom(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT in ways that depend on the path."""

    def do_GET(self):
        """Answer; what is not known is 404."""
        if self.path not in ("/whole", "/unsized", "/cut", "/slow"):
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/unsized":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path in ("/cut", "/slow"):
            self.wfile.write(CONTENT[:100_000])
            self.wfile.flush()
            if self.path == "/slow":
                self.server.released.wait(30)
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.wfile.write(CONTENT)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def opener():
    """An opener that sends https://host/path to the test's server; it waits half a second at most."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.released = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    port = server.server_address[1]
    yield lambda url: urllib.request.urlopen(url.replace("https://host", f"http://127.0.0.1:{port}"), timeout=0.5)
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def names(folder):
    """Names of everything in a folder."""
    return sorted(path.name for path in folder.iterdir())


def fetch(path, target, opener, **changes):
    """Download https://host/path with what the test expects of it."""
    options = {"sha256": SHA256, "max_bytes": len(CONTENT), "progress": silent, **changes}
    return download(f"https://host/{path}", target, opener=opener, **options)


@pytest.mark.parametrize("path", ["whole", "unsized"])
def test_a_file_is_fetched_and_progress_adds_up(tmp_path, opener, path):
    """With and without a length announced."""
    seen = []

    @contextmanager
    def progress(name, total):
        seen.append((name, total))
        yield seen.append

    target = tmp_path / "a" / "data.zip"
    assert fetch(path, target, opener, progress=progress) == target
    assert target.read_bytes() == CONTENT
    assert seen[0] == ("downloading data.zip", len(CONTENT) if path == "whole" else 0)
    assert sum(seen[1:]) == len(CONTENT)
    assert names(tmp_path / "a") == ["data.zip"]


@pytest.mark.parametrize(
    ("path", "changes", "sentence"),
    [
        ("whole", {"sha256": "0" * 64}, f"the SHA-256 is {SHA256}, expected 000.*; it is broken or has changed"),
        (
            "whole",
            {"max_bytes": len(CONTENT) - 1},
            "is larger than 199,999 bytes; it is not the file that was expected",
        ),
        ("cut", {}, "broken or has changed|cannot be read"),
        ("slow", {}, r"https://host/slow cannot be read \(.*timed out.*\); get the files another way .* --from"),
        ("nowhere", {}, r"https://host/nowhere cannot be read \(HTTP Error 404: Not Found\)"),
    ],
)
def test_a_download_that_fails_leaves_nothing(tmp_path, opener, path, changes, sentence):
    """The sentence has the address, the reason, and the way around."""
    with pytest.raises(DataError, match=sentence):
        fetch(path, tmp_path / "data.zip", opener, **changes)
    assert names(tmp_path) == []


def test_a_download_that_fails_leaves_the_file_that_was_there(tmp_path, opener):
    """An old file is better than half a new one."""
    (tmp_path / "data.zip").write_text("old")
    with pytest.raises(DataError):
        fetch("whole", tmp_path / "data.zip", opener, sha256="0" * 64)
    assert (tmp_path / "data.zip").read_text() == "old"
    assert names(tmp_path) == ["data.zip"]


def test_no_server_is_a_sentence(tmp_path):
    """A port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DataError, match=r"cannot be read \(.*refused.*\)"):
        fetch("whole", tmp_path / "a", lambda _: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=0.5))


def test_the_disk_and_the_network_are_told_apart(tmp_path, opener):
    """A target that cannot be written is no unreachable address."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*permissions and free space"):
        fetch("whole", tmp_path / "file" / "data.zip", opener)


@pytest.mark.parametrize("url", ["http://host/a", "ftp://host/a", "file:///etc/passwd", "HTTPS//host"])
def test_only_https_is_fetched(tmp_path, url):
    """Nothing is opened."""

    def refuse(_):
        raise AssertionError

    with pytest.raises(DataError, match="https only"):
        download(url, tmp_path / "a", sha256="", max_bytes=1, progress=silent, opener=refuse)


def packed(path, **files):
    """A zip with files, names with __ for /."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


def test_an_archive_is_unpacked(tmp_path):
    """Folders and all."""
    archive = packed(tmp_path / "a.zip", folder__x="x", y="y")
    assert unzip(archive, tmp_path / "out", max_bytes=2) == tmp_path / "out"
    assert (tmp_path / "out" / "folder" / "x").read_text() == "x"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "..\\x", "a\\..\\..\\x", "/etc/cron.d/x"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    """Nothing is unpacked, not even the files before it."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good", "x")
        archive.writestr(name, "x")
    with pytest.raises(DataError, match="leaves its folder"):
        unzip(tmp_path / "a.zip", tmp_path / "out", max_bytes=100)
    assert names(tmp_path) == ["a.zip"]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    """A megabyte of zeros in a kilobyte."""
    archive = packed(tmp_path / "a.zip", x="0" * 1_000_000, y="0")
    assert archive.stat().st_size < 2000
    with pytest.raises(DataError, match="unpacks to more than 1,000,000 bytes"):
        unzip(archive, tmp_path / "out", max_bytes=1_000_000)
    assert names(tmp_path) == ["a.zip"]


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path):
    """The announced size is all that is unpacked, and the checksum tells."""
    archive = packed(tmp_path / "a.zip", x="0" * 1_000_000)
    size = (1_000_000).to_bytes(4, "little")
    content = archive.read_bytes()
    assert content.count(size) == 2
    archive.write_bytes(content.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(DataError, match=r"a\.zip is not a readable zip file"):
        unzip(archive, tmp_path / "out", max_bytes=100)
    assert sum(path.stat().st_size for path in tmp_path.rglob("x")) <= 10


@pytest.mark.parametrize("damage", ["no zip", "cut", "flipped", "encrypted"])
def test_a_broken_archive_is_named(tmp_path, damage):
    """Whatever the zip module raises."""
    archive = packed(tmp_path / "a.zip", x=os.urandom(2000).hex())
    content = bytearray(archive.read_bytes())
    if damage == "no zip":
        content = bytearray(b"<html>not found</html>")
    elif damage == "cut":
        content = content[:-40]
    elif damage == "flipped":
        content[200:400] = bytes(200)
    else:
        place = content.index(b"PK\x01\x02")
        content[place + 8] |= 1
        content[6] |= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"a\.zip is not a readable zip file"):
        unzip(archive, tmp_path / "out", max_bytes=1_000_000)


def test_a_full_disk_is_no_broken_archive(tmp_path, monkeypatch):
    """The reason is that of the disk."""
    archive = packed(tmp_path / "a.zip", x="x")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    with pytest.raises(RunError, match=r"cannot unpack .*: No space left on device"):
        unzip(archive, tmp_path / "out", max_bytes=10)
