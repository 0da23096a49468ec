"""JSON records that tell when a bit of them has changed: each ends with a checksum of what comes before it."""

import json
import zlib
from typing import Any

MARK = b'"crc32":"'
DIGITS = 8


def seal(record: dict[str, Any]) -> bytes:
    """A record as one line of JSON whose last key, ``crc32``, is a checksum of the others.

    Example:
        >>> seal({"epoch": 1})
        b'{"epoch":1,"crc32":"a35be1fb"}'
    """
    body = json.dumps(record, allow_nan=True, separators=(",", ":")).encode()[:-1]
    return body + (b"," if record else b"") + MARK + _checksum(body) + b'"}'


def unseal(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None where the line was cut off, or a bit of it has changed.

    Example:
        >>> unseal(seal({"epoch": 1})), unseal(b'{"epoch":2,"crc32":"a35be1fb"}')
        ({'epoch': 1}, None)
    """
    body, _, rest = line.rpartition(MARK)
    body = body.removesuffix(b",")
    if not body or rest[:DIGITS] != _checksum(body):
        return None
    record: dict[str, Any] = json.loads(body + b"}")
    return record


def is_damaged(line: bytes) -> bool:
    """Whether a line was whole once and is not now; one that a kill cut off is none of these."""
    return line.endswith(b'"}') and unseal(line) is None


def _checksum(body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body)
