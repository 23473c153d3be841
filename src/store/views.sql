-- The views of a store, made anew whenever a store is made or brought up to date.

-- The run that stands for each round and cell of a model (probes: see `probe`), with names instead
-- of numbers. The configuration is without @DEVICE, which the device says.
DROP VIEW IF EXISTS result;
CREATE VIEW result AS
SELECT run.id AS run, study.name AS study, study.uid AS study_uid, round.number AS round,
       round.complete AS round_complete, model.name AS model, model.family AS family,
       replace(configuration.text, '@' || configuration.position, '') AS configuration,
       cell.batch AS batch, cell.in_flight AS in_flight,
       cell.io AS io, device.name AS device, device.uid AS device_uid, host.name AS host,
       run.outcome AS outcome, run.message AS message, run.settled AS settled,
       run.latency_ns AS latency_ns,
       run.throughput_items_per_s AS throughput_items_per_s,
       energy.gross_j_per_item AS energy_j_per_item, energy.gross_se_j AS energy_se_j,
       energy.drift_rel AS drift_rel,
       energy.net_sleeping_j_per_item AS net_sleeping_j_per_item,
       energy.net_waking_j_per_item AS net_waking_j_per_item, energy.scope AS energy_scope,
       energy.reason AS no_energy_because, run.cpu_ns_per_item AS cpu_ns_per_item,
       run.peak_rss_bytes AS peak_rss_bytes, run.device_memory_bytes AS device_memory_bytes,
       run.simulated AS simulated, coalesce(energy.modelled, 0) AS modelled
FROM run
JOIN round ON round.id = run.round
JOIN study ON study.id = round.study
JOIN cell ON cell.id = run.cell
JOIN model ON model.id = cell.model
JOIN configuration ON configuration.id = cell.configuration
JOIN boot ON boot.id = round.boot
JOIN host ON host.id = boot.host
LEFT JOIN device ON device.id = run.device
LEFT JOIN energy ON energy.run = run.id AND energy.headline = 1
WHERE run.counts = 1 AND model.kind <> 'probe';

-- The runs of the probes, from which the roofs come: the highest flop_per_s, bytes_per_s and
-- nodes_per_s of a device and configuration.
DROP VIEW IF EXISTS probe;
CREATE VIEW probe AS
SELECT run.id AS run, study.uid AS study_uid, round.number AS round, model.name AS probe,
       replace(configuration.text, '@' || configuration.position, '') AS configuration,
       device.name AS device, device.uid AS device_uid, run.outcome AS outcome,
       run.message AS message, cell.flop AS flop, cell.moved_bytes AS moved_bytes,
       cell.nodes AS nodes, run.latency_ns AS latency_ns,
       1e9 * cell.flop / run.latency_ns AS flop_per_s,
       1e9 * cell.moved_bytes / run.latency_ns AS bytes_per_s,
       1e9 * cell.nodes / run.latency_ns AS nodes_per_s,
       energy.gross_j_per_item AS energy_j_per_call, run.simulated AS simulated
FROM run
JOIN round ON round.id = run.round
JOIN study ON study.id = round.study
JOIN cell ON cell.id = run.cell
JOIN model ON model.id = cell.model
JOIN configuration ON configuration.id = cell.configuration
LEFT JOIN device ON device.id = run.device
LEFT JOIN energy ON energy.run = run.id AND energy.headline = 1
WHERE run.counts = 1 AND model.kind = 'probe';

-- Every attempt with the time that each stage took.
DROP VIEW IF EXISTS stage_time;
CREATE VIEW stage_time AS
SELECT run.id AS run, model.name AS model, configuration.text AS configuration,
       cell.batch AS batch, round.number AS round, run.attempt AS attempt,
       run.outcome AS outcome, run.start_method AS start_method, run.start_ns / 1e9 AS start_s,
       run.load_ns / 1e9 AS load_s, run.warm_ns / 1e9 AS warm_s,
       run.measure_ns / 1e9 AS measure_s, run.check_ns / 1e9 AS check_s,
       run.total_ns / 1e9 AS total_s
FROM run
JOIN round ON round.id = run.round
JOIN cell ON cell.id = run.cell
JOIN model ON model.id = cell.model
JOIN configuration ON configuration.id = cell.configuration;

-- What fails where: one row a model, configuration and outcome.
DROP VIEW IF EXISTS portability;
CREATE VIEW portability AS
SELECT model.name AS model, configuration.text AS configuration, run.outcome AS outcome,
       count(*) AS runs, min(cell.batch) AS smallest_batch, max(cell.batch) AS largest_batch,
       max(run.message) AS message
FROM run
JOIN cell ON cell.id = run.cell
JOIN model ON model.id = cell.model
JOIN configuration ON configuration.id = cell.configuration
WHERE run.counts = 1 AND model.kind <> 'probe'
GROUP BY cell.model, cell.configuration, run.outcome;
