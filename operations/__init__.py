"""What operators do to a running system: look at lag and records, replay, redrive, discard.

Reads without a group, so that looking changes nothing. Writes to a topic that operators name, to
`<topic>.<consumer>.redrive`, to offsets of fresh groups, and to dead_letter_actions.
"""
