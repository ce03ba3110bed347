-- A picture that follows a message is a message of its own. picture_of: the message that it follows, whose content it shows;
-- it tells no transitions. pictured: the bytes of this message want one to follow.
ALTER TABLE message ADD COLUMN picture_of INTEGER;
ALTER TABLE message ADD COLUMN pictured INTEGER NOT NULL DEFAULT 0;

-- By it a lane's pictures are found, however much waits.
CREATE INDEX message_live_pictures ON message (lane) WHERE settled_at IS NULL AND picture_of IS NOT NULL;
