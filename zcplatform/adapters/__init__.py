"""One outside thing in each file, no decisions."""
