"""What admins do about users: tiers and permissions."""
