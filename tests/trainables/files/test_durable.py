import hashlib
import json
import math
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from trainables.files.durable import append_json_line, digest_of, read_json_lines, replacing, sha256_of, write_atomic
from trainables.files.sealed_json import seal


def test_write_atomic_replaces_the_file_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "new" / "file"
    for content in (b"first", b"second"):
        write_atomic(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomic(path, b"old")
    with replacing(path) as file:
        file.write(b"ne")
        assert path.read_bytes() == b"old"
        file.write(b"w")
    assert path.read_bytes() == b"new"
    with pytest.raises(TypeError), replacing(path) as file:
        print("half", file=file)  # as text
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.fault(17)
def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    script = """
import resource, signal, sys
from pathlib import Path
from trainables.files.durable import write_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomic(Path(sys.argv[1]), b"x" * 2000)
except OSError:
    sys.exit(3)
"""
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 3
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def order(monkeypatch):
    """Records the order of system calls, because a test cannot cut the power."""
    done = []
    fsync, replace, write = os.fsync, Path.replace, os.write

    def is_directory(descriptor):
        return stat.S_ISDIR(os.fstat(descriptor).st_mode)

    monkeypatch.setattr(
        os,
        "fsync",
        lambda file: (done.append("sync directory" if is_directory(file) else "sync file"), fsync(file)),
    )
    monkeypatch.setattr(os, "write", lambda file, text: (done.append("write"), write(file, text))[1])
    monkeypatch.setattr(Path, "replace", lambda old, new: (done.append("rename"), replace(old, new)))
    return done


def test_a_file_is_synced_before_it_is_renamed(tmp_path, order):
    write_atomic(tmp_path / "file", b"content")
    assert order == ["sync file", "rename", "sync directory"]


def test_an_appended_line_is_synced(tmp_path, order):
    append_json_line(tmp_path / "lines", {"epoch": 1})
    assert order == ["write", "sync file"]


def test_a_killed_writer_leaves_a_complete_file(tmp_path):
    path = tmp_path / "file"
    script = """
import sys
from pathlib import Path
from trainables.files.durable import write_atomic
for number in range(10**9):
    write_atomic(Path(sys.argv[1]), bytes([number % 256]) * 300_000)
    print(flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as writer:
        for _ in range(5):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    content = path.read_bytes()
    assert len(content) == 300_000
    assert len(set(content)) == 1


def test_lines_are_appended_and_read_back(tmp_path):
    path = tmp_path / "new" / "lines.jsonl"
    records = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": math.inf}, {"name": "ü\n"}]
    for record in records:
        append_json_line(path, record)
    assert list(read_json_lines(path)) == records
    assert path.read_bytes().count(b"\n") == 3


def test_a_missing_file_is_empty(tmp_path):
    assert list(read_json_lines(tmp_path / "absent")) == []


@pytest.mark.fault(18)
@pytest.mark.parametrize("cut", [*range(1, 12), 20, 31])
def test_a_truncated_line_is_terminated_and_skipped(tmp_path, cut):
    path = tmp_path / "lines.jsonl"
    append_json_line(path, {"epoch": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + seal({"epoch": 2})[:cut])
    append_json_line(path, {"epoch": 3})
    expected = [1, 3] if cut < 31 else [1, 2, 3]
    assert [record["epoch"] for record in read_json_lines(path)] == expected


def test_invalid_lines_are_skipped(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'\xff\xfe\n[1]\n7\n{"epoch":2}\n' + seal({"epoch": 1}) + b"\n\n")
    assert list(read_json_lines(path)) == [{"epoch": 1}]


@pytest.mark.fault(17)
def test_a_full_disk_raises_instead_of_losing_a_line(tmp_path):
    path = tmp_path / "lines.jsonl"
    script = """
import resource, signal, sys
from pathlib import Path
from trainables.files.durable import append_json_line
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
append_json_line(Path(sys.argv[1]), {"epoch": 1})
try:
    append_json_line(Path(sys.argv[1]), {"epoch": 2, "text": "x" * 200})
except OSError:
    sys.exit(3)
"""
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 3
    assert list(read_json_lines(path)) == [{"epoch": 1}]


def test_lines_of_several_processes_do_not_mix(tmp_path):
    path = tmp_path / "lines.jsonl"
    script = """
import sys
from pathlib import Path
from trainables.files.durable import append_json_line
for number in range(50):
    append_json_line(Path(sys.argv[1]), {"writer": sys.argv[2], "number": number, "text": "x" * 5000})
"""
    writers = [subprocess.Popen([sys.executable, "-c", script, str(path), str(writer)]) for writer in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = path.read_bytes().splitlines()
    assert len([json.loads(line) for line in lines if line]) == 150
    assert len(list(read_json_lines(path))) == 150


def test_digests():
    assert sha256_of(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    assert len(digest_of({})) == 16


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_json_lines_files_are_readable_by_other_users(tmp_path):
    append_json_line(tmp_path / "lines", {})
    assert (tmp_path / "lines").stat().st_mode & 0o444
