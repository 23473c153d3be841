#!/usr/bin/env bash
# Builds the shim of the libtorch runtime against a torch of this machine and prints its path.
#
#   build_libtorch_shim.sh [--python PROGRAM | --torch FOLDER] [--cache FOLDER]
#
#   --python PROGRAM  the Python whose torch it is (default $JOULELINE_PYTHON, else python3);
#                     Debian's libtorch-dev where that Python has none or has Debian's own
#   --torch FOLDER    an unpacked libtorch, or a torch package: holds include/ and lib/
#   --cache FOLDER    default $XDG_CACHE_HOME/jouleline, else ~/.cache/jouleline
#
# Needs a C++ compiler ($CXX, default g++). The result is kept by torch's version, so that a second
# call costs nothing; `libtorch/current` in the cache points to the one built last, which the
# runtime opens. CUDA needs no compiler of its own: the shim calls torch's dispatcher only.
set -euo pipefail

die() { printf 'build_libtorch_shim: %s\n' "$*" >&2; exit 1; }

usage() { sed -n '2,/^set -e/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

python=${JOULELINE_PYTHON:-python3} torch='' named='' cache=${XDG_CACHE_HOME:-$HOME/.cache}/jouleline
while (($#)); do
    case $1 in
    -h | --help) usage && exit ;;
    --python | --torch | --cache) (($# > 1)) || die "$1 needs a value; --help tells which" ;;
    *) die "unknown option $1; --help lists them" ;;
    esac
    case $1 in
    --python) python=$2 named=$2 ;;
    --torch) torch=$2 ;;
    --cache) cache=$2 ;;
    esac
    shift 2
done

[[ -z $named ]] || command -v "$named" >/dev/null || die "$named is no program: name an interpreter with --python"

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
sources=$here
[[ -f $sources/shim.cc ]] || sources=$here/../src/runtime/libtorch
[[ -f $sources/shim.cc ]] || die "the sources of the shim are neither in $here nor in $sources"

# The folder of the torch package and whether it was built with the new C++ strings.
if [[ -z $torch ]]; then
    found=$("$python" -c '
import os, torch
print(os.path.dirname(torch.__file__), int(torch._C._GLIBCXX_USE_CXX11_ABI))' 2>/dev/null) || found=''
    [[ -n $found && -f ${found% *}/include/ATen/ATen.h ]] && torch=${found% *}
fi
flags=()
if [[ -n $torch ]]; then
    [[ -f $torch/include/ATen/ATen.h && -d $torch/lib ]] ||
        die "$torch holds no include/ATen/ATen.h and lib/"
    include=$torch/include
    libraries=("-L$torch/lib" "-Wl,-rpath,$torch/lib")
    [[ -n ${found:-} ]] && flags+=("-D_GLIBCXX_USE_CXX11_ABI=${found##* }")
elif [[ -f /usr/include/ATen/ATen.h ]]; then
    include=/usr/include
    libraries=()
else
    die "no torch with headers: install Debian's libtorch-dev, or name with --python an interpreter that has a torch wheel"
fi
header=$include/torch/csrc/api/include/torch/version.h
[[ -f $include/torch/headeronly/version.h ]] && header=$include/torch/headeronly/version.h
version=$(awk '/define TORCH_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", dot, $3; dot = "." }' "$header")
[[ -n $version ]] || die "$header says no version"

key=$(cat "$sources"/*.cc "$sources"/*.h "${BASH_SOURCE[0]}" <(printf '%s\n' "$include" "${flags[@]}") | sha256sum)
folder=$cache/libtorch/$version-${key:0:12}
if [[ ! -f $folder/libjouleline_torch.so ]]; then
    command -v "${CXX:-g++}" >/dev/null || die "${CXX:-g++} is not here: install g++, or set CXX"
    mkdir -p "$cache/libtorch"
    work=$(mktemp -d "$cache/libtorch/build.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    system=(-isystem "$include/torch/csrc/api/include")
    [[ $include == /usr/include ]] || system+=(-isystem "$include")
    # One translation unit: reading ATen's headers takes longer than all the code here.
    printf '#include "%s.cc"\n' machine arithmetic layers shapes trace shim >"$work/all.cc"
    # Nothing but the entry is exported: the loader searches the shim before the libraries that it
    # needs, so that torch would take the shim's copies of templates and inline functions, built by
    # another compiler with other flags, for its own.
    printf '{ global: jouleline_torch; local: *; };\n' >"$work/exports"
    "${CXX:-g++}" -std=c++17 -O1 -fPIC -fvisibility=hidden -Wall -Wextra "${flags[@]}" \
        "-I$sources" "${system[@]}" -shared "$work/all.cc" -o "$work/libjouleline_torch.so" \
        "-Wl,--version-script=$work/exports" \
        "${libraries[@]}" -ltorch_cpu -lc10 >&2 || die "the shim does not build against torch $version"
    mkdir -p "$folder"
    mv "$work/libjouleline_torch.so" "$folder/"
fi
ln -sfn "$(basename "$folder")" "$cache/libtorch/current"
printf '%s\n' "$folder/libjouleline_torch.so"
