-- Tenants run on a machine, and what the edge dials for one is an address rather than a port of the only machine.
CREATE TABLE machines (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'unknown' CHECK (state IN ('up', 'down', 'unknown')),
    engine TEXT,
    cpus INTEGER,
    memory_bytes INTEGER,
    problems TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(problems)),
    seen_at TEXT
) STRICT;
INSERT INTO machines (id, name) VALUES ('local', 'local');
ALTER TABLE tenants ADD COLUMN node_id TEXT NOT NULL DEFAULT 'local';
ALTER TABLE tenants ADD COLUMN seen_upstream TEXT;
UPDATE tenants SET seen_upstream = '127.0.0.1:' || seen_route_port WHERE seen_route_port IS NOT NULL;
ALTER TABLE tenants DROP COLUMN seen_route_port;
-- The machines that have an image. One that no machine has is lost.
CREATE TABLE image_places (
    image_id TEXT NOT NULL REFERENCES images (id),
    node_id TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (image_id, node_id)
) STRICT;
INSERT INTO image_places (image_id, node_id, seen_at) SELECT id, 'local', updated_at FROM images WHERE status = 'ready';
-- A number that something else on the machine used comes back after minutes, not after the 30 days of a deleted tenant's.
ALTER TABLE allocations ADD COLUMN reusable_at TEXT;
UPDATE allocations SET reusable_at = released_at WHERE tenant_id IS NULL;
