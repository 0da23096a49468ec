import hashlib
import os
import subprocess
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError

import pytest

from trainables.archives import data_folder, download, exclusive, extract, read_verified
from trainables.errors import DataError


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
    """Address of a local HTTP server that offers the archive's folder."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = partial(SimpleHTTPRequestHandler, directory=str(archive.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_the_data_folder_is_the_given_one_then_the_environment_then_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("CSKD_DATA", "/somewhere")
    assert data_folder(tmp_path) == tmp_path
    assert str(data_folder(None)) == "/somewhere"
    monkeypatch.delenv("CSKD_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_folder(None) == tmp_path / "cskd"


def test_a_root_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"typo does not exist; create it"):
        data_folder(tmp_path / "typo")


def test_verified_content(tmp_path):
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
def test_a_damaged_archive_leaves_nothing_behind(archive, damage):
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
def test_a_failed_download_leaves_nothing_behind(server, tmp_path, name, message):
    target = tmp_path / "target" / "archive.tar.gz"
    target.parent.mkdir()
    with pytest.raises(DataError, match=message) as caught:
        download(f"{server}/{name}", target, md5(b"other"))
    assert f"put it at {target}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(target.parent.iterdir())
    if isinstance(caught.value.__cause__, HTTPError):
        caught.value.__cause__.close()  # it holds the connection


def test_one_process_at_a_time_fills_a_folder(tmp_path):
    script = """
import sys, time
from pathlib import Path
from trainables.archives import exclusive
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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with (
        pytest.raises(DataError, match="cannot be written: Permission denied; set CSKD_DATA"),
        exclusive(tmp_path / "x"),
    ):
        pass


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"), exclusive(tmp_path / "file" / "folder"):
        pass
