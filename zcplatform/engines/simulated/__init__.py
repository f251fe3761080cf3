"""A simulated engine: tenants in memory, for fast tests and for people who work on a client of the API."""
