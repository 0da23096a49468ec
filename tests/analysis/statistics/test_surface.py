import numpy as np
import pytest

from analysis.statistics import surface
from analysis.statistics.surface import estimate

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.random((60, 2))


def bowl(x: np.ndarray) -> np.ndarray:
    return 0.2 + 0.1 * ((x[:, 0] - 0.4) ** 2 + (x[:, 1] - 0.7) ** 2)


def test_it_recovers_a_smooth_function_and_its_noise() -> None:
    values = bowl(POINTS) + RANDOM.normal(0, 0.002, 60)
    grid = RANDOM.random((200, 2)) * 0.8 + 0.1
    found = estimate(POINTS, values, grid)
    assert np.abs(found.mean - bowl(grid)).max() < 0.006
    assert found.noise == pytest.approx(0.002, rel=0.4)
    assert (found.std < 0.004).all()


def test_it_is_the_same_in_another_unit_and_every_time() -> None:
    values = bowl(POINTS)
    first, again, percent = (estimate(POINTS, scale * values, POINTS[:5]) for scale in (1, 1, 100))
    assert (first.mean == again.mean).all()
    np.testing.assert_allclose(percent.mean, 100 * first.mean, rtol=1e-6)
    np.testing.assert_allclose(percent.noise, 100 * first.noise, rtol=1e-3)


def test_equal_values_are_flat() -> None:
    found = estimate(POINTS, np.full(60, 0.25), POINTS[:3])
    assert (found.mean == 0.25).all()
    assert found.noise == 0


def test_two_trials_at_one_point_are_noise() -> None:
    found = estimate(np.array([[0.5, 0.5]] * 8), np.array([0.1, 0.3] * 4), np.array([[0.5, 0.5]]))
    assert found.mean[0] == pytest.approx(0.2, abs=1e-6)
    assert found.noise == pytest.approx(0.1, rel=0.1)


def test_many_trials_cost_no_more_than_a_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface, "_MOST_KNOWN", 300)
    rng = np.random.default_rng(3)
    points = rng.random((2000, 2))
    values = points.sum(axis=1) + 0.1 * rng.standard_normal(2000)
    found = surface.fit(points, values)
    assert len(found.process.X_train_) == 300
    assert np.abs(found.at(POINTS).mean - POINTS.sum(axis=1)).max() < 0.15
    assert abs(found.noise - 0.1) < 0.02
