-- A mail is sent because a slice wrote in its own transaction that something has happened, not
-- because an event on a topic says so. The row repeats the event as its slice wrote it; whoever
-- mails takes the row, and what a record on the topic claims beyond its id is not believed.
-- Needed by: verification

CREATE TABLE mail_requests (
    event_id     uuid        NOT NULL,
    type         text        NOT NULL,
    payload      text        NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, type)
);
CREATE INDEX mail_requests_by_age ON mail_requests (requested_at);

CREATE FUNCTION request_mail() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO mail_requests (event_id, type, payload)
    VALUES (new.id, new.type, new.payload)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION request_mail FROM PUBLIC;

CREATE TRIGGER mail_requests AFTER INSERT ON outbox
   FOR EACH ROW WHEN (new.aggregatetype = 'users')
EXECUTE FUNCTION request_mail();

-- Events that are on their way while this is applied.
INSERT INTO mail_requests (event_id, type, payload, requested_at)
SELECT id, type, payload, created_at
  FROM outbox
 WHERE aggregatetype = 'users' AND created_at > now() - interval '22 days'
    ON CONFLICT DO NOTHING;

GRANT SELECT, DELETE ON mail_requests TO qnt9_verification;
