"""What every page shares: the template engine, figures with their scripts, and the policy that keeps all else out."""

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
    """A whole page; the same content gives the same bytes.

    Text from outside is escaped by the template, control characters before that. Scripts run only if their digest
    stands in the page's policy, so that text could not become a script even if it got through.

    Args:
        template: A file of ``analysis/templates`` that extends ``base.html``.
        drawn: Figures that the page shows; without any it has no scripts.
        content: What the template names.
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
    r"""JSON that cannot end the script element in which it stands, nor begin anything else.

    Example:
        >>> script_safe({"a": "</script>"})
        '{"a":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII, so that line separators are escaped, too
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _embedded(figure: Figure) -> dict[str, str]:
    from markupsafe import Markup

    image = base64.b64encode(_for_pages(figure.rendered.svg)).decode()
    return {
        "name": figure.name,
        "title": figure.title,
        "caption": figure.caption,
        "image": Markup(f"data:image/svg+xml;base64,{image}"),  # noqa: S704 - letters and digits
        "spec": Markup(script_safe(figure.rendered.spec)),  # noqa: S704 - nothing that HTML knows is left in it
    }


def _for_pages(svg: bytes) -> bytes:
    """The drawing with the colours of the page that it stands on, dark or light; as a file it is for white paper."""
    head, mark, rest = svg.partition(b">")
    style = f"<style>@media (prefers-color-scheme: dark) {{ {drawing.dark_rules()} }}</style>"
    return head + mark + style.encode() + rest


def _policy(scripts: Sequence[str]) -> str:
    """Content security policy: nothing from anywhere but this page, and no script but these."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    kinds = f"script-src {allowed}; style-src 'unsafe-inline'; img-src data:"
    return f"default-src 'none'; {kinds}; base-uri 'none'; form-action 'none'"


@cache
def _library() -> str:
    """Vega's scripts as an element's content: nothing in it may end the element."""
    bundle = rendering.javascript().replace("\r", "")
    return bundle.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _starter() -> str:
    from importlib.resources import files

    return (files("analysis.report") / "templates" / "report.js").read_text(encoding="utf-8")


def _harmless(value: Any) -> Any:
    """What an expression prints: without control characters, which HTML's escaping leaves, and not without an end."""
    return value if hasattr(value, "__html__") else shortened(tables.shown(value), _LONGEST_TEXT)


def _link(table: tables.Table, kind: str) -> Any:
    from markupsafe import Markup

    return Markup(table_files.link(table, kind))  # noqa: S704 - letters and digits


@cache
def _environment() -> Environment:
    """Jinja as the pages need it: unknown names are errors, and all that is printed is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    options: dict[str, Any] = {
        "trim_blocks": True,
        "lstrip_blocks": True,
        "undefined": StrictUndefined,
        "finalize": _harmless,
    }
    environment = Environment(loader=PackageLoader("analysis.report"), autoescape=True, **options)
    environment.filters["cell"] = lambda cell: shortened(tables.shown(cell))
    environment.filters["numeric_columns"] = tables.numeric_columns
    environment.filters["file"] = _link
    environment.tests["strong"] = lambda cell: isinstance(cell, Strong)
    return environment
