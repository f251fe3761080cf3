CREATE TABLE drifts (
    tenant_id TEXT PRIMARY KEY REFERENCES tenants (id),
    revision INTEGER NOT NULL,
    mount TEXT NOT NULL,
    changes TEXT NOT NULL CHECK (json_valid(changes)),
    decided TEXT CHECK (decided IN ('keep', 'discard')),
    found_at TEXT NOT NULL
) STRICT;
