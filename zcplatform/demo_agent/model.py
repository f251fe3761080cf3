"""Calls the configured provider as an OpenAI-compatible service: `POST {uri}/chat/completions`.

Answers are bounded in size and time. Families that use another protocol, or always call their own host, fail here like a provider that
cannot be reached: the demo agent must not succeed where the real one would fail.
"""

import asyncio
import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from zcplatform.demo_agent.config import ProviderEntry

TIMEOUT_S = 120
LONGEST_ANSWER = 1 << 20
_SYSTEM = "You are a helpful assistant. This is a demo agent: you have no tools and no memory of earlier messages."
_OTHERS = frozenset(
    {"anthropic", "azure", "bedrock", "copilot", "gemini", "gemini_cli", "grok_cli", "groq", "kilocli", "openrouter", "ovh", "telnyx"}
)


@dataclass(frozen=True)
class Answer:
    text: str
    tokens: tuple[int, int]


class ModelFailed(Exception):
    """The text may be shown to the tenant; it never contains what the provider sent."""


async def ask(provider: ProviderEntry, message: str) -> Answer:
    if not provider.uri or provider.family in _OTHERS:
        raise ModelFailed(f"The demo agent cannot reach {provider.name}: it calls only OpenAI-compatible services with a `uri`.")
    messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": message}]
    return await asyncio.to_thread(_ask, provider, {"model": provider.model, "messages": messages, "stream": False})


def _ask(provider: ProviderEntry, body: dict[str, Any]) -> Answer:
    parts = urlsplit(provider.uri)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if provider.api_key:
        headers["Authorization"] = f"Bearer {provider.api_key}"
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.request("POST", parts.path.rstrip("/") + "/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read(LONGEST_ANSWER)
    except (OSError, http.client.HTTPException, ValueError):
        raise ModelFailed(f"The model provider {provider.name} could not be reached.") from None
    finally:
        connection.close()
    if response.status in (401, 403):
        raise ModelFailed(f"The model provider {provider.name} rejected its credentials. Check the configured credentials.")
    if response.status != 200:
        raise ModelFailed(f"The model provider {provider.name} answered with status {response.status}.")
    return _read(provider, content)


def _read(provider: ProviderEntry, content: bytes) -> Answer:
    try:
        said = json.loads(content)
        text = said["choices"][0]["message"]["content"]
        usage = said.get("usage") or {}
        tokens = (max(0, int(usage.get("prompt_tokens", 0))), max(0, int(usage.get("completion_tokens", 0))))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ModelFailed(f"The model provider {provider.name} sent an answer that is not a chat completion.") from None
    if not isinstance(text, str):
        raise ModelFailed(f"The model provider {provider.name} sent an answer without text.")
    return Answer(text, tokens)
