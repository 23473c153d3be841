#!/usr/bin/env bash
# On the GPU machine: whole rounds of a study, as many as fit the time, and the store packed in
# parts that can be brought back.
#
#   rounds.sh JOULELINE STUDY.yaml DB SECONDS OUT [RUN OPTION...]
#
# Called again with the same DB it goes on where it stopped: a round that was not finished is done
# again by its missing cells only, on the same card and boot. OUT receives the store, compressed,
# in files of 14 MiB, and the portability table.
set -euo pipefail
if [ $# -lt 5 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
jouleline=$1 study=$2 db=$3 seconds=$4 out=$5
shift 5
resume=()
[ -f "$db" ] && resume=(--resume)
rc=0
"$jouleline" run "$study" --db "$db" --stop-after "${seconds}s" "${resume[@]}" "$@" || rc=$?
mkdir -p "$out"
name=$(basename "$db" .db)
"$jouleline" report --db "$db" -o md >"$out/$name.md" || true
xz -T0 -2 -c "$db" | split -b 14M -d -a 1 - "$out/$name.db.xz."
exit "$rc"
