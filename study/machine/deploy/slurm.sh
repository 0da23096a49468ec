#!/bin/bash
# A study on the nodes of a Slurm allocation: Ray runs on all nodes and the driver on the first; all processes end with the job.
#
#   sbatch slurm.sh STUDY STORAGE          STORAGE is on a file system that all nodes share
#
# Submit it again after the time limit or a preemption: an existing study is resumed.
#SBATCH --job-name=cskd
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --gpus-per-node=1
#SBATCH --time=08:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --output=%x-%j.log

set -euo pipefail

study=${1:?usage: sbatch slurm.sh STUDY STORAGE}
storage=${2:?usage: sbatch slurm.sh STUDY STORAGE}

source "${CSKD_VENV:-$HOME/venv}/bin/activate"

# On shared nodes, other users can reach Ray's ports, so Ray requires a token. Only the owner can read its file.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="$HOME/.ray/cskd-$SLURM_JOB_ID.token"
mkdir -p "$HOME/.ray"
(umask 077 && python3 -c 'import secrets; print(secrets.token_hex(32), end="")' > "$RAY_AUTH_TOKEN_PATH")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT

# Two jobs of one user may share a node, so the port is derived from the job's id.
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export RAY_ADDRESS="$head:$((20000 + SLURM_JOB_ID % 10000))"

name=$(cskd validate "$study" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["name"])')
directory=$storage/$name
if [ -e "$directory/study.yaml" ]; then
  command=(cskd resume "$directory")
else
  command=(cskd launch "$study" --storage "$storage")
fi

srun --kill-on-bad-exit=1 ray symmetric-run --address "$RAY_ADDRESS" --min-nodes "$SLURM_JOB_NUM_NODES" -- "${command[@]}"
