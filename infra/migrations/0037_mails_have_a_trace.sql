-- The trace that a mail belongs to (W3C traceparent), so that its sending is a part of it.
-- Needed by: verification

ALTER TABLE mails ADD COLUMN traceparent text;
