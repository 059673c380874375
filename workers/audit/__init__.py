"""The audit log: every event once, as it was published, with who asked and from where.

Consumes  users.events, watchlists.events, quotes.events, ops.events
          every type, known to this version or not
Emits     audit.checkpoints    AuditCheckpointed: where its hash chains end, signed
Writes    audit_log; a trigger adds each row to its chain (audit_chain, audit_heads)
Reads     personal_keys, to fill in address and client; locked meanwhile (created_at), so that
          none is destroyed before its row is written; what was erased stays empty

The id of an event is the key of its row: a repetition changes nothing, so no inbox is needed.
"""
