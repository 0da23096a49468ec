import torch

from trainables.losses.virtual_logit import virtual_logit


def test_it_is_the_logit_of_the_virtual_weight():
    torch.manual_seed(0)
    features, weight, labels = torch.randn(5, 4), torch.randn(3, 4), torch.tensor([0, 2, 1, 1, 0])
    virtual = weight[labels].norm(dim=1, keepdim=True) * features / features.norm(dim=1, keepdim=True)
    torch.testing.assert_close(virtual_logit(features, weight, labels), (virtual * features).sum(dim=1))


def test_the_virtual_logit_is_not_smaller_than_the_label_logit():
    torch.manual_seed(0)
    features, weight, labels = torch.randn(50, 4), torch.randn(3, 4), torch.randint(3, (50,))
    assert (virtual_logit(features, weight, labels) >= (features @ weight.T).gather(1, labels[:, None])[:, 0]).all()


def test_half_precision_is_computed_in_float32():
    half = torch.ones(2, 3, dtype=torch.bfloat16)
    assert virtual_logit(half, half, torch.tensor([0, 1])).dtype is torch.float32
