"""Slugs: the one name of a tenant that becomes a host name, a container's name and a directory.

Promise: an accepted slug is a DNS label that equals its own IDNA form, and no file path, host or label made from it can mean anything
else. A name that is reserved here stays refused for ever; add one only if no tenant can have it yet.
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
    """Why a text cannot be a slug, as a sentence for the person who typed it; None when it can."""
    if not SHORTEST <= len(text) <= LONGEST:
        return f"must have {SHORTEST} to {LONGEST} characters"
    if _SHAPE.fullmatch(text) is None:
        return "may hold lower-case letters a to z, digits and hyphens, and starts and ends with a letter or a digit"
    if text[2:4] == "--":
        return "may not have two hyphens at the third and fourth place: such names are kept for internationalised domains"
    if text in RESERVED or re.fullmatch(r"(ns|mx|www)[0-9]*", text):
        return "is reserved"
    return None
