import pytest
import torch

from trainables.losses.adacos import initial_scale, next_scale


@pytest.mark.parametrize(("classes", "scale"), [(100, 6.50), (200, 7.49), (120, 6.76), (67, 5.93)])
def test_the_fixed_scale_is_the_published_one(classes, scale):
    assert initial_scale(classes) == pytest.approx(scale, abs=0.005)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 2e-5)])
@pytest.mark.parametrize("case_id", ["pub_adacos_B6", "pub_adacos_B5"])
def test_the_dynamic_scale_matches_golden(golden, case_id, dtype, tolerance):
    case = next(case for case in golden["baselines"]["cases"] if case["id"] == case_id)
    cosines = torch.tensor(case["cosine_logits"], dtype=dtype, requires_grad=True)
    scale = next_scale(cosines, torch.tensor(case["targets"]), torch.tensor(case["scale_before"], dtype=dtype))
    assert not scale.requires_grad
    assert scale.item() == pytest.approx(case["scale_after"], rel=tolerance)


def test_the_angle_is_at_most_a_quarter_of_pi():
    apart, labels, scale = torch.zeros(2, 3), torch.tensor([0, 1]), torch.tensor(2.0)
    assert next_scale(apart, labels, scale).item() == pytest.approx(0.6931 * 2**0.5, rel=1e-3)


def test_cosines_of_one_stay_finite():
    assert torch.isfinite(next_scale(torch.ones(2, 3), torch.tensor([0, 1]), torch.tensor(2.0)))
