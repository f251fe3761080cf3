"""Calls to the Docker engine over its unix socket. It may be slow, gone or wrong; every wait has an end.

Every call ends within its deadline and raises only errors of zcplatform.errors. A state that already exists is success (removing a container that
is gone, starting one that runs). Objects of other owners are returned only when requested by name, and are never changed without an id that the
caller took from such an answer.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp

from zcplatform.engines.docker import answers as seen
from zcplatform.engines.docker.answers import ALIVE, BadAnswer, ContainerSeen, DockerNetwork, EngineInfo
from zcplatform.engines.docker.connection import Connection
from zcplatform.engines.docker.errors import REGISTRY_HINT, bounded
from zcplatform.engines.docker.pulls import Layers
from zcplatform.engines.docker.streams import frame_lines, until_ended
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import ImageSeen, PullProgress, Reading
from zcplatform.errors import StepFailed
from zcplatform.ids import LABEL_INSTANCE, LABEL_TENANT

LOOK_S, LAST_LINES_S = 2.0, 1.0
"""While a log is followed: how often its container is looked at, and how long its last lines may take once it ended."""
_INSPECTED_AT_ONCE = 8
_EVENTS = {
    "container": ["create", "start", "die", "oom", "stop", "kill", "pause", "unpause", "rename", "update", "destroy"],
    "network": ["create", "connect", "disconnect", "destroy", "remove"],
}


class Docker(Connection):
    async def ping(self) -> EngineInfo:
        async with self._call("ask", "version"):
            return seen.engine(await self._client.version(), await self._client.system.info())

    async def containers(self, instance: str) -> list[ContainerSeen]:
        """All of this installation, in one request; those that ended badly are then inspected for the reason."""
        async with self._call("list", "containers"):
            answers = await self._client.containers.list(all=True, filters=_labelled(instance))
            listed = [seen.listed_container(answer._container) for answer in answers]  # noqa: SLF001
            ours = [container for container in listed if container.labels.get(LABEL_INSTANCE) == instance]
            at_once = asyncio.Semaphore(_INSPECTED_AT_ONCE)
            return [found for found in await asyncio.gather(*(self._with_reason(one, at_once) for one in ours)) if found is not None]

    async def container(self, name: str) -> ContainerSeen | None:
        """Also one that belongs to another owner."""
        async with self._call("inspect", name):
            found = await self._inspect(name)
            return found if found is not None and found.name == name else None

    async def create(self, name: str, body: dict[str, Any]) -> str:
        async with self._call("create", name):
            return seen.text({"Id": (await self._client.containers.create(body, name=name)).id}, "Id")

    async def start(self, id: str) -> None:  # noqa: A002
        async with self._call("start", id):
            await self._client.containers.container(id).start()

    async def update(self, id: str, body: dict[str, Any]) -> None:  # noqa: A002
        """Change the limits of a container while it runs."""
        async with self._call("update", id):
            await self._client._query_json(f"containers/{id}/update", "POST", data=body)  # noqa: SLF001

    async def stop(self, id: str, timeout_s: int) -> None:  # noqa: A002
        """Killed when it does not end within `timeout_s`."""
        async with self._call("stop", id, deadline_s=timeout_s + 10, fine=(304, 404)):
            await self._client.containers.container(id).stop(t=timeout_s)

    async def remove(self, id: str) -> None:  # noqa: A002
        """With the nameless volumes an image may ask for. 409: it is being removed already."""
        async with self._call("remove", id, fine=(404, 409)):
            await self._client.containers.container(id).delete(force=True, v=True)

    async def usage(self, id: str) -> Reading:  # noqa: A002
        """What a container that runs uses now."""
        async with self._call("read", id):
            answer = await self._client._query_json(f"containers/{id}/stats", params={"stream": "false", "one-shot": "true"})  # noqa: SLF001
            return seen.usage(answer)

    async def networks(self, instance: str) -> list[DockerNetwork]:
        async with self._call("list", "networks"):
            answers = await self._client.networks.list(filters=_labelled(instance))
            networks = [seen.network(answer) for answer in answers]
            return [network for network in networks if network.labels.get(LABEL_INSTANCE) == instance]

    async def network(self, name: str) -> DockerNetwork | None:
        """Also one that belongs to another owner."""
        async with self._call("inspect", name, fine=(404,)):
            found = seen.network(await (await self._client.networks.get(name)).show())
            return found if found.name == name else None
        return None

    async def create_network(self, body: dict[str, Any]) -> str:
        async with self._call("create_network", str(body["Name"])):
            return seen.text({"Id": (await self._client.networks.create(body)).id}, "Id")

    async def remove_network(self, id: str) -> None:  # noqa: A002
        """Disconnects endpoints of containers that are gone first: an engine that was killed leaves them."""
        async with self._call("remove_network", id, fine=(404,)):
            network = await self._client.networks.get(id)
            for container_id in (await network.show()).get("Containers") or {}:
                if await self._inspect(container_id) is None:
                    await network.disconnect({"Container": container_id, "Force": True})
            await network.delete()

    async def image(self, reference: str) -> ImageSeen | None:
        async with self._call("inspect", reference, fine=(404,)):
            return seen.image(await self._client.images.inspect(reference))
        return None

    async def digest(self, reference: str) -> str:
        """Return the digest (`sha256:…`) that the reference has at the registry now. The engine requests it; nothing is pulled."""
        url = f"distribution/{reference}/json"
        async with self._registry(reference), self._stream("pull", reference, "GET", url, {}, idle_s=self._idle_s) as response:
            found = seen.text((await response.json()).get("Descriptor") or {}, "digest")
            if re.fullmatch(r"sha256:[0-9a-f]{64}", found) is None:
                raise BadAnswer(f"{bounded(found)} is not a digest")
            return found
        raise AssertionError("the stream answers or raises")

    async def pull(self, reference: str) -> AsyncGenerator[PullProgress, None]:
        """Yield the progress whenever the engine reports any. The pull has succeeded only if `image` finds the image afterwards."""
        query = {"fromImage": reference}
        if "@" not in reference and ":" not in reference.rpartition("/")[2]:
            query["tag"] = "latest"
        layers, ends = Layers(), asyncio.get_running_loop().time() + self._pull_s
        async with (
            self._registry(reference),
            aclosing(self._documents("pull", reference, "POST", "images/create", query, idle_s=self._idle_s)) as answers,
        ):
            async for answer in answers:
                if asyncio.get_running_loop().time() > ends:
                    raise StepFailed("registry.unreachable", f"pull {reference}: not there after {self._pull_s:.0f} s", REGISTRY_HINT)
                yield layers.told(answer)

    async def tag(self, reference: str, name: str) -> None:
        """Another name for an image that is there, as `repository:tag`."""
        repository, _, tag = name.rpartition(":")
        query = {"repo": repository, "tag": tag}
        async with self._stream("tag", reference, "POST", f"images/{reference}/tag", query, idle_s=self._deadline_s):
            return

    async def import_image(self, tar: Path, changes: Sequence[str], reference: str) -> str:
        """Import a tar of files, which is streamed, as an image and return its id."""
        repository, _, tag = reference.rpartition(":")
        query = [("fromSrc", "-"), ("repo", repository), ("tag", tag), *(("changes", change) for change in changes)]
        said = ""
        with tar.open("rb") as file:
            answers = self._documents("import", reference, "POST", "images/create", query, idle_s=self._idle_s, data=file)
            async for answer in answers:
                said = str(answer.get("status") or said)
        if not said.startswith("sha256:"):
            raise StepFailed("engine.bad_answer", f"import {reference}: the engine's answer contains no id", "restart the engine")
        return said

    async def remove_image(self, id: str) -> None:  # noqa: A002
        async with self._call("remove_image", id, fine=(404,)):
            await self._client.images.delete(id)

    async def logs(
        self,
        name: str,
        *,
        tail: int = 200,
        since: int = 0,
        follow: bool = False,
        timestamps: bool = False,
        longest: int = 4096,
    ) -> AsyncGenerator[bytes, None]:
        """Lines as they were written, cut at `longest` bytes. With `follow` it ends when the container does, also where the engine keeps the
        stream of a container open that ended."""
        query = {"stdout": "1", "stderr": "1", "tail": str(tail), "since": str(since)}
        query |= {"follow": str(int(follow)), "timestamps": str(int(timestamps))}
        idle_s = None if follow else self._deadline_s
        async with (
            self._stream("read logs of", name, "GET", f"containers/{name}/logs", query, idle_s=idle_s) as response,
            self._watched(name, _chunks(response), follow=follow) as chunks,
            aclosing(frame_lines(chunks, longest)) as lines,
        ):
            async for line in lines:
                yield line

    @asynccontextmanager
    async def _watched(self, name: str, chunks: AsyncGenerator[bytes, None], *, follow: bool) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        if not follow:
            yield chunks
            return
        ended = asyncio.create_task(self._until_not_alive(name))
        try:
            async with aclosing(until_ended(chunks, ended, LAST_LINES_S)) as watched:
                yield watched
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)

    async def _until_not_alive(self, name: str) -> None:
        """Nothing is concluded about containers while the engine does not answer."""
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(EngineUnreachable):
                found = await self.container(name)
                if found is None or found.state not in ALIVE:
                    return

    async def events(self, instance: str) -> AsyncGenerator[tuple[str | None, str], None]:
        """(tenant id, action) of everything that happens to our objects; None for a network, whose events carry no labels."""
        query = {
            "filters": json.dumps({"type": list(_EVENTS), "event": sorted({event for events in _EVENTS.values() for event in events})})
        }
        async with aclosing(self._documents("watch", "events", "GET", "events", query, idle_s=None)) as answers:
            async for answer in answers:
                told = (answer.get("Actor") or {}).get("Attributes") or {}
                if told.get(LABEL_INSTANCE) == instance:
                    yield told.get(LABEL_TENANT), str(answer.get("Action"))
                elif answer.get("Type") == "network" and str(told.get("name")).startswith(f"{instance}-"):
                    yield None, str(answer.get("Action"))

    async def _inspect(self, id_or_name: str) -> ContainerSeen | None:
        try:
            return seen.inspected_container(await self._client.containers.container(id_or_name).show())
        except aiodocker.DockerError as error:
            if error.status == 404:
                return None
            raise

    async def _with_reason(self, listed: ContainerSeen, at_once: asyncio.Semaphore) -> ContainerSeen | None:
        if listed.state in ("running", "paused", "restarting", "removing") or listed.exit_code == 0:
            return listed
        async with at_once:
            return await self._inspect(listed.id)

    @asynccontextmanager
    async def _registry(self, reference: str) -> AsyncIterator[None]:
        """While the engine calls a registry: if it is silent but answers other requests, the registry is the silent one."""
        try:
            yield
        except EngineUnreachable as error:
            if not isinstance(error.__cause__, TimeoutError):
                raise
            await self.ping()
            told = f"pull {reference}: nothing came from the registry for {self._idle_s:.0f} s"
            raise StepFailed("registry.unreachable", told, REGISTRY_HINT) from None


def _labelled(instance: str) -> dict[str, list[str]]:
    return {"label": [f"{LABEL_INSTANCE}={instance}"]}


async def _chunks(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async for chunk in response.content.iter_any():
        yield chunk
