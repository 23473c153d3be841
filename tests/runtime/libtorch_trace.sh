#!/usr/bin/env bash
# libtorch runs the trace of torchvision's own module with the zoo's weights: same logits as ONNX
# Runtime. usage: libtorch_trace.sh JOULELINE COMPARE_ZOO TRACE_MODEL.py MODEL...
set -euo pipefail
jouleline=$1 compare=$2 tracer=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for model in "$@"; do
    "$jouleline" model export "$model" -f safetensors -o "$folder/weights"
    /usr/bin/python3 -B "$tracer" "$model" "$folder/weights" "$folder/$model.pt"
    "$compare" 1 1e-4 ort-cpu/fp32+threads=2 \
        "libtorch-cpu/fp32+threads=2+trace=$folder/$model.pt" "$model"
done
