"""What makes the audit log provable: its hash chains, and checkpoints signed and kept elsewhere."""
