-- Why the operator keeps a tenant from running, and whether it ran before. No row can be suspended and wanted running, whoever writes it.
ALTER TABLE tenants ADD COLUMN suspended_reason TEXT CHECK (suspended_reason IS NULL OR wanted <> 'running');
ALTER TABLE tenants ADD COLUMN suspended_runs INTEGER NOT NULL DEFAULT 0 CHECK (suspended_runs IN (0, 1));
