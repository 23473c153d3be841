#!/usr/bin/env bash
# libtorch runs torchvision's own module as TorchScript with the zoo's weights: same logits as ONNX
# Runtime. usage: libtorch_trace.sh JOULELINE COMPARE_ZOO TORCHSCRIPT_MODEL.py MODEL...
set -euo pipefail
jouleline=$1 compare=$2 tracer=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for model in "$@"; do
    "$jouleline" model export "$model" -f safetensors -o "$folder/weights"
    said=$(/usr/bin/python3 -B "$tracer" "$model" "$folder/weights" "$folder/$model.pt")
    echo "$said"
    case $model-$said in # sizes are operators of the scripted Swin, not of Python's
    swin_t-*'not the same sequence' | resnet18-*': the same sequence') ;;
    *) exit 1 ;;
    esac
    "$compare" 1 1e-4 ort-cpu/fp32+threads=2 \
        "libtorch-cpu/fp32+threads=2+trace=$folder/$model.pt" "$model"
done
