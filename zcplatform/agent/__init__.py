"""Everything the platform knows about the ZeroClaw agent. Pure: nothing here acts."""
