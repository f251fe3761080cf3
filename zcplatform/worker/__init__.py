"""The root process: loops that make true what the rows want."""
