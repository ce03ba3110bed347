-- Of the critical alerts that ended, the ones that were on for more than 15 minutes and that nobody acknowledged or silenced.
ALTER TABLE tally_rule ADD COLUMN unanswered INTEGER NOT NULL DEFAULT 0;
