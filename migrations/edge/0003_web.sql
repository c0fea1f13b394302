-- What the box's pages and API keep for themselves.

-- Who is signed in. Of a token only its SHA-256 is kept, in hexadecimal.
CREATE TABLE web_session (
    token_sha256 TEXT PRIMARY KEY,
    user_id      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    ended        INTEGER NOT NULL                 -- 1 after a logout; a token of the cloud is noted by its logout only
) STRICT, WITHOUT ROWID;
CREATE INDEX web_session_by_expiry ON web_session (expires_at);

-- Pictures taken at a check-in; the files lie in `photos` under the data folder.
CREATE TABLE photo (
    file_key   TEXT PRIMARY KEY,                  -- random
    event      TEXT NOT NULL,
    user_id    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX photo_by_event ON photo (event);
