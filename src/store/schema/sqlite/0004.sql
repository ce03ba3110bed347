-- When a sender last spoke of an alert that is on, if that was after told_at; noted once an hour at most.
ALTER TABLE alert ADD COLUMN heard_at INTEGER;
