-- The store of jouleline, schema version 1; schema_2.sql adds to it, views.sql has the views.
-- doc/schema.md explains them.
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
