"""Pure decisions: no I/O, no clock, no randomness. Everything here is tested by equality."""
