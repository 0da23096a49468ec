"""Shared fixtures and settings of all tests."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = REPOSITORY / ".." / "shared" / "data"

with contextlib.suppress(ImportError):  # a GPU machine may lack it, and tests/gpu does not need it
    from hypothesis import settings

    # Machines are shared, so the duration of an example says nothing about the code.
    settings.register_profile("cskd", deadline=None)
    settings.load_profile("cskd")

pytest_plugins = ["tests.kit.fixtures.archives"]
if all(map(find_spec, ("optuna", "mlflow", "altair"))):  # a GPU machine may lack them, and tests/gpu does not need them
    pytest_plugins += ["tests.kit.fixtures.studies", "tests.kit.fixtures.results"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Registers the option of pytest-timeout, which GPU machines may lack."""
    with contextlib.suppress(ValueError):  # the plug-in is installed
        parser.addini("timeout", "time limit of a test in seconds, if pytest-timeout is installed")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker of pytest-timeout."""
    config.addinivalue_line("markers", "timeout(seconds): time limit of a test in seconds")


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Sections of the numeric acceptance cases."""
    return json.loads((REPOSITORY / "tests" / "data" / "golden.json").read_text())["sections"]


@pytest.fixture(scope="session")
def cifar100_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that contains the published ``cifar-100-python``."""
    script = SHARED_DATA / "unpack_cifar100.py"
    if not script.exists():
        pytest.skip("the shared data folder with CIFAR-100 is not beside this checkout")
    root = tmp_path_factory.mktemp("cifar100")
    subprocess.run([sys.executable, str(script), str(root)], check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("chromium is not installed")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=quiet)
        yield opened
        opened.close()


class LogitsForward:
    """Network that returns its input as logits and features, so that tests can define a batch by its logits.

    Attributes:
        calls: ``student``, ``teacher`` and ``pretrained`` passes in order, each with its input.
        pretrained_logits: Logits that the trained teacher returns for any input.
        classifier: Last layer, for methods that use it.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.pretrained_logits: Any = None
        self.classifier: Any = None

    def pretrained(self, images: Any) -> Any:
        self.calls.append(("pretrained", images))
        return SimpleNamespace(logits=self.pretrained_logits, features=None)

    def student(self, images: Any) -> Any:
        self.calls.append(("student", images))
        return SimpleNamespace(logits=images, features=images)

    def teacher(self, images: Any) -> Any:
        self.calls.append(("teacher", images))
        return SimpleNamespace(logits=images.detach(), features=images.detach())


@pytest.fixture
def logits_forward() -> LogitsForward:
    """Network that returns its input."""
    return LogitsForward()


@pytest.fixture
def as_values() -> Any:
    """Function that converts hyperparameters to the scalar float64 tensors that methods expect."""
    import torch

    def convert(options: Mapping[str, float]) -> dict[str, Any]:
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in options.items()}

    return convert
