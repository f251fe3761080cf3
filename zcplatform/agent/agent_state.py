"""Read what the agent added to its file: paired devices, and people admitted to channels. It is kept and rendered again.

Any other change of the file is drift (`drift.py`). The file is hostile: it may have been rewritten by the agent, by its dashboard or by a
tenant, who owns it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zcplatform.agent.agent_settings import AgentSettings
from zcplatform.agent.config_file import MOST_TOKENS, Unreadable, paired_token_hashes
from zcplatform.agent.fields import LONGEST_TEXT, is_plain

MOST_PEERS = 1_000
"""Per channel."""
MOST_PEER_BYTES = 48_000
"""Bytes of UTF-8 over all channels, so that what the agent adds cannot make the next file too long."""

Unseal = Callable[[str], str]


@dataclass(frozen=True)
class AgentState:
    paired_tokens: tuple[str, ...] = ()
    """SHA-256 of each token, hex."""
    peers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By channel (`type.alias`): people admitted inside the agent, with /bind or in its dashboard."""

    def bounded(self) -> "AgentState":
        """Return the state cut to the limits; the first entries stay."""
        left = MOST_PEER_BYTES
        kept: dict[str, tuple[str, ...]] = {}
        for channel, peers in self.peers.items():
            fitting, left = _fitting(peers[:MOST_PEERS], left)
            kept[channel] = fitting
        return AgentState(self.paired_tokens[: MOST_TOKENS + 1], {channel: peers for channel, peers in kept.items() if peers})


def read(document: Mapping[str, Any], settings: AgentSettings, unseal: Unseal) -> AgentState:
    """Return the state in a parsed file. Raises Unreadable and nothing else.

    `settings` must be those that the file was rendered from: compared with newer ones, a person removed from the list would return.
    """
    groups = document.get("peer_groups", {})
    found = {name: _peers(groups, name, channel.peers) for name, channel in settings.channels.items()}
    return AgentState(paired_token_hashes(dict(document), unseal), found).bounded()


def group_of(channel: str) -> str:
    """Return the name of a channel's peer group in the agent's file."""
    return channel.replace(".", "_")


def _peers(groups: object, channel: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the people in the channel's group who are not in the settings. The agent creates a group if there is none."""
    if not isinstance(groups, dict):
        raise Unreadable("peer_groups is not a table")
    if not all(isinstance(group, dict) for group in groups.values()):
        raise Unreadable("peer_groups contains something other than groups")
    group = groups.get(group_of(channel), {})
    if group.get("channel") != channel:
        return ()
    peers = group.get("external_peers", [])
    if not isinstance(peers, list) or len(peers) > 2 * MOST_PEERS:
        raise Unreadable(f"peer_groups.{group_of(channel)}.external_peers is not a list of people")
    return tuple(dict.fromkeys(peer for peer in peers if _is_peer(peer) and peer not in known))[:MOST_PEERS]


def _is_peer(peer: object) -> bool:
    """Whether an entry names a person. `*` does not: what is written into the file must not admit everyone."""
    return isinstance(peer, str) and peer != "*" and bool(peer.strip()) and len(peer) <= LONGEST_TEXT and is_plain(peer)


def _fitting(peers: Iterable[str], left: int) -> tuple[tuple[str, ...], int]:
    kept = []
    for peer in peers:
        size = len(peer.encode(errors="replace")) + 4
        if size > left:
            break
        kept.append(peer)
        left -= size
    return tuple(kept), left
