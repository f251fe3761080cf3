"""All that the platform knows of the ZeroClaw agent; pure."""
