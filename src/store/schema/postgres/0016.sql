-- What the columns and the index are for is said in schema/sqlite/0018.sql.
ALTER TABLE message ADD COLUMN picture_of bigint;
ALTER TABLE message ADD COLUMN pictured boolean NOT NULL DEFAULT false;
CREATE INDEX message_live_pictures ON message (lane, id) WHERE settled_at IS NULL AND picture_of IS NOT NULL;

-- A replica that knows no pictures would send one as a message without alerts: schema/postgres/0007.sql says what it is no
-- longer given.
DROP TRIGGER lane_of_newer ON lane;
CREATE TRIGGER lane_of_newer BEFORE INSERT OR UPDATE ON lane FOR EACH ROW
WHEN (NEW.owner <> '' AND NEW.lease_until > '-infinity'
      AND coalesce(substring(NEW.owner FROM '^s([0-9]+)/')::bigint, 0) < 16) EXECUTE FUNCTION pass_over();

DROP TRIGGER socket_of_newer ON socket;
CREATE TRIGGER socket_of_newer BEFORE INSERT OR UPDATE ON socket FOR EACH ROW
WHEN (coalesce(substring(NEW.holder FROM '^s([0-9]+)/')::bigint, 0) < 16) EXECUTE FUNCTION pass_over();
