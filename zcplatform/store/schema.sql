-- The whole schema, for reading: by subject, one column per line. tests/store proves that the numbered steps add up to it.


-- The installation --------------------------------------------------------------------------------------------------------

-- Single values of this installation, such as the check record of its root key.
CREATE TABLE instance (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- Limits that tenants of one plan share.
CREATE TABLE plans (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL CHECK (memory_bytes >= 96 * 1024 * 1024),
    cpu_millis INTEGER NOT NULL CHECK (cpu_millis > 0),
    pids INTEGER NOT NULL CHECK (pids >= 16),
    disk_bytes INTEGER NOT NULL CHECK (disk_bytes > 0),
    channels INTEGER NOT NULL DEFAULT 0 CHECK (channels >= 0),
    members INTEGER NOT NULL DEFAULT 1 CHECK (members >= 1),
    agents INTEGER NOT NULL DEFAULT 1 CHECK (agents >= 1),
    messages_day INTEGER NOT NULL DEFAULT 0 CHECK (messages_day >= 0),
    tokens_month INTEGER NOT NULL DEFAULT 0 CHECK (tokens_month >= 0),
    dollars_month_micros INTEGER NOT NULL DEFAULT 0 CHECK (dollars_month_micros >= 0),
    most_level TEXT NOT NULL DEFAULT 'full' CHECK (most_level IN ('readonly', 'supervised', 'full')),
    excluded_tools TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(excluded_tools)),
    actions_per_hour INTEGER NOT NULL DEFAULT 200 CHECK (actions_per_hour > 0)
) STRICT;

-- Agent images. `wanted` and `status` are desired and observed state; at most one image is the default.
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL CHECK (source IN ('pull', 'build', 'demo')),
    reference TEXT NOT NULL,
    wanted TEXT NOT NULL DEFAULT 'present' CHECK (wanted IN ('present', 'absent')),
    status TEXT NOT NULL DEFAULT 'preparing' CHECK (status IN ('preparing', 'ready', 'failed', 'removing', 'removed')),
    image_id TEXT,
    digest TEXT,
    agent_version TEXT,
    size_bytes INTEGER,
    is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    wants_default INTEGER NOT NULL DEFAULT 0 CHECK (wants_default IN (0, 1)),
    error TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    asked_version TEXT,
    channels TEXT CHECK (json_valid(channels)),
    CHECK (status != 'ready' OR image_id IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX images_one_default ON images (is_default) WHERE is_default = 1;


-- Tenants -----------------------------------------------------------------------------------------------------------------

-- The machines that have an image. A ready image that no machine has is lost.
CREATE TABLE image_places (
    image_id TEXT NOT NULL REFERENCES images (id),
    node_id TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (image_id, node_id)
) STRICT;

-- The machines that tenants run on, as the worker saw them last. `problems` is a JSON list: why nothing can be started there.
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

-- One row per tenant. A deleted tenant keeps its row.
CREATE TABLE tenants (
    -- Who it is
    id TEXT PRIMARY KEY,
    slug TEXT NOT NULL CHECK (length(slug) BETWEEN 3 AND 32 AND slug NOT GLOB '*[^a-z0-9-]*'),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    plan TEXT NOT NULL REFERENCES plans (name),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT,
    -- Desired state. `generation` rises with every request; a result of an older generation is not recorded.
    wanted TEXT NOT NULL DEFAULT 'draft' CHECK (wanted IN ('draft', 'running', 'stopped', 'absent')),
    last_request TEXT NOT NULL DEFAULT 'create' CHECK (last_request IN ('create', 'deploy', 'start', 'stop', 'restart', 'update', 'delete')),
    image_id TEXT REFERENCES images (id),
    wanted_revision INTEGER NOT NULL DEFAULT 1,
    wanted_epoch INTEGER NOT NULL DEFAULT 0,
    generation INTEGER NOT NULL DEFAULT 1,
    -- The machine it is to run on; see `machines`.
    node_id TEXT NOT NULL DEFAULT 'local',
    -- Observed state, recorded by the worker.
    seen_generation INTEGER NOT NULL DEFAULT 0,
    seen_container TEXT NOT NULL DEFAULT 'absent' CHECK (seen_container IN ('absent', 'stopped', 'running', 'unknown')),
    seen_config TEXT,
    seen_healthy INTEGER NOT NULL DEFAULT 0 CHECK (seen_healthy IN (0, 1)),
    seen_healthy_at TEXT,
    -- What the edge dials for it; None while its name leads to no agent.
    seen_upstream TEXT,
    seen_verified INTEGER NOT NULL DEFAULT 0 CHECK (seen_verified IN (0, 1)),
    seen_probe_failures INTEGER NOT NULL DEFAULT 0,
    -- Revisions and images: the one checked last, the one to roll back to, the one that was rejected.
    checked_revision INTEGER,
    last_good_revision INTEGER,
    rejected_revision INTEGER,
    rejected_reason TEXT,
    checked_image_id TEXT REFERENCES images (id),
    last_good_image_id TEXT REFERENCES images (id),
    rejected_image_id TEXT REFERENCES images (id),
    -- The last failure, and when the worker tries again.
    failures INTEGER NOT NULL DEFAULT 0,
    error_code TEXT,
    error_detail TEXT,
    error_hint TEXT,
    next_attempt_at TEXT,
    -- What users are shown, computed from the columns above.
    state TEXT NOT NULL DEFAULT 'draft',
    reason TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (id, wanted_revision) REFERENCES revisions (tenant_id, number) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE UNIQUE INDEX tenants_slug ON tenants (slug) WHERE deleted_at IS NULL;
CREATE INDEX tenants_image ON tenants (image_id);

-- Recorded reasons that keep a tenant from running, each lifted by its own cause. The tenant's desired state stays as it is.
CREATE TABLE holds (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL CHECK (kind IN ('suspended', 'quota')),
    reason TEXT NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    held_since TEXT NOT NULL,
    held_by TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, kind)
) STRICT;

-- Numbered snapshots of a tenant's settings. Only `outcome` and `reason` ever change.
CREATE TABLE revisions (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    number INTEGER NOT NULL CHECK (number >= 1),
    settings TEXT NOT NULL CHECK (json_valid(settings)),
    author TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    outcome TEXT CHECK (outcome IN ('good', 'rejected')),
    reason TEXT,
    PRIMARY KEY (tenant_id, number)
) STRICT;

-- Changes that an agent made to its own settings and that wait for a decision.
CREATE TABLE drifts (
    tenant_id TEXT PRIMARY KEY REFERENCES tenants (id),
    revision INTEGER NOT NULL,
    mount TEXT NOT NULL,
    changes TEXT NOT NULL CHECK (json_valid(changes)),
    decided TEXT CHECK (decided IN ('keep', 'discard')),
    found_at TEXT NOT NULL
) STRICT;

-- Ports, uids and subnets. A released number is quarantined before another tenant gets it; one without a tenant is in use by another program.
CREATE TABLE allocations (
    kind TEXT NOT NULL CHECK (kind IN ('port', 'uid', 'subnet')),
    number INTEGER NOT NULL,
    tenant_id TEXT REFERENCES tenants (id),
    released_at TEXT,
    -- When another tenant may get it; where this is missing, 30 days after the release.
    reusable_at TEXT,
    PRIMARY KEY (kind, number),
    CHECK (tenant_id IS NOT NULL OR released_at IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX allocations_tenant ON allocations (tenant_id, kind) WHERE released_at IS NULL;

-- One data key per tenant, wrapped with a key that the root key makes.
CREATE TABLE data_keys (
    tenant_id TEXT PRIMARY KEY REFERENCES tenants (id),
    wrapped BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

-- A submitted secret waits as a box sealed to the worker; the worker replaces the box by a ciphertext under the tenant's data key.
CREATE TABLE secrets (
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
    hint TEXT,
    UNIQUE (tenant_id, kind, name),
    CHECK (box IS NOT NULL OR ciphertext IS NOT NULL OR error IS NOT NULL)
) STRICT;


-- Operations and events ---------------------------------------------------------------------------------------------------

-- What a person requested and the worker carries out. At most one per tenant is open.
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id),
    image_id TEXT REFERENCES images (id),
    kind TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'running', 'succeeded', 'failed', 'superseded')),
    generation INTEGER NOT NULL,
    requested_by TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT,
    error_code TEXT,
    error_detail TEXT,
    error_hint TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    result TEXT CHECK (json_valid(result)),
    CHECK ((status IN ('waiting', 'running')) = (finished_at IS NULL))
) STRICT;
CREATE INDEX operations_tenant ON operations (tenant_id, created_at);
CREATE UNIQUE INDEX operations_one_open ON operations (tenant_id) WHERE finished_at IS NULL AND tenant_id IS NOT NULL;

-- The steps of an operation, in order.
CREATE TABLE operation_steps (
    operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'succeeded', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    started_at TEXT,
    finished_at TEXT,
    error TEXT,
    PRIMARY KEY (operation_id, position),
    UNIQUE (operation_id, name)
) STRICT;

-- What became true, for the event stream. Old rows are deleted after `event_days`.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    tenant_id TEXT,
    object_id TEXT,
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
CREATE INDEX events_tenant ON events (tenant_id, id);

-- First responses to requests with an Idempotency-Key, for replay.
CREATE TABLE idempotency_keys (
    actor TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    result TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (actor, route, key)
) STRICT;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);


-- People ------------------------------------------------------------------------------------------------------------------

-- A deleted user keeps the row without the address.
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

-- Users in tenants, with their role.
CREATE TABLE members (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('viewer', 'contributor', 'manager', 'owner')),
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) STRICT;
CREATE INDEX members_user ON members (user_id, tenant_id);

-- At most one open invitation per tenant and address. Only a hash of its token is stored.
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

-- API tokens of users, of tenants and of the host, stored as keyed hashes. `scopes` and `role` narrow what a token may do.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    last_used_at TEXT,
    revoked_at TEXT,
    user_id TEXT REFERENCES users (id),
    tenant_id TEXT REFERENCES tenants (id),
    maker_user_id TEXT REFERENCES users (id),
    maker_token_id TEXT REFERENCES tokens (id),
    role TEXT CHECK (role IN ('viewer', 'contributor', 'manager', 'owner')),
    scopes TEXT CHECK (json_valid(scopes))
) STRICT;


-- Sign-in -----------------------------------------------------------------------------------------------------------------

-- Mail to be sent. Its values wait in a box sealed to the worker, which is deleted when the mail was sent or has expired.
-- `void` rows are written for addresses without a user, so that both cases take the same time.
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

-- Codes sent to a browser. `id` is a keyed hash of the browser's cookie, `code_mac` of the cookie and the code: without a key that is not in this
-- file neither can be guessed. `user_id` is NULL where no mail was sent; no code matches such a row.
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

-- Signed-in browsers. The session cookie is only a signed reference to a row.
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

-- Browsers that a user has signed in with before: a flood of requests for an address cannot use up their share.
CREATE TABLE browsers (
    hash BLOB NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL,
    last_login_at TEXT NOT NULL,
    PRIMARY KEY (hash, user_id)
) STRICT;

-- One-time sign-in links made on the host, stored as keyed hashes.
CREATE TABLE login_links (
    hash BLOB PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT
) STRICT;

-- Numbers from which the keys that sign sessions are derived. The newest signs; those not yet retired are accepted.
CREATE TABLE signing_keys (
    number INTEGER PRIMARY KEY,
    created_at TEXT NOT NULL,
    retires_at TEXT
) STRICT;

-- Requests counted per key in the window that began at `started_at`. In the database, so that a restart resets nothing.
CREATE TABLE throttles (
    key TEXT PRIMARY KEY,
    started_at TEXT NOT NULL,
    count INTEGER NOT NULL
) STRICT;
CREATE INDEX throttles_age ON throttles (started_at);


-- Audit -------------------------------------------------------------------------------------------------------------------

-- A hash chain: every entry covers the hash of the one before it. Nothing updates it; only pruning below a checkpoint deletes.
CREATE TABLE audit_log (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    changes TEXT NOT NULL CHECK (json_valid(changes)),
    request_id TEXT NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL UNIQUE
) STRICT;
CREATE INDEX audit_log_tenant ON audit_log (tenant_id, sequence);
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
    WHEN NOT EXISTS (SELECT 1 FROM audit_checkpoints WHERE sequence >= OLD.sequence)
    BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;

-- Where the log begins after it was pruned. The signature is checked by `audit verify`, not by the trigger.
CREATE TABLE audit_checkpoints (
    sequence INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    at TEXT NOT NULL,
    signer BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints of the audit log stay'); END;
CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints of the audit log stay'); END;
