"""A database and a Kafka that do not belong to the same moment, made to agree again.

`survey` finds how far each is behind the other, `apply` puts into the database what it has to know
and moves the command groups back, `progress` follows them until everything is handled again, and
`refill` publishes events of the audit log to a Kafka that has lost them (docs/recovery.md).
"""
