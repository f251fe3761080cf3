ALTER TABLE images ADD COLUMN asked_version TEXT;
ALTER TABLE images ADD COLUMN channels TEXT CHECK (json_valid(channels));
ALTER TABLE operations ADD COLUMN result TEXT CHECK (json_valid(result));
