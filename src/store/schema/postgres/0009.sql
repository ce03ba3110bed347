-- Short links (`/l/CODE`): an address that an alert brought, once for each episode, and the name of an alert of it.
CREATE TABLE short_link (
    code    text PRIMARY KEY,
    thread  bigint NOT NULL,
    url     text NOT NULL,
    name    text NOT NULL,
    ends_at bigint NOT NULL,
    UNIQUE (thread, url)
);

CREATE INDEX short_link_ends ON short_link (ends_at);
