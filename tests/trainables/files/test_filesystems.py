import pytest
from pyarrow.fs import AzureFileSystem

from trainables.files import filesystems


@pytest.mark.parametrize(
    ("uri", "kind", "path"),
    [
        ("s3://bucket/a/b?region=eu-north-1", "s3", "bucket/a/b"),
        ("gs://anonymous@bucket/a/b", "gcs", "bucket/a/b"),
        ("abfs://container@account.dfs.core.windows.net/a/b", "abfs", "container/a/b"),
        ("abfs://account.blob.core.windows.net/container/a/b", "abfs", "container/a/b"),
        ("abfs://account@127.0.0.1:10000/container/a/b?enable_tls=false", "abfs", "container/a/b"),
        ("file:///mnt/all/", "local", "/mnt/all"),
    ],
)
def test_uris_of_each_kind_of_store_are_opened(uri: str, kind: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", "a2V5")
    files, found = filesystems.open_filesystem(uri)
    assert (files.type_name, found) == (kind, path)


def test_the_azure_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", "a2V5")
    files, _ = filesystems.open_filesystem("abfs://container@keyed.dfs.core.windows.net/a")
    assert files == AzureFileSystem("keyed", account_key="a2V5")
    assert files != AzureFileSystem("keyed", account_key="b2V5")


def test_azure_without_tls_and_key_is_refused() -> None:
    with pytest.raises(ValueError, match="set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN"):
        filesystems.open_filesystem("abfs://keyless@127.0.0.1:10000/container?enable_tls=false")
