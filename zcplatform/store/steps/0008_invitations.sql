CREATE TABLE invitations (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    email TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'contributor', 'manager', 'owner')),
    hash BLOB NOT NULL UNIQUE,
    inviter TEXT NOT NULL,
    inviter_user_id TEXT REFERENCES users (id),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    accepted_at TEXT,
    revoked_at TEXT
) STRICT;
CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;

ALTER TABLE plans ADD COLUMN channels INTEGER NOT NULL DEFAULT 0 CHECK (channels >= 0);
ALTER TABLE plans ADD COLUMN members INTEGER NOT NULL DEFAULT 1 CHECK (members >= 1);
ALTER TABLE plans ADD COLUMN agents INTEGER NOT NULL DEFAULT 1 CHECK (agents >= 1);
ALTER TABLE plans ADD COLUMN messages_day INTEGER NOT NULL DEFAULT 0 CHECK (messages_day >= 0);
ALTER TABLE plans ADD COLUMN tokens_month INTEGER NOT NULL DEFAULT 0 CHECK (tokens_month >= 0);
ALTER TABLE plans ADD COLUMN dollars_month_micros INTEGER NOT NULL DEFAULT 0 CHECK (dollars_month_micros >= 0);
UPDATE plans SET channels = 2, members = 3, agents = 1, messages_day = 200, tokens_month = 2000000, dollars_month_micros = 5000000
    WHERE name = 'free';
UPDATE plans SET channels = 5, members = 10, agents = 1, messages_day = 2000, tokens_month = 20000000, dollars_month_micros = 50000000
    WHERE name = 'starter';
UPDATE plans SET channels = 15, members = 50, agents = 3, messages_day = 20000, tokens_month = 200000000, dollars_month_micros = 500000000
    WHERE name = 'pro';
UPDATE plans SET channels = 50, members = 500, agents = 10, messages_day = 200000, tokens_month = 2000000000, dollars_month_micros = 5000000000
    WHERE name = 'enterprise';
