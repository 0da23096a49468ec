import subprocess
import sys

import pytest


@pytest.mark.slow
def test_data_sets_models_and_transforms_work_in_a_fresh_process():
    script = """
import torch
from trainables.models.layers.torchvision_import import datasets, models, transforms
assert datasets.CIFAR100.url.endswith("cifar-100-python.tar.gz")
network = models.resnet18(num_classes=3).eval()
assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
crop = transforms.RandomResizedCrop(8, antialias=True)
assert crop(torch.zeros(3, 16, 16, dtype=torch.uint8)).shape == (3, 8, 8)
import torchvision
assert torchvision.models is models
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
