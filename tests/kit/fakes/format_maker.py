"""Writes the test archive of a file format: ``python -m tests.kit.fakes.format_maker``.

The archive contains a toy study whose driver was killed during the search, with finished, running and failed trials and
intermediate results, and a real training run that stopped after two of four epochs. Run once per released format.
"""

import contextlib
import io
import sys
import tarfile
import tempfile
from pathlib import Path
from unittest.mock import patch

from study.definition import loading, yaml_reader
from study.outcome import result_files
from study.state import directory as study_directory
from study.state import provenance
from tests.kit.fakes.executor import DriverKilledError, Executor
from tests.kit.fakes.toy import STUDY
from tests.kit.inputs.training import small_config
from trainables.training.run import Run

FOLDER = Path(__file__).parents[2] / "promises" / "formats"
SMALL = {"name": "preact_resnet10", "width": 1, "input_size": 8}


def make(storage: Path) -> None:
    """Creates ``storage/toy`` and ``storage/run``."""
    config = loading.build(yaml_reader.parse(STUDY.encode(), "toy"), "toy")
    directory = study_directory.create(config, storage)
    sys.argv = ["cskd", "launch", "toy.yaml"]
    provenance.note(directory, "launch", config.digest(), [])
    with study_directory.open_study(directory) as study:
        with contextlib.suppress(DriverKilledError):
            Executor(study, fault).run()
        result_files.write_results(study)
    run = Run(small_config(model=SMALL), storage / "run")
    for _ in range(2):
        run.advance()
    run.close()


def fault(assignment, epoch: int) -> str | None:
    """Makes one trial diverge and kills the driver at the sixth trial."""
    return {(1, 2): "nan", (5, 2): "driver"}.get((assignment.number, epoch))


def packed(storage: Path) -> bytes:
    """Returns the folder as an archive without owners, times and lock files."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as tar:
        for path in sorted(storage.rglob("*")):
            if path.is_file() and path.suffix != ".lock":
                member = tarfile.TarInfo(str(path.relative_to(storage)))
                member.size = path.stat().st_size
                with path.open("rb") as content:
                    tar.addfile(member, content)
    return sink.getvalue()


def main() -> None:
    """Writes the archive, without the host name, platform and commit of this machine."""
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("socket.gethostname", return_value="host"),
        patch("platform.platform", return_value="Linux"),
        patch.object(provenance, "git_commit", return_value=None),
    ):
        make(Path(folder))
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{yaml_reader.FORMAT}.tar.gz").write_bytes(packed(Path(folder)))


if __name__ == "__main__":
    main()
