import torch

from trainables.models.layers.cosine_head import CosineHead


def test_logits_do_not_depend_on_norms():
    torch.manual_seed(0)
    head, features = CosineHead(4, 3, 5.0, scaled=True), torch.randn(6, 4)
    torch.testing.assert_close(head(features), head(7 * features))
    assert head(features).abs().max() <= 1


def test_evaluation_is_scaled_and_training_is_not():
    torch.manual_seed(0)
    head, features = CosineHead(4, 3, 5.0, scaled=True), torch.randn(6, 4)
    cosines = head(features)
    torch.testing.assert_close(head.eval()(features), 5 * cosines)


def test_the_scale_is_saved_and_not_trained():
    head = CosineHead(4, 3, 5.0, scaled=True)
    assert head.state_dict()["scale"].item() == 5.0
    assert [name for name, _ in head.named_parameters()] == ["weight"]


def test_cosines_are_float32_under_autocast():
    head = CosineHead(4, 3, 5.0, scaled=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert head(torch.randn(2, 4).bfloat16()).dtype is torch.float32
