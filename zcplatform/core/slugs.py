"""Slugs: the name of a tenant that becomes a host name, a container name and a directory.

An accepted slug is a DNS label equal to its own IDNA form, so no path, host or label made from it can mean anything else. A name reserved
here stays reserved; add one only if no tenant can have it yet.
"""

import re

SHORTEST = 3
LONGEST = 32

_SHAPE = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)

_WORDS = """
    account accounts admin administrator api app ask assets auth autoconfig autodiscover broadcasthost caddy cdn dashboard dns edge ftp
    gateway health host hostmaster imap internal isatap localdomain localhost login logout mail mailer-daemon metrics noc nobody oauth openid
    panel platform pop pop3 postmaster root signin signup smtp ssl sso static status system webmail webmaster worker wpad www zcplatform
"""
RESERVED = frozenset(_WORDS.split())


def is_slug(text: str) -> bool:
    return check(text) is None


def check(text: str) -> str | None:
    """Return why a text cannot be a slug, in words that follow the name of a field; None if it can."""
    if not SHORTEST <= len(text) <= LONGEST:
        return f"must have {SHORTEST} to {LONGEST} characters"
    if _SHAPE.fullmatch(text) is None:
        return "must consist of lower-case letters a to z, digits and hyphens, and start and end with a letter or digit"
    if text[2:4] == "--":
        return "must not have hyphens as both third and fourth character: such names are reserved for internationalised domains"
    if text in RESERVED or re.fullmatch(r"(ns|mx|www)[0-9]*", text):
        return "is reserved"
    return None
