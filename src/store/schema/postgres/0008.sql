-- The alerts that a person has: a receiver that hears of one of them later begins with its acknowledgement.
CREATE INDEX alert_held ON alert (identity) WHERE acknowledged_at IS NOT NULL;
