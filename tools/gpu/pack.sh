#!/usr/bin/env bash
# Packs what must travel to a GPU machine that has no network: the tarball of `./dev dist` and
# ONNX Runtime with its CUDA provider, in parts small enough to be sent one by one.
#
#   tools/gpu/pack.sh TARBALL ORT_GPU_WHEEL FOLDER [PART_MIB]
#
# FOLDER/part-1, part-2, ... each hold one piece and fit PART_MIB (default 47); the last one also
# holds the tarball, the small libraries and SHA256SUMS. tools/gpu/unpack.sh joins them there.
# Needs: unzip, xz, split, sha256sum. Takes a minute, nearly all of it compression.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
tarball=$1 wheel=$2 folder=$3 part_mib=${4:-47}
for file in "$tarball" "$wheel"; do
    [ -f "$file" ] || { echo "pack: no file $file" >&2; exit 1; }
done
capi=onnxruntime/capi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unzip -q "$wheel" "$capi/libonnxruntime.so.*" "$capi/libonnxruntime_providers_cuda.so" \
    "$capi/libonnxruntime_providers_shared.so" -d "$work"

mkdir -p "$work/out"
cuda_so=libonnxruntime_providers_cuda.so
digest=$(sha256sum "$work/$capi/$cuda_so" | cut -c1-64)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/jouleline/gpu-pack/$digest.xz
if [ ! -f "$cache" ]; then
    mkdir -p "$(dirname "$cache")"
    xz -3 -T0 -c "$work/$capi/$cuda_so" >"$cache.tmp"
    mv "$cache.tmp" "$cache"
fi
split -b "${part_mib}M" -d -a 2 "$cache" "$work/out/$cuda_so.xz."
xz -6 -T0 -c "$work/$capi"/libonnxruntime.so.* >"$work/out/libonnxruntime.so.xz"
cp "$work/$capi/libonnxruntime_providers_shared.so" "$work/out/"
cp "$tarball" "$work/out/jouleline.tar.gz"
basename "$work/$capi"/libonnxruntime.so.* >"$work/out/ort-name"
{
    (cd "$work/out" && sha256sum -- *)
    (cd "$work/$capi" && sha256sum "$cuda_so")
} >"$work/SHA256SUMS"

rm -rf "$folder"/part-*
n=0
for piece in "$work/out/$cuda_so.xz."*; do
    n=$((n + 1))
    mkdir -p "$folder/part-$n"
    mv "$piece" "$folder/part-$n/"
done
mv "$work"/out/* "$work/SHA256SUMS" "$folder/part-$n/"
du -sm "$folder"/part-* | sed 's/\t/ MiB  /'
