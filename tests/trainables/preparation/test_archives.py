import hashlib
import os
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.error import HTTPError

import pytest

from trainables.errors import DataError
from trainables.preparation.archives import PublishedFile, data_folder, download, exclusive, extract, read_verified


def md5(content):
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def archive(tmp_path):
    source = tmp_path / "source" / "published"
    source.mkdir(parents=True)
    (source / "file").write_bytes(b"content" * 1000)
    path = tmp_path / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(source, "published")
    return path


@pytest.fixture
def server(archive, monkeypatch):
    """URL of a local HTTP server that serves the archive's folder."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = partial(SimpleHTTPRequestHandler, directory=str(archive.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_data_folder_is_the_root_or_the_environment_or_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("CSKD_DATA", "/somewhere")
    assert data_folder(tmp_path) == tmp_path
    assert str(data_folder(None)) == "/somewhere"
    monkeypatch.delenv("CSKD_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_folder(None) == tmp_path / "cskd"


def test_a_root_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"typo does not exist; create it"):
        data_folder(tmp_path / "typo")


def test_read_verified_checks_the_md5(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"right")
    assert read_verified(path, md5(b"right")) == b"right"
    with pytest.raises(DataError, match=r"file is damaged: its MD5 is not the published"):
        read_verified(path, md5(b"other"))
    with pytest.raises(DataError, match="absent cannot be read: No such file"):
        read_verified(tmp_path / "absent", md5(b""))


def test_extract(archive):
    extract(archive, "published")
    assert (archive.parent / "published" / "file").read_bytes() == b"content" * 1000


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b"junk" * 100])
def test_a_damaged_archive_leaves_no_files(archive, damage):
    archive.write_bytes(damage(archive.read_bytes()))
    before = sorted(archive.parent.iterdir())
    with pytest.raises(DataError, match=r"archive\.tar\.gz cannot be unpacked"):
        extract(archive, "published")
    assert sorted(archive.parent.iterdir()) == before


def test_an_archive_that_lacks_the_folder_is_refused(archive):
    with pytest.raises(DataError, match=r"archive\.tar\.gz cannot be unpacked"):
        extract(archive, "other")


def test_download(archive, server, tmp_path):
    target = tmp_path / "target" / "archive.tar.gz"
    target.parent.mkdir()
    download(f"{server}/archive.tar.gz", target, md5(archive.read_bytes()))
    assert target.read_bytes() == archive.read_bytes()
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("name", "message"), [("archive.tar.gz", "is not the published file"), ("absent.tar.gz", "cannot be fetched")]
)
def test_a_failed_download_leaves_no_files(server, tmp_path, name, message):
    target = tmp_path / "target" / "archive.tar.gz"
    target.parent.mkdir()
    with pytest.raises(DataError, match=message) as caught:
        download(f"{server}/{name}", target, md5(b"other"))
    assert f"put it at {target}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(target.parent.iterdir())
    if isinstance(caught.value.__cause__, HTTPError):
        caught.value.__cause__.close()  # releases the connection


class Ranges(SimpleHTTPRequestHandler):
    """Serves ``content`` from the requested byte and closes the connection after ``at_most`` bytes."""

    content = bytes(range(256)) * 10
    at_most = 1000
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.asked.append(self.headers.get("Range", ""))
        if start >= len(self.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        self.wfile.write(self.content[start : start + self.at_most])


@pytest.fixture
def breaking(monkeypatch):
    """URL of a server whose connections break."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Ranges.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/x"
        http.shutdown()


def test_a_broken_download_is_resumed(breaking, tmp_path):
    target = tmp_path / "archive"
    for _ in range(2):
        with pytest.raises(DataError, match="the connection broke after"):
            download(breaking, target, md5(Ranges.content))
        assert not target.exists()
    reported = []
    download(breaking, target, md5(Ranges.content), lambda *arguments: reported.append(arguments))
    assert target.read_bytes() == Ranges.content
    assert Ranges.asked == ["", "bytes=1000-", "bytes=2000-"]
    assert reported[-1] == ("download", 2560, 2560)
    assert list(tmp_path.iterdir()) == [target]


def test_a_partial_file_that_is_too_long_is_discarded(breaking, tmp_path, monkeypatch):
    monkeypatch.setattr(Ranges, "at_most", 10_000)
    (tmp_path / ".archive.partial").write_bytes(bytes(5000))
    download(breaking, tmp_path / "archive", md5(Ranges.content))
    assert (tmp_path / "archive").read_bytes() == Ranges.content


@pytest.mark.bad_input(37)
@pytest.mark.parametrize(
    ("known", "message"),
    [({"size": 8}, "its size is 7, not 8"), ({"md5": "0"}, "its MD5 is"), ({"sha256": "0"}, "its SHA-256 is")],
)
def test_a_file_is_verified_by_size_md5_and_sha256(tmp_path, known, message):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    sha256 = hashlib.sha256(b"content").hexdigest()
    right = PublishedFile("file", "http://x", size=7, md5=md5(b"content"), sha256=sha256)
    assert right.verify(path) == sha256
    wrong = replace(right, **known)
    assert wrong.verify(path, published=False) == sha256
    with pytest.raises(DataError, match=message):
        wrong.verify(path)


def test_exclusive_locks_the_folder_until_the_process_ends(tmp_path):
    script = """
import sys, time
from pathlib import Path
from trainables.preparation.archives import exclusive
with exclusive(Path(sys.argv[1])):
    print("inside", flush=True)
    time.sleep(60)
"""
    folder = tmp_path / "new" / "folder"
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"inside\n"
        entered = threading.Event()

        def enter():
            with exclusive(folder):
                entered.set()

        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.3)
        other.kill()
        waiting.join(timeout=3)
        assert entered.is_set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with (
        pytest.raises(DataError, match="cannot be written: Permission denied; set CSKD_DATA"),
        exclusive(tmp_path / "x"),
    ):
        pass


def test_a_folder_inside_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"), exclusive(tmp_path / "file" / "folder"):
        pass
