-- What the columns hold is said in schema/sqlite/0013.sql.
CREATE TABLE api_token (
    name      text PRIMARY KEY,
    hash      bytea NOT NULL UNIQUE,
    owner     text NOT NULL,
    scopes    text NOT NULL,
    receivers text,
    made_at   bigint NOT NULL,
    ends_at   bigint NOT NULL,
    used_at   bigint
);

CREATE TABLE api_request (
    token  text NOT NULL,
    key    text NOT NULL,
    hash   bytea NOT NULL,
    at     bigint NOT NULL,
    status bigint,
    answer text,
    PRIMARY KEY (token, key)
);
CREATE INDEX api_request_at ON api_request (at);

CREATE INDEX attempt_failed ON attempt (errcode, message_id) WHERE errcode <> 0;
