"""Opens pyarrow file systems for the URIs of object stores."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

# S3: one request instead of three for a small object. Google: pyarrow would retry for 15 minutes.
DEFAULT_OPTIONS = {"s3": "allow_delayed_open=true", "gs": "retry_limit_seconds=10"}
ABSOLUTE_PATH_SCHEMES = ("file", "hdfs")
AZURE_SECRETS = {"AZURE_STORAGE_KEY": "account_key", "AZURE_STORAGE_SAS_TOKEN": "sas_token"}


def open_filesystem(uri: str) -> tuple[FileSystem, str]:
    """Returns the file system of a URI and the path within it."""
    place = urlsplit(uri)
    options = "&".join(filter(None, [place.query, DEFAULT_OPTIONS.get(place.scheme)]))
    root = place._replace(path="/" if place.scheme == "file" else "", query=options).geturl()
    files, top = _file_system(root)
    if place.scheme in ABSOLUTE_PATH_SCHEMES:
        return files, place.path.rstrip("/")
    return files, f"{top.rstrip('/')}{place.path}".strip("/")  # `top` omits the host if it is an Azure account


@functools.lru_cache(maxsize=8)
def _file_system(root: str) -> tuple[FileSystem, str]:
    """Returns the file system and the root path within it; cached, because a file system keeps connections open."""
    from pyarrow.fs import AzureFileSystem, FileSystem

    files, top = FileSystem.from_uri(root)
    if not isinstance(files, AzureFileSystem):
        return files, top
    secrets = {word: os.environ[name] for name, word in AZURE_SECRETS.items() if os.environ.get(name)}
    if secrets:  # pyarrow reads these only from the URI, where the project does not allow them
        _, (options,) = files.__reduce__()
        return AzureFileSystem(**{name: value for name, value in options.items() if value} | secrets), top
    if "enable_tls=false" in root:  # Azure's library would abort the process
        raise ValueError(f"Azure without TLS needs a key; set {' or '.join(AZURE_SECRETS)}")
    return files, top
