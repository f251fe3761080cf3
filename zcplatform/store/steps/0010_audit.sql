-- Where the audit log begins when its older part was pruned. The trigger can not check a signature: verifying does.
CREATE TABLE audit_checkpoints (
    sequence INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    at TEXT NOT NULL,
    signer BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints of the audit log stay'); END;
CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints of the audit log stay'); END;
DROP TRIGGER audit_log_no_delete;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
    WHEN NOT EXISTS (SELECT 1 FROM audit_checkpoints WHERE sequence >= OLD.sequence)
    BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
ALTER TABLE secrets ADD COLUMN hint TEXT;
