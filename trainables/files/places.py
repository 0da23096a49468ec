"""Data locations: a local folder, or a URI in an object store."""

from __future__ import annotations

import os
from pathlib import Path

from trainables.errors import ConfigError
from trainables.files import object_store

VARIABLE = "CSKD_DATA"
Place = Path | str
"""Absolute path of a folder, or URI of a location in an object store."""


def is_uri(text: str) -> bool:
    """Returns whether a location is written as a URI of an object store.

    Example:
        >>> is_uri("s3://bucket/data"), is_uri("/data"), is_uri("C:/data")
        (True, False, False)
    """
    return "://" in text


def place_from(value: str | Path) -> Place:
    """Parses a location given by the user.

    Raises:
        ValueError: The URI is not a valid object store or contains a key, or ``~user`` has no home directory.

    Example:
        >>> place_from("s3://bucket/data/"), place_from("/data")
        ('s3://bucket/data', PosixPath('/data'))
    """
    text = str(value)
    if not is_uri(text):
        return _whole(Path(text))
    if why := object_store.mistake(text):  # does not show the URI, which may hold a key
        raise ValueError(why)
    scheme, rest = text.split("://", 1)
    path, mark, options = rest.partition("?")
    return f"{scheme}://{path.rstrip('/')}{mark}{options}"  # normalised: a location has one copy on a machine


def _whole(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("begins with ~, but that user has no home directory; give the absolute path") from None


def data_place(root: Place | None) -> Place:
    """Returns the data location: ``root``, else ``CSKD_DATA``, else the user's data folder.

    Raises:
        ConfigError: ``CSKD_DATA`` is a URI that is not a valid object store or contains a key.
    """
    if root is not None:
        return root
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    named = os.environ.get(VARIABLE)
    try:
        return place_from(named) if named else Path(home) / "cskd"
    except ValueError as error:
        raise ConfigError(f"{VARIABLE} {error}") from None
