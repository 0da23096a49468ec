"""Tests the files that start clusters and services: valid for their programs, with a token wherever code can be run."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from study.machine import deployment
from tests.kit.servers.mlflow_server import free_port

RAY_UP = sorted(name for name in deployment.templates() if name.startswith("ray-up"))
SLURM = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NODELIST": "n1", "SLURM_JOB_NUM_NODES": "1"}


def documents(name: str) -> list[dict]:
    return list(yaml.safe_load_all(deployment.text_of(name)))


def pods(document: dict) -> list[dict]:
    spec = document["spec"]
    return [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]


def test_the_list_shows_the_purpose_of_each_file(cskd):
    code, out, _ = cskd("deploy")
    assert code == 0
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        "compose.yaml",
        "helm-mlflow.yaml",
        "helm-postgresql.yaml",
        "kuberay.yaml",
        "ray-up-aws.yaml",
        "ray-up-on-premise.yaml",
        "slurm.sh",
    ]


def test_a_file_is_printed_or_written_but_not_overwritten(cskd, tmp_path):
    text = deployment.text_of("slurm.sh")
    assert cskd("deploy", "slurm.sh") == (0, text, "")
    assert cskd("deploy", "slurm.sh", "--out", "mine.sh")[0] == 0
    assert (tmp_path / "mine.sh").read_text() == text
    assert cskd("deploy", "slurm.sh", "--out", "mine.sh")[0] == 73
    code, _, error = cskd("deploy", "slurm")
    assert (code, "did you mean 'slurm.sh'?" in error) == (64, True)


@pytest.mark.parametrize("name", RAY_UP)
def test_ray_up_files_match_rays_schema(name):
    import ray.autoscaler

    (document,) = documents(name)
    schema = Path(ray.autoscaler.__path__[0]) / "ray-schema.json"
    jsonschema.validate(document, json.loads(schema.read_bytes()))


@pytest.mark.parametrize("name", RAY_UP)
def test_every_ray_start_requires_a_token(name):
    (document,) = documents(name)
    starts = [*document["head_start_ray_commands"], *document["worker_start_ray_commands"]]
    starts = [command for command in starts if "ray start" in command]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    assert "~/.ray/auth_token" in document["file_mounts"]
    assert "--dashboard-host=127.0.0.1" in starts[0]


def test_kuberay_requires_a_token_and_shares_the_studies():
    claim, cluster = documents("kuberay.yaml")
    assert cluster["apiVersion"] == "ray.io/v1"
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    assert cluster["spec"]["rayVersion"] == importlib.metadata.version("ray")
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for pod in pods(cluster):
        volumes = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]}
        assert volumes == {"shared": claim["metadata"]["name"]}
        (container,) = pod["containers"]
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/shared"]
        secret = [variable for variable in container["env"] if re.search("URL|TOKEN", variable["name"])]
        assert all("valueFrom" in variable or "@" not in variable["value"] for variable in secret)


def test_services_listen_locally_and_contain_no_password():
    (document,) = documents("compose.yaml")
    services = document["services"]
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service["ports"])
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    assert "--app-name basic-auth" in services["mlflow"]["command"]
    assert "--allowed-hosts" in services["mlflow"]["command"]
    assert importlib.metadata.version("mlflow") in services["mlflow"]["image"]
    used = {volume.partition(":")[0] for service in services.values() for volume in service["volumes"]}
    assert used == set(document["volumes"])


def test_helm_values_are_consistent_and_contain_no_password():
    """The charts' own schemas (cluster 0.8.1, mlflow 1.11.5) accept the values; they are not in this repository."""
    ((database,), (server,)) = documents("helm-postgresql.yaml"), documents("helm-mlflow.yaml")
    name, initdb = database["fullnameOverride"], database["cluster"]["initdb"]
    owned = [re.fullmatch(r"CREATE DATABASE (\w+) OWNER cskd", line)[1] for line in initdb["postInitSQL"]]
    used = [server["backendStore"]["postgres"], server["auth"]["postgres"]]
    assert [each["database"] for each in used] == owned
    assert {each["host"] for each in used} == {f"{name}-rw"}
    secrets = [server["backendStore"]["existingDatabaseSecret"], server["auth"]["postgres"]["existingSecret"]]
    assert {each["name"] for each in secrets} == {f"{name}-app"}
    assert server["auth"]["enabled"]
    assert server["auth"]["defaultPermission"] == "READ"
    assert server["serverAllowedHosts"]
    assert "*" not in server["serverAllowedHosts"]
    (claim,) = server["extraDeploy"]
    (volume,) = server["extraVolumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert server["artifactRoot"]["defaultArtifactsDestination"] == server["extraVolumeMounts"][0]["mountPath"]
    _, cluster = documents("kuberay.yaml")
    wanted = {
        v["valueFrom"]["secretKeyRef"]["name"]
        for pod in pods(cluster)
        for v in pod["containers"][0]["env"]
        if "valueFrom" in v
    }
    assert wanted == {"cskd-secrets"}
    assert "kubectl create secret generic cskd-secrets" in deployment.text_of("helm-postgresql.yaml")
    assert not re.search(r"password: \S", re.sub(r'password: ""', "", deployment.text_of("helm-mlflow.yaml")))


def test_the_batch_script_is_valid_for_bash_and_sbatch():
    path = deployment.templates()["slurm.sh"]
    assert subprocess.run(["bash", "-n", path], check=False, capture_output=True).returncode == 0
    lines = path.read_text().splitlines()
    options = [line for line in lines if line.startswith("#SBATCH")]
    assert all(re.fullmatch(r"#SBATCH --[a-z-]+(=\S+)?", option) for option in options)
    # Slurm reads options up to the first command only.
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert max(lines.index(option) for option in options) < first


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_batch_script_launches_a_study_and_then_resumes_it(tmp_path):
    """Uses one node, real Ray and a real study; two programs of Slurm are replaced."""
    from ray._private.services import find_gcs_addresses

    if others := find_gcs_addresses():
        pytest.skip(f"`ray symmetric-run` wants a machine without another Ray; here are {', '.join(others)}")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in {"scontrol": "echo 127.0.0.1", "srun": 'shift; exec "$@"'}.items():
        (tools / name).write_text(f"#!/bin/bash\n{text}\n")
        (tools / name).chmod(0o755)
    study = tmp_path / "study.yaml"
    made = subprocess.run(
        [sys.executable, "-m", "study.cli", "init", "digits"], check=True, capture_output=True, text=True
    ).stdout
    content = yaml.safe_load(made)
    content["training"]["epochs"], content["search"]["trials"], content["controls"] = 2, 2, []
    content["confirm"] |= {"finalists": 1, "seeds": [1]}
    study.write_text(json.dumps(content))
    job = str(free_port() % 10000 + 10000)
    environment = os.environ | SLURM | {"SLURM_JOB_ID": job, "HOME": str(tmp_path)}
    environment |= {"CSKD_VENV": str(Path(sys.executable).parents[1]), "PATH": f"{tools}:{os.environ['PATH']}"}
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            ["bash", deployment.templates()["slurm.sh"], study, tmp_path / "runs"],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    assert "search/1: COMPLETE" in outputs[0]
    assert "search" not in outputs[1].partition("best configuration")[0]  # the study was complete
    assert not list((tmp_path / ".ray").glob("*.token"))
