-- What relates a firing alert without a key to the end of it (news.rs): who shares its title, who shares its event, the
-- identifiers in its words as a JSON array. One row for each alert that the general reader read.
CREATE TABLE related (
    alert_id INTEGER PRIMARY KEY REFERENCES alert ON DELETE CASCADE,
    family   BLOB NOT NULL,
    event    BLOB,
    keyed    INTEGER NOT NULL,
    marks    TEXT NOT NULL
) STRICT;

CREATE INDEX related_family ON related (family);
CREATE INDEX related_event ON related (event) WHERE event IS NOT NULL;

-- How often a notification was repeated without any news in it.
CREATE TABLE repeated (
    notification_id INTEGER PRIMARY KEY REFERENCES notification ON DELETE CASCADE,
    times           INTEGER NOT NULL,
    last_at         INTEGER NOT NULL
) STRICT;
