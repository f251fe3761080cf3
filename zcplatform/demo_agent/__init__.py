"""The demo agent: a small program that speaks the contract of a ZeroClaw agent strictly, so that the platform can be tried and tested anywhere.

It is started, configured, watched and paired like the real one, refuses what the real one refuses, and sends what it is told to the
configured model. It has no tools, no memory and no channels. Standard library, PyNaCl and websockets only: its image must stay small.
"""

VERSION = "0.8.7-demo"
