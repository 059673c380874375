-- Marks know the event of the audit log that tells of them, and whether it was published.

ALTER TABLE dead_letter_actions ADD COLUMN event_id uuid, ADD COLUMN told_at timestamptz;
CREATE INDEX dead_letter_actions_untold ON dead_letter_actions (event_id)
 WHERE told_at IS NULL AND event_id IS NOT NULL;
