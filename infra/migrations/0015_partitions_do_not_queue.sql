-- A partition is made when its parent is free for a moment. Who waits for the parent holds up all
-- who come after, and a dump, or a proof of the audit log, reads it for minutes.

ALTER FUNCTION ensure_partitions SET lock_timeout = '300ms';
