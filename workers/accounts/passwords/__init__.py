"""Commands that take a password: it is changed or reset, or proves who asks."""
