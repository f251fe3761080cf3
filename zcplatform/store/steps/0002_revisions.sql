ALTER TABLE revisions ADD COLUMN outcome TEXT CHECK (outcome IN ('good', 'refused'));
ALTER TABLE revisions ADD COLUMN reason TEXT;
ALTER TABLE tenants ADD COLUMN checked_revision INTEGER;
ALTER TABLE tenants ADD COLUMN last_good_revision INTEGER;
ALTER TABLE tenants ADD COLUMN refused_revision INTEGER;
ALTER TABLE tenants ADD COLUMN refused_reason TEXT;
UPDATE tenants SET last_good_revision = wanted_revision WHERE seen_verified = 1 AND seen_generation = generation;
