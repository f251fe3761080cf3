"""Everything outside of the platform, one thing per file. Decisions are made elsewhere."""
