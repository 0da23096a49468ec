"""Connections to object stores; the one door to pyarrow's file systems."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

# What pyarrow is told beside: to make a small object with one request instead of three, and not to try for 15 minutes.
SILENT_OPTIONS = {"s3": "allow_delayed_open=true", "gs": "retry_limit_seconds=10"}
WHOLE_PATHS = ("file", "hdfs")
AZURE_SECRETS = {"AZURE_STORAGE_KEY": "account_key", "AZURE_STORAGE_SAS_TOKEN": "sas_token"}


def connected(uri: str) -> tuple[FileSystem, str]:
    """The file system of a URI, and the path in it."""
    place = urlsplit(uri)
    options = "&".join(filter(None, [place.query, SILENT_OPTIONS.get(place.scheme)]))
    root = place._replace(path="/" if place.scheme == "file" else "", query=options).geturl()
    files, top = _file_system(root)
    if place.scheme in WHOLE_PATHS:
        return files, place.path.rstrip("/")
    return files, f"{top.rstrip('/')}{place.path}".strip("/")  # an account, where Azure's host is one, is in no path


@functools.lru_cache(maxsize=8)
def _file_system(root: str) -> tuple[FileSystem, str]:
    """Made once, for it keeps connections; and the path of the root in it."""
    from pyarrow.fs import AzureFileSystem, FileSystem

    files, top = FileSystem.from_uri(root)
    if not isinstance(files, AzureFileSystem):
        return files, top
    secrets = {word: os.environ[name] for name, word in AZURE_SECRETS.items() if os.environ.get(name)}
    if secrets:  # pyarrow takes these from a URI alone, where they must not be
        _, (options,) = files.__reduce__()
        return AzureFileSystem(**{name: value for name, value in options.items() if value} | secrets), top
    if "enable_tls=false" in root:  # Azure's library would end the process
        raise ValueError(f"without TLS Azure takes a key alone; set {' or '.join(AZURE_SECRETS)}")
    return files, top
