#!/usr/bin/env bash
# Formatting, static analysis and builds in which a warning is an error. ./dev lint installs what
# this needs and makes build/release/compile_commands.json.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
failed=()

check()
{
    local name=$1
    shift
    printf '== %s\n' "$name" >&2
    "$@" || failed+=("$name")
}

mapfile -t sources < <(git ls-files '*.c' '*.h' '*.cc')
mapfile -t units < <(git ls-files 'src/*.c' 'cli/*.c')
mapfile -t scripts < <(git ls-files '*.sh' dev .ci/run)

tidy()
{
    printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 8 clang-tidy -p build/release --quiet 2>/dev/null
}

# werror COMPILER: everything, tests included, without a warning.
werror()
{
    local folder=build/werror-$1
    cmake -B "$folder" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER="$1" \
        -DCMAKE_C_FLAGS=-Werror >"$folder.log" 2>&1 &&
        cmake --build "$folder" -j "$(nproc)" >>"$folder.log" 2>&1 ||
        { grep -E 'error|warning' -A4 "$folder.log" | head -60; false; }
}

check clang-format clang-format --dry-run -Werror "${sources[@]}"
check clang-tidy tidy
check shellcheck shellcheck -x -S warning "${scripts[@]}"
check "gcc -Werror" werror gcc
check "clang -Werror" werror clang

if ((${#failed[@]})); then
    printf 'lint: %s failed\n' "${failed[@]}" >&2
    exit 1
fi
printf 'lint: nothing to complain about\n'
