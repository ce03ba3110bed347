-- Short links (`/l/CODE`): an address that an alert brought, once for each episode, and the name of an alert of it.
CREATE TABLE short_link (
    code    TEXT PRIMARY KEY,
    thread  INTEGER NOT NULL,
    url     TEXT NOT NULL,
    name    TEXT NOT NULL,
    ends_at INTEGER NOT NULL,
    UNIQUE (thread, url)
) STRICT;
CREATE INDEX short_link_ends ON short_link (ends_at);
