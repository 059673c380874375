"""Version 1 of the HTTP contract; each module ends with its ENDPOINTS."""
