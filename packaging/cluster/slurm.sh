#!/usr/bin/env bash
# A batch on a Slurm cluster: every task of the array audits its part of the models, the last job puts them together.
#
#   MODELS=models.csv OUT=results PARTS=8 packaging/cluster/slurm.sh
#
# MODELS and OUT must lie on a disk that all machines share; POISDETC names the program where it is not on the path.
# Submitted again it goes on: models that are done are not audited a second time.
set -euo pipefail

models=$(realpath "${MODELS:?name the list of models, MODELS=models.csv}")
out=$(realpath -m "${OUT:?name the folder for the results, OUT=results}")
parts=${PARTS:-8}
program=${POISDETC:-poisdetc}
mkdir -p "$out"

# One word for the shell of the job, whatever is in it.
quoted() { printf '%q ' "$@"; }

array=$(sbatch --parsable --job-name=poisdetc --array="1-$parts" --cpus-per-task="${CPUS:-4}" --mem="${MEMORY:-4G}" \
    --time="${TIME:-24:00:00}" --output="$out/slurm-%a.log" \
    --wrap="$(quoted "$program" batch "$models" --out "$out" --quiet --shard)\"\$SLURM_ARRAY_TASK_ID/$parts\"")
# A part ends with 1 where a model could not be opened: its line says why, and the others must still be put together.
sbatch --job-name=poisdetc-all --dependency="afterany:$array" --cpus-per-task=1 --mem=2G --output="$out/slurm-all.log" \
    --wrap="$(quoted "$program" batch "$models" --out "$out" --quiet)"
