-- What the tables hold is said in schema/sqlite/0019.sql.
CREATE TABLE tally_rule (
    hour     bigint NOT NULL,
    rule     text NOT NULL,
    receiver text NOT NULL,
    source   text NOT NULL,
    fired    bigint NOT NULL,
    ended    bigint NOT NULL,
    brief    bigint NOT NULL,
    PRIMARY KEY (hour, rule, receiver, source)
);

CREATE TABLE tally_length (
    hour     bigint NOT NULL,
    rule     text NOT NULL,
    receiver text NOT NULL,
    step     bigint NOT NULL,
    ended    bigint NOT NULL,
    PRIMARY KEY (hour, rule, receiver, step)
);

CREATE TABLE tally_sent (
    hour     bigint NOT NULL,
    receiver text NOT NULL,
    sent     bigint NOT NULL,
    dead     bigint NOT NULL,
    folded   bigint NOT NULL,
    late     bigint NOT NULL,
    PRIMARY KEY (hour, receiver)
);

CREATE TABLE tally_taken (
    at       bigint NOT NULL,
    act_id   bigint NOT NULL,
    alert_id bigint NOT NULL,
    rule     text NOT NULL,
    receiver text NOT NULL,
    fired_at bigint,
    told_at  bigint,
    PRIMARY KEY (at, act_id, alert_id)
);

CREATE TABLE tally_live (
    message_id bigint PRIMARY KEY
);

CREATE TABLE tally_mark (
    id         bigint PRIMARY KEY CHECK (id = 1),
    transition bigint NOT NULL,
    message    bigint NOT NULL,
    act        bigint NOT NULL
);
INSERT INTO tally_mark (id, transition, message, act) VALUES (1, 0, 0, 0);

ALTER TABLE session ADD COLUMN credential bytea;
