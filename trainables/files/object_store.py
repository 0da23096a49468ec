"""Client for object stores, through which machines share data without a shared file system.

Credentials come from the environment, a profile or the machine's role (pyarrow's rules), never from the URI, so that
they appear in no file and no message.
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
from trainables.files.filesystems import open_filesystem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyarrow import NativeFile
    from pyarrow.fs import FileSystem

Result = TypeVar("Result")

OUTAGE_SECONDS = 60.0  # longest outage of the store that a running study tolerates
PAUSE_SECONDS = 0.5
CHUNK_BYTES = 16 << 20  # bytes per request
MOST_OPEN = 400
SCHEMES = ("s3", "gs", "abfs", "hdfs", "file")
# An invalid URI, or a file system that pyarrow was built without: retries cannot help.
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
    """Returns the URI with path segments appended; keeps the options of the store.

    Example:
        >>> below("s3://bucket/studies/?region=eu-north-1", "digits", "7")
        's3://bucket/studies/digits/7?region=eu-north-1'
    """
    place = urlsplit(uri)
    return place._replace(path="/".join([place.path.rstrip("/"), *parts])).geturl()


def shown(uri: str) -> str:
    """Returns a URI without its options, for messages.

    Example:
        >>> shown("s3://bucket/studies?region=eu-north-1")
        's3://bucket/studies'
    """
    return urlsplit(uri)._replace(query="", fragment="").geturl()


def mistake(uri: str) -> str | None:
    """Returns why a URI is not a valid object store, or None if it is; never shows the URI, which may hold a key.

    Example:
        >>> mistake("bucket/prefix")
        'is a URI such as s3://bucket/prefix; it begins with one of s3:, gs:, abfs:, hdfs:, file:'
        >>> mistake("s3://key:secret@bucket")
        'holds a key; leave it out: keys come from the environment (AWS_ACCESS_KEY_ID, …) or a profile'
    """
    try:
        place = urlsplit(uri)
    except ValueError:
        return "is not a URI"
    if place.scheme not in SCHEMES:
        return f"is a URI such as s3://bucket/prefix; it begins with one of {', '.join(f'{name}:' for name in SCHEMES)}"
    if "@" in place.netloc and not _names_no_key(place):
        return "holds a key; leave it out: keys come from the environment (AWS_ACCESS_KEY_ID, …) or a profile"
    if not set(OPTIONS).issuperset(parse_qs(place.query, keep_blank_values=True)):
        return f"has an option other than {', '.join(OPTIONS)}; keys come from the environment (AWS_ACCESS_KEY_ID, …)"
    if not (place.netloc or place.scheme == "file") or (place.scheme == "file" and not place.path.startswith("/")):
        return "does not name a bucket or an absolute path"
    return None


def _names_no_key(place: SplitResult) -> bool:
    """Returns whether the part before the @ is an Azure container or account, or Google's ``anonymous``."""
    user = place.netloc.rpartition("@")[0]
    return ":" not in user and (place.scheme == "abfs" or (place.scheme == "gs" and user == "anonymous"))


class ObjectStore:
    """Client for the objects below a URI; names may contain slashes. Thread-safe.

    S3 and similar stores write an object completely or not at all. A kill may leave part of a ``file://`` object, so
    content needs a checksum in itself or in an object that is written later.

    Args:
        uri: URI of a file system that pyarrow supports, such as ``s3://bucket/prefix`` or ``file:///folder``.
        patience_seconds: Time for which an operation is retried while the store does not answer, in seconds.
        give_up: Callback that ends the retries early by returning True.
        what: Kind of content, for messages.

    Raises:
        ObjectStoreError: Raised by every method if the store does not answer or rejects the request.
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
        # Opening an object costs a request; an open one is thread-safe.
        self._readable = functools.lru_cache(maxsize=MOST_OPEN)(self._open_to_read)

    def names(self, folder: str = "", *, deep: bool = True) -> dict[str, int]:
        """Returns the sizes in bytes of objects, by name.

        Args:
            folder: Folder to list; all by default.
            deep: Whether to list recursively, without folders; otherwise objects and folders of one level.
        """
        from pyarrow.fs import FileSelector, FileType

        def look(files: FileSystem, root: str) -> dict[str, int]:
            selector = FileSelector(_joined(root, folder), allow_not_found=True, recursive=deep)
            found = files.get_file_info(selector)
            wanted = [each for each in found if not deep or each.type == FileType.File]
            return {each.path.removeprefix(root).strip("/"): each.size or 0 for each in wanted}

        return self._retry("cannot be listed", look)

    def read(self, name: str) -> bytes:
        """Returns the content of an object.

        Raises:
            FileNotFoundError: The object does not exist.
        """

        def get(files: FileSystem, root: str) -> bytes:
            with files.open_input_stream(_joined(root, name), compression=None) as source:
                return bytes(source.read())

        return self._retry("cannot be read", get)

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Returns bytes ``start`` to ``start + length`` of an object; fewer if it is shorter.

        Raises:
            FileNotFoundError: The object does not exist.
        """

        def get(_files: FileSystem, _root: str) -> bytes:
            try:
                return bytes(self._readable(name).read_at(length, start))
            except OSError:
                self._readable.cache_clear()
                raise

        return self._retry("cannot be read", get)

    def write(self, name: str, content: bytes) -> None:
        """Creates or replaces an object."""

        def put(files: FileSystem, root: str) -> None:
            with _opened(files, _joined(root, name)) as target:
                target.write(content)

        self._retry("cannot be written", put)

    def upload(self, name: str, path: Path, start: int = 0, length: int | None = None) -> None:
        """Creates or replaces an object from a file, in chunks.

        Args:
            name: Name of the object.
            path: File to upload.
            start: Offset of the first byte in the file.
            length: Number of bytes; None for the rest of the file.
        """

        def put(files: FileSystem, root: str) -> None:
            with path.open("rb") as source, _opened(files, _joined(root, name)) as target:
                source.seek(start)
                left = path.stat().st_size - start if length is None else length
                while left > 0 and (block := source.read(min(left, CHUNK_BYTES))):
                    target.write(block)
                    left -= len(block)

        self._retry("cannot be written", put)

    def download(self, name: str, path: Path) -> None:
        """Downloads an object to a file, atomically and in chunks.

        Raises:
            FileNotFoundError: The object does not exist; the file is unchanged.
        """

        def get(files: FileSystem, root: str) -> None:
            with files.open_input_stream(_joined(root, name), compression=None) as source, replacing(path) as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)

        self._retry("cannot be read", get)

    def delete(self, name: str) -> None:
        """Removes an object if it exists."""

        def remove(files: FileSystem, root: str) -> None:
            files.delete_file(_joined(root, name))

        try:
            self._retry("cannot be changed", remove)
        except FileNotFoundError:
            return

    def _open_to_read(self, name: str) -> NativeFile:
        files, root = open_filesystem(self.uri)
        return files.open_input_file(_joined(root, name))

    def _retry(self, problem: str, work: Callable[[FileSystem, str], Result]) -> Result:
        """Calls ``work`` with the file system and the root path; retries while the store does not answer."""
        end = time.monotonic() + self._patience
        while True:
            try:
                return work(*open_filesystem(self.uri))
            except FileNotFoundError:
                raise
            except (OSError, *PERMANENT) as error:
                if isinstance(error, OSError) and error.filename is not None:  # an error of the local disk
                    raise
                if isinstance(error, PERMANENT) or time.monotonic() > end or self._give_up():
                    reason = _reason(error)
                    raise ObjectStoreError(f"{self._what} at {shown(self.uri)}: {problem}: {reason}") from error
            time.sleep(PAUSE_SECONDS)


def _opened(files: FileSystem, path: str):  # type: ignore[no-untyped-def]
    from pyarrow.fs import LocalFileSystem

    if isinstance(files, LocalFileSystem):  # object stores have no folders
        files.create_dir(path.rpartition("/")[0], recursive=True)
    return files.open_output_stream(path, compression=None)  # pyarrow would otherwise compress by suffix


def _joined(root: str, name: str) -> str:
    return f"{root}/{name}" if name else root


def _reason(error: Exception) -> str:
    """Returns the store's reason as one short line, without the name of the object."""
    text = " ".join(str(error).split())
    service = re.search(r"AWS Error ([A-Z_]+)( \(HTTP status \d+\))?", text)
    if service is not None:
        return f"{service[1].lower().replace('_', ' ')}{service[2] or ''}"
    said = re.search(r"with a last message of (.+?) error_info=|Azure Error: \[\w*\] (.+)", text)  # Google's, Azure's
    return (next(filter(None, said.groups())) if said else text).partition(" Detail:")[0] or type(error).__name__
