CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    is_super_admin INTEGER NOT NULL DEFAULT 0 CHECK (is_super_admin IN (0, 1)),
    disabled_at TEXT,
    deleted_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_email ON users (email) WHERE deleted_at IS NULL;

CREATE TABLE members (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('viewer', 'contributor', 'manager', 'owner')),
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) STRICT;
CREATE INDEX members_user ON members (user_id, tenant_id);

ALTER TABLE tokens ADD COLUMN user_id TEXT REFERENCES users (id);
ALTER TABLE tokens ADD COLUMN tenant_id TEXT REFERENCES tenants (id);
ALTER TABLE tokens ADD COLUMN maker_user_id TEXT REFERENCES users (id);
ALTER TABLE tokens ADD COLUMN maker_token_id TEXT REFERENCES tokens (id);
ALTER TABLE tokens ADD COLUMN role TEXT CHECK (role IN ('viewer', 'contributor', 'manager', 'owner'));
ALTER TABLE tokens ADD COLUMN scopes TEXT CHECK (json_valid(scopes));
