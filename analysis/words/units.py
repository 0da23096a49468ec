"""Quantities for people."""

from __future__ import annotations


def size(count: int) -> str:
    """A number of bytes for people.

    Example:
        >>> size(512), size(90_000_000), size(2**33)
        ('512 bytes', '85.8 MiB', '8 GiB')
    """
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{count} bytes"
