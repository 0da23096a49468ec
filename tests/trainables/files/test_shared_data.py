"""Data sets in an object store, here in a local folder; all pyarrow file systems have the same interface."""

import pytest

from trainables.errors import DataError
from trainables.files import inventory
from trainables.files.shared_data import DataStore

CONTENT = {"set/a": bytes(range(250)), "set/b/c": b"", "other": b"x"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(inventory, "OBJECT_BYTES", 100)
    for name, content in CONTENT.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(content)
    return tmp_path / "data"


@pytest.fixture
def bucket(tmp_path):
    return tmp_path / "bucket"


@pytest.fixture
def store(bucket):
    return DataStore(bucket.as_uri(), patience_seconds=0)


def ignore(*_):
    pass


def objects(bucket):
    return {str(path.relative_to(bucket)): path for path in bucket.rglob("*") if path.is_file()}


def test_put_uploads_the_files_and_their_inventory(store, folder, bucket):
    reported = []
    made = store.put(folder, "set", lambda *arguments: reported.append(arguments))
    assert set(objects(bucket)) == {"set/a.0000", "set/a.0001", "set/a.0002", "set/b/c", "set.inventory.json"}
    assert store.inventory("set") == made
    assert b"".join(store.read(piece, 0, 100) for piece in made.pieces("set/a")) == CONTENT["set/a"]
    assert store.read(next(made.pieces("set/a")), 90, 50) == CONTENT["set/a"][90:100]
    assert {arguments[0] for arguments in reported} == {"check", "put"}
    assert reported[-1] == ("put", 250, 250)


def test_the_whole_folder_has_an_inventory(store, folder):
    assert store.put(folder, "", ignore).files.keys() == CONTENT.keys()
    store.put(folder, "set", ignore)
    store.put(folder, "other", ignore)
    assert store.inventories(["set"]).keys() == {"", "set", "other"}


def test_a_second_put_uploads_only_missing_objects(store, folder, bucket):
    store.put(folder, "set", ignore)
    (bucket / "set" / "a.0001").unlink()
    before = {name: path.stat().st_mtime_ns for name, path in objects(bucket).items() if name.startswith("set/")}
    store.put(folder, "set", ignore)
    after = {name: path.stat().st_mtime_ns for name, path in objects(bucket).items()}
    assert before.items() <= after.items()
    assert (bucket / "set" / "a.0001").read_bytes() == CONTENT["set/a"][100:200]


def test_an_interrupted_put_is_resumed(store, folder, bucket, monkeypatch):
    upload, done = store._store.upload, []

    def stops(name, *arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        upload(name, *arguments)
        done.append(name)

    monkeypatch.setattr("trainables.files.shared_data.WRITERS", 1)
    monkeypatch.setattr(store._store, "upload", stops)
    with pytest.raises(KeyboardInterrupt):
        store.put(folder, "set", ignore)
    assert store.inventory("set") is None
    monkeypatch.setattr(store._store, "upload", lambda name, *arguments: (done.append(name), upload(name, *arguments)))
    store.put(folder, "set", ignore)
    assert sorted(done) == ["set/a.0000", "set/a.0001", "set/a.0002", "set/b/c"]
    assert "set.begun.json" not in objects(bucket)


def test_different_data_is_never_replaced(store, folder, bucket):
    store.put(folder, "set", ignore)
    (folder / "set" / "a").write_bytes(b"other")
    before = store.inventory("set")
    with pytest.raises(DataError, match=r"bucket/set exists with different content.*remove set\.inventory\.json"):
        store.put(folder, "set", ignore)
    assert store.inventory("set") == before
    assert (bucket / "set" / "a.0000").read_bytes() == CONTENT["set/a"][:100]


def test_missing_and_damaged_data(store, folder, bucket):
    assert store.inventory("set") is None
    with pytest.raises(DataError, match="nothing is missing or empty"):
        store.put(folder, "nothing", ignore)
    store.put(folder, "set", ignore)
    place = bucket / "set.inventory.json"
    place.write_bytes(place.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"set\.inventory\.json is damaged"):
        store.inventory("set")
