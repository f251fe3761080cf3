"""Keys and encryption. The web process may use `sealing`; everything else is for the worker. No SQL."""
