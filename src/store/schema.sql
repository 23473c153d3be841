-- The store of jouleline, schema version 1; schema_2.sql adds to it. doc/schema.md explains both.
-- `id` is local to the file; `uid` (or the natural key) names the same thing in every store, so
-- that parts can be merged. A missing value is NULL, never 0.

CREATE TABLE host(
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    cpu TEXT,
    cpus INTEGER,
    memory_bytes INTEGER,
    arch TEXT,
    kernel TEXT,
    os TEXT
) STRICT;

CREATE TABLE boot(
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    host INTEGER NOT NULL REFERENCES host(id)
) STRICT;

CREATE TABLE device(
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    host INTEGER NOT NULL REFERENCES host(id),
    kind TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    driver TEXT,
    simulated INTEGER NOT NULL CHECK(simulated IN (0, 1))
) STRICT;

CREATE TABLE study(
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    jouleline TEXT NOT NULL,
    seed INTEGER NOT NULL,
    spec TEXT NOT NULL
) STRICT;

CREATE TABLE model(
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK(kind IN ('zoo', 'file', 'probe')),
    family TEXT,
    path TEXT,
    bytes INTEGER,
    parameters INTEGER,
    opset INTEGER,
    items_are TEXT
) STRICT;

CREATE TABLE configuration(
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE,
    runtime TEXT NOT NULL,
    provider TEXT NOT NULL,
    precision TEXT NOT NULL,
    regime TEXT NOT NULL CHECK(regime IN ('matched', 'native')),
    position INTEGER NOT NULL
) STRICT;

CREATE TABLE cell(
    id INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES model(id),
    configuration INTEGER NOT NULL REFERENCES configuration(id),
    batch INTEGER NOT NULL CHECK(batch > 0),
    in_flight INTEGER NOT NULL CHECK(in_flight > 0),
    io TEXT NOT NULL CHECK(io IN ('device', 'host')),
    inputs TEXT NOT NULL,
    flop REAL,
    moved_bytes REAL,
    nodes REAL,
    UNIQUE(model, configuration, batch, in_flight, io, inputs)
) STRICT;

-- The cells that a study asks for.
CREATE TABLE study_cell(
    study INTEGER NOT NULL REFERENCES study(id),
    cell INTEGER NOT NULL REFERENCES cell(id),
    PRIMARY KEY(study, cell)
) STRICT, WITHOUT ROWID;

CREATE TABLE round(
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    study INTEGER NOT NULL REFERENCES study(id),
    number INTEGER NOT NULL,
    boot INTEGER NOT NULL REFERENCES boot(id),
    seed INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    complete INTEGER NOT NULL DEFAULT 0 CHECK(complete IN (0, 1)),
    conditions TEXT
) STRICT;
CREATE INDEX round_study ON round(study);

-- Facts that many runs share: library versions and paths, settings found, threads, layout.
CREATE TABLE facts(
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    json TEXT NOT NULL
) STRICT;

CREATE TABLE run(
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    round INTEGER NOT NULL REFERENCES round(id),
    cell INTEGER NOT NULL REFERENCES cell(id),
    device INTEGER REFERENCES device(id),
    position INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 1,
    counts INTEGER NOT NULL DEFAULT 1 CHECK(counts IN (0, 1)),
    outcome TEXT NOT NULL,
    stage TEXT,
    message TEXT,
    signal INTEGER,
    stderr_tail TEXT,
    simulated INTEGER NOT NULL CHECK(simulated IN (0, 1)),
    started_at TEXT NOT NULL,
    start_method TEXT,
    start_ns INTEGER,
    load_ns INTEGER,
    warm_ns INTEGER,
    measure_ns INTEGER,
    check_ns INTEGER,
    total_ns INTEGER,
    input_seed INTEGER,
    settled INTEGER CHECK(settled IN (0, 1)),
    disturbed TEXT,
    power_capped INTEGER CHECK(power_capped IN (0, 1)),
    calls INTEGER,
    stopped TEXT,
    latency_ns REAL,
    latency_low_ns REAL,
    latency_high_ns REAL,
    latency_mean_ns REAL,
    latency_min_ns INTEGER,
    latency_max_ns INTEGER,
    latency_p90_ns REAL,
    latency_p95_ns REAL,
    latency_p99_ns REAL,
    throughput_items_per_s REAL,
    first_call_ns INTEGER,
    cpu_ns_per_item REAL,
    peak_rss_bytes INTEGER,
    device_memory_bytes INTEGER,
    temperature_c REAL,
    sm_clock_mhz REAL,
    mem_clock_mhz REAL,
    power_limit_w REAL,
    facts INTEGER REFERENCES facts(id)
) STRICT;
CREATE INDEX run_round ON run(round, cell);
CREATE INDEX run_cell ON run(cell);

-- Start and end of every call: see doc/schema.md for the coding.
CREATE TABLE stamps(
    run INTEGER PRIMARY KEY REFERENCES run(id),
    calls INTEGER NOT NULL,
    coding INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE meter(
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    host INTEGER NOT NULL REFERENCES host(id),
    name TEXT NOT NULL,
    domain TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    device_uid TEXT,
    tick_s REAL,
    gain_rel REAL,
    simulated INTEGER NOT NULL CHECK(simulated IN (0, 1)),
    modelled INTEGER NOT NULL CHECK(modelled IN (0, 1))
) STRICT;

-- One row a run and scope. `scope` is what the joules cover: 'gpu', 'host', or a domain's kind.
-- `headline` marks the scope that stands for the run. Without a figure `reason` says why.
CREATE TABLE energy(
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run(id),
    scope TEXT NOT NULL,
    meter INTEGER REFERENCES meter(id),
    headline INTEGER NOT NULL CHECK(headline IN (0, 1)),
    method TEXT NOT NULL,
    gross_j_per_item REAL,
    gross_se_j REAL,
    gross_low_j REAL,
    gross_high_j REAL,
    net_sleeping_j_per_item REAL,
    net_sleeping_se_j REAL,
    net_waking_j_per_item REAL,
    net_waking_se_j REAL,
    systematic_rel REAL,
    power_w REAL,
    window_j REAL,
    window_items REAL,
    window_s REAL,
    ticks INTEGER,
    simulated INTEGER NOT NULL CHECK(simulated IN (0, 1)),
    modelled INTEGER NOT NULL CHECK(modelled IN (0, 1)),
    reason TEXT,
    UNIQUE(run, scope),
    CHECK((gross_j_per_item IS NULL) = (reason IS NOT NULL))
) STRICT;

CREATE TABLE idle(
    id INTEGER PRIMARY KEY,
    round INTEGER NOT NULL REFERENCES round(id),
    meter INTEGER NOT NULL REFERENCES meter(id),
    device INTEGER REFERENCES device(id),
    configuration INTEGER REFERENCES configuration(id),
    level TEXT NOT NULL CHECK(level IN ('sleeping', 'waking')),
    power_w REAL,
    power_se_w REAL,
    duration_s REAL,
    sm_clock_mhz REAL,
    temperature_c REAL,
    reason TEXT,
    measured_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idle_key
    ON idle(round, meter, level, coalesce(configuration, 0), coalesce(device, 0));

-- Agreement of one output of a run with the FP32 reference, item by item.
CREATE TABLE agreement(
    run INTEGER NOT NULL REFERENCES run(id),
    output TEXT NOT NULL,
    reference TEXT NOT NULL,
    items INTEGER NOT NULL,
    cosine_min REAL,
    cosine_centred_min REAL,
    max_abs_error REAL,
    mean_abs_error REAL,
    nan_count INTEGER NOT NULL,
    inf_count INTEGER NOT NULL,
    new_nan_or_inf INTEGER NOT NULL CHECK(new_nan_or_inf IN (0, 1)),
    top1_agree INTEGER,
    top5_agree INTEGER,
    PRIMARY KEY(run, output)
) STRICT, WITHOUT ROWID;

-- The run that stands for each round and cell of a model (probes: see `probe`), with names instead of numbers. The configuration is
-- without @DEVICE, which the device says.
CREATE VIEW result AS
SELECT run.id AS run, study.name AS study, study.uid AS study_uid, round.number AS round,
       round.complete AS round_complete, model.name AS model, model.family AS family,
       replace(configuration.text, '@' || configuration.position, '') AS configuration,
       cell.batch AS batch, cell.in_flight AS in_flight,
       cell.io AS io, device.name AS device, device.uid AS device_uid, host.name AS host,
       run.outcome AS outcome, run.message AS message, run.latency_ns AS latency_ns,
       run.throughput_items_per_s AS throughput_items_per_s,
       energy.gross_j_per_item AS energy_j_per_item,
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
