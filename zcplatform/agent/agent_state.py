"""What the agent itself added to its file: paired devices, and people admitted to channels. It is kept and rendered again.

Every other change of the file is drift (`drift.py`). The file is hostile: it may have been rewritten by the agent, by its dashboard or by a
tenant who owns it.
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
"""UTF-8, over all channels: what the agent writes into its file must not make the next file too long to be written."""

Unseal = Callable[[str], str]


@dataclass(frozen=True)
class AgentState:
    paired_tokens: tuple[str, ...] = ()
    """SHA-256 of each token, hex."""
    peers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By channel (`type.alias`): who was admitted by the agent, with /bind or in its dashboard."""

    def bounded(self) -> "AgentState":
        """The same within the limits; the first entries stay."""
        left = MOST_PEER_BYTES
        kept: dict[str, tuple[str, ...]] = {}
        for channel, peers in self.peers.items():
            fitting, left = _fitting(peers[:MOST_PEERS], left)
            kept[channel] = fitting
        return AgentState(self.paired_tokens[: MOST_TOKENS + 1], {channel: peers for channel, peers in kept.items() if peers})


def read(document: Mapping[str, Any], settings: AgentSettings, unseal: Unseal) -> AgentState:
    """The state in a parsed file. Raises Unreadable and nothing else.

    `settings` are those the file was rendered from: compared with newer ones, a person who was removed from the list would return.
    """
    groups = document.get("peer_groups", {})
    found = {name: _peers(groups, name, channel.peers) for name, channel in settings.channels.items()}
    return AgentState(paired_token_hashes(dict(document), unseal), found).bounded()


def group_of(channel: str) -> str:
    """The name of a channel's peer group in the agent's file."""
    return channel.replace(".", "_")


def _peers(groups: object, channel: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The people in the channel's group besides those of the settings; the agent makes a group where it finds none."""
    if not isinstance(groups, dict):
        raise Unreadable("peer_groups is not a table")
    if not all(isinstance(group, dict) for group in groups.values()):
        raise Unreadable("peer_groups holds something other than groups")
    group = groups.get(group_of(channel), {})
    if group.get("channel") != channel:
        return ()
    peers = group.get("external_peers", [])
    if not isinstance(peers, list) or len(peers) > 2 * MOST_PEERS:
        raise Unreadable(f"peer_groups.{group_of(channel)}.external_peers is not a list of people")
    return tuple(dict.fromkeys(peer for peer in peers if _is_peer(peer) and peer not in known))[:MOST_PEERS]


def _is_peer(peer: object) -> bool:
    """`*` is not one: whoever writes themselves into the file may not admit everybody."""
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
