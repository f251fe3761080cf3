"""Who the agent let in, as its file says after it ran: kept and rendered again. Everything else that was changed there is drift (`drift.py`).

The file may have been rewritten by the agent, by its dashboard or by a tenant who owns it, and is hostile. Raises Unreadable and nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from zcplatform.agent.agent_settings import AgentSettings
from zcplatform.agent.config_file import Unreadable, paired_token_hashes, parse
from zcplatform.agent.fields import LONGEST_TEXT, is_plain

MOST_PEERS = 1_000

Unseal = Callable[[str], str]


@dataclass(frozen=True)
class AgentState:
    """What the agent itself wrote into its file and a new one has to hold again."""

    paired_tokens: tuple[str, ...] = ()
    """SHA-256 of each token, hex."""
    peers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By channel (`type.alias`): who was let in by the agent, with /bind or in its dashboard."""


def read(text: str, settings: AgentSettings, unseal: Unseal) -> AgentState:
    """Who is paired, and who the agent let into the channels besides those it was told. `settings` are what the file was rendered from:
    compared with newer ones, somebody who was taken off the list would come back."""
    document = parse(text)
    groups = document.get("peer_groups", {})
    found = {name: _peers(groups, name, channel.peers) for name, channel in settings.channels.items()}
    return AgentState(paired_token_hashes(text, unseal), {name: peers for name, peers in found.items() if peers})


def group_of(channel: str) -> str:
    return channel.replace(".", "_")


def _peers(groups: object, channel: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Of every group for this channel: the agent makes its own where it finds none."""
    if not isinstance(groups, dict):
        raise Unreadable("peer_groups is not a table")
    kept: dict[str, None] = {}
    for alias, group in groups.items():
        if not isinstance(group, dict):
            raise Unreadable("peer_groups holds something else than groups")
        if alias != group_of(channel) or group.get("channel") != channel:
            continue
        peers = group.get("external_peers", [])
        if not isinstance(peers, list) or len(peers) > 2 * MOST_PEERS:
            raise Unreadable(f"peer_groups.{alias}.external_peers is not a list of people")
        for peer in peers:
            # Somebody who writes himself into the file may not let in everybody.
            if (
                isinstance(peer, str)
                and peer.strip()
                and peer != "*"
                and len(peer) <= LONGEST_TEXT
                and is_plain(peer)
                and peer not in known
            ):
                kept[peer] = None
    return tuple(list(kept)[:MOST_PEERS])
