"""Finds the figures of ``analysis/plots`` and draws those for which a study has something to show."""

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
    """What a module of ``analysis/plots`` provides.

    Attributes:
        TITLE: Heading of the figure.
        POSITION: Its place on the page; lower comes first.
    """

    TITLE: str
    POSITION: int

    def collect(self, results: Results) -> Any:
        """The numbers of the figure; None where the study has nothing to show."""

    def caption(self, data: Any) -> str:
        """What the figure shows, in words with numbers; also its text for those who cannot see it."""

    def draw(self, data: Any) -> Any:
        """An Altair chart of the numbers."""


@runtime_checkable
class PlotOfMany(Plot, Protocol):
    """A plot that can also show several studies together."""

    def compare(self, studies: Sequence[Results]) -> Any:
        """As ``collect``, of all studies; None where there is nothing to show."""


@dataclass(frozen=True)
class Figure:
    """A figure, drawn.

    Attributes:
        name: Of its module and its files.
        title: Its heading.
        caption: Sentences below it.
        rendered: The chart.
    """

    name: str
    title: str
    caption: str
    rendered: Rendered


def available() -> dict[str, Plot]:
    """The modules of ``analysis/plots`` by name, in the order of the page."""
    names = [module.name for module in pkgutil.iter_modules(plots.__path__)]
    found = {name: cast("Plot", importlib.import_module(f"{plots.__name__}.{name}")) for name in names}
    return dict(sorted(found.items(), key=lambda item: (item[1].POSITION, item[0])))


def draw_all(results: Results) -> tuple[Figure, ...]:
    """All figures that a study has the numbers for."""
    return _drawn((name, plot, partial(plot.collect, results)) for name, plot in available().items())


def draw_compared(studies: Sequence[Results]) -> tuple[Figure, ...]:
    """The figures that show several studies together: those whose module has ``compare``."""
    of_many = [(name, plot) for name, plot in available().items() if isinstance(plot, PlotOfMany)]
    return _drawn((name, plot, partial(plot.compare, studies)) for name, plot in of_many)


def _drawn(plots: Iterable[tuple[str, Plot, Callable[[], Any]]]) -> tuple[Figure, ...]:
    """Gathers the numbers of each plot and draws those that have some, one after the other."""
    figures = []
    with _one_thread():
        for name, plot, gather in plots:
            data = gather()
            if data is not None:
                rendering.begin_javascript()
                figures.append(_figure(name, plot, data))
    return tuple(figures)


def _one_thread() -> AbstractContextManager[Any]:
    """The matrices here are small: threads would wait for each other, for minutes on a busy machine.

    Only libraries that are loaded already can be limited, so those of SciPy and scikit-learn are loaded first.
    """
    import sklearn.manifold  # noqa: F401
    from threadpoolctl import threadpool_limits

    return cast("AbstractContextManager[Any]", threadpool_limits(limits=1))


def _figure(name: str, plot: Plot, data: Any) -> Figure:
    with rendering.unchecked():
        return Figure(name, plot.TITLE, plot.caption(data), rendering.render(styled(plot.draw(data))))
