"""From a record to its effect: consumer shell, inbox and outbox, dead letters, outcomes."""
