"""What undoes a change of address. Pure."""
