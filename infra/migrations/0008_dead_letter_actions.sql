-- What operators did about dead letters. A letter (its topic and offset; such topics have one
-- partition) that is in here is dealt with: it is not listed and not sent again.

CREATE TABLE dead_letter_actions (
    topic      text        NOT NULL,
    "offset"   bigint      NOT NULL,
    action     text        NOT NULL CHECK (action IN ('redriven', 'discarded')),
    operator   text        NOT NULL,
    reason     text        NOT NULL,
    message_id uuid,
    acted_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, "offset")
);
