-- What is checked, good or refused is a revision together with the image it was tried on.
ALTER TABLE tenants ADD COLUMN checked_image_id TEXT REFERENCES images (id);
ALTER TABLE tenants ADD COLUMN last_good_image_id TEXT REFERENCES images (id);
ALTER TABLE tenants ADD COLUMN refused_image_id TEXT REFERENCES images (id);
UPDATE tenants SET checked_image_id = image_id WHERE checked_revision IS NOT NULL;
UPDATE tenants SET last_good_image_id = image_id WHERE last_good_revision IS NOT NULL;
UPDATE tenants SET refused_image_id = image_id WHERE refused_revision IS NOT NULL;
-- A pulled image had the name of its repository before its digest.
UPDATE images SET digest = substr(digest, instr(digest, '@') + 1) WHERE instr(digest, '@') > 0;
