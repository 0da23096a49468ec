"""Renders report pages: templates, figures with their scripts, and the content security policy."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from analysis.drawing import rendering
from analysis.drawing import style as drawing
from analysis.tables import files as table_files
from analysis.tables import table as tables
from analysis.tables.table import Strong
from analysis.words.wording import shortened
from trainables.files.durable import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jinja2 import Environment

    from analysis.report.figures import Figure

NAME = "index.html"
_FEW_ROWS = 40
_LONGEST_TEXT = 2000


def render(template: str, drawn: Sequence[Figure], **content: Any) -> str:
    """Renders a page; the same content gives the same bytes.

    Templates escape all text, and control characters are escaped before. The content security policy allows scripts by
    their digests only, so text could not run as a script even if escaping failed.

    Args:
        template: Name of a file in ``analysis/report/templates`` that extends ``base.html``.
        drawn: Figures of the page; without figures, the page has no scripts.
        content: Variables of the template.
    """
    scripts = (_library(), _starter()) if drawn else ()
    return (
        _environment()
        .get_template(template)
        .render(
            scripts=scripts,
            policy=_policy(scripts),
            dark_rules=drawing.dark_rules("figure .live svg.marks"),
            figures=[_embedded(figure) for figure in drawn],
            few_rows=_FEW_ROWS,
            kinds_named=table_files.KINDS,
            **content,
        )
    )


def write_figures(drawn: Sequence[Figure], directory: Path) -> None:
    """Writes each figure as SVG and PNG.

    Raises:
        OSError: The disk is full or the directory not writable.
    """
    for figure in drawn:
        write_atomic(directory / f"{figure.name}.svg", figure.rendered.svg)
        write_atomic(directory / f"{figure.name}.png", figure.rendered.png)


def script_safe(value: Any) -> str:
    r"""Returns JSON that can neither end the script element around it nor start another element.

    Example:
        >>> script_safe({"a": "</script>"})
        '{"a":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII: line separators are escaped
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _embedded(figure: Figure) -> dict[str, str]:
    from markupsafe import Markup

    image = base64.b64encode(_for_pages(figure.rendered.svg)).decode()
    return {
        "name": figure.name,
        "title": figure.title,
        "caption": figure.caption,
        "image": Markup(f"data:image/svg+xml;base64,{image}"),  # noqa: S704 - letters and digits
        "spec": Markup(script_safe(figure.rendered.spec)),  # noqa: S704 - without HTML's special characters
    }


def _for_pages(svg: bytes) -> bytes:
    """Adds dark colours for dark pages to an SVG; the file itself is drawn for a white background."""
    head, mark, rest = svg.partition(b">")
    style = f"<style>@media (prefers-color-scheme: dark) {{ {drawing.dark_rules()} }}</style>"
    return head + mark + style.encode() + rest


def _policy(scripts: Sequence[str]) -> str:
    """Returns the content security policy: nothing from other addresses, and only these scripts."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    kinds = f"script-src {allowed}; style-src 'unsafe-inline'; img-src data:"
    return f"default-src 'none'; {kinds}; base-uri 'none'; form-action 'none'"


@cache
def _library() -> str:
    """Returns Vega's scripts, in which nothing can end the script element."""
    bundle = rendering.javascript().replace("\r", "")
    return bundle.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _starter() -> str:
    from importlib.resources import files

    return (files("analysis.report") / "templates" / "report.js").read_text(encoding="utf-8")


def _finalized(value: Any) -> Any:
    """Escapes control characters, which HTML escaping keeps, and cuts long text."""
    return value if hasattr(value, "__html__") else shortened(tables.shown(value), _LONGEST_TEXT)


def _link(table: tables.Table, kind: str) -> Any:
    from markupsafe import Markup

    return Markup(table_files.link(table, kind))  # noqa: S704 - letters and digits


@cache
def _environment() -> Environment:
    """Returns the template environment: undefined names are errors, and all output is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    options: dict[str, Any] = {
        "trim_blocks": True,
        "lstrip_blocks": True,
        "undefined": StrictUndefined,
        "finalize": _finalized,
    }
    environment = Environment(loader=PackageLoader("analysis.report"), autoescape=True, **options)
    environment.filters["cell"] = lambda cell: shortened(tables.shown(cell))
    environment.filters["numeric_columns"] = tables.numeric_columns
    environment.filters["file"] = _link
    environment.tests["strong"] = lambda cell: isinstance(cell, Strong)
    return environment
