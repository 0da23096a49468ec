"""Toy studies: real files, real database, fake executor."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from study import cli
from study.definition import study_config, yaml_reader
from study.definition.study_config import StudyConfig
from study.state import directory as study_directory
from study.state.directory import Study
from tests.kit.fakes.executor import Executor
from tests.kit.fakes.toy import STUDY
from tests.kit.servers.mlflow_server import Proxy, Server


def toy_config(**overrides: Any) -> StudyConfig:
    """The toy study; ``search__trials=3`` stands for ``search.trials``."""
    content = yaml_reader.parse(STUDY.encode(), "toy")
    for name, value in overrides.items():
        yaml_reader.override(content, name.replace("__", "."), value)
    return study_config.build(content, "toy")


@pytest.fixture
def new_study(tmp_path: Path) -> Iterator[Callable[..., Study]]:
    """Makes and opens toy studies; the same name opens the study again, as a resumed driver does."""
    with ExitStack() as stack:

        def make(**overrides: Any) -> Study:
            config = toy_config(**overrides)
            if not (tmp_path / config.name).exists():
                study_directory.create(config, tmp_path)
            return stack.enter_context(study_directory.open_study(tmp_path / config.name))

        yield make


@pytest.fixture(scope="session")
def toy() -> Callable[..., StudyConfig]:
    """Builds the toy's configuration with overrides."""
    return toy_config


@pytest.fixture(scope="session")
def done_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished toy study; tests only read it."""
    directory = study_directory.create(toy_config(), tmp_path_factory.mktemp("storage"))
    with study_directory.open_study(directory) as study:
        Executor(study).run()
    return directory


@pytest.fixture(scope="session")
def searched_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy study that was stopped before the confirmation; tests only read it."""
    directory = study_directory.create(toy_config(), tmp_path_factory.mktemp("storage"))
    with study_directory.open_study(directory) as study:
        Executor(study, until="search").run()
    return directory


@pytest.fixture
def cskd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Runs a command in this process: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("CSKD_STORAGE", raising=False)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cskd", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def empty_tracking_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs; making one takes seconds, so tests copy it."""
    from study.tracking.mlflow_client import TrackingService

    folder = tmp_path_factory.mktemp("mlflow")
    TrackingService(f"sqlite:///{folder / 'mlflow.db'}", folder, "empty", lambda: None)
    return folder / "mlflow.db"


@pytest.fixture
def local_tracking(tmp_path: Path, empty_tracking_database: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The default store of a storage folder, ready for use; its URI."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_tracking_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real MLflow server that all tests share."""
    server = Server(tmp_path_factory.mktemp("server")).start()
    yield server
    server.kill()


@pytest.fixture
def proxy(mlflow_server: Server) -> Iterator[Proxy]:
    """What stands before the server and can spoil requests."""
    proxy = Proxy(mlflow_server)
    yield proxy
    proxy.close()
