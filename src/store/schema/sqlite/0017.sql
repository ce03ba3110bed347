-- By these a fold finds, however much waits in a lane, the messages that stay as they are and the digest that takes up the
-- others.
CREATE INDEX message_live_stays ON message (lane)
    WHERE settled_at IS NULL AND (version > 0 OR act_id IS NOT NULL OR fell_back_at IS NOT NULL);
CREATE INDEX message_live_digests ON message (lane) WHERE settled_at IS NULL AND digest = 1;
