-- The school, as the cloud told it. Bodies are sealed: they hold names and the staff's password verifiers.

CREATE TABLE roster (
    entity TEXT NOT NULL,
    key    TEXT NOT NULL,
    hash   BLOB NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (entity, key)
) STRICT, WITHOUT ROWID;

-- Chunks of a snapshot on its way, by their hash, so that a broken pull goes on where it stopped.
CREATE TABLE roster_staging (
    chunk BLOB PRIMARY KEY,
    body  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
