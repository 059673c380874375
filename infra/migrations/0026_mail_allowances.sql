-- How much one address is mailed: the times of the last five mails of each share, by the HMAC of the
-- address. `anyone` is what requests without a session cause, `owner` what is told to the owner of
-- an account.
-- Needed by: verification

CREATE TABLE mail_allowances (
    address_hash text          NOT NULL,
    share        text          NOT NULL CHECK (share IN ('anyone', 'owner')),
    sent_at      timestamptz[] NOT NULL,
    last_at      timestamptz   NOT NULL,
    PRIMARY KEY (address_hash, share)
);
CREATE INDEX mail_allowances_by_age ON mail_allowances (last_at);
