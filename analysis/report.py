"""The report of a study: one page with everything in it, that asks nothing of a network, and its figures as files."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from analysis import appendix, best_config, export, figures, rendering, summary, tables
from analysis.records import ResultsError
from analysis.wording import shortened
from trainables.durable import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment

    from analysis.figures import Figure
    from analysis.records import Results

PAGE = "index.html"
_TEMPLATE = "report.html"
_FEW_ROWS = 40
_LONGEST_TEXT = 2000


def write(results: Results, directory: Path) -> Path:
    """Writes the page and each figure as SVG and PNG.

    Args:
        results: What a study left.
        directory: The study's ``report`` folder; made where it is missing.

    Returns:
        Path of the page.

    Raises:
        OSError: The disk is full or the directory not writable.
    """
    drawn = figures.draw_all(results)
    for figure in drawn:
        write_atomic(directory / f"{figure.name}.svg", figure.rendered.svg)
        write_atomic(directory / f"{figure.name}.png", figure.rendered.png)
    write_atomic(directory / PAGE, page(results, drawn).encode())
    return directory / PAGE


def page(results: Results, drawn: tuple[Figure, ...]) -> str:
    """The whole page; the same results give the same bytes.

    Text from outside is escaped by the template, control characters before that. Scripts run only if their digest
    stands in the page's policy, so that text could not become a script even if it got through.
    """
    scripts = (_library(), _starter())
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            name=results.study["name"],
            scripts=scripts if drawn else (),
            policy=_policy(scripts),
            figures=[_embedded(figure) for figure in drawn],
            studied=summary.studied(results),
            found=summary.found(results),
            protocol=summary.protocol(results),
            few_rows=_FEW_ROWS,
            trials=appendix.trials_table(results),
            ledger=appendix.ledger_table(results),
            launches=appendix.launches_table(results),
            versions=appendix.versions_table(results),
            digests=appendix.digests_table(results),
            **_best(results),
        )
    )


def _best(results: Results) -> dict[str, Any]:
    """The best-config table, what the summary does not say of it, and the winner to paste."""
    try:
        best = best_config.collect(results)
    except ResultsError:
        return {"best": None, "notes": (), "winner": None}
    table, said = tables.best_config_table(best), " ".join(summary.found(results) + summary.protocol(results))
    notes = tuple(note for note in table.notes if note not in said)
    winner = export.export(best_config.winner_config(results), "yaml", export.header(best)) if best.confirmed else None
    return {"best": table, "notes": notes, "winner": winner}


def _embedded(figure: Figure) -> dict[str, str]:
    from markupsafe import Markup

    image = base64.b64encode(figure.rendered.svg).decode()
    return {
        "name": figure.name,
        "title": figure.title,
        "caption": figure.caption,
        "image": Markup(f"data:image/svg+xml;base64,{image}"),  # noqa: S704 - letters and digits
        "spec": Markup(script_safe(figure.rendered.spec)),  # noqa: S704 - nothing that HTML knows is left in it
    }


def script_safe(value: Any) -> str:
    r"""JSON that cannot end the script element in which it stands, nor begin anything else.

    Example:
        >>> script_safe({"a": "</script>"})
        '{"a":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII, so that line separators are escaped, too
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _policy(scripts: tuple[str, ...]) -> str:
    """Content security policy: nothing from anywhere but this page, and no script but these."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    kinds = f"script-src {allowed}; style-src 'unsafe-inline'; img-src data:"
    return f"default-src 'none'; {kinds}; base-uri 'none'; form-action 'none'"


@cache
def _library() -> str:
    """Vega's scripts as an element's content: nothing in it may end the element."""
    bundle = rendering.javascript().replace("\r", "")
    return bundle.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _starter() -> str:
    from importlib.resources import files

    return (files("analysis") / "templates" / "report.js").read_text(encoding="utf-8")


def _harmless(value: Any) -> Any:
    """What an expression prints: without control characters, which HTML's escaping leaves, and not without an end."""
    return value if hasattr(value, "__html__") else shortened(tables.shown(value), _LONGEST_TEXT)


@cache
def _environment() -> Environment:
    """Jinja as the page needs it: unknown names are errors, and all that is printed is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    options: dict[str, Any] = {
        "trim_blocks": True,
        "lstrip_blocks": True,
        "undefined": StrictUndefined,
        "finalize": _harmless,
    }
    environment = Environment(loader=PackageLoader("analysis"), autoescape=True, **options)
    environment.filters["cell"] = lambda cell: shortened(tables.shown(cell))
    environment.filters["numeric_columns"] = tables.numeric_columns
    return environment
