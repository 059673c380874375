"""The relay: takes events out of the outbox and publishes them, each aggregate's in order.

Consumes  outbox           the unpublished rows of its shards, in the order of `seq`
Emits     <type>.events    every event, as its worker wrote it
Writes    outbox           (published_at)
Owns      relays, relay_shards   leases: who publishes which shard (ADR 25)
Removes   outbox, inbox    what was published and handled long ago (ADR 15)

Delivery is at least once. Several relays share the shards; one shard has one owner, whose lease
must be renewed. An owner whose lease is over may still deliver what is in flight: a repetition,
never a disorder, because every owner begins with the oldest unpublished row.
"""
