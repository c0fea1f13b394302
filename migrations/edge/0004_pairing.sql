-- Gate tablets and kiosks that act on the box without a login of their own.

-- Codes that let one in, once. Only the SHA-256 is kept.
CREATE TABLE pairing_code (
    code_sha256 BLOB PRIMARY KEY CHECK (length(code_sha256) = 32),
    purpose     TEXT NOT NULL CHECK (purpose IN ('gate', 'kiosk')),
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Of a token only its SHA-256 is kept. An id is never given twice.
CREATE TABLE paired_device (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    token_sha256   TEXT NOT NULL UNIQUE,          -- hexadecimal
    purpose        TEXT NOT NULL CHECK (purpose IN ('gate', 'kiosk')),
    name           TEXT NOT NULL,                 -- a gate's is recorded with every scan
    exit_pin       TEXT,                          -- argon2id; a kiosk's
    paired_at      INTEGER NOT NULL,
    last_seen_at   INTEGER NOT NULL,
    unlocked_until INTEGER NOT NULL DEFAULT 0,    -- a kiosk whose PIN was just given
    revoked_at     INTEGER
) STRICT;
