-- Brings a study of version 1 to version 2.  Runs in one transaction and with foreign keys off.

-- The key of a measurement has a further column, which needs a new table.
CREATE TABLE measurement_2 (
    id            INTEGER PRIMARY KEY,
    model         TEXT NOT NULL,
    head          TEXT NOT NULL,
    imgsz         INTEGER NOT NULL,
    precision     TEXT NOT NULL,
    variant       TEXT NOT NULL DEFAULT '',
    target        TEXT NOT NULL,
    threads       INTEGER NOT NULL,
    device        TEXT NOT NULL,
    warmup        INTEGER NOT NULL,
    runs          INTEGER NOT NULL,
    min_ms        REAL,
    p50_ms        REAL,
    p90_ms        REAL,
    p99_ms        REAL,
    preprocess_ms  REAL,
    postprocess_ms REAL,
    total_p50_ms  REAL,
    total_p90_ms  REAL,
    total_p99_ms  REAL,
    energy_mj     REAL,
    clock_mhz     REAL,
    temperature_c REAL,
    peak_bytes    INTEGER,
    params        INTEGER,
    macs          INTEGER,
    bytes         INTEGER,
    is_valid      INTEGER NOT NULL,
    note          TEXT NOT NULL,
    measured_at   INTEGER NOT NULL,
    UNIQUE (model, head, imgsz, precision, variant, target, threads)
);
INSERT INTO measurement_2 (id, model, head, imgsz, precision, target, threads, device, warmup, runs, min_ms, p50_ms, p90_ms, p99_ms,
    preprocess_ms, postprocess_ms, total_p50_ms, total_p90_ms, total_p99_ms, peak_bytes, params, macs, bytes, is_valid, note, measured_at)
SELECT id, model, head, imgsz, precision, target, threads, device, warmup, runs, min_ms, p50_ms, p90_ms, p99_ms,
    preprocess_ms, postprocess_ms, total_p50_ms, total_p90_ms, total_p99_ms, peak_bytes, params, macs, bytes, is_valid, note, measured_at
FROM measurement;
DROP TABLE measurement;
ALTER TABLE measurement_2 RENAME TO measurement;

ALTER TABLE trial ADD COLUMN bracket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trial ADD COLUMN origin TEXT NOT NULL DEFAULT 'grid'
    CHECK (origin IN ('grid', 'random', 'tpe', 'nsga2', 'user'));
ALTER TABLE trial ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trial ADD COLUMN worker TEXT NOT NULL DEFAULT '';

CREATE TABLE attempt (
    trial_id    INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    stage       INTEGER NOT NULL,
    worker      TEXT NOT NULL,
    started_at  REAL NOT NULL,
    ended_at    REAL,
    lease_until REAL NOT NULL,
    outcome     TEXT NOT NULL
        CHECK (outcome IN ('running', 'done', 'failed', 'stopped', 'lost')),
    reason      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (trial_id, number)
) WITHOUT ROWID;

CREATE TABLE document (
    trial_id INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,
    name     TEXT NOT NULL,
    json     TEXT NOT NULL,
    PRIMARY KEY (trial_id, name)
);

CREATE INDEX attempt_running ON attempt (lease_until) WHERE outcome = 'running';
