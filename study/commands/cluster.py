"""Clusters: hand a study to one, print files to start one with."""

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
            help="A preset's name or a study file.",
            show_default=False,
            autocompletion=completion.studies,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="http://host:8265 of the cluster's head.",
            envvar="RAY_API_SERVER_ADDRESS",
            show_default=False,
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder of the study directories, on the cluster.", show_default=False),
    ] = None,
    settings: Settings = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Go on with a study directory on the cluster instead.", show_default=False),
    ] = None,
    follow: Annotated[
        str | None, typer.Option(metavar="JOB", help="Show what a job prints instead.", show_default=False)
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the job.")] = False,
) -> None:
    """Hand a study to a cluster through Ray's job API, with this code, and show what it prints."""
    from study.cluster.submission import Jobs

    begin = _request(study, storage, settings, resume, follow)
    if address is None:
        raise UsageError("give --address http://HOST:8265, the dashboard of the cluster's head")
    jobs = Jobs(address)
    job = begin(jobs)
    say(f"job {job}; come back to it with: cskd submit --follow {job} --address {jobs.address}")
    if not detach:
        raise typer.Exit(_followed(jobs, job))


@app.command(rich_help_panel=PANEL, epilog="Example: cskd deploy slurm.sh --out slurm.sh")
def deploy(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The file.", show_default="list them", autocompletion=completion.templates),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write; it must not exist.", show_default="print")
    ] = None,
) -> None:
    """Print a file that starts a cluster or services: for ray up, KubeRay, Slurm, Docker."""
    from study.machine import deployment

    if name is None:
        show_entries({name: deployment.purpose(name) for name in deployment.templates()})
    elif out is None:
        write(deployment.text_of(name).removesuffix("\n"))
    else:
        write_new(out, deployment.text_of(name))
        say(f"{out}: change what stands in capitals; its first lines say how to use it")


def _request(
    study: str | None, storage: str | None, settings: list[str] | None, resume: str | None, follow: str | None
) -> Callable[[Jobs], str]:
    """What is asked of a cluster, looked at before anybody is asked; gives the job's name."""
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


def _followed(jobs: Jobs, job: str) -> int:
    """The exit code of a job whose output is shown until it ends, or until the user has seen enough."""
    try:
        return jobs.follow(job, lambda text: print(text, end="", flush=True))  # noqa: T201 - pieces, not lines
    except KeyboardInterrupt:
        say(f"the job goes on; stop it with: ray job stop {job} --address {jobs.address}")
        return 0
