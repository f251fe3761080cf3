"""Engines, which run tenants: the protocol (protocol.py) and its implementations, one folder each."""
