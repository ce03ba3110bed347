-- What the column holds is said in schema/sqlite/0007.sql.
ALTER TABLE message ADD COLUMN fell_back_at bigint;

CREATE INDEX message_live_acts ON message (lane, id) WHERE settled_at IS NULL AND act_id IS NOT NULL;
CREATE INDEX message_live_critical ON message (lane, id) WHERE settled_at IS NULL AND critical;
