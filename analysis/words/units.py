"""Formats sizes and durations."""

from __future__ import annotations


def size(count: int) -> str:
    """Returns a number of bytes in a binary unit.

    Example:
        >>> size(512), size(90_000_000), size(2**33)
        ('512 bytes', '85.8 MiB', '8 GiB')
    """
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{count} bytes"


def clock(seconds: float) -> str:
    """Returns a duration as minutes and seconds, with hours if needed.

    Example:
        >>> clock(75), clock(3675)
        ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
