#!/usr/bin/env bash
# A Ray cluster inside a SLURM job: sbatch examples/slurm.sh --model timm:resnet50 --suite autoattack ...
#
# The first node is the head and drives, and every node works. A job that runs into its limit goes on
# when it is submitted again: the store holds what was finished.
#SBATCH --job-name=robust-eval
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=08:00:00
set -euo pipefail

export RAY_AUTH_MODE=disabled # the nodes of a job trust each other
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK # since SLURM 22.05 a step has one core unless it asks
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | cut -d ' ' -f 1):6379
on() { srun --overlap --nodes=1 --ntasks=1 --nodelist="$1" "${@:2}"; }
gpus=${SLURM_GPUS_PER_NODE##*:} # which may say their type, too: a100:4

on "$head" ray start --head --node-ip-address="${address%:*}" --port=6379 --num-cpus="$SLURM_CPUS_PER_TASK" \
  --num-gpus="$gpus" --disable-usage-stats --block &
ray=$!
until on "$head" ray status --address "$address" >/dev/null 2>&1; do
  kill -0 $ray # or the job ends: Ray could not be started
  sleep 2
done
for node in "${nodes[@]:1}"; do
  on "$node" ray start --address="$address" --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="$gpus" --block &
done

workers=$((SLURM_JOB_NUM_NODES * gpus))
on "$head" robust-eval --engine ray --ray-address "$address" --device cuda --workers "$workers" "$@"
