"""What the benchmarks compare does the same work; their times are no matter of tests."""

import torch
from archive_maker import birds, tar_of

from tests.benchmarks import input as input_benchmark
from tests.benchmarks import photographs
from tests.benchmarks.step import SideBySide
from trainables.datasets.cub200 import Cub200
from trainables.extraction import unpack
from trainables.interfaces import Counts


def test_the_reference_step_and_ours_compute_the_same():
    trainers = SideBySide(width=8, batch_size=32)
    assert trainers.relative_difference(steps=1) < 1e-6
    weights, reference = (dict(model.state_dict()) for model in (trainers.ours.model, trainers.reference.model))
    for name, values in weights.items():  # batch-norm statistics of both forwards among them
        # The step changes weights by up to 2e-3. Torch's batch norm of channels_last images sums less exactly.
        torch.testing.assert_close(values, reference[name], rtol=1e-3, atol=5e-5, msg=name)
    assert trainers.relative_difference(steps=3) < 1e-4


def test_both_input_pipelines_make_the_same_kind_of_images():
    images = input_benchmark.random_images(1000)
    pairs, labels = next(input_benchmark.reference_batches(images, workers=0))
    batch = next(input_benchmark.our_pipeline(images).batches(0))
    ours = torch.cat([batch.views["anchor"], batch.views["partner"]])
    assert ours.shape == pairs.shape == (2 * input_benchmark.BATCH, 3, 32, 32)
    assert ours.dtype == pairs.dtype
    first, second = labels.chunk(2)
    assert torch.equal(first, second)
    # Noise with black borders: extremes agree to rounding, means of 786,432 values to sampling error.
    for statistic in (torch.amin, torch.amax):
        torch.testing.assert_close(statistic(ours, (0, 2, 3)), statistic(pairs, (0, 2, 3)), rtol=1e-5, atol=1e-5)
    for statistic in (torch.mean, torch.std):
        torch.testing.assert_close(statistic(ours, (0, 2, 3)), statistic(pairs, (0, 2, 3)), rtol=0.02, atol=0.02)


def test_both_pipelines_of_photographs_make_the_same_kind_of_images(tmp_path):
    archive = tar_of(tmp_path / "CUB_200_2011.tgz", birds(train=40, test=1), "w:gz")
    unpack(archive, tmp_path / "plain")
    dataset = Cub200(root=tmp_path, expect=Counts(classes=2, train=80, test=2))
    dataset.prepare([archive])
    reference, _ = next(photographs.reference_batches(tmp_path / "plain" / "CUB_200_2011" / "images", workers=0))
    batch = next(photographs.our_pipeline(dataset).batches(0))
    ours = torch.cat([batch.views["anchor"], batch.views["partner"]])
    assert ours.shape == reference.shape == (2 * photographs.BATCH, 3, 224, 224)
    assert ours.dtype == reference.dtype
    for statistic in (torch.mean, torch.std):
        torch.testing.assert_close(statistic(ours, (0, 2, 3)), statistic(reference, (0, 2, 3)), rtol=0.3, atol=0.3)
