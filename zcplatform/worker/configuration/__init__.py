"""The configuration of an agent: rendered, checked by the agent itself, and read back for what the agent saved in it."""
