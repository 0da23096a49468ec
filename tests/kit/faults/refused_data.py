"""Inputs 36 to 41 of the acceptance list: data, checkpoints, result files and services."""

import pickle
from collections.abc import Callable
from pathlib import Path

from tests.kit.fakes.toy import STUDY
from tests.kit.faults.refused_inputs import NAME, Case, edited, given

CANARY = "canary-5e1f"
COUNTS = "classes=2,train=6,test=4"
LAUNCH = ("launch", NAME)
BEST = ("best", "runs/toy")
DATABASE = "CSKD_DATABASE_URL"


class Code:
    """Creates the folder ``ran`` when unpickled."""

    def __reduce__(self) -> tuple:
        return Path.mkdir, (Path("ran"),)


def folder_of_images(**classes: int) -> Callable[[Path], None]:
    """Creates the folder ``images`` with the given number of images per class."""

    def make(folder: Path) -> None:
        from tests.kit.inputs.archive_maker import picture

        for name, count in classes.items():
            (folder / "images" / name).mkdir(parents=True)
            for number in range(count):
                (folder / "images" / name / f"{number}.jpg").write_bytes(picture(number, (8, 8)))

    return make


def own_images(**options: object) -> str:
    return edited(
        dataset={"name": "image_folder", "root": "images", "size": 8, "validation": {"per_class": 1}, **options}
    )


def labels(*values: int) -> Callable[[Path], None]:
    """Writes the custom data set ``strange.py`` with these training labels."""

    def make(folder: Path) -> None:
        (folder / "strange.py").write_text(
            "import numpy as np\n"
            "from trainables.datasets.digits import Digits\n"
            "from trainables.interfaces import LabelledImages\n"
            "class Strange(Digits):\n"
            "    def _read(self, part):\n"
            f"        labels = np.array({list(values)})\n"
            "        return LabelledImages(np.zeros((len(labels), 8, 8, 1), np.uint8), labels, ('a', 'b'))\n"
        )

    return make


def archive(**members: bytes | None) -> Callable[[Path], None]:
    """Creates ``birds.tgz``, a small CUB-200-2011 with changed members."""

    def make(folder: Path) -> None:
        from tests.kit.inputs.archive_maker import birds, tar_of

        tar_of(folder / "birds.tgz", birds(changes=members), "w:gz")

    return make


def archive_with(kind: bytes, name: str = "evil", target: str = "") -> Callable[[Path], None]:
    """Creates ``birds.tgz`` with one member of the given type."""

    def make(folder: Path) -> None:
        import tarfile

        from tests.kit.inputs.archive_maker import plain_member

        member = plain_member(name, 0)
        member.type, member.linkname = kind, target
        with tarfile.open(folder / "birds.tgz", "w:gz") as tar:
            tar.addfile(member)

    return make


def unpacked(prepare: Callable[[Path], None], what: str, says: str, number: str = "38", *more: str) -> Case:
    def make(folder: Path) -> None:
        (folder / "data" / "cub200").mkdir(parents=True)
        prepare(folder)

    command = ("data", "prepare", "cub200", "--root", "data", "--archive", "birds.tgz", *more)
    return Case(number, what, says, None, command, 65, make)


def teacher(write: Callable[[Path], None]) -> Callable[[Path], None]:
    """Creates ``teacher.pt`` and its checksum."""

    def make(folder: Path) -> None:
        from trainables.files.durable import sha256_of
        from trainables.runs.checkpoint_names import checksum_of

        path = folder / "teacher.pt"
        write(path)
        checksum_of(path).write_text(sha256_of(path.read_bytes()))

    return make


def of_other_weights(path: Path) -> None:
    """Writes a checkpoint whose configuration does not match its weights."""
    from study.definition import loading
    from study.definition.yaml_reader import parse
    from tests.kit.fakes.toy import STUDY
    from trainables.runs import checkpoint

    config = loading.build(parse(STUDY.encode(), "toy"), "toy").search_config({}, 0)
    classes = config.dataset.training_images().classes
    checkpoint.save(path, {"config": config.model_dump(mode="json"), "classes": list(classes), "model": {}})


def taught(write: Callable[[Path], None], what: str, says: str) -> Case:
    kd = {"name": "kd", "teacher": {"checkpoint": "teacher.pt"}}
    space = {"temperature": {"choices": [1, 4]}}
    return Case("39", what, says, edited(method=kd, search__space=space), LAUNCH, 65, teacher(write))


def result_files(spoil: Callable[[Path], None]) -> Callable[[Path], None]:
    """Creates the results of ``runs/toy`` and damages them."""

    def make(folder: Path) -> None:
        from analysis.records import result_files as records

        records.write(folder / "runs/toy/results", trials=[], epochs=[], confirmations=[], study={})
        spoil(folder / "runs/toy/results" / "trials.parquet")

    return make


def of_something_else(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"temperature": [1.0]}), path)


def newer(path: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata(table.schema.metadata | {b"cskd.schema": b"99"}), path)


def in_database(url: str, what: str, says: str, code: int = 64) -> Case:
    content = edited(database={"env": DATABASE})
    return Case("41", what, says, content, LAUNCH, code, environment={DATABASE: url})


DATA_CASES = (
    Case("36", "no folder", "images does not exist", own_images(), LAUNCH, 65),
    Case("36", "one class", "contains 1 folders", own_images(), LAUNCH, 65, folder_of_images(ant=4)),
    Case("36", "empty class", "class 'bee' in", own_images(), LAUNCH, 65, folder_of_images(ant=9, bee=0, cat=9)),
    Case(
        "36", "one image in a class", "class pairs need two", own_images(), LAUNCH, 65, folder_of_images(ant=9, bee=1)
    ),
    Case(
        "36",
        "validation leaves one",
        "make the validation split smaller",
        own_images(validation={"per_class": 7}),
        LAUNCH,
        65,
        folder_of_images(ant=10, bee=10),
    ),
    *(
        Case(
            "36",
            f"label {value}",
            "label",
            edited(dataset={"name": "strange:Strange"}),
            LAUNCH,
            65,
            labels(0, 0, value),
        )
        for value in (-1, 2)
    ),
    unpacked(archive(), "another archive", "is not the published CUB_200_2011.tgz", "37"),
    unpacked(archive_with(b"2", target="/etc/passwd"), "link", "is a link or a device", "38", "--expect", COUNTS),
    unpacked(archive_with(b"3"), "device", "is a link or a device", "38", "--expect", COUNTS),
    unpacked(archive_with(b"0", "../evil"), "parent", "would lie outside the target", "38", "--expect", COUNTS),
    unpacked(archive_with(b"0", "/tmp/evil"), "absolute", "would lie outside the target", "38", "--expect", COUNTS),
    unpacked(archive(zeros=bytes(150 << 20)), "bomb", "become larger than any published", "38", "--expect", COUNTS),
    unpacked(lambda folder: (folder / "birds.tgz").write_bytes(b"junk"), "junk", "unpacked", "38", "--expect", COUNTS),
    taught(lambda path: path.write_bytes(pickle.dumps(Code())), "pickle", "cannot be read as tensors and numbers"),
    taught(of_other_weights, "other weights", "its weights are not those of preact_resnet10"),
    Case("40", "another table", "not a result file of cs-kd-study", None, BEST, 65, result_files(of_something_else)),
    Case("40", "a newer version", "has schema 99, this version reads", None, BEST, 65, result_files(newer)),
    Case("40", "no Parquet", "is damaged", None, BEST, 65, result_files(lambda path: path.write_text("a,b\n"))),
    *(
        Case("41", f"address {address}", says, STUDY, (*LAUNCH, "--address", address))
        for address, says in {
            "host": "--address host: give local, or host:port",
            "auto": "--address auto would join any cluster",
            "ray://host:10001": "Ray Client cannot carry a study's driver",
        }.items()
    ),
    Case("41", "no server at the address", "cannot be reached", STUDY, (*LAUNCH, "--address", "127.0.0.1:1"), 69),
    Case(
        "41", "no tracking URI", "tracking.uri: a URI begins with one of", STUDY, given("tracking.uri=localhost:5000")
    ),
    Case(
        "41",
        "no tracking URI in the environment",
        "MLFLOW_TRACKING_URI: is not a URI",
        STUDY,
        LAUNCH,
        environment={"MLFLOW_TRACKING_URI": f"http://me:{CANARY}@host:port"},
    ),
    Case(
        "41",
        "database without its variable",
        "is not set in the environment",
        edited(database={"env": "NOT_SET"}),
        LAUNCH,
    ),
    Case(
        "41", "database by value", "never the URL itself", edited(database=f"postgresql://me:{CANARY}@host/db"), LAUNCH
    ),
    in_database(f"me:{CANARY}@host", "no URL", f"{DATABASE} does not hold a URL"),
    in_database(f"mysql://me:{CANARY}@host/db", "database of another kind", "not of PostgreSQL"),
    in_database(f"postgresql://me:{CANARY}@127.0.0.1:1/db", "no server at the database", "127.0.0.1:1/db", 69),
)
