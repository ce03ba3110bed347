-- What the column holds is said in schema/sqlite/0008.sql.
ALTER TABLE notification ADD COLUMN codec bigint NOT NULL DEFAULT 0;

-- Replicas are upgraded one by one, and an older one that still runs cannot read a body that is kept with a codec. It
-- goes on taking alerts; but what would make it send is no longer given to it, as if another replica had it: lanes,
-- duties and the sockets of bots. Those that it has end with their leases. From this step on the name of a replica
-- begins with the step of the schema that it knows; a later step with the same need replaces the conditions.
CREATE FUNCTION pass_over() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

CREATE TRIGGER lane_of_newer BEFORE INSERT OR UPDATE ON lane FOR EACH ROW
WHEN (NEW.owner <> '' AND NEW.lease_until > '-infinity' AND NEW.owner !~ '^s[0-9]+/') EXECUTE FUNCTION pass_over();

CREATE TRIGGER socket_of_newer BEFORE INSERT OR UPDATE ON socket FOR EACH ROW
WHEN (NEW.holder !~ '^s[0-9]+/') EXECUTE FUNCTION pass_over();
