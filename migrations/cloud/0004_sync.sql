-- Sync. What a box is, how far its logs are held here, every record they sent, and what goes down to them.

CREATE TABLE edge_devices (
    id             UUID PRIMARY KEY,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    name           TEXT NOT NULL,
    public_key     TEXT NOT NULL,
    previous_key   TEXT,                                      -- after a rotation, until a batch under the new one came
    version        TEXT NOT NULL,
    enrolled_at    BIGINT NOT NULL,
    revoked_at     BIGINT,
    last_seen_at   BIGINT,
    clock_offset_ms BIGINT,                                   -- the box's wall clock minus ours, at the last contact
    pending        BIGINT,                                    -- records not yet acknowledged, as the box told it
    oldest_pending_at BIGINT,
    disk_free_bytes BIGINT,
    roster_cursor  BIGINT,
    told_log       UUID,                                      -- its log, as it told at the last contact, the number of the
    told_seq       BIGINT,                                    -- last record in it, and that record's hash where the contact
    told_hash      TEXT                                       -- led up to it
);
CREATE INDEX edge_devices_by_institution ON edge_devices (institution_id, enrolled_at);
CREATE UNIQUE INDEX edge_devices_public_key ON edge_devices (public_key);

-- Single use; idempotent on (code, public key), so that a lost answer does not burn it.
CREATE TABLE enrolment_codes (
    code_hash      TEXT PRIMARY KEY,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    created_by     TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    device_id      UUID,
    used_at        BIGINT
);

-- The fence: one row per log. Its lock serialises one box and nothing else; the head never goes back.
CREATE TABLE device_logs (
    institution_id BIGINT NOT NULL,
    device_id      UUID NOT NULL,                             -- a person's own id for process-attendance
    log_id         UUID NOT NULL,
    high_seq       BIGINT NOT NULL,
    high_hash      TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    backed_up_through BIGINT NOT NULL DEFAULT 0,              -- in a backup that was verified; only a backup raises it
    closed_at      BIGINT,                                    -- somebody chose another log of the box: what still comes on
                                                              -- this one is kept, in quarantine
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (institution_id, device_id, log_id)
);

-- Every record, byte for byte, with what was decided about it. The admin's sync log reads this table.
CREATE TABLE sync_records (
    id             $ID,
    institution_id BIGINT NOT NULL,
    device_id      UUID NOT NULL,
    log_id         UUID NOT NULL,
    seq            BIGINT NOT NULL,
    body           TEXT NOT NULL,                             -- the exact bytes that were hashed
    raw            TEXT,                                      -- the same in hexadecimal, where they hold a NUL, which no
                                                              -- text of PostgreSQL can: then body has U+FFFD in its place
    hash           TEXT NOT NULL,
    received_at    BIGINT NOT NULL,
    verdict        TEXT NOT NULL                              -- the last two are never told to a box: people decide so
        CHECK (verdict IN ('stored', 'duplicate', 'conflict', 'refused', 'quarantined', 'corrected', 'discarded')),
    reason         TEXT,                                      -- a code of hadir-shared, for programs
    error_message  TEXT,                                      -- the same for people
    action_type    TEXT NOT NULL,                             -- 'attendance', 'boot', 'clock', …
    user_id        BIGINT,
    claimed_at     BIGINT,
    trusted_at     BIGINT,
    attendance_id  BIGINT,
    tries          BIGINT NOT NULL DEFAULT 1,
    decided_at     BIGINT NOT NULL,
    -- The trusted time; what could not be read has only the time it came. A column, because PostgreSQL answers from an index
    -- alone over columns, not over expressions.
    happened_at    BIGINT GENERATED ALWAYS AS (COALESCE(trusted_at, received_at)) STORED
);
CREATE UNIQUE INDEX sync_records_identity ON sync_records (institution_id, device_id, log_id, seq);
-- With the verdict, so that what is in the books is counted without a look at the rows.
CREATE INDEX sync_records_by_institution ON sync_records (institution_id, id, verdict);
-- The list of the log shows the newest first, by id, under one filter or several; each filter alone has an index that holds its
-- rows in the very order of the list, so that a page is as many steps as it has lines, and a count (which stops at ten thousand)
-- is answered from the index alone. What most records are (stored, attendance) is in no index of its own: the list by id meets
-- enough of those at once. What the five cost a box's batch stands in docs/BENCHMARKS.md.
CREATE INDEX sync_records_by_user ON sync_records (institution_id, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX sync_records_by_device ON sync_records (institution_id, device_id, id);
CREATE INDEX sync_records_by_verdict ON sync_records (institution_id, verdict, id) WHERE verdict <> 'stored';
CREATE INDEX sync_records_by_action ON sync_records (institution_id, action_type, id) WHERE action_type <> 'attendance';
-- Under a range of days the list is in the order of what happened, and is entered at the range's end. Box and arrival are in it
-- so that a box's days, and how late its records came, are read from it alone.
CREATE INDEX sync_records_by_time ON sync_records (institution_id, happened_at, id, device_id, received_at);
-- What failed or was discarded, of all verdicts in one order; with all that is asked of many of them at once (whose, which log's
-- quarantine, a part of the message), of which few are shown. A few in a hundred records are in it.
CREATE INDEX sync_records_by_failure ON sync_records (institution_id, id, verdict, device_id, log_id, error_message)
    WHERE verdict NOT IN ('stored', 'duplicate', 'corrected');

-- What people decided about single records: a record's bytes never change, and neither does a decision.
CREATE TABLE sync_decisions (
    id             $ID,
    institution_id BIGINT NOT NULL,
    record_id      BIGINT NOT NULL,
    at             BIGINT NOT NULL,
    decided_by     BIGINT NOT NULL,
    action         TEXT NOT NULL CHECK (action IN ('retry', 'map', 'accept', 'discard', 'reopen', 'reprocess')),
    reason         TEXT,                                      -- in the words of whoever decided
    user_id        BIGINT,                                    -- map: whose the record is
    trusted_at     BIGINT,                                    -- accept: when it was, where the record cannot know
    verdict_before TEXT NOT NULL,
    verdict_after  TEXT NOT NULL,
    error          TEXT                                       -- why it failed once more, for people
);
CREATE INDEX sync_decisions_by_institution ON sync_decisions (institution_id, id);
CREATE INDEX sync_decisions_by_record ON sync_decisions (institution_id, record_id, id);

-- Many records decided anew by a job: all that failed and meet a filter, or what a log has in quarantine.
CREATE TABLE sync_retries (
    id             $ID,
    institution_id BIGINT NOT NULL,
    action         TEXT NOT NULL CHECK (action IN ('retry', 'reprocess')),
    device_id      UUID,
    log_id         UUID,
    reason         TEXT,
    state          TEXT NOT NULL CHECK (state IN ('running', 'done')),
    job_id         BIGINT,                                    -- the one job that drives it
    total          BIGINT NOT NULL DEFAULT 0,                 -- these four are written at the end; till then the items tell
    succeeded      BIGINT NOT NULL DEFAULT 0,
    failed         BIGINT NOT NULL DEFAULT 0,
    skipped        BIGINT NOT NULL DEFAULT 0,
    created_by     BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    finished_at    BIGINT
);
CREATE INDEX sync_retries_by_institution ON sync_retries (institution_id, id);
-- One at a time in a school: whoever presses again gets the one that runs.
CREATE UNIQUE INDEX sync_retries_one_running ON sync_retries (institution_id, action) WHERE state = 'running';

-- The records of one that runs. Deleted at its end, when their numbers are written down.
CREATE TABLE sync_retry_items (
    institution_id BIGINT NOT NULL,
    retry_id       BIGINT NOT NULL,
    record_id      BIGINT NOT NULL,
    outcome        TEXT CHECK (outcome IN ('succeeded', 'failed', 'skipped')),
    PRIMARY KEY (institution_id, retry_id, record_id)
);
CREATE INDEX sync_retry_items_open ON sync_retry_items (institution_id, retry_id, record_id) WHERE outcome IS NULL;

-- The down feed: the latest state of everything a box needs. cseq comes from the counter row below, taken in the
-- transaction that changes the data: its lock makes commit order equal cursor order, which a sequence does not.
CREATE TABLE roster_entries (
    institution_id BIGINT NOT NULL,
    entity         TEXT NOT NULL,
    entity_key     TEXT NOT NULL,
    cseq           BIGINT NOT NULL,
    body           TEXT NOT NULL,
    hash           TEXT NOT NULL,
    is_deleted     BOOLEAN NOT NULL,
    changed_at     BIGINT NOT NULL,
    PRIMARY KEY (institution_id, entity, entity_key)
);
CREATE UNIQUE INDEX roster_entries_by_cseq ON roster_entries (institution_id, cseq);

CREATE TABLE feed_heads (
    institution_id BIGINT PRIMARY KEY,
    generation     UUID NOT NULL,
    latest         BIGINT NOT NULL,                           -- the cseq given last
    floor          BIGINT NOT NULL,                           -- tombstones up to here are gone: an older cursor refetches
    revocations    BIGINT NOT NULL                            -- the cseq of the newest revocation
);

-- The roster as a whole, cut into chunks that are named by their hash. Made when a box asks, kept while nothing changes.
CREATE TABLE roster_snapshots (
    institution_id BIGINT PRIMARY KEY,
    generation     UUID NOT NULL,
    cursor_at      BIGINT NOT NULL,
    chunks         TEXT NOT NULL,                             -- hashes, in order, with a space between them
    digest         TEXT NOT NULL,
    created_at     BIGINT NOT NULL
);

CREATE TABLE roster_chunks (
    institution_id BIGINT NOT NULL,
    hash           TEXT NOT NULL,
    body           TEXT NOT NULL,                             -- the bytes the hash is of
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (institution_id, hash)
);

-- One row: names this store, so that a box notices a cloud that was restored or replaced.
CREATE TABLE store_incarnation (
    one          BIGINT PRIMARY KEY CHECK (one = 1),
    id           UUID NOT NULL,
    created_at   BIGINT NOT NULL
);
