"""The mail server of an installation under test: it keeps what it gets, and can be away."""

from aiosmtpd.controller import Controller

from tests.fakes.mail_servers import Sink
from tests.live.waiting import wait_until


class Post:
    """The mail server of the installation, which can be away."""

    def __init__(self, port: int) -> None:
        self.sink = Sink()
        self._port = port
        self._controller: Controller | None = None

    def open(self) -> None:
        self._controller = Controller(self.sink, hostname="127.0.0.1", port=self._port)
        self._controller.start()

    def close(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def code(self, email: str, number: int = 1) -> str:
        """The newest of at least so many."""
        wait_until(lambda: len(self.sink.to(email)) >= number, 15, f"mail {number} for {email} arrived")
        return self.sink.to(email)[-1].code

    def text(self, email: str, number: int = 1) -> str:
        """The newest of at least so many, whole."""
        wait_until(lambda: len(self.sink.to(email)) >= number, 15, f"mail {number} for {email} arrived")
        return self.sink.to(email)[-1].text
