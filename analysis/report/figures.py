"""Discovers the figures of ``analysis/plots`` and draws those for which a study has data."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from analysis import plots
from analysis.drawing import rendering
from analysis.drawing.style import styled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from analysis.drawing.rendering import Rendered
    from analysis.records.result_files import Results


class Plot(Protocol):
    """Interface of a module of ``analysis/plots``.

    Attributes:
        TITLE: Heading of the figure.
        POSITION: Position on the page; lower comes first.
    """

    TITLE: str
    POSITION: int

    def collect(self, results: Results) -> Any:
        """Returns the data of the figure; None if the study has none."""

    def caption(self, data: Any) -> str:
        """Returns the caption, with numbers; also the alternative text of the image."""

    def draw(self, data: Any) -> Any:
        """Returns an Altair chart of the data."""


@runtime_checkable
class PlotOfMany(Plot, Protocol):
    """A plot that can also show several studies together."""

    def compare(self, studies: Sequence[Results]) -> Any:
        """Returns the data of the figure for all studies; None if they have none."""


@dataclass(frozen=True)
class Figure:
    """A rendered figure.

    Attributes:
        name: Name of its module and its files.
        title: Heading.
        caption: Caption.
        rendered: Rendered chart.
    """

    name: str
    title: str
    caption: str
    rendered: Rendered


def available() -> dict[str, Plot]:
    """Returns the modules of ``analysis/plots`` by name, in the order of the page."""
    names = [module.name for module in pkgutil.iter_modules(plots.__path__)]
    found = {name: cast("Plot", importlib.import_module(f"{plots.__name__}.{name}")) for name in names}
    return dict(sorted(found.items(), key=lambda item: (item[1].POSITION, item[0])))


def draw_all(results: Results) -> tuple[Figure, ...]:
    """Draws all figures for which a study has data."""
    return _drawn((name, plot, partial(plot.collect, results)) for name, plot in available().items())


def draw_compared(studies: Sequence[Results]) -> tuple[Figure, ...]:
    """Draws the figures that show several studies together: those whose module has ``compare``."""
    of_many = [(name, plot) for name, plot in available().items() if isinstance(plot, PlotOfMany)]
    return _drawn((name, plot, partial(plot.compare, studies)) for name, plot in of_many)


def _drawn(plots: Iterable[tuple[str, Plot, Callable[[], Any]]]) -> tuple[Figure, ...]:
    """Collects the data of each plot and draws the plots that have data."""
    figures = []
    with _one_thread():
        for name, plot, collect in plots:
            data = collect()
            if data is not None:
                rendering.begin_javascript()
                figures.append(_figure(name, plot, data))
    return tuple(figures)


def _one_thread() -> AbstractContextManager[Any]:
    """Limits numerical libraries to one thread: on small matrices, threads only wait for each other.

    Only loaded libraries can be limited, so SciPy's and scikit-learn's are loaded first.
    """
    import sklearn.manifold  # noqa: F401
    from threadpoolctl import threadpool_limits

    return cast("AbstractContextManager[Any]", threadpool_limits(limits=1))


def _figure(name: str, plot: Plot, data: Any) -> Figure:
    with rendering.unchecked():
        return Figure(name, plot.TITLE, plot.caption(data), rendering.render(styled(plot.draw(data))))
