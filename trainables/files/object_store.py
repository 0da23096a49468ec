"""Objects that machines share without sharing a file system.

Credentials come from where pyarrow looks for them (environment, profile, the machine's own role), never from the URI,
so that they are in no file and in no message.
"""

from __future__ import annotations

import functools
import re
import shutil
import time
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

from trainables.errors import ObjectStoreError
from trainables.files.durable import replacing
from trainables.files.filesystems import connected

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyarrow import NativeFile
    from pyarrow.fs import FileSystem

Result = TypeVar("Result")

OUTAGE_SECONDS = 60.0  # that a store may be away while a study runs
PAUSE_SECONDS = 0.5
CHUNK_BYTES = 16 << 20  # a request each
MOST_OPEN = 400
SCHEMES = ("s3", "gs", "abfs", "hdfs", "file")
# A URI that pyarrow cannot take, a file system that it was built without: no waiting mends these.
PERMANENT = (ValueError, ImportError, NotImplementedError)
OPTIONS = (
    "region",
    "scheme",
    "endpoint_override",
    "tls_ca_file_path",
    "project_id",
    "enable_tls",
    "credential_kind",
    "tenant_id",
    "client_id",
)


def below(uri: str, *parts: str) -> str:
    """The URI of what lies deeper; options of the store stay.

    Example:
        >>> below("s3://bucket/studies/?region=eu-north-1", "digits", "7")
        's3://bucket/studies/digits/7?region=eu-north-1'
    """
    place = urlsplit(uri)
    return place._replace(path="/".join([place.path.rstrip("/"), *parts])).geturl()


def shown(uri: str) -> str:
    """A URI in messages: without its options.

    Example:
        >>> shown("s3://bucket/studies?region=eu-north-1")
        's3://bucket/studies'
    """
    return urlsplit(uri)._replace(query="", fragment="").geturl()


def mistake(uri: str) -> str | None:
    """Why a URI names no object store, without showing it, for it may hold a key; None where it does.

    Example:
        >>> mistake("bucket/prefix")
        'is a URI such as s3://bucket/prefix; it begins with one of s3:, gs:, abfs:, hdfs:, file:'
        >>> mistake("s3://key:secret@bucket")
        'holds a key; leave it out: keys come from the environment (AWS_ACCESS_KEY_ID, …) or a profile'
    """
    try:
        place = urlsplit(uri)
    except ValueError:
        return "is no URI"
    if place.scheme not in SCHEMES:
        return f"is a URI such as s3://bucket/prefix; it begins with one of {', '.join(f'{name}:' for name in SCHEMES)}"
    if "@" in place.netloc and not _names_no_key(place):
        return "holds a key; leave it out: keys come from the environment (AWS_ACCESS_KEY_ID, …) or a profile"
    if not set(OPTIONS).issuperset(parse_qs(place.query, keep_blank_values=True)):
        return f"has an option beside {', '.join(OPTIONS)}; keys come from the environment (AWS_ACCESS_KEY_ID, …)"
    if not (place.netloc or place.scheme == "file") or (place.scheme == "file" and not place.path.startswith("/")):
        return "names no bucket, or no whole path"
    return None


def _names_no_key(place: SplitResult) -> bool:
    """Whether what stands before an @ is Azure's container or account, or Google's word for a public bucket."""
    user = place.netloc.rpartition("@")[0]
    return ":" not in user and (place.scheme == "abfs" or (place.scheme == "gs" and user == "anonymous"))


class ObjectStore:
    """The objects below a URI, by name; a name may hold slashes. Safe to use from several threads.

    An object that is written appears whole or not at all in S3 and its like; below ``file://`` a kill may leave part of
    it, so what is read is to carry a checksum, or to be followed by something that does.

    Args:
        uri: Of any file system that pyarrow knows, such as ``s3://bucket/prefix`` or ``file:///folder``.
        patience_seconds: How long an operation is tried again while the store does not answer.
        give_up: Ends the trying before.
        what: Is kept there; messages say it.

    Raises:
        ObjectStoreError: From every method, when the store does not answer, or refuses.
    """

    def __init__(
        self,
        uri: str,
        patience_seconds: float = OUTAGE_SECONDS,
        give_up: Callable[[], bool] = lambda: False,
        what: str = "artifacts",
    ) -> None:
        self.uri = uri
        self._what = what
        self._patience = patience_seconds
        self._give_up = give_up
        # An object is opened once, for that is a request of its own; several threads may read it then.
        self._readable = functools.lru_cache(maxsize=MOST_OPEN)(self._open_to_read)

    def names(self, folder: str = "", *, deep: bool = True) -> dict[str, int]:
        """Names and sizes in bytes of all objects, and without ``deep`` of the nearest ones and of folders.

        Args:
            folder: Looks below this only.
            deep: Also what lies in folders; folders themselves are left out then.
        """
        from pyarrow.fs import FileSelector, FileType

        def look(files: FileSystem, root: str) -> dict[str, int]:
            selector = FileSelector(_joined(root, folder), allow_not_found=True, recursive=deep)
            found = files.get_file_info(selector)
            wanted = [each for each in found if not deep or each.type == FileType.File]
            return {each.path.removeprefix(root).strip("/"): each.size or 0 for each in wanted}

        return self._lasting("cannot be listed", look)

    def read(self, name: str) -> bytes:
        """An object's content.

        Raises:
            FileNotFoundError: There is none.
        """

        def get(files: FileSystem, root: str) -> bytes:
            with files.open_input_stream(_joined(root, name), compression=None) as source:
                return bytes(source.read())

        return self._lasting("cannot be read", get)

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Bytes ``start`` to ``start + length`` of an object; fewer where it ends before.

        Raises:
            FileNotFoundError: There is none.
        """

        def get(_files: FileSystem, _root: str) -> bytes:
            try:
                return bytes(self._readable(name).read_at(length, start))
            except OSError:
                self._readable.cache_clear()
                raise

        return self._lasting("cannot be read", get)

    def write(self, name: str, content: bytes) -> None:
        """Makes or replaces an object."""

        def put(files: FileSystem, root: str) -> None:
            with _opened(files, _joined(root, name)) as target:
                target.write(content)

        self._lasting("cannot be written", put)

    def upload(self, name: str, path: Path, start: int = 0, length: int | None = None) -> None:
        """Makes or replaces an object from a file, piece by piece.

        Args:
            name: Of the object.
            path: The file.
            start: First byte that is taken of it.
            length: How many bytes are; None for all that follow.
        """

        def put(files: FileSystem, root: str) -> None:
            with path.open("rb") as source, _opened(files, _joined(root, name)) as target:
                source.seek(start)
                left = path.stat().st_size - start if length is None else length
                while left > 0 and (block := source.read(min(left, CHUNK_BYTES))):
                    target.write(block)
                    left -= len(block)

        self._lasting("cannot be written", put)

    def download(self, name: str, path: Path) -> None:
        """Replaces a file by an object, durably, piece by piece.

        Raises:
            FileNotFoundError: There is no such object; the file stays.
        """

        def get(files: FileSystem, root: str) -> None:
            with files.open_input_stream(_joined(root, name), compression=None) as source, replacing(path) as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)

        self._lasting("cannot be read", get)

    def delete(self, name: str) -> None:
        """Removes an object; one that is not there is fine."""

        def remove(files: FileSystem, root: str) -> None:
            files.delete_file(_joined(root, name))

        try:
            self._lasting("cannot be changed", remove)
        except FileNotFoundError:
            return

    def _open_to_read(self, name: str) -> NativeFile:
        files, root = connected(self.uri)
        return files.open_input_file(_joined(root, name))

    def _lasting(self, problem: str, work: Callable[[FileSystem, str], Result]) -> Result:
        """Does the work, again and again while the store is away."""
        end = time.monotonic() + self._patience
        while True:
            try:
                return work(*connected(self.uri))
            except FileNotFoundError:
                raise
            except (OSError, *PERMANENT) as error:
                if isinstance(error, OSError) and error.filename is not None:  # of this machine's own disk
                    raise
                if isinstance(error, PERMANENT) or time.monotonic() > end or self._give_up():
                    reason = _reason(error)
                    raise ObjectStoreError(f"{self._what} at {shown(self.uri)}: {problem}: {reason}") from error
            time.sleep(PAUSE_SECONDS)


def _opened(files: FileSystem, path: str):  # type: ignore[no-untyped-def]
    from pyarrow.fs import LocalFileSystem

    if isinstance(files, LocalFileSystem):  # object stores have no folders
        files.create_dir(path.rpartition("/")[0], recursive=True)
    return files.open_output_stream(path, compression=None)  # whatever the name ends with


def _joined(root: str, name: str) -> str:
    return f"{root}/{name}" if name else root


def _reason(error: Exception) -> str:
    """What went wrong, without the name of the object, which says nothing to people."""
    text = " ".join(str(error).split())
    service = re.search(r"AWS Error ([A-Z_]+)( \(HTTP status \d+\))?", text)
    if service is not None:
        return f"{service[1].lower().replace('_', ' ')}{service[2] or ''}"
    said = re.search(r"with a last message of (.+?) error_info=|Azure Error: \[\w*\] (.+)", text)  # Google's, Azure's
    return (next(filter(None, said.groups())) if said else text).partition(" Detail:")[0] or type(error).__name__
