-- What the indexes are for is said in schema/sqlite/0017.sql.
CREATE INDEX message_live_stays ON message (lane, id)
    WHERE settled_at IS NULL AND (version > 0 OR act_id IS NOT NULL OR fell_back_at IS NOT NULL);
CREATE INDEX message_live_digests ON message (lane, id) WHERE settled_at IS NULL AND digest;
