"""Data sets in an object store; here in a folder, for pyarrow gives all its file systems one face."""

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


def nobody(*_):
    pass


def objects(bucket):
    return {str(path.relative_to(bucket)): path for path in bucket.rglob("*") if path.is_file()}


def test_what_is_kept_under_a_name_is_put_there_with_its_inventory(store, folder, bucket):
    told = []
    made = store.put(folder, "set", lambda *words: told.append(words))
    assert set(objects(bucket)) == {"set/a.0000", "set/a.0001", "set/a.0002", "set/b/c", "set.inventory.json"}
    assert store.inventory("set") == made
    assert b"".join(store.read(piece, 0, 100) for piece in made.pieces("set/a")) == CONTENT["set/a"]
    assert store.read(next(made.pieces("set/a")), 90, 50) == CONTENT["set/a"][90:100]
    assert {words[0] for words in told} == {"check", "put"}
    assert told[-1] == ("put", 250, 250)


def test_all_of_a_folder_has_a_name_too(store, folder):
    assert store.put(folder, "", nobody).files.keys() == CONTENT.keys()
    store.put(folder, "set", nobody)
    store.put(folder, "other", nobody)
    assert store.inventories(["set"]).keys() == {"", "set", "other"}


def test_a_second_call_changes_nothing_but_what_is_missing(store, folder, bucket):
    store.put(folder, "set", nobody)
    (bucket / "set" / "a.0001").unlink()
    before = {name: path.stat().st_mtime_ns for name, path in objects(bucket).items() if name.startswith("set/")}
    store.put(folder, "set", nobody)
    after = {name: path.stat().st_mtime_ns for name, path in objects(bucket).items()}
    assert before.items() <= after.items()
    assert (bucket / "set" / "a.0001").read_bytes() == CONTENT["set/a"][100:200]


def test_one_that_was_stopped_goes_on(store, folder, bucket, monkeypatch):
    upload, done = store._store.upload, []

    def stops(name, *words):
        if len(done) == 2:
            raise KeyboardInterrupt
        upload(name, *words)
        done.append(name)

    monkeypatch.setattr("trainables.files.shared_data.WRITERS", 1)
    monkeypatch.setattr(store._store, "upload", stops)
    with pytest.raises(KeyboardInterrupt):
        store.put(folder, "set", nobody)
    assert store.inventory("set") is None
    monkeypatch.setattr(store._store, "upload", lambda name, *words: (done.append(name), upload(name, *words)))
    store.put(folder, "set", nobody)
    assert sorted(done) == ["set/a.0000", "set/a.0001", "set/a.0002", "set/b/c"]
    assert "set.begun.json" not in objects(bucket)


def test_other_data_of_the_name_is_never_replaced(store, folder, bucket):
    store.put(folder, "set", nobody)
    (folder / "set" / "a").write_bytes(b"other")
    before = store.inventory("set")
    with pytest.raises(DataError, match=r"bucket/set is there with other content.*remove set\.inventory\.json"):
        store.put(folder, "set", nobody)
    assert store.inventory("set") == before
    assert (bucket / "set" / "a.0000").read_bytes() == CONTENT["set/a"][:100]


def test_what_is_not_there_or_damaged(store, folder, bucket):
    assert store.inventory("set") is None
    with pytest.raises(DataError, match="nothing is missing or empty"):
        store.put(folder, "nothing", nobody)
    store.put(folder, "set", nobody)
    place = bucket / "set.inventory.json"
    place.write_bytes(place.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"set\.inventory\.json is damaged"):
        store.inventory("set")
