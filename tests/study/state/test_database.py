"""Tests trials in a shared database, on a real PostgreSQL server that is stopped and restarted."""

import tempfile
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from study.definition.service_sections import Database
from study.errors import CannotCreateError, ServiceError, StudyDirectoryError, StudyFileError, UsageError
from study.state import database
from study.state import directory as study_directory
from tests.kit.fakes.executor import Executor, Watcher
from tests.kit.faults.oracle import verify_study
from tests.kit.servers.postgresql_server import PASSWORD, PostgreSQL, binaries

REFERENCE = {"env": "CSKD_DATABASE_URL"}
MOUNTS = ["/dev/sda1 / ext4 rw 0 0", "server:/home /home nfs4 rw 0 0", r"//host/s /mnt/my\040share cifs rw 0 0"]


@pytest.fixture(scope="module")
def server():
    if binaries() is None:
        pytest.skip("no PostgreSQL on this machine (Debian's package is postgresql)")
    # The server runs as nobody, and each new pytest session removes access to pytest's own folders.
    with tempfile.TemporaryDirectory(prefix="cskd-pg-") as folder:
        server = PostgreSQL(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def shared(server, request, monkeypatch):
    """Creates a database, sets the environment variable to its URL, and returns its name."""
    name = f"d{abs(hash(request.node.name))}"
    monkeypatch.setenv("CSKD_DATABASE_URL", server.create(name))
    return name


def make(toy, storage, **overrides):
    return study_directory.create(toy(database=REFERENCE, **overrides), storage)


def run(directory, **options) -> None:
    with study_directory.open_study(directory) as study:
        Executor(study, **options).run()


def values(directory):
    with study_directory.open_study(directory) as study:
        return [(trial.params, trial.values, trial.state) for trial in study.store.trials("search")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "CSKD_DATABASE_URL is not set"),
        ("me:canary-1@host", "does not hold a URL"),
        ("mysql://me:canary-1@host/db", "a URL of mysql, not of PostgreSQL"),
        ("postgresql://me:canary-1@host:port/db", "does not hold a URL"),
    ],
)
def test_a_wrong_url_is_reported_without_showing_it(monkeypatch, tmp_path, content, message):
    monkeypatch.delenv("CSKD_DATABASE_URL", raising=False)
    if content is not None:
        monkeypatch.setenv("CSKD_DATABASE_URL", content)
    with pytest.raises(UsageError, match=message) as caught:
        database.url_of(Database(**REFERENCE), tmp_path)
    assert "canary" not in str(caught.value)
    assert "set CSKD_DATABASE_URL to postgresql://USER:PASSWORD@HOST/DATABASE" in str(caught.value)


def test_a_url_in_the_study_file_is_refused_without_showing_it(toy):
    with pytest.raises(StudyFileError, match=r"database: is \{env: NAME\}") as caught:
        toy(database="postgresql://me:canary-1@host/db")
    assert "canary" not in str(caught.value)


def test_messages_show_no_user_and_no_password():
    assert database.shown(make_url("postgresql://me:canary@host:5/db?password=canary")) == "postgresql://host:5/db"


@pytest.mark.parametrize("folder", ["/home/me/runs", "/mnt/my share/runs"])
def test_sqlite_is_refused_on_a_network_file_system(folder):
    with pytest.raises(CannotCreateError, match=r"network file system \((nfs4|cifs)\).*database: {env"):
        database.refuse_network_file_system(database.Path(folder), MOUNTS)


def test_a_local_file_system_is_fine(tmp_path):
    database.refuse_network_file_system(database.Path("/homework"), MOUNTS)
    database.refuse_network_file_system(tmp_path)


def test_an_unreachable_server_is_reported(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("CSKD_DATABASE_URL", "postgresql://me:canary-1@127.0.0.1:1/db")
    with pytest.raises(ServiceError, match=r"study database postgresql.*127\.0\.0\.1:1/db: .*refused") as caught:
        make(toy, tmp_path)
    assert "canary" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_wrong_password_is_reported_at_once(toy, tmp_path, server, monkeypatch):
    monkeypatch.setenv("CSKD_DATABASE_URL", server.url().replace(PASSWORD, "canary-1"))
    with pytest.raises(ServiceError, match="password authentication failed") as caught:
        make(toy, tmp_path)
    assert "canary" not in str(caught.value)


def test_a_study_in_postgresql_equals_one_in_sqlite(toy, tmp_path, shared, server, done_directory):
    directory = make(toy, tmp_path)
    run(directory)
    verify_study(directory)
    assert values(directory) == values(done_directory)
    assert not (directory / database.FILE_NAME).exists()
    assert PASSWORD.encode() not in server.dump(shared)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]


@pytest.mark.long
def test_two_studies_and_drivers_share_a_database(toy, tmp_path, shared, done_directory):
    directories = [make(toy, tmp_path, name=name) for name in ("one", "two")]
    drivers = [threading.Thread(target=run, args=(directory,)) for directory in directories]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    for directory in directories:
        verify_study(directory)
        assert values(directory) == values(done_directory)


def test_a_name_that_the_database_holds_for_another_directory_is_refused(toy, tmp_path, shared):
    run(make(toy, tmp_path / "here"), until="search")
    with pytest.raises(StudyDirectoryError, match="holds a study 'toy' of another directory"):
        make(toy, tmp_path / "there")
    assert not (tmp_path / "there").exists()
    run(tmp_path / "here" / "toy")
    verify_study(tmp_path / "here" / "toy")


def test_a_study_directory_does_not_open_the_trials_of_another(toy, tmp_path, shared):
    mine, copied = make(toy, tmp_path / "mine"), make(toy, tmp_path / "copied")  # both created before either starts
    run(mine, until="search")
    with pytest.raises(StudyDirectoryError, match="of another directory"):
        run(copied)


def test_a_discarded_study_leaves_nothing_in_the_database(toy, tmp_path, shared, server):
    directory = make(toy, tmp_path)
    with study_directory.open_study(directory) as study:
        study_directory.discard(study)
    assert server.query("SELECT count(*) FROM studies", shared).strip() == "0"
    run(make(toy, tmp_path))


@pytest.mark.fault(14)
def test_the_driver_waits_for_a_server_that_crashes_and_restarts(
    toy, tmp_path, shared, server, done_directory, record_property
):
    directory = make(toy, tmp_path)
    crashed, back, settled = [], [], []

    def restart():
        server.start()
        back.append(time.monotonic())

    def fault(assignment, epoch):
        if not crashed and (assignment.phase, epoch) == ("search", 2):
            server.stop()
            threading.Timer(1.0, restart).start()
            crashed.append(assignment.number)

    class Following(Watcher):
        def settled(self, assignment, *details):
            settled.append(time.monotonic())

    run(directory, fault=fault, listener=Following())
    first = min(moment for moment in settled if moment > back[0])
    verify_study(directory)
    assert values(directory) == values(done_directory)
    record_property("result", f"the next trial is stored {first - back[0]:.1f} s after the server is back")


@pytest.mark.fault(15)
def test_a_lost_server_ends_the_driver_and_a_resume_completes(
    toy, tmp_path, shared, server, done_directory, monkeypatch
):
    monkeypatch.setattr(database, "OUTAGE_SECONDS", 0.5)
    directory = make(toy, tmp_path)

    def fault(assignment, epoch):
        if (assignment.phase, epoch) == ("search", 2):
            server.stop()

    with pytest.raises(ServiceError, match="study database postgresql") as caught:
        run(directory, fault=fault)
    assert caught.value.exit_code == 69
    assert PASSWORD not in str(caught.value)
    server.start()
    run(directory)
    verify_study(directory)
    assert values(directory) == values(done_directory)
