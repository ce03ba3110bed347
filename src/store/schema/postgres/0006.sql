-- What the column holds is said in schema/sqlite/0007.sql.
ALTER TABLE message ADD COLUMN fell_back_at bigint;
