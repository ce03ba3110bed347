-- When the content of a message went to its receiver's fallback because it waited for too long (engine/overdue.rs).
ALTER TABLE message ADD COLUMN fell_back_at INTEGER;

-- By these a lane's messages about acts are found, and its critical ones, however much waits.
CREATE INDEX message_live_acts ON message (lane) WHERE settled_at IS NULL AND act_id IS NOT NULL;
CREATE INDEX message_live_critical ON message (lane) WHERE settled_at IS NULL AND critical = 1;
