"""What scripts/demo does once Python is there. The standard library only: `stop` must work when the virtual environment is gone."""
