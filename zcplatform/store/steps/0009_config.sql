ALTER TABLE plans ADD COLUMN most_level TEXT NOT NULL DEFAULT 'full' CHECK (most_level IN ('readonly', 'supervised', 'full'));
ALTER TABLE plans ADD COLUMN excluded_tools TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(excluded_tools));
ALTER TABLE plans ADD COLUMN actions_per_hour INTEGER NOT NULL DEFAULT 200 CHECK (actions_per_hour > 0);
UPDATE plans SET actions_per_hour = 100 WHERE name = 'free';
UPDATE plans SET actions_per_hour = 500 WHERE name = 'pro';
UPDATE plans SET actions_per_hour = 2000 WHERE name = 'enterprise';
-- Secrets of channels and MCP servers, beside those of providers.
CREATE TABLE secrets_of_more_kinds (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL CHECK (kind IN ('provider', 'channel', 'mcp', 'agent')),
    name TEXT NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    version INTEGER NOT NULL DEFAULT 1,
    box BLOB,
    ciphertext BLOB,
    error TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (tenant_id, kind, name),
    CHECK (box IS NOT NULL OR ciphertext IS NOT NULL OR error IS NOT NULL)
) STRICT;
INSERT INTO secrets_of_more_kinds SELECT * FROM secrets;
DROP TABLE secrets;
ALTER TABLE secrets_of_more_kinds RENAME TO secrets;
