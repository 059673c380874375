-- Mails that are made again on a recovered database are counted by themselves, by the time of what
-- called for them: they leave the shares of mails that are called for now as they are (ADR 19).
-- Needed by: verification

-- contract: the shares that there were are still accepted
ALTER TABLE mail_allowances DROP CONSTRAINT mail_allowances_share_check;
-- contract: accepts every row that the constraint before it did
ALTER TABLE mail_allowances ADD CONSTRAINT mail_allowances_share_check
CHECK (share IN ('anyone', 'owner', 'anyone-recovered', 'owner-recovered'));
