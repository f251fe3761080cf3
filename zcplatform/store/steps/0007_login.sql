-- Login: codes by mail, links from the host, sessions.

-- What a browser that asked for a code has to answer. `id` is a keyed hash of what it holds, `code_mac` one of that and the code: neither can be
-- tried without a key that is not in this file. `user_id` is NULL where no mail was sent: nothing fits it, and it looks like any other.
CREATE TABLE challenges (
    id BLOB PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('login', 'step_up', 'email')),
    user_id TEXT REFERENCES users (id),
    session_id TEXT,
    email TEXT,
    lane TEXT NOT NULL,
    network TEXT NOT NULL,
    code_mac BLOB NOT NULL,
    outbox_id TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'used', 'void')),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX challenges_user ON challenges (user_id, lane, created_at);
CREATE INDEX challenges_age ON challenges (created_at);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    method TEXT NOT NULL CHECK (method IN ('code', 'link')),
    address TEXT NOT NULL,
    network TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT NOT NULL,
    idle_until TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    stepped_up_at TEXT,
    ended_at TEXT,
    end_reason TEXT,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id, created_at);

-- Browsers that a person signed in with before: who floods an address with requests can not use up what is kept for these.
CREATE TABLE browsers (
    hash BLOB NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL,
    last_login_at TEXT NOT NULL,
    PRIMARY KEY (hash, user_id)
) STRICT;

CREATE TABLE login_links (
    hash BLOB PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT
) STRICT;

-- Which keys sign sessions. The keys are made from the root key and this number; the newest one signs, the ones that did not retire yet are good.
CREATE TABLE signing_keys (
    number INTEGER PRIMARY KEY,
    created_at TEXT NOT NULL,
    retires_at TEXT
) STRICT;

-- How often something was asked for in the window that began at `started_at`; in the database, so that a restart gives nothing back.
CREATE TABLE throttles (
    key TEXT PRIMARY KEY,
    started_at TEXT NOT NULL,
    count INTEGER NOT NULL
) STRICT;
CREATE INDEX throttles_age ON throttles (started_at);
