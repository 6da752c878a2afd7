-- Version 2 of a study.  NULL in a REAL column means: there is no such figure.
-- This text is SQLite's; for PostgreSQL the words of its types are exchanged (store_postgres.c).

CREATE TABLE fact (                        -- what was asked for, where and with what: one row per name
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE command (                     -- every command line that worked on this study, in order
    id         INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL,           -- seconds since 1970
    line       TEXT NOT NULL
);

CREATE TABLE measurement (                 -- one per distinct network on one target, made before anything trains
    id            INTEGER PRIMARY KEY,
    model         TEXT NOT NULL,
    head          TEXT NOT NULL,
    imgsz         INTEGER NOT NULL,        -- pixels
    precision     TEXT NOT NULL,
    variant       TEXT NOT NULL DEFAULT '', -- further options that shape the network, as `activation=silu`; mostly empty
    target        TEXT NOT NULL,
    threads       INTEGER NOT NULL,
    device        TEXT NOT NULL,
    warmup        INTEGER NOT NULL,
    runs          INTEGER NOT NULL,
    min_ms        REAL,                    -- the network alone
    p50_ms        REAL,
    p90_ms        REAL,
    p99_ms        REAL,
    preprocess_ms  REAL,
    postprocess_ms REAL,
    total_p50_ms  REAL,                    -- preprocessing, network and postprocessing together
    total_p90_ms  REAL,                    -- what a budget is held against
    total_p99_ms  REAL,
    energy_mj     REAL,                    -- of one whole answer, where the device tells
    clock_mhz     REAL,                    -- of the processor, in the median, while it was measured
    temperature_c REAL,                    -- the highest that was seen
    peak_bytes    INTEGER,
    params        INTEGER,
    macs          INTEGER,
    bytes         INTEGER,                 -- of the weights
    is_valid      INTEGER NOT NULL,        -- 0: the device throttled or was disturbed
    note          TEXT NOT NULL,           -- why it failed or is not valid; empty otherwise
    measured_at   INTEGER NOT NULL,
    UNIQUE (model, head, imgsz, precision, variant, target, threads)
);

CREATE TABLE trial (
    id             INTEGER PRIMARY KEY,
    config         TEXT NOT NULL UNIQUE,   -- JSON object of strings: the options that this trial trains with
    measurement_id INTEGER REFERENCES measurement (id),
    state          TEXT NOT NULL
        CHECK (state IN ('waiting', 'running', 'done', 'stopped', 'failed', 'screened')),
    stage          INTEGER NOT NULL DEFAULT 0, -- stages finished
    bracket        INTEGER NOT NULL DEFAULT 0, -- of the schedule, where it has several
    origin         TEXT NOT NULL DEFAULT 'grid'  -- who proposed it
        CHECK (origin IN ('grid', 'random', 'tpe', 'nsga2', 'user')),
    attempts       INTEGER NOT NULL DEFAULT 0, -- how often a worker took it
    worker         TEXT NOT NULL DEFAULT '',   -- who took it last
    reason         TEXT NOT NULL DEFAULT '',   -- of a failure, a screening or an early end
    folder         TEXT NOT NULL DEFAULT '',
    seed           INTEGER NOT NULL,
    seconds        REAL NOT NULL DEFAULT 0     -- spent on it, all stages and attempts together
);

CREATE TABLE attempt (                     -- one row each time a worker takes a trial
    trial_id    INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,          -- from 1
    stage       INTEGER NOT NULL,          -- that it works towards, from 1
    worker      TEXT NOT NULL,
    started_at  REAL NOT NULL,             -- seconds since 1970, as all times here
    ended_at    REAL,                      -- NULL while it runs
    lease_until REAL NOT NULL,             -- without a heartbeat until then, the worker counts as lost
    outcome     TEXT NOT NULL
        CHECK (outcome IN ('running', 'done', 'failed', 'stopped', 'lost')),
    reason      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (trial_id, number)
) WITHOUT ROWID;

CREATE INDEX attempt_running ON attempt (lease_until) WHERE outcome = 'running';

CREATE TABLE epoch (
    trial_id        INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,
    epoch           INTEGER NOT NULL,      -- from 1
    seconds         REAL,                  -- of training and validation since the trial began
    train_loss      REAL,
    val_loss        REAL,
    mean_iou        REAL,
    box_precision50 REAL,
    map50           REAL,
    map50_95        REAL,
    lr              REAL,
    PRIMARY KEY (trial_id, epoch)
) WITHOUT ROWID;

CREATE TABLE result (                      -- what a trial reached at the end of a stage (val), and the winner at the end of all (test)
    trial_id     INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,
    stage        INTEGER NOT NULL,         -- from 1
    split        TEXT NOT NULL CHECK (split IN ('val', 'test')),
    epochs       INTEGER NOT NULL,         -- trained so far
    best_epoch   INTEGER NOT NULL,         -- the figures are this epoch's
    images_per_s REAL,
    seconds      REAL,
    PRIMARY KEY (trial_id, stage, split)
) WITHOUT ROWID;

CREATE TABLE metric (
    trial_id INTEGER NOT NULL,
    stage    INTEGER NOT NULL,
    split    TEXT NOT NULL,
    name     TEXT NOT NULL,                -- as `gannet val --json` calls it
    value    REAL,
    low      REAL,                         -- limits of the 95% interval, where one was made
    high     REAL,
    PRIMARY KEY (trial_id, stage, split, name),
    FOREIGN KEY (trial_id, stage, split) REFERENCES result (trial_id, stage, split) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE picture (                     -- the few pictures that a report shows
    id       INTEGER PRIMARY KEY,
    trial_id INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,
    name     TEXT NOT NULL,
    caption  TEXT NOT NULL,
    jpeg     BLOB NOT NULL,
    UNIQUE (trial_id, name)
);

CREATE TABLE document (                    -- curves, confusion, calibration and the like: one JSON text per trial and name
    trial_id INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,
    name     TEXT NOT NULL,
    json     TEXT NOT NULL,
    PRIMARY KEY (trial_id, name)
);
