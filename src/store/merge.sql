-- Adds the attached store `part` to `main`. Every row is found again by its uid or natural key,
-- so that merging twice changes nothing.
INSERT OR IGNORE INTO main.host(uid, name, cpu, cpus, memory_bytes, arch, kernel, os)
SELECT uid, name, cpu, cpus, memory_bytes, arch, kernel, os FROM part.host;
CREATE TEMP TABLE map_host AS
SELECT p.id AS old, m.id AS new FROM part.host p JOIN main.host m ON m.uid = p.uid;

INSERT OR IGNORE INTO main.boot(uid, host)
SELECT p.uid, h.new FROM part.boot p JOIN map_host h ON h.old = p.host;
CREATE TEMP TABLE map_boot AS
SELECT p.id AS old, m.id AS new FROM part.boot p JOIN main.boot m ON m.uid = p.uid;

INSERT OR IGNORE INTO main.device(uid, host, kind, position, name, driver, simulated)
SELECT p.uid, h.new, p.kind, p.position, p.name, p.driver, p.simulated
FROM part.device p JOIN map_host h ON h.old = p.host;
CREATE TEMP TABLE map_device AS
SELECT p.id AS old, m.id AS new FROM part.device p JOIN main.device m ON m.uid = p.uid;

INSERT OR IGNORE INTO main.study(uid, name, created_at, jouleline, seed, spec)
SELECT uid, name, created_at, jouleline, seed, spec FROM part.study;
CREATE TEMP TABLE map_study AS
SELECT p.id AS old, m.id AS new FROM part.study p JOIN main.study m ON m.uid = p.uid;

INSERT OR IGNORE INTO main.model(uid, name, kind, family, path, bytes, parameters, opset, items_are)
SELECT uid, name, kind, family, path, bytes, parameters, opset, items_are FROM part.model;
CREATE TEMP TABLE map_model AS
SELECT p.id AS old, m.id AS new FROM part.model p JOIN main.model m ON m.uid = p.uid;

INSERT OR IGNORE INTO main.configuration(text, runtime, provider, precision, regime, position)
SELECT text, runtime, provider, precision, regime, position FROM part.configuration;
CREATE TEMP TABLE map_configuration AS
SELECT p.id AS old, m.id AS new
FROM part.configuration p JOIN main.configuration m ON m.text = p.text;

INSERT OR IGNORE INTO main.cell(model, configuration, batch, in_flight, io, inputs, flop,
    moved_bytes, nodes)
SELECT m.new, c.new, p.batch, p.in_flight, p.io, p.inputs, p.flop, p.moved_bytes, p.nodes
FROM part.cell p JOIN map_model m ON m.old = p.model
JOIN map_configuration c ON c.old = p.configuration;
CREATE TEMP TABLE map_cell AS
SELECT p.id AS old, n.id AS new
FROM part.cell p JOIN map_model m ON m.old = p.model
JOIN map_configuration c ON c.old = p.configuration
JOIN main.cell n ON n.model = m.new AND n.configuration = c.new AND n.batch = p.batch
    AND n.in_flight = p.in_flight AND n.io = p.io AND n.inputs = p.inputs;

INSERT OR IGNORE INTO main.study_cell(study, cell)
SELECT s.new, c.new FROM part.study_cell p JOIN map_study s ON s.old = p.study
JOIN map_cell c ON c.old = p.cell;

-- A round that was under way when its part was merged before may have ended since.
INSERT INTO main.round(uid, study, number, boot, seed, started_at, ended_at, complete, conditions)
SELECT p.uid, s.new, p.number, b.new, p.seed, p.started_at, p.ended_at, p.complete, p.conditions
FROM part.round p JOIN map_study s ON s.old = p.study JOIN map_boot b ON b.old = p.boot
WHERE true
ON CONFLICT(uid) DO UPDATE SET ended_at = coalesce(excluded.ended_at, ended_at),
    complete = max(complete, excluded.complete);
CREATE TEMP TABLE map_round AS
SELECT p.id AS old, m.id AS new FROM part.round p JOIN main.round m ON m.uid = p.uid;

INSERT OR IGNORE INTO main.facts(uid, json) SELECT uid, json FROM part.facts;
CREATE TEMP TABLE map_facts AS
SELECT p.id AS old, m.id AS new FROM part.facts p JOIN main.facts m ON m.uid = p.uid;

INSERT OR IGNORE INTO main.meter(uid, host, name, domain, kind, label, device_uid, tick_s, gain_rel,
    simulated, modelled)
SELECT p.uid, h.new, p.name, p.domain, p.kind, p.label, p.device_uid, p.tick_s, p.gain_rel,
    p.simulated, p.modelled
FROM part.meter p JOIN map_host h ON h.old = p.host;
CREATE TEMP TABLE map_meter AS
SELECT p.id AS old, m.id AS new FROM part.meter p JOIN main.meter m ON m.uid = p.uid;

INSERT OR IGNORE INTO main.idle(round, meter, device, configuration, level, power_w, power_se_w,
    duration_s, sm_clock_mhz, temperature_c, reason, measured_at)
SELECT r.new, m.new, d.new, c.new, p.level, p.power_w, p.power_se_w, p.duration_s, p.sm_clock_mhz,
    p.temperature_c, p.reason, p.measured_at
FROM part.idle p JOIN map_round r ON r.old = p.round JOIN map_meter m ON m.old = p.meter
LEFT JOIN map_device d ON d.old = p.device
LEFT JOIN map_configuration c ON c.old = p.configuration;

-- Runs that are new here; an attempt that stopped counting since stops counting here too.
CREATE TEMP TABLE new_run AS
SELECT p.id AS old, p.uid AS uid FROM part.run p
WHERE NOT EXISTS (SELECT 1 FROM main.run m WHERE m.uid = p.uid);
UPDATE main.run SET counts = 0
WHERE counts = 1 AND uid IN (SELECT uid FROM part.run WHERE counts = 0);
INSERT INTO main.run(uid, round, cell, device, position, attempt, counts, outcome, stage, message,
    signal, stderr_tail, simulated, started_at, start_method, start_ns, load_ns, warm_ns,
    measure_ns, check_ns, total_ns, input_seed, settled, disturbed, power_capped, calls, stopped,
    latency_ns, latency_low_ns, latency_high_ns, latency_mean_ns, latency_min_ns, latency_max_ns,
    latency_p90_ns, latency_p95_ns, latency_p99_ns, throughput_items_per_s, first_call_ns,
    cpu_ns_per_item, peak_rss_bytes, device_memory_bytes, temperature_c, sm_clock_mhz,
    mem_clock_mhz, power_limit_w, facts)
SELECT p.uid, r.new, c.new, d.new, p.position, p.attempt, p.counts, p.outcome, p.stage, p.message,
    p.signal, p.stderr_tail, p.simulated, p.started_at, p.start_method, p.start_ns, p.load_ns,
    p.warm_ns, p.measure_ns, p.check_ns, p.total_ns, p.input_seed, p.settled, p.disturbed,
    p.power_capped, p.calls, p.stopped, p.latency_ns, p.latency_low_ns, p.latency_high_ns,
    p.latency_mean_ns, p.latency_min_ns, p.latency_max_ns, p.latency_p90_ns, p.latency_p95_ns,
    p.latency_p99_ns, p.throughput_items_per_s, p.first_call_ns, p.cpu_ns_per_item,
    p.peak_rss_bytes, p.device_memory_bytes, p.temperature_c, p.sm_clock_mhz, p.mem_clock_mhz,
    p.power_limit_w, f.new
FROM new_run n JOIN part.run p ON p.id = n.old
JOIN map_round r ON r.old = p.round JOIN map_cell c ON c.old = p.cell
LEFT JOIN map_device d ON d.old = p.device LEFT JOIN map_facts f ON f.old = p.facts;
CREATE TEMP TABLE map_run AS
SELECT n.old AS old, m.id AS new FROM new_run n JOIN main.run m ON m.uid = n.uid;

INSERT INTO main.stamps(run, calls, coding, data)
SELECT r.new, p.calls, p.coding, p.data FROM part.stamps p JOIN map_run r ON r.old = p.run;
INSERT INTO main.energy(run, scope, meter, headline, method, gross_j_per_item, gross_se_j,
    gross_low_j, gross_high_j, net_sleeping_j_per_item, net_sleeping_se_j, net_waking_j_per_item,
    net_waking_se_j, systematic_rel, power_w, window_j, window_items, window_s, ticks, simulated,
    modelled, reason, sensor_se_j, drift_rel, drift_se_rel, slope_check_rel, power_check_rel,
    power_check_se_rel)
SELECT r.new, p.scope, m.new, p.headline, p.method, p.gross_j_per_item, p.gross_se_j, p.gross_low_j,
    p.gross_high_j, p.net_sleeping_j_per_item, p.net_sleeping_se_j, p.net_waking_j_per_item,
    p.net_waking_se_j, p.systematic_rel, p.power_w, p.window_j, p.window_items, p.window_s, p.ticks,
    p.simulated, p.modelled, p.reason, p.sensor_se_j, p.drift_rel, p.drift_se_rel,
    p.slope_check_rel, p.power_check_rel, p.power_check_se_rel
FROM part.energy p JOIN map_run r ON r.old = p.run LEFT JOIN map_meter m ON m.old = p.meter;
INSERT INTO main.tick(run, meter, number, lo_ns, hi_ns, energy_j, power_w, sm_clock_mhz,
    temperature_c)
SELECT r.new, m.new, p.number, p.lo_ns, p.hi_ns, p.energy_j, p.power_w, p.sm_clock_mhz,
    p.temperature_c
FROM part.tick p JOIN map_run r ON r.old = p.run JOIN map_meter m ON m.old = p.meter;
INSERT INTO main.agreement(run, output, reference, items, cosine_min, cosine_centred_min,
    max_abs_error, mean_abs_error, nan_count, inf_count, new_nan_or_inf, top1_agree, top5_agree)
SELECT r.new, p.output, p.reference, p.items, p.cosine_min, p.cosine_centred_min, p.max_abs_error,
    p.mean_abs_error, p.nan_count, p.inf_count, p.new_nan_or_inf, p.top1_agree, p.top5_agree
FROM part.agreement p JOIN map_run r ON r.old = p.run;

DROP TABLE temp.map_host;
DROP TABLE temp.map_boot;
DROP TABLE temp.map_device;
DROP TABLE temp.map_study;
DROP TABLE temp.map_model;
DROP TABLE temp.map_configuration;
DROP TABLE temp.map_cell;
DROP TABLE temp.map_round;
DROP TABLE temp.map_facts;
DROP TABLE temp.map_meter;
DROP TABLE temp.new_run;
DROP TABLE temp.map_run;
