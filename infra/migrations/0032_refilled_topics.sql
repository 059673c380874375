-- Where `qnt9 recover` began to fill a topic again from the audit log, until an event has told of it:
-- by topic and partition, the first offset that may be one of a record that was filled in (ADR 27).
-- Needed by: nobody but operators

ALTER TABLE recoveries ADD COLUMN refilled jsonb;
