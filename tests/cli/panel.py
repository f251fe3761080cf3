"""The real API over TCP at a panel address of its own, as the edge publishes it, for commands that sign in."""

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.web.conftest import Web


class _Quiet(uvicorn.Server):
    """A server in a thread; signals stay with the tests."""

    def install_signal_handlers(self) -> None:
        """None."""


@contextmanager
def panel(web: Web, **changed: Any) -> Iterator[str]:
    """Its address. `changed` are settings of the installation."""
    app = web.client._transport.app  # type: ignore[attr-defined]
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off")
    server, listener = _Quiet(config), config.bind_socket()
    web.settings = web.settings.model_copy(update={"http_port": listener.getsockname()[1], **changed})
    app.state.context = dataclasses.replace(app.state.context, settings=web.settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield web.settings.panel_url
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
