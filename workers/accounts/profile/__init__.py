"""What users say of themselves."""
