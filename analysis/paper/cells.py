"""Fills the cells of the paper's tables 1 to 6 with results of studies, next to the printed values."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from analysis.paper.printed import Place, Published, comparable, method_label, places, published
from analysis.records import frames
from analysis.statistics.over_seeds import MeanStd, difference_p, mean_std, relative_error_reduction
from analysis.words.naming import DATASETS, MODELS, method_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from analysis.records.result_files import Results

Agreement = Literal["agrees", "differs", "not comparable", "not tested"]

_WITH_REDUCTION = (1, 2)  # tables in which the paper prints the reduction of CS-KD
_LEVEL = 0.05


class CellOrigin(NamedTuple):
    """Origin of a measured value.

    Attributes:
        study: Name of the study.
        arm: Name of the arm, such as ``search/7``.
        role: Role of the arm, ``winner`` or ``control``.
        digests: Digests of the training data and of the validation split; None if they were not recorded.
    """

    study: str
    arm: str
    role: str
    digests: tuple[str | None, str | None]


@dataclass(frozen=True)
class PaperCell:
    """A cell of a table.

    Attributes:
        place: Place of the cell in the paper.
        printed: The paper's value.
        ours: Mean and sample standard deviation over the fresh seeds, as fractions; None if no study has the value.
        origin: Origin of our value.
        obstacle: Reason why our value must not be compared with the paper's; None if it may.
        reduction: Error reduction relative to cross-entropy in our results, in percent and from unrounded means; None
            in cells for which the paper prints none.
        printed_reduction: Error reduction computed from the paper's printed means.
        best: Whether our value is the best of its block and column; False if ours is the only value there.
        printed_best: Whether the paper's value is the best of its block and column.
    """

    place: Place
    printed: Published
    ours: MeanStd | None = None
    origin: CellOrigin | None = None
    obstacle: str | None = None
    reduction: float | None = None
    printed_reduction: float | None = None
    best: bool = False
    printed_best: bool = False

    @property
    def p(self) -> float | None:
        """P-value of Welch's t-test against the paper; None if a statistic is missing or they are not comparable."""
        if self.ours is None or self.printed.seeds is None or self.obstacle:
            return None
        return difference_p(self.ours, MeanStd(self.printed.mean, self.printed.std, self.printed.seeds))

    @property
    def agreement(self) -> Agreement | None:
        """Result of the comparison with the paper, at 5 %; None without a value of ours."""
        if self.ours is None:
            return None
        if self.obstacle:
            return "not comparable"
        return "not tested" if self.p is None else "agrees" if self.p > _LEVEL else "differs"

    @property
    def block(self) -> tuple[str, str]:
        """Block of rows to which the cell belongs: network and metric."""
        return MODELS[self.place.model], self.place.metric


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Attributes:
        number: Number of the table, 1 to 6.
        cells: All cells of the table, in the paper's order.
    """

    number: int
    cells: tuple[PaperCell, ...]


def collect(studies: Sequence[Results]) -> tuple[PaperTable, ...]:
    """Returns the tables in which the studies fill at least one cell.

    If several arms could fill a cell, arms that may be compared with the paper come first, then winners, then arms with
    more seeds, then studies in the given order. Test values never decide.
    """
    ours = _ours(studies)
    numbers = sorted({place.table for place in places() if place in ours})
    return tuple(PaperTable(number, _table(number, ours)) for number in numbers)


def _table(number: int, ours: dict[Place, PaperCell]) -> tuple[PaperCell, ...]:
    cells = [ours.get(place) or _empty(place) for place in places() if place.table == number]
    groups: dict[tuple[str, ...], list[PaperCell]] = defaultdict(list)
    for cell in cells:
        groups[*cell.block, cell.place.dataset].append(cell)
    marked = {cell.place: cell for group in groups.values() for cell in _marked(group)}
    return tuple(marked[cell.place] for cell in cells)


def _marked(group: list[PaperCell]) -> Iterator[PaperCell]:
    """Yields the cells of a column of a block, with reductions and the best ones marked."""
    sign = 1 if frames.goal(f"test/{group[0].place.metric}") == "minimize" else -1
    values = [sign * cell.ours.mean for cell in group if cell.ours]
    baseline = next(cell for cell in group if cell.place.method == "cross_entropy")
    for cell in group:
        reductions = _reductions(cell, baseline) if _has_reduction(cell.place) else (None, None)
        yield replace(
            cell,
            reduction=reductions[0],
            printed_reduction=reductions[1],
            best=cell.ours is not None and len(values) > 1 and sign * cell.ours.mean == min(values),
            printed_best=sign * cell.printed.mean == min(sign * each.printed.mean for each in group),
        )


def _has_reduction(place: Place) -> bool:
    return place.table in _WITH_REDUCTION and place.method == "cs_kd"


def _reductions(cell: PaperCell, baseline: PaperCell) -> tuple[float | None, float | None]:
    ours = relative_error_reduction(baseline.ours.mean, cell.ours.mean) if baseline.ours and cell.ours else None
    return ours, relative_error_reduction(baseline.printed.mean, cell.printed.mean)


def _empty(place: Place) -> PaperCell:
    printed = published(place.dataset, place.model, place.method, place.metric)
    assert printed is not None  # noqa: S101 - every place has a printed value
    return PaperCell(place, printed)


def _ours(studies: Iterable[Results]) -> dict[Place, PaperCell]:
    """Returns the preferred cell of each place; the sort is stable, so ties go to the earlier study."""
    found = [cell for results in studies for cell in _cells_of(results)]
    found.sort(key=_preference)
    chosen: dict[Place, PaperCell] = {}
    for cell in found:
        chosen.setdefault(cell.place, cell)
    return chosen


def _preference(cell: PaperCell) -> tuple[bool, bool, int]:
    winner = cell.origin is not None and cell.origin.role == "winner"
    return cell.obstacle is not None, not winner, -(cell.ours.n if cell.ours else 0)


def _cells_of(results: Results) -> Iterator[PaperCell]:
    """Yields a cell for each place filled by the study's winner or a control; other finalists fill none."""
    study = results.study
    for name, arm in study["arms"].items():
        role = "winner" if [name] == study["finalists"][:1] else arm["role"]
        if role in ("winner", "control"):
            digests = (study["digests"].get("data"), study["digests"].get("split"))
            yield from _cells_of_arm(results, CellOrigin(study["name"], name, role, digests))


def _cells_of_arm(results: Results, origin: CellOrigin) -> Iterator[PaperCell]:
    config = results.study["arms"][origin.arm]["config"]
    runs = results.confirmations[results.confirmations["arm"] == origin.arm]
    if runs.empty:
        return
    key = (config["dataset"]["name"], config["model"]["name"], method_label(config["method"]))
    obstacle = comparable({**config, "train_on": str(runs["trained_on"].iloc[0])})
    for place in places():
        if (place.dataset, place.model, place.method) != key:
            continue
        values = frames.values_by_seed(results, f"test/{place.metric}").get(origin.arm)
        if values:
            yield replace(_empty(place), ours=mean_std(list(values.values())), origin=origin, obstacle=obstacle)


def place_words(place: Place) -> str:
    """Returns the name of a cell, such as ``CS-KD on CIFAR-100, ResNet-18``."""
    return f"{method_name(place.method)} on {DATASETS[place.dataset]}, {MODELS[place.model]}"
