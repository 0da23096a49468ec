import hashlib
import json

import pytest

from trainables.files import inventory
from trainables.files.inventory import Inventory, Piece
from trainables.files.sealed_json import seal


def sha(content):
    return hashlib.sha256(content).hexdigest()


def test_a_large_file_is_cut_into_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(inventory, "OBJECT_BYTES", 10)
    content = bytes(range(25))
    (tmp_path / "a").write_bytes(content)
    read = []
    pieces = inventory.pieces_of(tmp_path / "a", read.append)
    assert pieces == [(10, sha(content[:10])), (10, sha(content[10:20])), (5, sha(content[20:]))]
    assert sum(read) == 25
    made = Inventory({"x/a": pieces, "x/b": pieces[:1]})
    assert list(made.pieces("x/a"))[1] == Piece("x/a.0001", 10, 10, sha(content[10:20]))
    assert [each.object for each in made.pieces("x/b")] == ["x/b"]
    assert made.nbytes == 35


def test_pieces_are_compared_in_the_sizes_in_which_they_were_put(tmp_path, monkeypatch):
    monkeypatch.setattr(inventory, "OBJECT_BYTES", 10)
    (tmp_path / "a").write_bytes(bytes(25))
    pieces = inventory.pieces_of(tmp_path / "a", lambda _: None)
    monkeypatch.setattr(inventory, "OBJECT_BYTES", 100)
    assert inventory.right_pieces(tmp_path / "a", pieces) == 3
    (tmp_path / "a").write_bytes(bytes(24))
    assert inventory.right_pieces(tmp_path / "a", pieces) == 2
    (tmp_path / "a").write_bytes(bytes(9) + b"x" * 16)
    assert inventory.right_pieces(tmp_path / "a", pieces) == 0


def test_an_empty_file_is_one_empty_piece(tmp_path):
    (tmp_path / "empty").touch()
    assert inventory.pieces_of(tmp_path / "empty", lambda _: None) == [(0, sha(b""))]


def test_what_a_name_stands_for(tmp_path):
    for name in ("b/2.png", "b/1.png", "b/.hidden/3.png", ".lock", "a"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert inventory.files_below(tmp_path, "") == ["a", "b/1.png", "b/2.png"]
    assert inventory.files_below(tmp_path, "b") == ["b/1.png", "b/2.png"]
    assert inventory.files_below(tmp_path, "a") == ["a"]
    assert inventory.files_below(tmp_path, "nothing") == []


def test_it_is_read_as_it_was_written():
    made = Inventory({"cub200/cub200-256.arrow": [(3, sha(b"abc"))]})
    assert Inventory.from_json(made.to_json()) == made


@pytest.mark.parametrize("path", ["../up", "a/../../up", "/root", "", ".hidden", "a\\b", "a/.lock"])
def test_files_that_would_lie_elsewhere_are_refused(path):
    with pytest.raises(ValueError, match="lies elsewhere"):
        Inventory.from_json(Inventory({path: [(1, "0")]}).to_json())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (Inventory({"a": [(1, "0")]}).to_json().replace(b'"a"', b'"b"'), "not what was written"),
        (json.dumps({"files": {}}).encode(), "not what was written"),
        (seal({"format": 2, "files": {}}), "another version"),
    ],
)
def test_another_text_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        Inventory.from_json(text)
