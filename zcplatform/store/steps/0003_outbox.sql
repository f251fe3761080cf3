-- Mail.

-- Mail that waits to be sent. What it says lies in a box sealed to the worker, and is gone when the mail was sent or is too old.
-- `void` rows are written for addresses that nobody has, so that asking about one costs what asking about any other does.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('waiting', 'sent', 'expired', 'failed', 'void')),
    box BLOB,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT NOT NULL,
    error TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    ended_at TEXT,
    CHECK ((status = 'waiting') = (box IS NOT NULL)),
    CHECK ((status = 'waiting') = (ended_at IS NULL))
) STRICT;
CREATE INDEX outbox_waiting ON outbox (next_attempt_at) WHERE status = 'waiting';
CREATE INDEX outbox_age ON outbox (created_at);
