import pytest
import torch

from trainables.batches.mixing import draw_mixing

CPU = torch.device("cpu")


def drawn(alpha=1.0, seed=0, epoch=0, sizes=(8, 8, 3)):
    return list(draw_mixing(alpha, seed, epoch, sizes, CPU))


def test_each_batch_has_its_own_share_and_permutation():
    mixings = drawn()
    assert [sorted(mixing.order.tolist()) for mixing in mixings] == [list(range(size)) for size in (8, 8, 3)]
    assert len({float(mixing.share) for mixing in mixings}) == 3
    assert all(mixing.share.shape == () and 0 <= mixing.share <= 1 for mixing in mixings)


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}])
def test_the_mixing_depends_on_seed_and_epoch(other):
    assert [float(mixing.share) for mixing in drawn()] == [float(mixing.share) for mixing in drawn()]
    assert [float(mixing.share) for mixing in drawn()] != [float(mixing.share) for mixing in drawn(**other)]


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_are_distributed_as_beta(alpha):
    shares = torch.stack([mixing.share for mixing in drawn(alpha, sizes=[1] * 4000)])
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)
