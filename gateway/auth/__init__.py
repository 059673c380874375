"""Who calls and what they may do: tokens, revocation, and what a password must be."""
