"""The relay: takes events out of the outbox and publishes them, each aggregate's in order.

Consumes  outbox           the unpublished rows of its shards, in the order of `seq`
Emits     <type>.events    every event, as its worker wrote it
Writes    outbox           (published_at)
Removes   outbox, inbox    what was published and handled long ago (ADR 15)

Delivery is at least once. Several relays share the shards; one shard has one owner, who holds its
advisory lock. An owner that lost its session may still deliver what is in flight: a repetition,
never a disorder, because every owner begins with the oldest unpublished row.
"""
