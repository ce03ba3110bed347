-- What the column holds is said in schema/sqlite/0015.sql.
ALTER TABLE message ADD COLUMN picture text;
