"""What a profile change contains. Pure."""
