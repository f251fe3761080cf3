"""Real servers from the distribution, each on a port and a directory of its own, ended by its process id."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.agent_channels.trust import Certificate
from tests.contract.rig import free_port
from tests.live.waiting import wait_until

HOST = "127.0.0.1"
_START_S = 30
_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


@contextmanager
def _running(folder: Path, ports: list[int], *command: str, host: str = HOST, environment: dict[str, str] | None = None) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            command, cwd=folder, env={**_PATH, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT
        )
        try:
            wait_until(lambda: process.poll() is not None or all(listens(port, host) for port in ports), _START_S, f"{command[0]} listens")
            assert process.poll() is None, log.read_text(errors="replace")
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def listens(port: int, host: str = HOST) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@contextmanager
def _folder() -> Iterator[Path]:
    """Below the system's own temporary directory and passable: the servers drop root's rights."""
    with tempfile.TemporaryDirectory(prefix="zcp-server-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@dataclass(frozen=True)
class Irc:
    host: str
    port: int
    tls_port: int
    password: str


@contextmanager
def ngircd(certificate: Certificate, host: str = HOST, tls_port: int | None = None, password: str = "") -> Iterator[Irc]:
    with _folder() as folder:
        server = Irc(host, free_port(), tls_port or free_port(), password)
        config = folder / "ngircd.conf"
        config.write_text(
            f"[Global]\nName = irc.test\nInfo = test\nListen = {host}\nPorts = {server.port}\nMotdPhrase = hello\n"
            f"{f'Password = {password}' if password else ''}\n"
            "[Limits]\nMaxConnectionsIP = 0\n[Options]\nPAM = no\nIdent = no\nDNS = no\n"
            f"[SSL]\nCertFile = {certificate.chain}\nKeyFile = {certificate.key}\nPorts = {server.tls_port}\n"
        )
        with _running(folder, [server.port, server.tls_port], "ngircd", "-n", "-f", str(config), host=host):
            yield server


@dataclass(frozen=True)
class Mqtt:
    host: str
    port: int
    user: str = "agent"
    password: str = "mqtt-canary-51c0"

    def publish(self, topic: str, words: str) -> None:
        login = ("-u", "tester", "-P", "tester-password")
        subprocess.run(["mosquitto_pub", "-h", self.host, "-p", str(self.port), *login, "-q", "1", "-t", topic, "-m", words], check=True)


@contextmanager
def mosquitto(host: str = HOST) -> Iterator[Mqtt]:
    with _folder() as folder:
        server = Mqtt(host, free_port())
        passwords, config = folder / "passwords", folder / "mosquitto.conf"
        passwords.touch()
        passwords.chmod(0o644)
        for user, password in ((server.user, server.password), ("tester", "tester-password")):
            subprocess.run(["mosquitto_passwd", "-b", str(passwords), user, password], check=True, capture_output=True)
        passwords.chmod(0o644)
        config.write_text(
            f"listener {server.port} {host}\nallow_anonymous false\npassword_file {passwords}\npersistence false\nlog_dest stderr\n"
        )
        with _running(folder, [server.port], "mosquitto", "-c", str(config), host=host):
            yield server


@dataclass(frozen=True)
class Imap:
    port: int
    user: str = "agent@example.test"
    password: str = "mail-canary-77ab"


@contextmanager
def dovecot(certificate: Certificate) -> Iterator[Imap]:
    with _folder() as folder:
        server = Imap(free_port())
        users, config = folder / "users", folder / "dovecot.conf"
        users.write_text(f"{server.user}:{{PLAIN}}{server.password}\n")
        mail = folder / "mail"
        mail.mkdir()
        subprocess.run(["chown", "mail:mail", str(mail)], check=True)
        config.write_text(
            f"base_dir = {folder}/run\nlog_path = {folder}/dovecot.log\nprotocols = imap\nlisten = {HOST}\nssl = required\n"
            f"ssl_cert = <{certificate.chain}\nssl_key = <{certificate.key}\n"
            f"mail_location = maildir:{mail}/%u\nfirst_valid_uid = 1\n"
            f"passdb {{\n  driver = passwd-file\n  args = {users}\n}}\n"
            f"userdb {{\n  driver = static\n  args = uid=mail gid=mail home={mail}/%u\n}}\n"
            "service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n"
            f"  inet_listener imaps {{\n    port = {server.port}\n    ssl = yes\n  }}\n}}\n"
        )
        with _running(folder, [server.port], "dovecot", "-F", "-c", str(config)):
            yield server


@dataclass(frozen=True)
class Amqp:
    port: int
    user: str = "agent"
    password: str = "amqp-canary-3e09"

    @property
    def url(self) -> str:
        return f"amqp://{self.user}:{self.password}@{HOST}:{self.port}/%2f"

    def publish(self, key: str, words: str) -> None:
        subprocess.run(["amqp-publish", "-u", self.url, "-e", "amq.topic", "-r", key, "-b", words], check=True)


@contextmanager
def rabbitmq() -> Iterator[Amqp]:
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        server, names, inner = Amqp(free_port()), free_port(), free_port()
        config, plugins = folder / "rabbitmq.conf", folder / "plugins"
        config.write_text(f"default_user = {server.user}\ndefault_pass = {server.password}\n")
        plugins.write_text("[].\n")
        environment = {
            "HOME": str(folder),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(config.with_suffix("")),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": f"{folder}/database",
            "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_NODENAME": "tests@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(server.port),
            "RABBITMQ_DIST_PORT": str(inner),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": HOST,
        }
        # The broker would start its name service as a process that outlives it.
        stack.enter_context(_running(folder, [names], "epmd", environment=environment))
        stack.enter_context(_running(folder, [server.port], "/usr/lib/rabbitmq/bin/rabbitmq-server", environment=environment))
        yield server
