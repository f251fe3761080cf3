"""The demo agent: a small program that implements the contract of a ZeroClaw agent strictly, so that the platform can be tried and tested anywhere.

It is started, configured, monitored and paired like the real one, rejects what the real one rejects, and sends messages to the configured
model. It has no tools, no memory and no channels. It uses the standard library, PyNaCl and websockets only: its image must stay small.
"""

VERSION = "0.8.7-demo"
