"""Writes a store of any size, all runs ok, without measuring: large_store.py MODELS FILE.db

MODELS models x 50 configurations x 8 batches x 25 rounds on one GPU, each run with two scopes of
energy and a check of agreement, as jouleline writes them (but for the stamps of calls, which no
report reads). Values differ by model, configuration, batch and round; everything is computed by
SQLite from a hash of the row, so that the same arguments give the same store.
"""

import pathlib
import sqlite3
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIGURATIONS, BATCHES, ROUNDS = 50, 8, 25

NOISE = "(((abs({seed} * 2654435761) >> 7) % 10007) / 10007.0 - 0.5)"  # uniform, -0.5 to 0.5


def numbers(name, count):
    return f"{name}(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM {name} WHERE n + 1 < {count})"


def make(models, path):
    path = pathlib.Path(path)
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;")
    steps = sorted((ROOT / "src/store").glob("schema*.sql"))
    for step in steps:
        db.executescript(step.read_text())
    db.executescript(f"PRAGMA application_id=0x4A4C5354; PRAGMA user_version={len(steps)};")
    cells = models * CONFIGURATIONS * BATCHES
    cell = "run_cell.n"
    db.executescript(f"""
INSERT INTO host(uid, name, cpu, cpus, kernel) VALUES('h', 'host', 'a processor', 32, '6.1');
INSERT INTO boot(uid, host) VALUES('b', 1);
INSERT INTO device(uid, host, kind, position, name, driver, simulated)
VALUES('GPU-1', 1, 'cuda', 0, 'made up GPU', '1.0', 1);
INSERT INTO study(uid, name, created_at, jouleline, seed, spec)
VALUES('s', 'large', '2026-01-01T00:00:00.000Z', '0.1.0', 1, '{{}}');
INSERT INTO meter(uid, host, name, domain, kind, label, device_uid, tick_s, gain_rel, simulated,
    modelled) VALUES('m', 1, 'fake', 'fake:gpu', 'gpu', 'made up board', 'GPU-1', 0.1, 0.05, 1, 0);
INSERT INTO facts(uid, json) VALUES('f', '{{"driver":"1.0","tf32":"0","threads":"8"}}');
WITH {numbers('m', models)}
INSERT INTO model(uid, name, kind, family)
SELECT 'm' || n, 'model_' || n, 'zoo',
    CASE n % 3 WHEN 0 THEN 'lightweight' WHEN 1 THEN 'standard' ELSE 'layernorm' END FROM m;
WITH {numbers('c', CONFIGURATIONS)}
INSERT INTO configuration(text, runtime, provider, precision, regime, position)
SELECT 'ort-cuda/fp32+threads=' || (n + 1), 'ort', 'cuda', 'fp32', 'matched', 0 FROM c;
WITH {numbers('r', ROUNDS)}
INSERT INTO round(uid, study, number, boot, seed, started_at, complete, conditions)
SELECT 'r' || n, 1, n + 1, 1, n, printf('2026-01-01T%02d:00:00.000Z', n), 1,
    '{{"cpu":"a processor","kernel":"6.1","governor":"performance"}}' FROM r;
WITH {numbers('k', cells)}
INSERT INTO cell(model, configuration, batch, in_flight, io, inputs, flop, moved_bytes, nodes)
SELECT n / {CONFIGURATIONS * BATCHES} + 1, n / {BATCHES} % {CONFIGURATIONS} + 1, 1 << n % {BATCHES},
    1, 'device', '', 1e9 * (1 << n % {BATCHES}), 1e8, 100 FROM k;
INSERT INTO study_cell SELECT 1, id FROM cell;
""")
    for r in range(ROUNDS):
        seed = f"({cell} * {ROUNDS} + {r} + 1)"
        latency = (f"1e6 * (1 + ({cell} % {BATCHES})) * (1 + ({cell} / {BATCHES} % {CONFIGURATIONS}) * 0.01)"
                   f" * (1 + 0.02 * {NOISE.format(seed=seed)})")
        db.executescript(f"""
WITH {numbers('run_cell', cells)}
INSERT INTO run(uid, round, cell, device, position, outcome, simulated, started_at, start_method,
    start_ns, load_ns, warm_ns, measure_ns, check_ns, total_ns, input_seed, settled, power_capped,
    calls, stopped, latency_ns, latency_low_ns, latency_high_ns, latency_mean_ns, latency_min_ns,
    latency_max_ns, latency_p90_ns, latency_p95_ns, latency_p99_ns, throughput_items_per_s,
    first_call_ns, cpu_ns_per_item, peak_rss_bytes, device_memory_bytes, temperature_c,
    sm_clock_mhz, mem_clock_mhz, power_limit_w, facts)
SELECT printf('%032x', {seed}), {r + 1}, {cell} + 1, 1, {cell}, 'ok', 1,
    '2026-01-01T00:00:00.000Z', 'exec', 250000000, 1250000000, 900000000, 1000000000, 50000000,
    3500000000, 77, 1, 0, 1000, 'flag', l, l * 0.99, l * 1.01, l, CAST(l * 0.9 AS INTEGER),
    CAST(l * 1.3 AS INTEGER), l * 1.1,
    
    l * 1.15, l * 1.2, 1e9 / l, 90000000, l, 1500000000, 800000000, 55, 1980, 2600, 700, 1
FROM (SELECT {cell}, {latency} AS l FROM run_cell) AS run_cell;
""")
    joules = "1e-7 * latency_ns * (1 + 0.02 * " + NOISE.format(seed="(id + 40503)") + ")"
    db.executescript(f"""
INSERT INTO energy(run, scope, meter, headline, method, gross_j_per_item, gross_se_j, gross_low_j,
    gross_high_j, net_sleeping_j_per_item, net_waking_j_per_item, systematic_rel, power_w, window_j,
    window_items, window_s, ticks, simulated, modelled, reason)
SELECT id, CASE s WHEN 1 THEN 'gpu' ELSE 'host' END, 1, s, 'counter-ticks', j, 0.01 * j, 0.98 * j,
    1.02 * j, 0.8 * j, 0.6 * j, 0.05, 300, 300, 1000, 1, 10, 1, 0, NULL
FROM (SELECT id, s, {joules} AS j FROM run, (SELECT 1 AS s UNION ALL SELECT 0));
INSERT INTO agreement(run, output, reference, items, cosine_min, nan_count, inf_count,
    new_nan_or_inf, top1_agree)
SELECT id, 'logits', 'ort-cpu/fp32', 8, 0.9999999, 0, 0, 0, 8 FROM run;
""")
    db.close()


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[1].isdigit() or not 1 <= int(sys.argv[1]) <= 1000:
        sys.exit("usage: large_store.py MODELS (1 to 1000) FILE.db")
    make(int(sys.argv[1]), sys.argv[2])
