"""Certificates the agent believes. It knows only the public authorities compiled into it and has no setting for another.

So the tests make a copy of the program in which the key of one of these authorities is a key of the tests' own: the same length, nothing else
changed. Every check of a certificate is then the agent's own, against a server on this machine.
"""

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path

AUTHORITY = Path("/etc/ssl/certs/ISRG_Root_X2.pem")
_CURVE = "secp384r1"
_REQUEST = """\
[req]
distinguished_name = name
prompt = no
string_mask = default
x509_extensions = authority
[name]
C = US
O = Internet Security Research Group
CN = ISRG Root X2
[authority]
basicConstraints = critical, CA:TRUE
"""
_SEQUENCE_HEAD = 2


@dataclass(frozen=True)
class Certificate:
    chain: Path
    key: Path
    authority: Path


class Trust:
    """One authority of the tests' own, and the programs that believe it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = folder / "authority.key"
        self.authority = folder / "authority.pem"
        _openssl("ecparam", "-name", _CURVE, "-genkey", "-noout", "-out", self._key)
        config = folder / "authority.cnf"
        config.write_text(_REQUEST)
        _openssl("req", "-x509", "-new", "-key", self._key, "-sha384", "-days", "7", "-config", config, "-out", self.authority)

    def certificate(self, *names: str) -> Certificate:
        """Of these host names and addresses; readable by the servers, which drop root's rights."""
        made = Certificate(self._folder / f"{names[0]}.pem", self._folder / f"{names[0]}.key", self.authority)
        request, extension = self._folder / f"{names[0]}.csr", self._folder / f"{names[0]}.ext"
        fields = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        _openssl("req", "-new", *fields, "-keyout", made.key, "-subj", f"/CN={names[0]}", "-out", request)
        named = ",".join(f"{'IP' if name[0].isdigit() else 'DNS'}:{name}" for name in names)
        extension.write_text(f"subjectAltName = {named}\nextendedKeyUsage = serverAuth\nbasicConstraints = CA:FALSE\n")
        signed = ("-CA", self.authority, "-CAkey", self._key, "-CAcreateserial", "-days", "7", "-sha384", "-extfile", extension)
        _openssl("x509", "-req", "-in", request, *signed, "-out", made.chain)
        made.key.chmod(0o644)
        return made

    def program(self, original: Path) -> Path:
        """The copy of the agent that believes this authority."""
        public = _public_key("x509", "-in", AUTHORITY, "-noout", "-pubkey")
        ours = _public_key("pkey", "-in", self._key, "-pubout")
        code = original.read_bytes()
        assert len(public) == len(ours)
        assert public in code, f"{original} does not hold the key of {AUTHORITY.stem}"
        copy = self._folder / original.name
        copy.write_bytes(code.replace(public, ours))
        copy.chmod(0o755)
        return copy


def _public_key(*arguments: object) -> bytes:
    """As the agent keeps it: without the head of the sequence."""
    lines = _openssl(*arguments).splitlines()
    return base64.b64decode("".join(lines[1:-1]))[_SEQUENCE_HEAD:]


def _openssl(*arguments: object) -> str:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True).stdout
