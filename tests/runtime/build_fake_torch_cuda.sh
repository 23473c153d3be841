#!/usr/bin/env bash
# Builds the libtorch_cuda.so of the tests against the torch that the shim was built with, once.
# usage: build_fake_torch_cuda.sh SOURCE FOLDER [TORCH]     (TORCH: a torch package; else Debian's)
set -euo pipefail
source=$1 folder=$2 torch=${3:-}
library=$folder/libtorch_cuda.so
[[ $library -nt $source && $library -nt ${source%.cc}.h ]] && exit 0
include=/usr/include libraries=()
[[ -n $torch ]] && include=$torch/include libraries=("-L$torch/lib" "-Wl,-rpath,$torch/lib")
system=(-isystem "$include/torch/csrc/api/include")
[[ -n $torch ]] && system+=(-isystem "$include")
mkdir -p "$folder"
"${CXX:-g++}" -std=c++17 -O1 -fPIC -fvisibility=hidden -Wall -Wextra "${system[@]}" -shared \
    "$source" -o "$library.tmp" -Wl,-soname,libtorch_cuda.so "${libraries[@]}" -ltorch_cpu -lc10
mv "$library.tmp" "$library"
