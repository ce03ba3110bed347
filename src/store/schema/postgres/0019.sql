-- What fires, in the order in which people read it: a list reads its first rows, however many fire. `starts_at` was no
-- use to any list, and an incident's number only changes when the alert fires anew.
DROP INDEX alert_firing;
CREATE INDEX alert_firing ON alert (critical, thread, id) WHERE status = 'firing';
