#!/usr/bin/env bash
# Back home: joins the parts that rounds.sh left in one or more folders and merges the stores.
#
#   tools/gpu/collect.sh JOULELINE STORE.db FOLDER...
#
# Of a store that several folders hold (one a call, each with the rounds so far) the largest counts.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
jouleline=$1 store=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for folder in "$@"; do
    for first in "$folder"/*.db.xz.0; do
        [ -f "$first" ] || continue
        name=$(basename "$first" .db.xz.0)
        cat "$folder/$name".db.xz.* | xz -dc >"$work/new"
        if [ ! -f "$work/$name.db" ] || [ "$(stat -c %s "$work/new")" -ge "$(stat -c %s "$work/$name.db")" ]; then
            mv "$work/new" "$work/$name.db"
        fi
    done
done
for db in "$work"/*.db; do
    "$jouleline" merge --db "$store" "$db"
done
"$jouleline" report --db "$store"
