"""A step of the manual's build: formulas of docstrings become MathML, which browsers draw without a script."""

import html
import re
from typing import Any

from latex2mathml.converter import convert


def on_page_content(content: str, **_: Any) -> str:
    """Called by MkDocs with the HTML of each page."""
    return re.sub(r":math:<code>(.*?)</code>", lambda found: convert(html.unescape(found[1])), content, flags=re.DOTALL)
