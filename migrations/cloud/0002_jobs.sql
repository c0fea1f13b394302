-- Effects that must follow a change: the row is written in the change's own transaction. A job may run twice.

CREATE TABLE jobs (
    id              $ID,
    institution_id  BIGINT,
    kind            TEXT NOT NULL,
    payload         JSONB NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    tries           BIGINT NOT NULL DEFAULT 0,
    run_at          BIGINT NOT NULL,
    claimed_by      UUID,
    claimed_until   BIGINT,
    last_error      TEXT,
    created_at      BIGINT NOT NULL,
    finished_at     BIGINT
);
CREATE INDEX jobs_due ON jobs (state, run_at);

-- Who runs the scheduled jobs. The epoch fences a holder that was paused and came back.
CREATE TABLE job_leases (
    job        TEXT PRIMARY KEY,
    owner      UUID NOT NULL,
    epoch      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Each occasion of a scheduled job runs once, whoever held the lease.
CREATE TABLE job_runs (
    job           TEXT NOT NULL,
    scheduled_for BIGINT NOT NULL,
    epoch         BIGINT NOT NULL,
    finished_at   BIGINT,
    PRIMARY KEY (job, scheduled_for)
);
