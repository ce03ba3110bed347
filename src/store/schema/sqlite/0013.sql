-- Tokens of the API, kept as their SHA-256. scopes: words with spaces between. receivers: a JSON list of the only ones
-- that it concerns; NULL: all. used_at: to a day.
CREATE TABLE api_token (
    name      TEXT PRIMARY KEY,
    hash      BLOB NOT NULL UNIQUE,
    owner     TEXT NOT NULL,
    scopes    TEXT NOT NULL,
    receivers TEXT,
    made_at   INTEGER NOT NULL,
    ends_at   INTEGER NOT NULL,
    used_at   INTEGER
) STRICT, WITHOUT ROWID;

-- Requests with an Idempotency-Key, for a day. hash: of what was asked. Without a status the answer is not known yet.
CREATE TABLE api_request (
    token  TEXT NOT NULL,
    key    TEXT NOT NULL,
    hash   BLOB NOT NULL,
    at     INTEGER NOT NULL,
    status INTEGER,
    answer TEXT,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_request_at ON api_request (at);

-- By a code that WeCom refused with, its messages are found.
CREATE INDEX attempt_failed ON attempt (errcode, message_id) WHERE errcode <> 0;
