"""Verbs for root on the host, before or beside the running platform."""
