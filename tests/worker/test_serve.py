"""What the process of `serve` is spared."""

import os
import subprocess
import sys

from tests.fakes.mail_servers import CERTIFICATE

LOOK = """
import os, ssl
from zcplatform.serve import _no_certificates
with _no_certificates():
    import aiohttp.connector as http
print(*(len(context.get_ca_certs()) for context in (http._SSL_CONTEXT_VERIFIED, http._SSL_CONTEXT_UNVERIFIED, ssl.create_default_context())))
print(os.environ["SSL_CERT_FILE"], os.environ.get("SSL_CERT_DIR"))
"""


def test_no_authority_is_kept_that_nobody_uses_and_who_speaks_tls_finds_them() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSL_")}
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(command, env={**environment, "SSL_CERT_FILE": str(CERTIFICATE)}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["0 0 1", f"{CERTIFICATE} None"]
