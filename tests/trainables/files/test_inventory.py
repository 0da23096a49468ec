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


def test_pieces_are_verified_in_the_sizes_of_their_upload(tmp_path, monkeypatch):
    monkeypatch.setattr(inventory, "OBJECT_BYTES", 10)
    (tmp_path / "a").write_bytes(bytes(25))
    pieces = inventory.pieces_of(tmp_path / "a", lambda _: None)
    monkeypatch.setattr(inventory, "OBJECT_BYTES", 100)
    assert inventory.valid_pieces(tmp_path / "a", pieces) == 3
    (tmp_path / "a").write_bytes(bytes(24))
    assert inventory.valid_pieces(tmp_path / "a", pieces) == 2
    (tmp_path / "a").write_bytes(bytes(9) + b"x" * 16)
    assert inventory.valid_pieces(tmp_path / "a", pieces) == 0


def test_an_empty_file_is_one_empty_piece(tmp_path):
    (tmp_path / "empty").touch()
    assert inventory.pieces_of(tmp_path / "empty", lambda _: None) == [(0, sha(b""))]


def test_files_below_lists_visible_files(tmp_path):
    for name in ("b/2.png", "b/1.png", "b/.hidden/3.png", ".lock", "a"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert inventory.files_below(tmp_path, "") == ["a", "b/1.png", "b/2.png"]
    assert inventory.files_below(tmp_path, "b") == ["b/1.png", "b/2.png"]
    assert inventory.files_below(tmp_path, "a") == ["a"]
    assert inventory.files_below(tmp_path, "nothing") == []


def test_an_inventory_survives_a_round_trip_through_json():
    made = Inventory({"cub200/cub200-256.arrow": [(3, sha(b"abc"))]})
    assert Inventory.from_json(made.to_json()) == made


@pytest.mark.parametrize("path", ["../up", "a/../../up", "/root", "", ".hidden", "a\\b", "a/.lock"])
def test_paths_outside_the_data_location_are_refused(path):
    with pytest.raises(ValueError, match="is outside the data location"):
        Inventory.from_json(Inventory({path: [(1, "0")]}).to_json())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (Inventory({"a": [(1, "0")]}).to_json().replace(b'"a"', b'"b"'), "its checksum does not match"),
        (json.dumps({"files": {}}).encode(), "its checksum does not match"),
        (seal({"format": 2, "files": {}}), "another version"),
    ],
)
def test_invalid_inventories_are_refused(text, why):
    with pytest.raises(ValueError, match=why):
        Inventory.from_json(text)
