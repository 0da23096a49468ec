"""Tests the flags of the released code for a baseline; the tests of exports cover the rest."""

from analysis.paper.released_flags import flags


def test_cross_entropy_needs_no_pairs() -> None:
    training = {"epochs": 90, "batch_size": 32, "lr": 0.05, "weight_decay": 5e-4, "milestones": (0.5, 0.75)}
    config = {"dataset": {"name": "cub200"}, "model": {"name": "resnet18"}, "training": training}
    assert flags(config | {"method": {"name": "cross_entropy"}}) == [
        *("--dataset", "CUB200", "--model", "resnet18", "--epoch", "90", "--batch-size", "32"),
        *("--lr", "0.05", "--decay", "0.0005"),
    ]
