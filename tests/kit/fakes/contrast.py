"""Contrast of two colours."""

from collections.abc import Sequence


def ratio(first: Sequence[int], second: Sequence[int]) -> float:
    """Returns the contrast ratio, 1 to 21, of two colours ``(r, g, b)`` from 0 to 255 (WCAG 2, section 1.4.3)."""
    light, dark = sorted((_luminance(colour) for colour in (first, second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Sequence[int]) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
