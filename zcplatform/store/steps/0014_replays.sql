-- A retry gets the rows that the first request returned; the web process renders them. Responses rendered by older versions are not kept.
ALTER TABLE idempotency_keys DROP COLUMN status;
ALTER TABLE idempotency_keys RENAME COLUMN answer TO result;
UPDATE idempotency_keys SET result = NULL;
