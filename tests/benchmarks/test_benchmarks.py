"""Benchmarks compare equivalent work; tests do not check their times."""

import pytest
import torch

from tests.benchmarks.data import input_pipeline, photographs
from tests.benchmarks.gpu import epoch, packing, step, waits
from tests.benchmarks.material import CifarShaped, cifar_shaped, write_photographs
from tests.benchmarks.study import anatomy
from tests.benchmarks.training import accuracy
from tests.benchmarks.training.step import SideBySide
from tests.kit.inputs.archive_maker import birds, tar_of
from trainables.costs import side_by_side
from trainables.datasets.cub200 import Cub200
from trainables.interfaces import Counts
from trainables.preparation.extraction import unpack


def test_the_reference_step_and_the_projects_step_compute_the_same():
    trainers = SideBySide(width=8, batch_size=32)
    assert trainers.relative_difference(steps=1) < 1e-6
    weights, reference = (dict(model.state_dict()) for model in (trainers.ours.model, trainers.reference.model))
    for name, values in weights.items():  # includes the batch-norm statistics of both forward passes
        # The step changes weights by up to 2e-3. Torch's batch norm of channels_last images sums less exactly.
        torch.testing.assert_close(values, reference[name], rtol=1e-3, atol=5e-5, msg=name)
    assert trainers.relative_difference(steps=3) < 1e-4


def test_both_input_pipelines_produce_similar_images():
    images = cifar_shaped(1000)
    pairs, labels = next(iter(input_pipeline.reference_loader(images, workers=0)))
    batch = next(input_pipeline.our_pipeline(images).batches(0))
    ours = torch.cat([batch.views["anchor"], batch.views["partner"]])
    assert ours.shape == pairs.shape == (2 * input_pipeline.BATCH, 3, 32, 32)
    assert ours.dtype == pairs.dtype
    first, second = labels.chunk(2)
    assert torch.equal(first, second)
    # Noise with black borders: extremes agree to rounding, means of 786,432 values to sampling error.
    for statistic in (torch.amin, torch.amax):
        torch.testing.assert_close(statistic(ours, (0, 2, 3)), statistic(pairs, (0, 2, 3)), rtol=1e-5, atol=1e-5)
    for statistic in (torch.mean, torch.std):
        torch.testing.assert_close(statistic(ours, (0, 2, 3)), statistic(pairs, (0, 2, 3)), rtol=0.02, atol=0.02)


def test_both_pipelines_of_photographs_produce_similar_images(tmp_path):
    archive = tar_of(tmp_path / "CUB_200_2011.tgz", birds(train=40, test=1), "w:gz")
    unpack(archive, tmp_path / "plain")
    dataset = Cub200(root=tmp_path, expect=Counts(classes=2, train=80, test=2))
    dataset.prepare([archive])
    loader = photographs.reference_loader(tmp_path / "plain" / "CUB_200_2011" / "images", workers=0)
    reference, _ = next(iter(loader))
    batch = next(photographs.our_pipeline(dataset).batches(0))
    ours = torch.cat([batch.views["anchor"], batch.views["partner"]])
    assert ours.shape == reference.shape == (2 * photographs.BATCH, 3, 224, 224)
    assert ours.dtype == reference.dtype
    for statistic in (torch.mean, torch.std):
        torch.testing.assert_close(statistic(ours, (0, 2, 3)), statistic(reference, (0, 2, 3)), rtol=0.3, atol=0.3)


@pytest.mark.slow
def test_both_learn_the_digits():
    found = accuracy.compare(seeds=2, epochs=6)
    assert found["ours, final error"] < 0.3
    assert found["reference, final error"] < 0.3
    assert found["ours - reference, lower end of 95 %"] <= found["ours - reference, upper end of 95 %"]


def test_the_shares_of_a_step_add_up_to_one():
    found = anatomy.measure(width=8, batch_size=16, device=torch.device("cpu")).figures
    shares = [value for name, value in found.items() if name.endswith("share of a step")]
    assert sum(shares) == pytest.approx(1)
    assert all(value > 0 for name, value in found.items() if name.endswith("seconds a step") and "loss" not in name)


CPU = torch.device("cpu")
NARROW = {"name": "preact_resnet10", "width": 4}


def test_steps_are_compared_in_each_mode():
    cell = step.Cell("cifar100", NARROW, 32, 8, floor=1e6, share=0.0)
    found = step.compare(cell, CPU, ("eager", "recorded"), rounds=1, steps=2)
    assert found["preact_resnet10@32, best of ours, share of an H200's floor"] < 1
    assert {"preact_resnet10@32, reference / eager", "preact_resnet10@32, reference / recorded"} <= set(found)
    assert all(value > 0 for value in found.values())


def test_epochs_of_small_images_are_compared():
    dataset = CifarShaped(count=64, classes=4, validation={"per_class": 4})
    found = epoch.compare("small", epoch.small_images(dataset, NARROW, 16, CPU, workers=0), rounds=1)
    assert found["small, reference / ours"] > 0


@pytest.mark.slow
def test_epochs_of_photographs_are_compared(tmp_path):
    files = write_photographs(tmp_path / "images", classes=2, per_class=4, size=(320, 280))
    found = epoch.compare("large", epoch.photographs(files, "resnet10", 4, CPU, workers=0), rounds=1)
    assert found["large, reference / ours"] > 0


def test_an_epoch_reads_only_its_sums_from_the_device():
    dataset = CifarShaped(count=64, classes=4, validation={"per_class": 4})
    config = epoch.config_of(dataset, NARROW, 16, CPU)
    found = waits.waits_of(config, epoch.open_training_data(dataset, "train", CPU), CPU)
    assert found["reads from the device in an epoch"] == 3  # on a CPU, SGD reads its learning rate in each step


def test_packing_reports_trials_per_hour():
    found = side_by_side.Packing("a device", (1.0, 1.5), device_bytes=1, host_bytes=1)
    assert packing.figures("net", found) == {
        "net, 1 at once, trials an hour": 18.0,
        "net, 2 at once, trials an hour": 27.0,
        "net, at once in a study": 2,
    }
    assert packing.config_of(NARROW, "cpu", count=400).dataset.count == 400
