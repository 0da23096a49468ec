"""Markdown extension of the manual: formulas become MathML, which browsers draw without a script.

``:math:`x^2``` in a page or in a docstring is converted when the site is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, fromstring

from latex2mathml.converter import convert
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.util import AtomicString

if TYPE_CHECKING:
    import re

    from markdown import Markdown

PATTERN = r":math:`([^`]+)`"
PRIORITY = 200  # above that of code spans, 190, and of escapes, 180: a formula holds backslashes


class Formulas(Extension):
    """Registers the conversion with Markdown."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        """Registers the inline pattern."""
        md.inlinePatterns.register(_Formula(PATTERN, md), "formula", PRIORITY)


class _Formula(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element, int, int]:  # type: ignore[override]  # noqa: ARG002, N802
        element = fromstring(convert(m[1]).replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "", 1))  # noqa: S314 - made here
        for part in element.iter():
            part.text = AtomicString(part.text) if part.text else None  # the text of a formula is not Markdown
        return element, m.start(0), m.end(0)


def makeExtension(**options: Any) -> Formulas:  # noqa: N802 - Markdown's name
    """Creates the extension; Markdown finds it by this name."""
    return Formulas(**options)
