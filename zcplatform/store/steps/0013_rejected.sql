-- A revision or image that an agent does not accept is rejected, and the tenant is rolled back. Steps have the names of today.
ALTER TABLE tenants RENAME COLUMN refused_revision TO rejected_revision;
ALTER TABLE tenants RENAME COLUMN refused_reason TO rejected_reason;
ALTER TABLE tenants RENAME COLUMN refused_image_id TO rejected_image_id;
ALTER TABLE revisions RENAME COLUMN outcome TO outcome_before;
ALTER TABLE revisions ADD COLUMN outcome TEXT CHECK (outcome IN ('good', 'rejected'));
UPDATE revisions SET outcome = CASE outcome_before WHEN 'refused' THEN 'rejected' ELSE outcome_before END;
ALTER TABLE revisions DROP COLUMN outcome_before;
UPDATE operation_steps SET name = CASE name WHEN 'prove' THEN 'verify_gone' ELSE 'archive' END WHERE name IN ('prove', 'forget');
UPDATE operations SET error_code = replace(error_code, '.refused', '.rejected') WHERE error_code IN ('revision.refused', 'image.refused');
UPDATE events SET kind = replace(kind, '.taken_back', '.rolled_back') WHERE kind IN ('revision.taken_back', 'image.taken_back');
