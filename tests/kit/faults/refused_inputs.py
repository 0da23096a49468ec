"""Inputs 1 to 31, 33 to 35 and 42 of the acceptance list: commands and the expected messages."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tests.kit.fakes.toy import STUDY

NAME = "my.yaml"
LARGE = "large.yaml"
HOSTILE = "<script>=cmd()\x1b[31m\x9b2J{{7*7}}\u202e\u2028"
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(30))


@dataclass(frozen=True)
class Case:
    """An input and the expected result.

    Attributes:
        number: Number in the acceptance list.
        what: Short description.
        says: Expected part of the error message, or of the output if the input is accepted.
        content: Content of the study file ``my.yaml``; None to write no file.
        arguments: Arguments of ``cskd``, which runs in the folder of the file.
        code: Expected exit code.
        prepare: Function that adds files to the folder.
        environment: Environment variables to set.
    """

    number: str
    what: str
    says: str
    content: str | bytes | None = None
    arguments: tuple[str, ...] = ("validate", NAME)
    code: int = 64
    prepare: Callable[[Path], None] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Writes the files of the folder in which the command runs."""
        if self.content is not None:
            content = self.content.encode() if isinstance(self.content, str) else self.content
            (folder / NAME).write_bytes(content)
        if self.prepare is not None:
            self.prepare(folder)


def edited(**changes: object) -> str:
    """Returns the toy study file with changed keys; ``search__trials=3`` sets ``search.trials``."""
    import yaml

    content = yaml.safe_load(STUDY)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = content
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return json.dumps(content)  # JSON is valid YAML


def space(**options: object) -> str:
    return edited(search__space={"temperature": options})


def grid(**options: object) -> str:
    return edited(search__space={"temperature": options}, search__sampler={"name": "grid"})


def large(folder: Path) -> None:
    with (folder / LARGE).open("wb") as file:
        file.truncate(100_000_000)


def made(content: str = STUDY, changed: str | None = None) -> Callable[[Path], None]:
    """Creates the study directory ``runs/toy``; ``changed`` records different ``code`` or ``data`` in it."""

    def make(folder: Path) -> None:
        from study.definition import loading
        from study.definition.yaml_reader import parse
        from study.driver import comparability
        from study.state import directory, provenance

        config = loading.build(parse(content.encode(), "toy"), "toy")
        place = directory.create(config, folder / "runs")
        if changed is None:
            return
        began_with = "0123456789abcdef" if changed == "code" else provenance.code_digest()
        with patch.object(provenance, "code_digest", return_value=began_with):
            provenance.note(place, "launch", config.digest(), [])
        with directory.open_study(place) as study:
            for key, value in comparability.check_data(config).items():
                study.store.set_study_attribute(key, "0123456789abcdef" if changed in key else value)

    return make


def given(setting: str) -> tuple[str, ...]:
    return ("launch", NAME, "--set", setting)


CASES = (
    Case("1", "empty file", "the file is empty; `cskd init` writes one to start from", ""),
    Case("1", "comments only", "the file is empty", "# nothing\n"),
    Case("2", "not YAML", "my.yaml, line 2, column 7: ", "name: [1, 2\nmethod: x\n"),
    Case("3", "binary", "not a UTF-8 text file; save it as UTF-8", bytes(range(256))),
    Case("3", "NUL", "special characters are not allowed", b"name: \x00"),
    Case("4", "UTF-16", "not a UTF-8 text file; save it as UTF-8", STUDY.encode("utf-16")),
    Case("4", "UTF-8 with BOM", "my.yaml: valid", b"\xef\xbb\xbf" + STUDY.encode(), code=0),
    Case("5", "duplicate key", "line 2, column 11: key 'lr' is given twice", "training:\n  {lr: 1, lr: 2}"),
    Case("6", "unknown key", "training.epoch: unknown key; did you mean 'epochs'?", edited(training__epoch=3)),
    Case("6", "unknown part", "no method is called 'cs_dk'; did you mean 'cs_kd'?", edited(method="cs_dk")),
    Case("7", "wrong type", "training.lr: input should be a valid number", edited(training__lr="fast")),
    Case("7", "list for a mapping", "search: is a mapping of keys, not [1]", edited(search=[1])),
    Case("8", "1e-3 as text", "my.yaml: valid", STUDY.replace("{epochs: 4", "{lr: 1e-3, epochs: 4"), code=0),
    Case(
        "9",
        "on for a name",
        "method: is true or false in YAML, as on, off, yes and no are; give the name of one of: adacos",
        STUDY.replace("method: cs_kd", "method: on"),
    ),
    Case(
        "9",
        "yes for the name",
        "name: input should be a valid string, not True; YAML reads on, off, yes and no as true",
        STUDY.replace("name: toy", "name: yes"),
    ),
    Case("10", "alias bomb", "aliases (*name) are not allowed", BOMB),
    Case("11", "3,000 levels", "nested too deeply", "a: " + 3000 * "[" + 3000 * "]"),
    Case("12", "100 MB", "100,000,000 bytes is too large", arguments=("validate", LARGE), prepare=large),
    Case(
        "13",
        "Python object",
        "the tag tag:yaml.org,2002:python/object/apply:os.system is not allowed",
        "a: !!python/object/apply:os.system [ls]",
    ),
    Case("14", "NaN", "training.lr: input should be a finite number", STUDY.replace("{epochs", "{lr: .nan, epochs")),
    Case(
        "14", "infinity", "training.lr: input should be a finite number", STUDY.replace("{epochs", "{lr: .inf, epochs")
    ),
    Case("15", "empty space", "search.space: is empty; leave it out", edited(search__space={})),
    Case("16", "no choices", "search.space.temperature: choices is a list with at least one", space(choices=[])),
    Case("17", "low > high", "search.space.temperature: low (4) is greater than high (1)", space(low=4, high=1)),
    Case("18", "low = high", "temperature 2 to 2", space(low=2, high=2), code=0),
    Case("19", "log from 0", "a logarithmic range starts above 0, not at 0", space(low=0, high=1, log=True)),
    Case("20", "NaN bound", "low is a finite number, not nan", space(low=1, high=2).replace('"low": 1', '"low": .nan')),
    Case(
        "20",
        "infinite bound",
        "high is a finite number, not inf",
        space(low=1, high=0).replace('"high": 0', '"high": .inf'),
    ),
    Case("21", "step 0", "step must be greater than 0, not 0", space(low=1, high=2, step=0)),
    Case(
        "22", "step does not divide", "step 0.3 does not divide the range from 1 to 2", space(low=1, high=2, step=0.3)
    ),
    Case("23", "choice twice", "choices contain a duplicate value: [1, 1]", space(choices=[1, 1])),
    Case("24", "/ in a name", "'a/b' is not the name of a parameter", edited(search__space={"a/b": {"choices": [1]}})),
    Case(
        "25",
        "parameter of another method",
        "cs_kd has no parameter 'epsilon'; it has temperature",
        edited(search__space={"epsilon": {"choices": [1]}}),
    ),
    Case("26", "grid of 10^7", "a grid of 10,000,001 points is too large", grid(low=1, high=2, step=1e-7)),
    Case(
        "27", "trials 0", "search.trials: input should be greater than or equal to 1, not 0", edited(search__trials=0)
    ),
    Case("27", "--set trials=-1", "search.trials: input should be greater", STUDY, given("search.trials=-1")),
    Case("28", "concurrency -1", "resources.max_concurrent: input", edited(resources={"max_concurrent": -1})),
    Case("29", "unknown objective", "'validation/top1' is not", edited(search__objectives=["validation/top1"])),
    Case("30", "retries -1", "resources.retries: input should be greater", edited(resources={"retries": -1})),
    Case("31", "grace 1.5", "search.scheduler.grace: input", edited(search__scheduler={"name": "asha", "grace": 1.5})),
    Case("31", "reduction 1", "scheduler.reduction: input", edited(search__scheduler={"name": "asha", "reduction": 1})),
    *(
        Case("33", f"name {shown}", "name: a name has 1 to 100 letters, digits", edited(name=name), ("launch", NAME))
        for shown, name in {
            "../x": "../x",
            "/abs": "/abs",
            "empty": "",
            "of 300": 300 * "x",
            "newline": "a\nb",
            "trailing dot": "dot.",
        }.items()
    ),
    Case(
        "34",
        "the same study",
        "already holds this study; resume it with `cskd resume",
        STUDY,
        ("launch", NAME),
        prepare=made(),
    ),
    Case(
        "34",
        "another space",
        "search.space.temperature.high: 4.0 there, 2.0 here",
        space(low=1, high=2),
        ("launch", NAME),
        prepare=made(),
    ),
    Case(
        "34",
        "another objective",
        "['validation/top1_error'] there, ['validation/nll'] here",
        edited(search__objectives=["validation/nll"]),
        ("launch", NAME),
        prepare=made(),
    ),
    Case(
        "34",
        "other data",
        "dataset.validation.per_class: 8 there, 9 here",
        STUDY,
        given("dataset.validation.per_class=9"),
        prepare=made(),
    ),
    Case(
        "35",
        "other code",
        "code changed since the study began",
        None,
        ("resume", "runs/toy"),
        prepare=made(changed="code"),
    ),
    Case(
        "35",
        "other data",
        "data changed since the study began",
        None,
        ("resume", "runs/toy"),
        prepare=made(changed="data"),
    ),
    Case("42", "hostile name", "input should be a valid string, not ['<script>", edited(name=[HOSTILE])),
    Case("42", "hostile key", "unknown key", edited(**{HOSTILE: 1})),
    Case("42", "hostile method", "no method is called", edited(method=HOSTILE)),
    Case("42", "method of 10 kB", "no method is called", edited(method=10_000 * "x")),
    Case("42", "key of 10 kB", "unknown key", f"? {10_000 * 'x'}\n: 1\n{STUDY}"),
    Case("42", "hostile file", "matches no preset and no file", None, ("launch", f"{HOSTILE}\n.yaml")),
    Case(
        "42", "hostile parameter", "is not the name of a parameter", edited(search__space={HOSTILE: {"choices": [1]}})
    ),
    Case("42", "hostile choice", "input should be a valid number", space(choices=[HOSTILE, "x"])),
    Case("42", "hostile option", "No such option", None, ("launch", f"--{HOSTILE}\n")),
    Case(
        "42",
        "password in a URI",
        "holds a user or password; leave it out",
        edited(tracking={"uri": "http://me:secret@host"}),
    ),
)
