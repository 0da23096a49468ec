"""Objects below a URI, here in a local folder; all pyarrow file systems have the same interface."""

from pathlib import Path

import pytest

from trainables.errors import ObjectStoreError
from trainables.files import object_store
from trainables.files.object_store import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "bucket").as_uri(), patience_seconds=0)


def test_written_objects_are_listed_and_read(store: ObjectStore, tmp_path: Path) -> None:
    store.write("7/0001/a.json", b"one")
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    store.upload("7/0002/b.pt", tmp_path / "file")
    assert store.names() == {"7/0001/a.json": 3, "7/0002/b.pt": 3_000_000}
    assert store.names("7/0001") == {"7/0001/a.json": 3}
    assert set(store.names("7", deep=False)) == {"7/0001", "7/0002"}
    assert store.read("7/0001/a.json") == b"one"
    store.download("7/0002/b.pt", tmp_path / "here" / "b.pt")
    assert (tmp_path / "here" / "b.pt").read_bytes() == b"x" * 3_000_000
    store.write("7/0001/a.json", b"two")
    assert store.read("7/0001/a.json") == b"two"


def test_missing_objects(store: ObjectStore, tmp_path: Path) -> None:
    assert store.names() == {}
    with pytest.raises(FileNotFoundError):
        store.read("nothing")
    (tmp_path / "kept").write_text("as it was")
    with pytest.raises(FileNotFoundError):
        store.download("nothing", tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == "as it was"
    store.write("something", b"")
    store.delete("something")
    store.delete("something")
    assert store.names() == {}


def test_names_are_relative_to_the_uri(store: ObjectStore) -> None:
    store.write("a/b/c", b"")
    assert ObjectStore(object_store.below(store.uri, "a")).names() == {"b/c": 0}


def test_a_store_that_does_not_answer_is_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bucket").write_text("in the way")
    waited = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            (tmp_path / "bucket").unlink()

    monkeypatch.setattr(object_store.time, "sleep", wait)
    ObjectStore((tmp_path / "bucket").as_uri(), patience_seconds=60).write("a", b"")
    assert len(waited) == 3


def test_a_permanent_outage_is_one_line_with_the_uri(tmp_path: Path) -> None:
    (tmp_path / "bucket").write_text("in the way")
    place = (tmp_path / "bucket").as_uri()
    with pytest.raises(ObjectStoreError, match=f"^artifacts at {place}: cannot be written: [^\n]*$") as caught:
        ObjectStore(place, patience_seconds=0).write("a", b"")
    assert caught.value.exit_code == 69
    with pytest.raises(ObjectStoreError, match="cannot be written"):
        ObjectStore(place, patience_seconds=1e6, give_up=lambda: True).write("a", b"")


def test_permanent_errors_are_raised_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store.time, "sleep", lambda seconds: pytest.fail(f"waits for {seconds} s"))
    with pytest.raises(ObjectStoreError, match="cannot be read: Unexpected query parameter"):
        ObjectStore("s3://bucket?enable_tls=1", patience_seconds=60).read("a")


def test_an_error_of_the_local_disk_is_no_store_error(store: ObjectStore, tmp_path: Path) -> None:
    store.write("a", b"content")
    (tmp_path / "folder").write_text("a file where a folder should be")
    with pytest.raises(OSError, match="folder") as caught:
        store.download("a", tmp_path / "folder" / "a")
    assert not isinstance(caught.value, ObjectStoreError)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://bucket/prefix?region=eu-north-1", None),
        ("s3://bucket?endpoint_override=http%3A%2F%2Fminio%3A9000", None),
        ("gs://bucket/a/b", None),
        ("gs://anonymous@bucket/a", None),
        ("abfs://container@account.dfs.core.windows.net/a", None),
        ("abfs://container:secret@account.dfs.core.windows.net/a", "holds a key"),
        ("gs://secret@bucket/a", "holds a key"),
        ("file:///mnt/all", None),
        ("bucket/prefix", "begins with one of s3:, gs:"),
        ("", "begins with one of"),
        ("http://host/bucket", "begins with one of"),
        ("s3:///prefix", "does not name a bucket"),
        ("file:mine", "or an absolute path"),
        ("s3://AKIA:secret@bucket/x", "holds a key"),
        ("s3://bucket?secret_key=abc", "has an option other than"),
        ("s3://[bucket", "is not a URI"),
    ],
)
def test_an_invalid_uri_is_described_without_showing_it(uri: str, message: str | None) -> None:
    found = object_store.mistake(uri)
    assert (found is None) if message is None else (message in found and "secret@" not in found and "abc" not in found)


def test_reasons_are_short() -> None:
    long = OSError("When initiating multiple part upload for key 'a' in bucket 'b': AWS Error NO_SUCH_BUCKET during X")
    assert object_store._reason(long) == "no such bucket"
    google = OSError(
        "google::cloud::Status(UNAVAILABLE: Retry policy exhausted, with a last message of gone error_info={})"
    )
    assert object_store._reason(google) == "gone"
    assert object_store._reason(OSError("GetProperties failed for 'http://a/b'. Azure Error: [] gone")) == "gone"


def test_content_is_not_compressed_by_suffix(store: ObjectStore, tmp_path: Path) -> None:
    store.write("a.gz", b"content")
    assert (tmp_path / "bucket" / "a.gz").read_bytes() == store.read("a.gz") == b"content"
    denied = OSError("When getting information: AWS Error ACCESS_DENIED (HTTP status 403) during HeadObject operation")
    assert object_store._reason(denied) == "access denied (HTTP status 403)"
