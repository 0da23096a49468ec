"""Where data lies: in a folder of this machine, or in an object store that machines share."""

from __future__ import annotations

import os
from pathlib import Path

from trainables.errors import ConfigError
from trainables.files import object_store

VARIABLE = "CSKD_DATA"
Place = Path | str
"""A folder, whole, or the URI of a place in an object store."""


def is_uri(text: str) -> bool:
    """Whether a place is meant as one in an object store.

    Example:
        >>> is_uri("s3://bucket/data"), is_uri("/data"), is_uri("C:/data")
        (True, False, False)
    """
    return "://" in text


def place_from(value: str | Path) -> Place:
    """The place that a user names.

    Raises:
        ValueError: It is a URI that names no object store, or holds a key; or the home of a user who has none.

    Example:
        >>> place_from("s3://bucket/data/"), place_from("/data")
        ('s3://bucket/data', PosixPath('/data'))
    """
    text = str(value)
    if not is_uri(text):
        return _whole(Path(text))
    if why := object_store.mistake(text):  # without showing it, for it may hold a key
        raise ValueError(why)
    scheme, way = text.split("://", 1)
    path, mark, options = way.partition("?")
    return f"{scheme}://{path.rstrip('/')}{mark}{options}"  # one place has one name, and one copy on a machine


def _whole(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("begins with ~, but there is no such user's home; write the whole path") from None


def data_place(root: Place | None) -> Place:
    """The place of the data: ``root``, else that of ``CSKD_DATA``, else the user's data folder.

    Raises:
        ConfigError: ``CSKD_DATA`` is a URI that names no object store, or holds a key.
    """
    if root is not None:
        return root
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    named = os.environ.get(VARIABLE)
    try:
        return place_from(named) if named else Path(home) / "cskd"
    except ValueError as error:
        raise ConfigError(f"{VARIABLE} {error}") from None
