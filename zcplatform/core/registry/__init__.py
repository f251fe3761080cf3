"""The names that are part of the API: event kinds, audit actions and error codes, each with its meaning.

Tests require that every name in use is here and every name here is in use. `scripts/reference` makes pages of docs/reference from it.
"""
