"""A Docker engine as a small HTTP server on a unix socket, with a memory. Those that misbehave are in bad_engines.py.

They speak the engine's interface as far as the adapter uses it, with the statuses and words of the real one (20.10, checked by tests/live).
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

INSTANCE_LABEL = "io.zcplatform.instance"


class HonestDocker:
    """Containers, networks and images in memory; `calls` holds (method, path) of every request."""

    version = "20.10.24"
    api_version = "1.41"

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.networks: dict[str, dict[str, Any]] = {}
        self.images: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self._count = 0

    @asynccontextmanager
    async def on(self, socket: Path) -> AsyncIterator["HonestDocker"]:
        """Serves until the block ends. A request that still waits then is abandoned."""
        app = web.Application(middlewares=[self._behave], client_max_size=0)
        app.add_routes(
            [
                web.get("/{v}/version", self._version),
                web.get("/version", self._version),
                web.get("/{v}/info", self._info),
                web.get("/{v}/containers/json", self._list_containers),
                web.post("/{v}/containers/create", self._create_container),
                web.get("/{v}/containers/{name}/json", self._inspect_container),
                web.post("/{v}/containers/{name}/start", self._start),
                web.post("/{v}/containers/{name}/stop", self._stop),
                web.delete("/{v}/containers/{name}", self._remove_container),
                web.get("/{v}/containers/{name}/logs", self._logs),
                web.get("/{v}/networks", self._list_networks),
                web.post("/{v}/networks/create", self._create_network),
                web.get("/{v}/networks/{name}", self._inspect_network),
                web.delete("/{v}/networks/{name}", self._remove_network),
                web.get("/{v}/images/{name:.+}/json", self._inspect_image),
                web.delete("/{v}/images/{name:.+}", self._remove_image),
                web.post("/{v}/images/create", self._create_image),
                web.get("/{v}/distribution/{name:.+}/json", self._distribution),
                web.get("/{v}/events", self._events),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1, handle_signals=False)
        await runner.setup()
        await web.UnixSite(runner, str(socket)).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def behave(self, request: web.Request, answer: Any) -> web.StreamResponse:
        """What a vice overrides: `answer` makes the honest answer."""
        response: web.StreamResponse = await answer(request)
        return response

    def add_image(self, reference: str, labels: dict[str, str] | None = None, digests: tuple[str, ...] = ()) -> str:
        made = self._id("sha256:")
        self.images[made] = {
            "Id": made,
            "RepoTags": [reference],
            "RepoDigests": list(digests),
            "Config": {"Labels": labels or {}},
            "Size": 5_000_000,
        }
        return made

    @web.middleware
    async def _behave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        return await self.behave(request, handler)

    def _id(self, prefix: str = "") -> str:
        self._count += 1
        return prefix + f"{self._count:064x}"

    async def _version(self, _: web.Request) -> web.Response:
        runc = {"Name": "runc", "Version": "1.1.5"}
        return web.json_response({"Version": self.version, "ApiVersion": self.api_version, "Components": [runc]})

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"LiveRestoreEnabled": True, "Driver": "overlay2", "DockerRootDir": "/var/lib/docker", "SecurityOptions": []}
        )

    async def _list_containers(self, request: web.Request) -> web.Response:
        labels = _labels(request)
        found = [one for one in self.containers.values() if _carries(one["Config"]["Labels"], labels)]
        return web.json_response([_listed(one) for one in found])

    async def _create_container(self, request: web.Request) -> web.Response:
        body, name = await request.json(), request.query["name"]
        if self._container(name) is not None:
            return _refuse(409, f'Conflict. The container name "/{name}" is already in use by container "x".')
        if body["Image"] not in self.images:
            return _refuse(404, f"No such image: {body['Image']}")
        made = self._id()
        state = {"Status": "created", "ExitCode": 0, "OOMKilled": False, "Error": "", "StartedAt": "0001-01-01T00:00:00Z"}
        self.containers[made] = {
            "Id": made,
            "Name": f"/{name}",
            "Image": body["Image"],
            "Config": body,
            "HostConfig": body["HostConfig"],
            "State": state,
        }
        return web.json_response({"Id": made, "Warnings": []}, status=201)

    async def _inspect_container(self, request: web.Request) -> web.Response:
        found = self._container(request.match_info["name"])
        return _no_container(request) if found is None else web.json_response(found)

    async def _start(self, request: web.Request) -> web.Response:
        found = self._container(request.match_info["name"])
        if found is None:
            return _no_container(request)
        if found["State"]["Status"] == "running":
            return web.Response(status=304)
        ports = found["HostConfig"].get("PortBindings") or {}
        for other in self.containers.values():
            if other["State"]["Status"] == "running" and ports and (other["HostConfig"].get("PortBindings") or {}) == ports:
                return _refuse(500, "driver failed programming external connectivity: Bind for 127.0.0.1 failed: port is already allocated")
        found["State"] |= {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"}
        return web.Response(status=204)

    async def _stop(self, request: web.Request) -> web.Response:
        found = self._container(request.match_info["name"])
        if found is None:
            return _no_container(request)
        if found["State"]["Status"] != "running":
            return web.Response(status=304)
        found["State"] |= {"Status": "exited", "ExitCode": 0}
        return web.Response(status=204)

    async def _remove_container(self, request: web.Request) -> web.Response:
        found = self._container(request.match_info["name"])
        if found is None:
            return _no_container(request)
        del self.containers[found["Id"]]
        return web.Response(status=204)

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        found = self._container(request.match_info["name"])
        if found is None:
            return _no_container(request)
        return web.Response(body=b"\x01\0\0\0\0\0\0\x06hello\n", content_type="application/octet-stream")

    async def _list_networks(self, request: web.Request) -> web.Response:
        labels = _labels(request)
        return web.json_response([one for one in self.networks.values() if _carries(one["Labels"], labels)])

    async def _create_network(self, request: web.Request) -> web.Response:
        body = await request.json()
        if any(one["Name"] == body["Name"] for one in self.networks.values()):
            return _refuse(409, f"network with name {body['Name']} already exists")
        if any(one["IPAM"] == body["IPAM"] for one in self.networks.values()):
            return _refuse(403, "Pool overlaps with other one on this address space")
        made = self._id()
        self.networks[made] = {**body, "Id": made, "Containers": {}}
        return web.json_response({"Id": made, "Warning": ""}, status=201)

    async def _inspect_network(self, request: web.Request) -> web.Response:
        found = self._network(request.match_info["name"])
        return _refuse(404, "network not found") if found is None else web.json_response(found)

    async def _remove_network(self, request: web.Request) -> web.Response:
        found = self._network(request.match_info["name"])
        if found is None:
            return _refuse(404, "network not found")
        del self.networks[found["Id"]]
        return web.Response(status=204)

    async def _inspect_image(self, request: web.Request) -> web.Response:
        found = self._image(request.match_info["name"])
        return _refuse(404, f"No such image: {request.match_info['name']}") if found is None else web.json_response(found)

    async def _remove_image(self, request: web.Request) -> web.Response:
        found = self._image(request.match_info["name"])
        if found is None:
            return _refuse(404, "No such image")
        if any(one["Image"] == found["Id"] for one in self.containers.values()):
            return _refuse(409, "conflict: unable to delete (must be forced) - image is being used by stopped container")
        del self.images[found["Id"]]
        return web.json_response([{"Deleted": found["Id"]}])

    async def _create_image(self, request: web.Request) -> web.Response:
        if "fromSrc" in request.query:
            received = 0
            async for chunk in request.content.iter_any():
                received += len(chunk)
            made = self.add_image(f"{request.query['repo']}:{request.query['tag']}")
            self.images[made]["Size"] = received
            return web.Response(text=json.dumps({"status": made}) + "\r\n", content_type="application/json")
        reference = request.query["fromImage"]
        self.add_image(reference)
        lines = [
            {"status": "Pulling from x", "id": "latest"},
            {"status": "Downloading", "progressDetail": {"current": 5, "total": 20}, "id": "abc"},
            {"status": "Pull complete", "id": "abc"},
            {"status": "Done"},
        ]
        return web.Response(text="".join(json.dumps(line) + "\r\n" for line in lines), content_type="application/json")

    async def _distribution(self, _: web.Request) -> web.Response:
        return web.json_response({"Descriptor": {"digest": "sha256:" + "d" * 64}})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for event in self.events():
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    def events(self) -> list[dict[str, Any]]:
        return []

    def _container(self, name: str) -> dict[str, Any] | None:
        return next((one for one in self.containers.values() if one["Id"].startswith(name) or one["Name"] == f"/{name}"), None)

    def _network(self, name: str) -> dict[str, Any] | None:
        return next((one for one in self.networks.values() if one["Id"].startswith(name) or one["Name"] == name), None)

    def _image(self, name: str) -> dict[str, Any] | None:
        return self.images.get(name) or next((one for one in self.images.values() if name in one["RepoTags"]), None)


def _listed(one: dict[str, Any]) -> dict[str, Any]:
    state = one["State"]
    status = {"exited": f"Exited ({state['ExitCode']}) 2 minutes ago", "running": "Up 2 minutes"}.get(state["Status"], "Created")
    return {
        "Id": one["Id"],
        "Names": [one["Name"]],
        "Labels": one["Config"]["Labels"],
        "State": state["Status"],
        "Status": status,
        "ImageID": one["Image"],
    }


def _labels(request: web.Request) -> list[str]:
    filters: dict[str, list[str]] = json.loads(request.query.get("filters", "{}"))
    return filters.get("label", [])


def _carries(labels: dict[str, str], wanted: list[str]) -> bool:
    return all(labels.get(pair.partition("=")[0]) == pair.partition("=")[2] for pair in wanted)


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _no_container(request: web.Request) -> web.Response:
    return _refuse(404, f"No such container: {request.match_info['name']}")
