#!/usr/bin/env bash
# Back home: joins the parts that rounds.sh left in one or more folders and merges the stores.
#
#   tools/gpu/collect.sh JOULELINE STORE.db FOLDER...
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
jouleline=$1 store=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for folder in "$@"; do
    for first in "$folder"/*.db.xz.0; do
        name=$(basename "$first" .db.xz.0)
        cat "$folder/$name".db.xz.* | xz -dc >"$work/$name.db"
        "$jouleline" merge --db "$store" "$work/$name.db"
    done
done
"$jouleline" report --db "$store"
