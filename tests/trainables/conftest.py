"""Real archives, where they lie beside this checkout."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def _shared(name: str) -> Path:
    path = (SHARED_DATA / name).resolve()
    if not path.exists():
        pytest.skip(f"the shared data folder with {name} is not beside this checkout")
    return path


@pytest.fixture(scope="session")
def cub50_archive() -> Path:
    """CUB-200-2011, its first 50 classes: 1,500 training and 1,389 test images."""
    return _shared("cub200/CUB_200_2011.tgz")


@pytest.fixture(scope="session")
def tiny20_archive() -> Path:
    """Tiny ImageNet, its first 20 classes: 10,000 training and 1,000 test images."""
    return _shared("tiny_imagenet/tiny-imagenet-200.zip")


@pytest.fixture(scope="session")
def mit67_lists() -> tuple[Path, Path]:
    """The published lists of training and test images of MIT67."""
    return _shared("mit67/TrainImages.txt"), _shared("mit67/TestImages.txt")
