#!/usr/bin/env bash
# Everything that is to be known of a card, in one command of at most eight minutes on an H100 with 16 cores:
# what is right first, then what is fast.
#
#   benchmarks/gpu.sh --out results                     # results/gpu.json, written again after each step
#   benchmarks/gpu.sh --out results --only kernels seed
#   benchmarks/gpu.sh --dry --out /tmp/dry              # every step to its end on the CPU, with tiny sizes
#   python benchmarks/gpu_report.py results/gpu.json    # the tables of docs/benchmarks.md
#
# WHEELS=folder installs the wheels in it beside what the interpreter has, for a machine without network; PYTHON names
# the interpreter, SNNRL_DATA the folder with MNIST, without which images are drawn.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
if [ -n "${WHEELS:-}" ]; then
    site=$(mktemp -d)
    "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$WHEELS"/*.whl
    export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" "$root/benchmarks/gpu/run.py" "$@"
