"""``cskd``: parses, calls, prints. Heavy libraries are loaded by what is called, so that help answers at once."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from study.errors import INTERNAL, NothingSucceededError, code_and_line

if TYPE_CHECKING:
    from study.runner import Ending

app = typer.Typer(
    name="cskd",
    help="Hyperparameter studies of class-wise self-knowledge distillation (CS-KD).",
    epilog="Start with: cskd launch digits --storage runs",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A study directory.", show_default=False)]
Storage = Annotated[
    Path | None, typer.Option(help="Folder of the study directories [env: CSKD_STORAGE; default: runs].")
]
Address = Annotated[str | None, typer.Option(help="Ray: local or host:port [env: RAY_ADDRESS].")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Changed = Annotated[bool, typer.Option("--allow-changed", help="Go on although code or data have changed.")]


def say(text: str) -> None:
    """Prints a line to standard output, without markup."""
    Console(soft_wrap=True).print(text, markup=False, highlight=False)


# --- what there is ---------------------------------------------------------------------------------------------------


@app.command()
def presets() -> None:
    """List the studies that come with the package."""
    from study import config

    for name in config.presets():
        study = config.load(name)
        parts = (study.method.part_name(), study.dataset.part_name(), study.model.part_name())
        say(f"{name}: {parts[0]} on {parts[1]} with {parts[2]}, {study.search.trials} trials")


@app.command()
def methods() -> None:
    """List the training methods."""
    _parts("methods")


@app.command()
def models() -> None:
    """List the models."""
    _parts("models")


@app.command()
def datasets() -> None:
    """List the data sets."""
    _parts("datasets")


# --- run -------------------------------------------------------------------------------------------------------------


@app.command()
def launch(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A preset's name or a study file.", show_default=False)],
    storage: Storage = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. search.trials=8.")
    ] = None,
    address: Address = None,
    until: Annotated[Literal["search", "confirm"], typer.Option(help="Where to stop.")] = "confirm",
) -> None:
    """Run a study: search, confirm with fresh seeds, read the test set once.

    Example: cskd launch digits --storage runs --set search.trials=8
    """
    from study import api, environment, study_file

    folder, overrides = environment.storage_folder(storage), study_file.parse_settings(settings or [])
    directory, ending = api.launch(study, folder, overrides=overrides, address=address, until=until)
    _finish(directory, ending)


@app.command()
def resume(
    directory: Directory,
    trials: Annotated[int | None, typer.Option(min=1, help="Search trials in total from now on.")] = None,
    address: Address = None,
    allow_changed: Changed = False,
) -> None:
    """Go on with a study where it stopped, or extend one that has ended."""
    from study import api

    ending = api.resume(directory, trials=trials, address=address, allow_changed=allow_changed)
    _finish(directory, ending)


@app.command()
def confirm(directory: Directory, address: Address = None, allow_changed: Changed = False) -> None:
    """Confirm finalists and controls of a study that was searched with --until search."""
    from study import api

    ending = api.resume(directory, address=address, until="confirm", allow_changed=allow_changed, action="confirm")
    _finish(directory, ending)


@app.command()
def stop(directory: Directory) -> None:
    """Ask the driver of a study to stop cleanly."""
    from study import lease

    holder = lease.stop_holder(directory)
    say(f"asked {holder} to stop; `cskd resume {directory}` goes on")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="best_config.yaml, or any run's configuration.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("run"),
    test: Annotated[bool, typer.Option("--test", help="Read the test set at the last epoch; it is ledgered.")] = False,
) -> None:
    """Train one configuration without Ray."""
    from study import single_run

    outcome = single_run.train(single_run.read_train_config(config), out.absolute(), Console(), test=test)
    for name, value in sorted(outcome.metrics.items()):
        say(f"{name} {value:.6f}")
    say(f"{outcome.state} after {outcome.epoch} epochs: {out}{': ' + outcome.error if outcome.error else ''}")
    if outcome.state != "finished":
        raise typer.Exit(1)


# --- look ------------------------------------------------------------------------------------------------------------


@app.command()
def status(directory: Directory, as_json: AsJson = False) -> None:
    """Show what a study is doing."""
    from analysis.tables import to_text
    from study import status as study_status
    from study.directory import open_study

    with open_study(directory) as study:
        found = study_status.describe(study)
    if as_json:
        say(json.dumps(found, indent=1))
        return
    say(to_text(study_status.table(found)))


@app.command("list")
def list_studies(storage: Storage = None, as_json: AsJson = False) -> None:
    """List the studies of a storage folder."""
    from analysis.tables import to_text
    from study import environment
    from study import status as study_status
    from study.directory import open_study, studies_in
    from trainables.errors import CskdError

    found: list[dict[str, Any]] = []
    for directory in studies_in(environment.storage_folder(storage)):
        try:
            with open_study(directory) as study:
                found.append(study_status.describe(study))
        except CskdError as error:  # one bad study must not hide the others
            found.append({"name": directory.name, "error": str(error).splitlines()[0]})
    if as_json:
        say(json.dumps(found, indent=1))
        return
    say(to_text(study_status.summary(found)))


@app.command()
def logs(
    directory: Directory,
    trial: Annotated[str, typer.Argument(help="7 or search/7, controls/0, confirm/2.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show the epochs of a trial."""
    from study.trial_log import describe, rows

    found = rows(directory, trial)
    if as_json:
        say(json.dumps(found, indent=1))
        return
    for line in describe(found):
        say(line)


@app.command()
def best(directory: Directory, as_json: AsJson = False) -> None:
    """Show the best-config table."""
    from analysis import best_config, records, tables

    results = records.read(directory / "results")
    if as_json:
        say(json.dumps(best_config.winner_config(results), indent=1))
        return
    say(tables.to_text(tables.best_config_table(best_config.collect(results))))


@app.command()
def export(
    directory: Directory,
    fmt: Annotated[Literal["yaml", "json", "args"], typer.Option("--format", help="Format.")] = "yaml",
    out: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
) -> None:
    """Print the best configuration, to paste into a training script."""
    from analysis import best_config, records
    from analysis import export as exports
    from trainables.durable import write_atomic

    results = records.read(directory / "results")
    header = exports.header(best_config.collect(results))
    text = exports.export(best_config.winner_config(results), fmt, header)
    if out is None:
        say(text.rstrip("\n"))
    else:
        write_atomic(out.absolute(), text.encode())


@app.command()
def sync(directory: Directory) -> None:
    """Rebuild the result files from the study's truth."""
    from study import results
    from study.directory import open_study

    with open_study(directory) as study:
        written = results.project(study)
    say(f"{directory / 'results'}: {len(written.trials)} trials, {len(written.confirmations)} confirmations")


# --- helpers ---------------------------------------------------------------------------------------------------------


def _parts(package: str) -> None:
    from trainables import registry

    for name in registry.available(package):
        summary = (registry.load(package, name).__doc__ or "").strip().splitlines()[0]
        say(f"{name}: {summary}")


def _finish(directory: Path, ending: Ending) -> None:
    if ending.interrupted is not None:
        say(f"stopped; go on with: cskd resume {directory}")
        raise typer.Exit(128 + ending.interrupted)
    if not ending.complete:
        from study.trial_log import first_error

        raise NothingSucceededError(f"{directory}: every search trial failed; the first said: {first_error(directory)}")
    best(directory)
    say(f"results: {directory / 'results'}")
    winner = directory / "best_config.yaml"
    if winner.exists():
        say(f"best configuration: {winner}; reproduce it with: cskd train {winner} --test")
    elif ending.failed:
        say("the winner's confirmation is not complete")
    else:
        say(f"the test set is closed; confirm with: cskd confirm {directory}")
    if ending.failed:
        say(f"{ending.failed} trials failed; `cskd status {directory}` counts them, `cskd logs` says why")


def main() -> None:
    """Runs the command line; errors that a user can act on are one line and a documented exit code."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        _fail("stopped", 130)
    except Exception as error:
        code, line = code_and_line(error)
        if code == INTERNAL:
            traceback.print_exc()
        _fail(line, code)


def _fail(line: str, code: int) -> None:
    print(f"cskd: {line}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


if __name__ == "__main__":
    main()
