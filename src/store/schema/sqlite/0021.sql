-- The terms by which messages are found, in their order: a search for a beginning reads which terms begin so.
CREATE VIRTUAL TABLE message_word USING fts5vocab (message_term, row);
