-- What relates a firing alert without a key to the end of it (news.rs): who shares its title, who shares its event, the
-- identifiers in its words as a JSON array. One row for each alert that the general reader read.
CREATE TABLE related (
    alert_id bigint PRIMARY KEY REFERENCES alert ON DELETE CASCADE,
    family   bytea NOT NULL,
    event    bytea,
    keyed    boolean NOT NULL,
    marks    text NOT NULL
);

CREATE INDEX related_family ON related (family);
CREATE INDEX related_event ON related (event) WHERE event IS NOT NULL;

-- How often a notification was repeated without any news in it.
CREATE TABLE repeated (
    notification_id bigint PRIMARY KEY REFERENCES notification ON DELETE CASCADE,
    times           bigint NOT NULL,
    last_at         bigint NOT NULL
);
