"""Wraps vl-convert: renders charts as Vega-Lite, SVG and PNG, and provides the scripts of the report page."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import altair as alt

_PIXEL_RATIO = 2
_BUNDLE = (
    "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle(vl_version=sys.argv[1]).encode())"
)
_NUMBERED_ID = re.compile(r"(?<=[\"#])(?:gradient_|clip)\d+(?=[\")])")


@dataclass(frozen=True)
class Rendered:
    """A rendered chart.

    Attributes:
        spec: Vega-Lite specification, for the interactive figure.
        svg: Static figure.
        png: Static figure with two pixels per unit of the figure's size.
    """

    spec: dict[str, Any]
    svg: bytes
    png: bytes


def render(chart: alt.TopLevelMixin) -> Rendered:
    """Renders a chart without a browser or network access."""
    import vl_convert

    spec: dict[str, Any] = chart.to_dict()
    svg = _renumbered(vl_convert.vegalite_to_svg(spec, vl_version=_version(), allowed_base_urls=[]))
    png = vl_convert.svg_to_png(svg, scale=_PIXEL_RATIO)
    spec.pop("$schema")  # a URL; the page must contain none
    return Rendered(spec, svg.encode(), png)


def unchecked() -> AbstractContextManager[None]:
    """Returns a context in which charts are not validated against Vega-Lite's schema.

    Validation takes longer than building a chart; the tests of the figures do it.
    """
    from altair.utils.schemapi import debug_mode

    return debug_mode(False)


@cache
def begin_javascript() -> subprocess.Popen[bytes] | None:
    """Starts bundling the page's script in a subprocess, in parallel with drawing; it takes a second.

    Returns:
        The process, for which ``javascript`` waits; None if no process can be started.
    """
    command = [sys.executable, "-I", "-c", _BUNDLE, _version()]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603 - a fixed command
    except OSError:
        return None


@cache
def javascript() -> str:
    """Returns Vega, Vega-Lite and Vega-Embed as one script that sets ``window.vegaEmbed``."""
    process = begin_javascript()
    bundle, _ = process.communicate() if process else (b"", None)
    return bundle.decode() if process and process.returncode == 0 else _bundled()


def _bundled() -> str:
    import vl_convert

    return vl_convert.javascript_bundle(vl_version=_version())  # type: ignore[call-arg]  # missing defaults in its stub


def _renumbered(svg: str) -> str:
    """Renumbers gradients and clips, which Vega counts per process, so that a chart always gives the same bytes."""
    ids = dict.fromkeys(_NUMBERED_ID.findall(svg))
    places = {name: f"{name.rstrip('0123456789')}{place}" for place, name in enumerate(ids)}
    return _NUMBERED_ID.sub(lambda found: places[found[0]], svg)


def _version() -> str:
    """Returns the major and minor version of Altair's Vega-Lite."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
