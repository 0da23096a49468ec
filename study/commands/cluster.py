"""Commands that submit studies to a cluster and print deployment files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.commands import completion
from study.commands.arguments import Settings
from study.commands.output import say, show_entries, write, write_new
from study.errors import UsageError

if TYPE_CHECKING:
    from study.cluster.submission import Jobs

PANEL = "Cluster"

app = typer.Typer()


@app.command(
    rich_help_panel=PANEL, epilog="Example: cskd submit digits --address http://head:8265 --storage /shared/runs"
)
def submit(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="Preset or study file.",
            show_default=False,
            autocompletion=completion.studies,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Dashboard of the cluster's head, http://host:8265.",
            envvar="RAY_API_SERVER_ADDRESS",
            show_default=False,
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder of the study directories on the cluster.", show_default=False),
    ] = None,
    settings: Settings = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Resume a study directory on the cluster instead.", show_default=False),
    ] = None,
    follow: Annotated[
        str | None, typer.Option(metavar="JOB", help="Show the output of a submitted job instead.", show_default=False)
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Exit without waiting for the job.")] = False,
) -> None:
    """Submit a study to a cluster through Ray's job API.

    Uploads this code, shows the job's output, and exits with the job's exit code.
    """
    from study.cluster.submission import Jobs

    start = _request(study, storage, settings, resume, follow)
    if address is None:
        raise UsageError("give --address http://HOST:8265, the dashboard of the cluster's head")
    jobs = Jobs(address)
    job = start(jobs)
    say(f"job {job}; follow it again with: cskd submit --follow {job} --address {jobs.address}")
    if not detach:
        raise typer.Exit(_follow(jobs, job))


@app.command(rich_help_panel=PANEL, epilog="Example: cskd deploy slurm.sh --out slurm.sh")
def deploy(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="File to print.", show_default="list all files", autocompletion=completion.templates
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to create; it must not exist.", show_default="standard output"),
    ] = None,
) -> None:
    """Print a deployment file for ray up, KubeRay, Slurm or Docker.

    Without a name, lists the files.
    """
    from study.machine import deployment

    if name is None:
        show_entries({name: deployment.purpose(name) for name in deployment.templates()})
    elif out is None:
        write(deployment.text_of(name).removesuffix("\n"))
    else:
        write_new(out, deployment.text_of(name))
        say(f"{out}: replace the words in capitals; the first lines explain how to use the file")


def _request(
    study: str | None, storage: str | None, settings: list[str] | None, resume: str | None, follow: str | None
) -> Callable[[Jobs], str]:
    """Returns a function that starts or finds the job and returns its name; checks the arguments first."""
    from study.cluster.submission import on_cluster
    from study.definition import loading, yaml_reader

    if sum(given is not None for given in (study, resume, follow)) != 1:
        raise UsageError("give one of STUDY, --resume DIR and --follow JOB")
    if follow is not None:
        return lambda _: follow
    if resume is not None:
        directory = on_cluster(resume)
        return lambda jobs: jobs.resume(directory)
    if storage is None:
        raise UsageError("give --storage, the folder of the study directories on the cluster, such as /shared/runs")
    folder, found = on_cluster(storage), loading.load(str(study), yaml_reader.parse_settings(settings or []))
    return lambda jobs: jobs.launch(found, folder)


def _follow(jobs: Jobs, job: str) -> int:
    """Shows a job's output until the job ends or the user presses Ctrl+C; returns the exit code."""
    try:
        return jobs.follow(job, lambda text: print(text, end="", flush=True))  # noqa: T201 - pieces, not lines
    except KeyboardInterrupt:
        say(f"the job keeps running; stop it with: ray job stop {job} --address {jobs.address}")
        return 0
