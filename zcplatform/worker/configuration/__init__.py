"""The file an agent runs with: rendered, checked by the agent itself, and read back for what the agent saved in it."""
