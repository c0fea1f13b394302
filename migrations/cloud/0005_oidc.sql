-- OpenID Connect: the software that lets people sign in here, what they agreed to, and what it was given.

CREATE TABLE oidc_clients (
    id               $ID,
    client_id        TEXT NOT NULL UNIQUE,                    -- as the software names itself
    institution_id   BIGINT REFERENCES institutions (id),     -- whose people sign in; NULL: everybody's
    name             TEXT NOT NULL,
    is_public        BOOLEAN NOT NULL,                        -- runs where it can keep no secret
    secret_hash      TEXT,                                    -- SHA-256 of 256 random bits
    old_secret_hash  TEXT,
    old_secret_until BIGINT,
    redirect_uris    JSONB NOT NULL,                          -- compared as they stand, byte for byte
    logout_uris      JSONB NOT NULL,
    scopes           TEXT NOT NULL,                           -- what it may ask for, with spaces between
    algorithm        TEXT NOT NULL CHECK (algorithm IN ('RS256', 'EdDSA')),
    is_trusted       BOOLEAN NOT NULL,                        -- the school's own: nobody is asked for his consent
    is_active        BOOLEAN NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);

CREATE TABLE oidc_consents (
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client     BIGINT NOT NULL REFERENCES oidc_clients (id) ON DELETE CASCADE,
    scopes     TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client)
);

CREATE TABLE oidc_codes (
    code_hash    TEXT PRIMARY KEY,                            -- SHA-256 of the code
    client       BIGINT NOT NULL REFERENCES oidc_clients (id) ON DELETE CASCADE,
    user_id      BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    browser      UUID NOT NULL,                               -- the session in which it was given
    scopes       TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge    TEXT NOT NULL,                               -- PKCE, S256
    nonce        TEXT,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT,
    issued       UUID                                         -- the session it was exchanged for
);

-- What a client holds for a user: a session of its own, of which this is the other half.
CREATE TABLE oidc_grants (
    session_id UUID PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    client     BIGINT NOT NULL REFERENCES oidc_clients (id) ON DELETE CASCADE,
    scopes     TEXT NOT NULL,
    auth_time  BIGINT NOT NULL
);
CREATE INDEX oidc_grants_by_client ON oidc_grants (client);
