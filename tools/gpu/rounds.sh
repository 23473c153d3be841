#!/usr/bin/env bash
# On the GPU machine: whole rounds of a study, as many as fit the time, and the store packed in
# parts that can be brought back.
#
#   rounds.sh JOULELINE STUDY.yaml DB SECONDS TOTAL OUT [RUN OPTION...]
#
# SECONDS is what this call may take, TOTAL what is left for the study in this call and later ones
# on the machine. A round is begun when it fits TOTAL; at SECONDS the run under way is given up.
# Called again with the same DB it goes on where it stopped: a round that was not finished is done
# again by its missing cells only, on the same card and boot. OUT receives the store, compressed,
# in files of 14 MiB. Prints the complete rounds and the mean seconds of a run. STUDY.yaml may be
# '-' when the options say it all.
set -euo pipefail
if [ $# -lt 6 ]; then
    sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
jouleline=$1 study=$2 db=$3 seconds=$4 total=$5 out=$6
shift 6
words=("$@")
[ "$study" = - ] || words=("$study" "${words[@]}")
[ -f "$db" ] && words+=(--resume)
rc=0
timeout -s INT -k 15 "$seconds" \
    "$jouleline" run "${words[@]}" --db "$db" --stop-after "${total}s" || rc=$?
mkdir -p "$out"
name=$(basename "$db" .db)
[ -f "$db" ] || exit "$rc"
rm -f "$out/$name".db.xz.*
python3 - "$db" "$out/$name.db" <<'P'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
with sqlite3.connect(sys.argv[2]) as copy:  # whole, even when the program was killed
    db.backup(copy)
one = lambda sql: db.execute(sql).fetchone()
print("rounds complete: %d; runs: %d" % (one("SELECT count(*) FROM round WHERE complete") +
                                         one("SELECT count(*) FROM run")))
for row in db.execute("""SELECT c.text, count(*), avg(r.total_ns), avg(r.start_ns), avg(r.load_ns),
        avg(r.first_call_ns), avg(r.warm_ns - r.first_call_ns), avg(r.measure_ns), avg(r.check_ns),
        sum(r.outcome <> 'ok'), sum(r.settled) FROM run r JOIN cell e ON e.id = r.cell
        JOIN configuration c ON c.id = e.configuration GROUP BY 1"""):
    print("%-24s %4d runs, mean s: %5.2f = start %.2f load %.2f first call %.2f warm-up %.2f "
          "measure %.2f check %.3f; %d failed, %d settled"
          % (row[:2] + tuple((v or 0) * 1e-9 for v in row[2:9]) + tuple(v or 0 for v in row[9:])))
P
xz -T0 -2 -c "$out/$name.db" | split -b 14M -d -a 1 - "$out/$name.db.xz."
rm "$out/$name.db"
case $rc in 0 | 5 | 124 | 130) exit 0 ;; *) exit "$rc" ;; esac # the store tells failed cells
