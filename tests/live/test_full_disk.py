"""The disk that holds the database is full: the API says so, nothing is half done, and once there is room everything continues."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.live.engine import Engine
from tests.live.platform import Platform
from tests.live.waiting import wait_until
from zcplatform.store import audit

pytestmark = pytest.mark.live


@pytest.fixture
def small(engine: Engine) -> Iterator[Platform]:
    """An installation whose data is on a file system of 16 MB."""
    made = Platform(engine, "small")
    data = made.settings.data_dir
    data.mkdir(0o711)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=711", "small", str(data)], check=True)
    try:
        made.start()
        yield made
    finally:
        made.stop_serve()
        subprocess.run(["umount", "-l", str(data)], check=False)
        made.close()


def test_a_full_disk_is_told_and_goes_by(small: Platform) -> None:
    assert small.api("POST", "/api/tenants", {"slug": "before"}).status == 201
    filler = small.settings.data_dir / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    made, answer = 0, small.api("POST", "/api/tenants", {"slug": "t-000"})
    while answer.status == 201:  # what the write-ahead log had room for
        made += 1
        answer = small.api("POST", "/api/tenants", {"slug": f"t-{made:03d}"})
    assert (answer.status, answer.body["code"]) in ((503, "database.full"), (503, "database.unwritable"))
    assert "retry-after" in answer.headers
    with small.client() as client:
        wait_until(lambda: client.get("/readyz").status_code == 503, 15, "ready means that something can be written")
        assert client.get("/readyz").json()["database"] in ("database.full", "database.unwritable")
    listed = small.api("GET", "/api/tenants?limit=200")
    assert listed.status == 200, listed
    assert len(listed.body["items"]) == made + 1
    filler.unlink()
    assert small.api("POST", "/api/tenants", {"slug": "after"}).status == 201
    with small.database() as database:
        entries = database.read(lambda tx: audit.after(tx, audit.Filter(action="tenant.create"), 0, 500))
        assert len(entries) == made + 2
        assert isinstance(database.read(audit.verify), int)
