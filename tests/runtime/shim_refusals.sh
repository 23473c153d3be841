#!/usr/bin/env bash
# What build_libtorch_shim.sh refuses, and that a second call builds nothing.
# usage: shim_refusals.sh SCRIPT CACHE, the cache of a shim that is built for /usr/bin/python3
set -euo pipefail
script=$1 cache=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# refused WORDS ARGUMENTS...
refused()
{
    local words=$1
    shift
    if "$script" "$@" >"$folder/out" 2>"$folder/err"; then
        echo "$* was not refused" && exit 1
    fi
    grep -qF -- "$words" "$folder/err" || { echo "$*: '$words' is not in:" && cat "$folder/err" && exit 1; }
}

refused 'unknown option --pyton; --help' --pyton x
refused '--torch needs a value' --torch
refused '/nowhere/python is no program' --python /nowhere/python
refused 'holds no include/ATen/ATen.h' --torch "$folder"
CXX=/nowhere/g++ refused 'is not here: install g++, or set CXX' --python /usr/bin/python3 --cache "$folder"
CXX=false refused 'the shim does not build against torch' --python /usr/bin/python3 --cache "$folder"
[[ -z $(find "$folder" -name '*.so' -o -name 'build.*' -o -name current) ]] || { echo 'something is left' && exit 1; }
"$script" --help | grep -q -- '--cache FOLDER'

# Kept by version: no compiler is asked.
made=$(CXX=/nowhere/g++ "$script" --python /usr/bin/python3 --cache "$cache")
[[ -f $made && $made == "$(readlink -f "$cache/libtorch/current")"/* ]]
