"""JSON records with a CRC-32 checksum as the last key."""

import json
import zlib
from typing import Any

MARK = b'"crc32":"'
DIGITS = 8


def seal(record: dict[str, Any]) -> bytes:
    """Returns a record as one line of JSON whose last key, ``crc32``, is the checksum of the others.

    Example:
        >>> seal({"epoch": 1})
        b'{"epoch":1,"crc32":"a35be1fb"}'
    """
    body = json.dumps(record, allow_nan=True, separators=(",", ":")).encode()[:-1]
    return body + (b"," if record else b"") + MARK + _checksum(body) + b'"}'


def unseal(line: bytes) -> dict[str, Any] | None:
    """Returns the record of a line, or None if the line is truncated or its checksum does not match.

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
    """Returns whether a complete line has been altered; a line truncated by a kill does not count as damaged."""
    return line.endswith(b'"}') and unseal(line) is None


def _checksum(body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body)
