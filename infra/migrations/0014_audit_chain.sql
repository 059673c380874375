-- The hash chain of the audit log, one for each partition of a topic: every row that comes in adds
-- a link, in the order in which the log took it. Nobody writes it but the trigger: the role that
-- inserts rows can neither choose nor change a hash. docs/audit.md has the definition.

-- From here on no row comes in before the trigger is there.
LOCK TABLE audit_log IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE audit_heads (
    chain     int    PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    topic     text   NOT NULL,
    partition int    NOT NULL,
    length    bigint NOT NULL DEFAULT 0,
    hash      bytea  NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    UNIQUE (topic, partition)
);

CREATE TABLE audit_chain (
    chain      int         NOT NULL REFERENCES audit_heads,
    sequence   bigint      NOT NULL,
    event_id   uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    hash       bytea       NOT NULL,
    PRIMARY KEY (chain, sequence)
);

CREATE FUNCTION audit_field(content bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(int4send(octet_length(content)) || content, '\xffffffff'::bytea);

-- All of a row but address and client, which erasure takes out.
CREATE FUNCTION audit_leaf(entry audit_log) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(
    '\x00'::bytea
    || audit_field(convert_to(entry.event_id::text, 'UTF8'))
    || audit_field(convert_to((extract(epoch FROM entry.created_at) * 1000000)::bigint::text, 'UTF8'))
    || audit_field(convert_to(entry.user_id::text, 'UTF8'))
    || audit_field(convert_to(entry.action, 'UTF8'))
    || audit_field(convert_to(entry.type, 'UTF8'))
    || audit_field(convert_to(entry.correlation_id, 'UTF8'))
    || audit_field(convert_to(entry.topic, 'UTF8'))
    || audit_field(convert_to(entry.partition::text, 'UTF8'))
    || audit_field(convert_to(entry."offset"::text, 'UTF8'))
    || audit_field(convert_to(entry.headers::text, 'UTF8'))
    || audit_field(convert_to(entry.details::text, 'UTF8'))
    || audit_field(entry.key)
    || audit_field(entry.payload)
);

CREATE FUNCTION audit_link(previous bytea, head bytea, leaf bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256('\x01'::bytea || coalesce(previous, head) || leaf);

-- Over a window: the hash of each link, the first of them on top of `head`.
CREATE AGGREGATE audit_links(head bytea, leaf bytea) (SFUNC = audit_link, STYPE = bytea);

-- Whoever adds to a chain holds its head until the end of the transaction: no chain forks.
CREATE FUNCTION extend_audit_chain() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit_heads (topic, partition)
    SELECT DISTINCT topic, partition
      FROM added
     WHERE NOT EXISTS (SELECT FROM audit_heads AS head
                        WHERE (head.topic, head.partition) = (added.topic, added.partition))
     ORDER BY topic, partition
        ON CONFLICT DO NOTHING;
    PERFORM FROM audit_heads
      WHERE (topic, partition) IN (SELECT topic, partition FROM added)
      ORDER BY chain
        FOR UPDATE;
    WITH links AS (
        INSERT INTO audit_chain (chain, sequence, event_id, created_at, hash)
        SELECT chain, length + row_number() OVER taken, event_id, created_at,
               audit_links(hash, audit_leaf(added)) OVER taken
          FROM added JOIN audit_heads USING (topic, partition)
        WINDOW taken AS (PARTITION BY chain ORDER BY "offset", event_id, created_at
                         ROWS UNBOUNDED PRECEDING)
        RETURNING chain, sequence, hash
    )
    UPDATE audit_heads
       SET length = last.sequence, hash = last.hash
      FROM (SELECT DISTINCT ON (chain) * FROM links ORDER BY chain, sequence DESC) AS last
     WHERE audit_heads.chain = last.chain;
    RETURN NULL;
END $$;

-- What was there before, in the order of the topics.
INSERT INTO audit_heads (topic, partition)
SELECT DISTINCT topic, partition FROM audit_log ORDER BY topic, partition;

WITH links AS (
    INSERT INTO audit_chain (chain, sequence, event_id, created_at, hash)
    SELECT chain, row_number() OVER taken, event_id, created_at,
           audit_links(hash, audit_leaf(audit_log)) OVER taken
      FROM audit_log JOIN audit_heads USING (topic, partition)
    WINDOW taken AS (PARTITION BY chain ORDER BY "offset", event_id, created_at
                     ROWS UNBOUNDED PRECEDING)
    RETURNING chain, sequence, hash
)
UPDATE audit_heads
   SET length = last.sequence, hash = last.hash
  FROM (SELECT DISTINCT ON (chain) * FROM links ORDER BY chain, sequence DESC) AS last
 WHERE audit_heads.chain = last.chain;

CREATE TRIGGER audit_chain AFTER INSERT ON audit_log
REFERENCING NEW TABLE AS added
   FOR EACH STATEMENT EXECUTE FUNCTION extend_audit_chain();

REVOKE ALL ON FUNCTION extend_audit_chain FROM PUBLIC;
GRANT SELECT ON audit_heads TO qnt9_audit;
