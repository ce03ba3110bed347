-- What the column holds is said in schema/sqlite/0020.sql.
ALTER TABLE tally_rule ADD COLUMN unanswered bigint NOT NULL DEFAULT 0;
