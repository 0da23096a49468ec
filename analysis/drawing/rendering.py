"""The one door to vl-convert: turns a chart into its description, SVG and PNG, and knows the page's scripts."""

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
_COUNTED = re.compile(r"(?<=[\"#])(?:gradient_|clip)\d+(?=[\")])")


@dataclass(frozen=True)
class Rendered:
    """A chart in all its forms.

    Attributes:
        spec: Vega-Lite description, for the interactive figure.
        svg: The static figure.
        png: The same as pixels, twice as many as the figure's size says.
    """

    spec: dict[str, Any]
    svg: bytes
    png: bytes


def render(chart: alt.TopLevelMixin) -> Rendered:
    """Draws a chart without a browser and without any network access."""
    import vl_convert

    spec: dict[str, Any] = chart.to_dict()
    svg = _renumbered(vl_convert.vegalite_to_svg(spec, vl_version=_version(), allowed_base_urls=[]))
    png = vl_convert.svg_to_png(svg, scale=_PIXEL_RATIO)
    spec.pop("$schema")  # an address that nothing on the page needs
    return Rendered(spec, svg.encode(), png)


def unchecked() -> AbstractContextManager[None]:
    """Charts made within are not compared with the schema of Vega-Lite, which takes longer than to make them.

    The figures' own tests do that.
    """
    from altair.utils.schemapi import debug_mode

    return debug_mode(False)


@cache
def begin_javascript() -> subprocess.Popen[bytes] | None:
    """Begins to make the page's script in a process of its own, which takes a second that drawing can use.

    Returns:
        The process, or None where none can be started; ``javascript`` waits for it.
    """
    command = [sys.executable, "-I", "-c", _BUNDLE, _version()]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
    except OSError:
        return None


@cache
def javascript() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that sets ``window.vegaEmbed``."""
    process = begin_javascript()
    made, _ = process.communicate() if process else (b"", None)
    return made.decode() if process and process.returncode == 0 else _bundled()


def _bundled() -> str:
    import vl_convert

    return vl_convert.javascript_bundle(vl_version=_version())  # type: ignore[call-arg]  # its stub knows no default


def _renumbered(svg: str) -> str:
    """The same drawing whatever was drawn before: Vega numbers gradients and clips through the life of a process."""
    ids = dict.fromkeys(_COUNTED.findall(svg))
    places = {name: f"{name.rstrip('0123456789')}{place}" for place, name in enumerate(ids)}
    return _COUNTED.sub(lambda found: places[found[0]], svg)


def _version() -> str:
    """Major and minor version of the Vega-Lite that Altair writes for."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
