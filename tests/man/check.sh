#!/usr/bin/env bash
# check.sh JOULELINE MAN1: a valid page for every command, and every command in the main page.
set -euo pipefail
jouleline=$1 man=$2
mandoc -T lint -W error "$man"/*.1
# name by name: "model export" has the page jouleline-model-export.1
"$jouleline" --help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\)  .*/\1/p' >"$man/../names"
while read -r name; do
    [[ -s $man/jouleline-${name// /-}.1 ]] || { echo "no page for '$name'"; exit 1; }
    mandoc -T utf8 "$man/jouleline.1" | sed 's/.\x08//g' | grep -q -- "^ *$name" ||
        { echo "'$name' is not in jouleline(1)"; exit 1; }
done <"$man/../names"
