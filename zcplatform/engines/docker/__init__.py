"""Docker as the engine: a client for its HTTP API, request bodies, and the place built on them."""
