-- Identity: one user table, one session table, one key set under every module.
-- One text for both databases: $ID is each engine's identity column; instants are BIGINT milliseconds since 1970 (UTC);
-- bytes are lower-case hexadecimal TEXT unless a hot path needs BYTEA.

CREATE TABLE institutions (
    id          $ID,
    uuid        UUID NOT NULL UNIQUE,
    code        TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    is_active   BOOLEAN NOT NULL DEFAULT TRUE,
    address1    TEXT,
    address2    TEXT,
    address3    TEXT,
    zipcode     TEXT,
    telephone1  TEXT,
    telephone2  TEXT,
    fax         TEXT,
    website     TEXT,
    avatar      TEXT,                                         -- keys in pictures
    cover       TEXT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

-- The modules of this cloud, and whatever else is registered.
CREATE TABLE services (
    id          $ID,
    uuid        UUID NOT NULL UNIQUE,
    code        TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    description TEXT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE institution_services (
    id             $ID,
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    service_id     BIGINT NOT NULL REFERENCES services (id),
    created_at     BIGINT NOT NULL,
    UNIQUE (institution_id, service_id)
);

CREATE TABLE users (
    id             $ID,
    uuid           UUID NOT NULL UNIQUE,
    institution_id BIGINT REFERENCES institutions (id),      -- NULL: a super admin, who belongs to none
    nisn_nip_nik   TEXT,
    username       TEXT UNIQUE,
    name           TEXT NOT NULL,
    first_name     TEXT,                                      -- where a module asks for the parts of a name
    last_name      TEXT,
    email          TEXT UNIQUE,
    email_verified_at BIGINT,                                 -- NULL again when the address changes
    phone          TEXT,
    phone_verified_at BIGINT,
    applied_as     TEXT,                                      -- the kind of account somebody registered for and was not yet given
    password_hash  TEXT NOT NULL,                             -- argon2id, PHC string
    photo_path     TEXT,                                      -- of the attendance module
    avatar         TEXT,                                      -- keys in pictures
    cover          TEXT,
    is_active      BOOLEAN NOT NULL DEFAULT TRUE,
    token_version  BIGINT NOT NULL DEFAULT 0,                 -- raised when every token of the user must die
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);
-- The login id of the attendance module. Unique over the whole cloud: a login names no school.
CREATE UNIQUE INDEX users_nisn_nip_nik ON users (nisn_nip_nik) WHERE nisn_nip_nik IS NOT NULL;
CREATE INDEX users_by_institution ON users (institution_id, id);

CREATE TABLE roles (
    id          BIGINT PRIMARY KEY,                           -- the attendance contract fixes 1..5; made ones start at 1001
    service_id  BIGINT NOT NULL REFERENCES services (id),
    code        TEXT NOT NULL,
    name        TEXT NOT NULL,
    description TEXT,
    UNIQUE (service_id, code)
);

CREATE TABLE permissions (
    id          $ID,
    service_id  BIGINT NOT NULL REFERENCES services (id),
    code        TEXT NOT NULL,
    description TEXT,
    resource_type TEXT,
    action      TEXT,
    UNIQUE (service_id, code)
);

CREATE TABLE role_permissions (
    role_id       BIGINT NOT NULL REFERENCES roles (id),
    permission_id BIGINT NOT NULL REFERENCES permissions (id),
    PRIMARY KEY (role_id, permission_id)
);

-- Avatars and covers of users and institutions. No institution where the user has none.
CREATE TABLE pictures (
    key            TEXT PRIMARY KEY,                          -- 32 hexadecimal digits; the file's name
    institution_id BIGINT REFERENCES institutions (id),
    user_id        BIGINT REFERENCES users (id),              -- NULL: the institution's own
    created_at     BIGINT NOT NULL
);
CREATE INDEX pictures_by_user ON pictures (user_id);

-- One role per user and service.
CREATE TABLE user_roles (
    user_id    BIGINT NOT NULL REFERENCES users (id),
    service_id BIGINT NOT NULL REFERENCES services (id),
    role_id    BIGINT NOT NULL REFERENCES roles (id),
    PRIMARY KEY (user_id, service_id)
);

CREATE TABLE sessions (
    id            UUID PRIMARY KEY,
    user_id       BIGINT NOT NULL REFERENCES users (id),
    client        TEXT NOT NULL,                              -- which dialect's login made it
    user_agent    TEXT,
    address       TEXT,
    created_at    BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT,
    assurance     TEXT NOT NULL CHECK (assurance IN ('password', 'second_factor')),
    parent_id     UUID                                        -- the session of the browser it came from, with which it ends
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_parent ON sessions (parent_id) WHERE parent_id IS NOT NULL;

-- Rotating; the use of a spent one revokes its session, and so its whole family.
CREATE TABLE refresh_tokens (
    token_hash  TEXT PRIMARY KEY,                             -- SHA-256 of the token
    session_id  UUID NOT NULL REFERENCES sessions (id),
    parent_hash TEXT,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

-- Mails and text messages: written with what caused them, sent by a job, and kept to be looked at and sent again.
CREATE TABLE messages (
    id             $ID,
    institution_id BIGINT,
    user_id        BIGINT,
    channel        TEXT NOT NULL CHECK (channel IN ('email', 'sms')),
    template       TEXT NOT NULL,
    recipient      TEXT NOT NULL,                             -- an address or a number
    subject        TEXT NOT NULL,
    content        TEXT,                                      -- sealed: there may be a code in it; gone once it was sent
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'kept', 'failed')),
    tries          BIGINT NOT NULL DEFAULT 0,
    last_error     TEXT,
    created_at     BIGINT NOT NULL,
    sent_at        BIGINT
);
CREATE INDEX messages_by_state ON messages (state, id);
CREATE INDEX messages_by_institution ON messages (institution_id, id);

-- One outstanding per user and purpose.
CREATE TABLE one_time_codes (
    user_id     BIGINT NOT NULL REFERENCES users (id),
    purpose     TEXT NOT NULL,
    code_hash   TEXT NOT NULL,
    tries_left  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (user_id, purpose)
);

-- The second factor: a secret that an authenticator app shares (RFC 6238), and codes on paper for the day it is lost.
CREATE TABLE totp_secrets (
    user_id      BIGINT PRIMARY KEY REFERENCES users (id),
    secret       TEXT NOT NULL,                               -- sealed with the deployment's key
    confirmed_at BIGINT,                                      -- NULL: shown, and not proved yet
    last_step    BIGINT NOT NULL,                             -- a code works once: only a later step is taken
    created_at   BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    user_id   BIGINT NOT NULL REFERENCES users (id),
    code_hash TEXT NOT NULL,
    used_at   BIGINT,
    PRIMARY KEY (user_id, code_hash)
);

-- Whoever has one of these roles in the institution does nothing without a second factor.
CREATE TABLE second_factor_roles (
    institution_id BIGINT NOT NULL REFERENCES institutions (id),
    role_id        BIGINT NOT NULL REFERENCES roles (id),
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (institution_id, role_id)
);

-- Failed logins, by account and by address. Never permanent: an account waits longer, and says no more than that.
CREATE TABLE login_throttles (
    subject        TEXT PRIMARY KEY,                          -- 'account:…', 'address:…', 'totp:…', 'prove:…'
    failures       BIGINT NOT NULL,
    window_ends_at BIGINT NOT NULL,
    blocked_until  BIGINT NOT NULL
);

CREATE TABLE signing_keys (
    kid         TEXT PRIMARY KEY,
    algorithm   TEXT NOT NULL,                                -- 'EdDSA', 'RS256': tokens; 'Ed25519-sync': receipts and the roster
    secret      TEXT NOT NULL,                                -- sealed with the deployment's key; '' once it signs no more
    public      TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('next', 'active', 'passive', 'removed')),
    created_at  BIGINT NOT NULL,
    state_at    BIGINT NOT NULL                               -- since when it is in this state
);
-- Of several nodes that start at once, one makes the keys.
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (algorithm) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_one_next ON signing_keys (algorithm) WHERE state = 'next';

CREATE TABLE audit_log (
    id             $ID,
    institution_id BIGINT,
    at             BIGINT NOT NULL,
    actor          TEXT NOT NULL,                             -- 'user:8', 'device:…', 'system'
    action         TEXT NOT NULL,                             -- 'session.login', 'setting.update', …
    subject        TEXT NOT NULL,
    before         JSONB,
    after          JSONB,
    request_id     TEXT
);
-- The log is read backwards from a moment and an id.
CREATE INDEX audit_log_by_institution ON audit_log (institution_id, at, id);
