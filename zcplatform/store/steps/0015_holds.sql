-- Holds are rows, several at once. A suspended tenant that ran before stays wanted running, and is held.
CREATE TABLE holds (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL CHECK (kind IN ('suspended', 'quota')),
    reason TEXT NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    held_since TEXT NOT NULL,
    held_by TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, kind)
) STRICT;
INSERT INTO holds (tenant_id, kind, reason, held_since)
    SELECT id, 'suspended', coalesce(nullif(substr(suspended_reason, 1, 200), ''), 'suspended'), updated_at FROM tenants
    WHERE suspended_reason IS NOT NULL AND deleted_at IS NULL;
CREATE TEMP TABLE resumed AS SELECT id FROM tenants WHERE suspended_runs = 1 AND wanted = 'stopped' AND deleted_at IS NULL;
ALTER TABLE tenants DROP COLUMN suspended_reason;
ALTER TABLE tenants DROP COLUMN suspended_runs;
UPDATE tenants SET wanted = 'running' WHERE id IN (SELECT id FROM temp.resumed);
DROP TABLE temp.resumed;
