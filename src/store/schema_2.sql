-- From schema version 1 to 2: what a figure of energy rests on.

ALTER TABLE energy ADD COLUMN sensor_se_j REAL;
ALTER TABLE energy ADD COLUMN drift_rel REAL;
ALTER TABLE energy ADD COLUMN drift_se_rel REAL;
ALTER TABLE energy ADD COLUMN slope_check_rel REAL;
ALTER TABLE energy ADD COLUMN power_check_rel REAL;
ALTER TABLE energy ADD COLUMN power_check_se_rel REAL;

-- The sensor's updates around the timed loop, from its warm-up on: each lies between lo_ns and
-- hi_ns of the clock of the stamps.
CREATE TABLE tick(
    run INTEGER NOT NULL REFERENCES run(id),
    meter INTEGER NOT NULL REFERENCES meter(id),
    number INTEGER NOT NULL,
    lo_ns INTEGER NOT NULL,
    hi_ns INTEGER NOT NULL,
    energy_j REAL,
    power_w REAL,
    sm_clock_mhz REAL,
    temperature_c REAL,
    PRIMARY KEY(run, meter, number)
) STRICT, WITHOUT ROWID;
