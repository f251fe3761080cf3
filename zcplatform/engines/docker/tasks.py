"""Throw-away containers: each runs one command and is removed, with the mount that was made for it."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zcplatform.adapters import files
from zcplatform.core.workload import Task
from zcplatform.engines.docker.bodies import task_body
from zcplatform.engines.docker.client import Docker
from zcplatform.engines.seen import Result
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.ids import LABEL_INSTANCE, LABEL_THROWAWAY, ImageId, Names
from zcplatform.log import logger
from zcplatform.settings import Settings

LOOK_EVERY_S = 0.05
MOST_LINES = 200
TRIAL = "trial"


class Tasks:
    """Keeps track of running tasks, to distinguish them from leftovers of a killed worker."""

    def __init__(self, settings: Settings, names: Names, docker: Docker) -> None:
        self._settings = settings
        self._names = names
        self._docker = docker
        self.active: set[str] = set()
        """Names of containers."""

    def name(self, task: Task) -> str:
        return self._names.check(task.subject, task.purpose) if task.tenant is not None else self._names.probe(ImageId(task.subject))

    async def run(self, task: Task) -> Result:
        name, root = self.name(task), self._settings.check_dir / task.purpose
        self.active.add(name)
        try:
            config_dir = None
            if task.configuration is not None:
                await asyncio.to_thread(
                    files.config_mount, root, task.subject, task.uid, task.configuration, allow_swap=self._settings.allow_swap
                )
                config_dir = str(root / task.subject / files.CONFIG_NAME)
            try:
                body = task_body(self._names, task, config_dir)
            except ValueError as error:
                raise StepFailed("tenant.invalid", f"{task.subject} cannot have such a container: {error}") from None
            return await self._run(name, body, task.deadline_s)
        finally:
            await self._remove_quietly(name)
            if task.configuration is not None:
                await asyncio.to_thread(files.config_unmount, root, task.subject)
            self.active.discard(name)

    async def try_body(self, slug: str, body: dict[str, Any]) -> None:
        """Check whether the engine accepts a body: create a container from it under a throw-away name, and remove it without starting it. Without its mounts: those of a
        tenant that does not run are not there yet."""
        name = self._names.check(slug, TRIAL)
        self.active.add(name)
        try:
            await self.remove(name)
            labels = {**body["Labels"], LABEL_THROWAWAY: "1"}
            await self._docker.create(name, {**body, "HostConfig": {**body["HostConfig"], "Mounts": []}, "Labels": labels})
        finally:
            await self._remove_quietly(name)
            self.active.discard(name)

    async def _run(self, name: str, body: dict[str, Any], deadline_s: float) -> Result:
        await self.remove(name)
        container_id = await self._docker.create(name, body)
        await self._docker.start(container_id)
        deadline = asyncio.get_running_loop().time() + deadline_s
        while (found := await self._docker.container(name)) is not None and found.exit_code is None:
            if asyncio.get_running_loop().time() > deadline:
                return Result(None, f"it gave no answer within {deadline_s:g} s")
            await asyncio.sleep(LOOK_EVERY_S)
        if found is None:
            raise StepFailed("check.gone", f"The container {name} was removed while it ran", "The check is repeated automatically")
        printed = [line.decode(errors="replace") async for line in self._docker.logs(name, tail=MOST_LINES)]
        return Result(found.exit_code, "\n".join(line.rstrip("\n") for line in printed))

    async def remove(self, name: str) -> None:
        """Remove a container. Already gone is success; anything but a throw-away container of this installation is left alone."""
        found = await self._docker.container(name)
        if found is not None and found.labels.get(LABEL_INSTANCE) == self._names.instance and LABEL_THROWAWAY in found.labels:
            await self._docker.remove(found.id)

    async def _remove_quietly(self, name: str) -> None:
        try:
            await self.remove(name)
        except PlatformError as error:
            logger.warning("a throw-away container stays until the next sweep", container=name, error=error.detail)

    async def clear_tenant(self, slug: str) -> None:
        """Leftovers of one tenant's tasks."""
        await self.remove(self._names.check(slug, TRIAL))
        for root in self._roots():
            await self.remove(self._names.check(slug, root.name))
            await asyncio.to_thread(files.config_unmount, root, slug)

    async def sweep_mounts(self, *, everything: bool = False) -> int:
        """Remove mounts that no running task uses. Leftover containers carry labels and are swept with all others."""
        removed = 0
        for root in self._roots():
            for slug in files.config_mounts(root):
                if everything or self._names.check(slug, root.name) not in self.active:
                    await asyncio.to_thread(files.config_unmount, root, slug)
                    removed += 1
        return removed

    def _roots(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError):
            yield from sorted(path for path in self._settings.check_dir.iterdir() if path.is_dir())
