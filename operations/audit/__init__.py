"""The audit log for operators: read, verified against its topics, and rebuilt from them."""
