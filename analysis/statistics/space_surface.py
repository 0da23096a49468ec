"""Estimates the objective as a smooth function of all numeric parameters, and its averages over some of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from analysis.records import frames, parameters
from analysis.statistics.surface import Surface, fit

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from analysis.records.parameters import Parameter
    from analysis.records.result_files import Results

FEWEST_TRIALS = 8
_SAMPLES, _FEW_SAMPLES = 64, 8
_Z = 1.96


@dataclass(frozen=True)
class SpaceSurface:
    """A surface over the numeric parameters of a study.

    Attributes:
        axes: Parameters, one per dimension.
        surface: Surface over the unit cube.
        trials: Number of completed trials that it was fitted to.
    """

    axes: tuple[Parameter, ...]
    surface: Surface
    trials: int

    def marginal(self, axis: int, cells: int) -> pd.DataFrame:
        """Averages the surface over all parameters but one, over their whole ranges.

        Args:
            axis: Index of the parameter that is not averaged over.
            cells: Number of its values, evenly spaced in the unit interval.

        Returns:
            Columns ``value, mean, low, high``; the 95 % interval is that of the mean, not of a single trial.
        """
        import pandas as pd

        places, others = np.linspace(0, 1, cells), self._others()
        found = [self.surface.average(_held(others, {axis: place})) for place in places]
        mean, std = np.array(found).T
        value = self.axes[axis].at(places)
        return pd.DataFrame({"value": value, "mean": mean, "low": mean - _Z * std, "high": mean + _Z * std})

    def pair(self, x: int, y: int, cells: int) -> NDArray[np.float64]:
        """Averages over all parameters but two ``[cells, cells]``, at the centres of cells; rows along y."""
        centres, others = (np.arange(cells) + 0.5) / cells, self._others()[: _FEW_SAMPLES if len(self.axes) > 2 else 1]
        points = np.concatenate([_held(others, {x: a, y: b}) for b in centres for a in centres])
        return np.asarray(self.surface.mean_at(points).reshape(cells, cells, -1).mean(axis=2))

    def _others(self) -> NDArray[np.float64]:
        from scipy.stats import qmc

        return np.asarray(qmc.Sobol(len(self.axes), seed=0).random(_SAMPLES))


@lru_cache(maxsize=1)  # several figures of a report use it
def collect(results: Results) -> SpaceSurface | None:
    """Fits a surface to the completed search trials; None without a numeric parameter or with fewer than eight trials.

    Non-numeric parameters are ignored: their effect counts as noise.
    """
    axes = tuple(parameter for parameter in parameters.searched(results) if parameter.spans)
    points = frames.search_points(results, [parameter.name for parameter in axes])
    done = points[points["state"] == "COMPLETE"].dropna()
    if not axes or len(done) < FEWEST_TRIALS:
        return None
    unit = np.column_stack([parameter.unit(done[parameter.name].to_numpy(float)) for parameter in axes])
    return SpaceSurface(axes, fit(unit, done["value"].to_numpy(float)), len(done))


def _held(others: NDArray[np.float64], held: dict[int, float]) -> NDArray[np.float64]:
    """Returns the points with some coordinates replaced."""
    points = others.copy()
    for axis, place in held.items():
        points[:, axis] = place
    return points
