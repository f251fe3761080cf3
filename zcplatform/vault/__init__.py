"""Keys and encryption. `sealing` is what the web process may do; everything else is for the worker. No SQL."""
