"""Measures what a plan needs: the rates of a study's runs, here or on a cluster, and the share of each trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from study.cluster import gpu_packing
from study.cluster.connection import LOCAL, ray_connection
from study.cluster.inventory import Cluster, Node
from study.cluster.share import share_of
from study.machine.cores import usable_cores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from study.cluster.share import Share
    from study.definition.study_config import StudyConfig
    from trainables.config import TrainConfig
    from trainables.costs.probe import Rate
    from trainables.costs.side_by_side import Packing


def kind(config: TrainConfig) -> str:
    """Returns the key by which runs share a measured rate: the method and the names of its options that are zero."""
    numbers = config.method.model_dump(mode="json")
    zeros = [name for name, value in sorted(numbers.items()) if value == 0 and not isinstance(value, bool)]
    return " ".join([config.method.part_name(), *(f"{name}=0" for name in zeros)])


def runs_to_measure(config: StudyConfig) -> dict[str, TrainConfig]:
    """Returns one run of each ``kind`` that the study has."""
    controls = [config.control_config(number) for number in range(len(config.controls))]
    return {kind(run): run for run in [*reversed(controls), config.search_config({}, 0)]}


class Measured(NamedTuple):
    """Measurements for a plan.

    Attributes:
        rates: Rate of a run, by ``kind`` of run.
        share: Resources of each trial.
        packings: Packing of trials, by kind of device.
    """

    rates: dict[str, Rate]
    share: Share
    packings: dict[str, Packing]


def measure(config: StudyConfig, address: str | None) -> Measured:
    """Measures the study's runs on this machine, or on a worker of a cluster.

    Args:
        config: Configuration of the study. With ``resources.packing: measured``, trials are also trained side by side.
        address: ``host:port`` of a Ray cluster; None or ``local`` measures on this machine, without Ray.

    Raises:
        DataError: The data is missing.
        ConfigError: A run does not fit the device.
        ServiceError: The cluster cannot be reached.
    """
    from trainables.costs.probe import probe

    runs = runs_to_measure(config)
    if address in {None, LOCAL}:
        rates, packings = {name: probe(run) for name, run in runs.items()}, _packed_here(config)
        return Measured(rates, share_here(config, packings), packings)
    with ray_connection(address) as cluster:
        import ray

        whole = share_of(config, cluster)
        remote = ray.remote(num_cpus=whole.cpus, num_gpus=whole.gpus, max_retries=0)(probe)
        rates = {name: ray.get(remote.remote(run)) for name, run in runs.items()}
        packings = gpu_packing.measure_packings(config, whole)[0] if _packs(config) else {}
        return Measured(rates, share_of(config, cluster, gpu_packing.combined(packings)), packings)


def share_here(config: StudyConfig, packings: Mapping[str, Packing] | None = None) -> Share:
    """Returns the share of a trial if the study runs on this machine."""
    return share_of(config, Cluster((_this_machine(),)), gpu_packing.combined(packings or {}))


def _packed_here(config: StudyConfig) -> dict[str, Packing]:
    from trainables.costs.side_by_side import measure

    if not _packs(config):
        return {}
    whole = share_here(config)
    found = measure(config.search_config({}, 0), gpu_packing.max_trials_per_gpu(config, _this_machine(), whole))
    return {found.device if whole.gpus else gpu_packing.CPU: found}


def _packs(config: StudyConfig) -> bool:
    return config.resources.packing == "measured"


def _this_machine() -> Node:
    import torch

    return Node(usable_cores(), torch.cuda.device_count())
