-- What a column holds is said in schema/sqlite/0004.sql.
ALTER TABLE alert ADD COLUMN heard_at bigint;
