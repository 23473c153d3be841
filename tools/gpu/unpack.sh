#!/usr/bin/env bash
# On the GPU machine: collects the parts made by pack.sh and, with the last one, joins and checks
# them, unpacks the tarball and shows what jouleline finds.
#
#   unpack.sh PART_FOLDER DEST     once for each part, in any order
#   unpack.sh --join DEST          when all parts are there
#
# DEST/jouleline then holds the program: DEST/jouleline/bin/jouleline.
set -euo pipefail
if [ $# -ne 2 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
mkdir -p "$2/parts"
dest=$(cd "$2" && pwd)
if [ "$1" != --join ]; then
    cp "$1"/* "$dest/parts/"
    echo "parts so far: $(ls "$dest/parts" | wc -l) files"
    exit 0
fi
cd "$dest/parts"
cuda_so=libonnxruntime_providers_cuda.so
grep -v " $cuda_so\$" SHA256SUMS | sha256sum --quiet -c - ||
    { echo "unpack: a part is missing or damaged; send it again" >&2; exit 1; }
rm -rf "$dest/jouleline"
mkdir -p "$dest/jouleline"
tar -xzf jouleline.tar.gz -C "$dest/jouleline" --strip-components=1
# The tarball's own ONNX Runtime gives way to the build with the CUDA provider.
lib=$dest/jouleline/lib/jouleline/onnxruntime
mkdir -p "$lib"
rm -f "$lib"/libonnxruntime*
cat "$cuda_so".xz.* | xz -dc -T0 >"$lib/$cuda_so"
(cd "$lib" && grep " $cuda_so\$" "$dest/parts/SHA256SUMS" | sha256sum --quiet -c -)
xz -dc libonnxruntime.so.xz >"$lib/$(cat ort-name)"
ln -s "$(cat ort-name)" "$lib/libonnxruntime.so.1"
ln -s "$(cat ort-name)" "$lib/libonnxruntime.so"
cp libonnxruntime_providers_shared.so "$lib/"
cd "$dest"
rm -rf "$dest/parts"
# The runtime libtorch, against the torch of this machine's Python.
"$dest/jouleline/share/jouleline/libtorch/build_libtorch_shim.sh" ||
    echo "unpack: the runtime libtorch is left out" >&2
"$dest/jouleline/bin/jouleline" doctor
