-- Why a message has no picture (`result` of wegraf_pictures_total); NULL: none was wanted, or it has one.
ALTER TABLE message ADD COLUMN picture TEXT;
