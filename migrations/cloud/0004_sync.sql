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
    roster_cursor  BIGINT
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
    verdict        TEXT NOT NULL CHECK (verdict IN ('stored', 'duplicate', 'conflict', 'refused', 'quarantined')),
    reason         TEXT,                                      -- a code of hadir-shared, for programs
    error_message  TEXT,                                      -- the same for people
    action_type    TEXT NOT NULL,                             -- 'attendance', 'boot', 'clock', …
    user_id        BIGINT,
    claimed_at     BIGINT,
    trusted_at     BIGINT,
    attendance_id  BIGINT,
    tries          BIGINT NOT NULL DEFAULT 1,
    decided_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX sync_records_identity ON sync_records (institution_id, device_id, log_id, seq);
CREATE INDEX sync_records_by_institution ON sync_records (institution_id, id);

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
