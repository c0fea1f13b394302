-- The log of the box, how far the cloud holds it, and what is worked out from it.

-- Every log this box has had; the highest number is the open one. A log is left, and kept, when the box joins a school or
-- when the cloud knows another history of it.
CREATE TABLE logs (
    number           INTEGER PRIMARY KEY,
    log_id           BLOB NOT NULL UNIQUE,
    institution_id   INTEGER NOT NULL,
    device_id        BLOB,                        -- NULL: recorded while the box stood alone
    opened_at        INTEGER NOT NULL,
    left_because     TEXT,
    acked_through    INTEGER NOT NULL,            -- the cloud holds every record up to here …
    acked_hash       BLOB NOT NULL,               -- … and this is the hash there
    prunable_through INTEGER NOT NULL             -- a verified backup of the cloud holds every record up to here
) STRICT;

CREATE TABLE log (
    log  INTEGER NOT NULL REFERENCES logs (number),
    seq  INTEGER NOT NULL CHECK (seq > 0),        -- contiguous; given by the one writer
    kind TEXT NOT NULL,
    body TEXT NOT NULL,                           -- the exact bytes that are hashed and sent
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (log, seq)
) STRICT;

CREATE TRIGGER log_is_never_edited BEFORE UPDATE ON log BEGIN
    SELECT RAISE(ABORT, 'a record is never edited');
END;
CREATE TRIGGER log_is_never_cut BEFORE DELETE ON log
WHEN OLD.seq > (SELECT prunable_through FROM logs WHERE number = OLD.log) BEGIN
    SELECT RAISE(ABORT, 'a record is never deleted before a backup of the cloud holds it');
END;

-- What the cloud did not simply store, as its receipts told.
CREATE TABLE verdicts (
    log        INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    verdict    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

-- One line per person, day and direction: a projection of the logs of the present membership, rebuildable from them.
CREATE TABLE attendance (
    user_id       INTEGER NOT NULL,
    day           TEXT NOT NULL,                  -- YYYY-MM-DD
    direction     TEXT NOT NULL,
    log           INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    event         BLOB NOT NULL,
    status        TEXT NOT NULL,
    late_minutes  INTEGER NOT NULL,
    early_minutes INTEGER NOT NULL,
    claimed       INTEGER NOT NULL,
    trusted       INTEGER NOT NULL,
    grade         TEXT NOT NULL,
    token         TEXT NOT NULL,
    gate          TEXT NOT NULL,
    class_id      INTEGER,
    latitude      REAL,
    longitude     REAL,
    accuracy      REAL,
    fence         TEXT,
    PRIMARY KEY (user_id, day, direction)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX attendance_by_record ON attendance (log, seq);
CREATE INDEX attendance_by_day ON attendance (day, direction, status);

-- Lines that were taken back at the gate, as they were: the other half of the projection. Their key is free again.
CREATE TABLE voided (
    user_id       INTEGER NOT NULL,
    day           TEXT NOT NULL,
    direction     TEXT NOT NULL,
    log           INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    event         BLOB NOT NULL,
    status        TEXT NOT NULL,
    late_minutes  INTEGER NOT NULL,
    early_minutes INTEGER NOT NULL,
    claimed       INTEGER NOT NULL,
    trusted       INTEGER NOT NULL,
    grade         TEXT NOT NULL,
    token         TEXT NOT NULL,
    gate          TEXT NOT NULL,
    class_id      INTEGER,
    latitude      REAL,
    longitude     REAL,
    accuracy      REAL,
    fence         TEXT,
    PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

-- Where the box stands with the cloud.
CREATE TABLE sync_state (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    server_store    BLOB,                         -- names the cloud's store; another one is a restored cloud
    generation      BLOB,                         -- of the roster feed
    cursor          INTEGER NOT NULL,
    pulled_at       INTEGER,
    last_contact_at INTEGER,
    receipt         TEXT,                         -- the newest receipt, signed by the cloud
    anchor          TEXT                          -- the newest contact with the cloud's clock
) STRICT;
INSERT INTO sync_state (one, cursor) VALUES (1, 0);

-- Single values; secrets among them are sealed.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
