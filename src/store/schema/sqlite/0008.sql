-- How the body of a notification is kept: the number of a codec of body.rs; 0: as it came.
ALTER TABLE notification ADD COLUMN codec INTEGER NOT NULL DEFAULT 0;
