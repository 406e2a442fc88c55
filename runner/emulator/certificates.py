"""A throw-away authority that can vouch for Amazon's host names and for nothing else. Source: acd-api §13.5.

intercept/ca.pem    its certificate, for clients to trust
intercept/ca.key    its key, mode 0600

The certificate says itself how little it is good for: name constraints keep it to Amazon's hosts, whoever
gets hold of the key, and it ends after 90 days. Server certificates live for a day and are never stored.
"""

import ipaddress
import os
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# acd-api §1, all of it.
HOSTS = (
    "drive.amazonaws.com",
    "cdws.us-east-1.amazonaws.com",
    "cdws.eu-west-1.amazonaws.com",
    "content-na.drive.amazonaws.com",
    "content-eu.drive.amazonaws.com",
    "api.amazon.com",
    "www.amazon.com",
    "amazon.com",
)
AUTHORITY_LIFE = timedelta(days=90)
AUTHORITY_LEFT = timedelta(days=30)  # with less than that left at a start, there is a new one
SERVER_LIFE = timedelta(days=1)
SLACK = timedelta(hours=1)  # a client's clock may be behind

_NOWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


class Certificates:
    """The authority of one folder, and the server certificate of the day."""

    def __init__(self, folder: Path) -> None:
        """Read the authority of `folder`/intercept, or make one; raises OSError when it cannot be kept."""
        self.folder = folder / "intercept"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.path = (self.folder / "ca.pem").resolve()
        key_path = self.folder / "ca.key"
        now = datetime.now(UTC)
        try:
            self._key = _read_key(key_path)
            self._authority = x509.load_pem_x509_certificate(self.path.read_bytes())
            good = self._authority.public_key() == self._key.public_key()
            good = good and self._authority.not_valid_after_utc - now > AUTHORITY_LEFT
        except (FileNotFoundError, ValueError):
            good = False
        if not good:
            self._key = ec.generate_private_key(ec.SECP256R1())
            self._authority = _authority(self._key, now)
            _write(key_path, _pem(self._key), 0o600)
            _write(self.path, self._authority.public_bytes(serialization.Encoding.PEM), 0o644)
        self._context: ssl.SSLContext | None = None
        self._renew = now

    def context(self) -> ssl.SSLContext:
        """Return how to speak TLS as any of the hosts; its certificate is never older than half a day."""
        now = datetime.now(UTC)
        if self._context is None or now >= self._renew:
            self._context = self._new_context(now)
            self._renew = now + SERVER_LIFE / 2
        return self._context

    def _new_context(self, now: datetime) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        end = min(now + SERVER_LIFE, self._authority.not_valid_after_utc)
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS])
        certificate = (
            _builder("Cloud Drive emulator", self._authority.subject, key.public_key(), now, end)
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # The library reads certificates from files only; this one is gone as soon as it has been read.
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".pem") as both:
            both.write(_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
            both.flush()
            context.load_cert_chain(both.name)
        return context


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cloud Drive emulator, throw-away authority")])
    signs_only = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    hosts_only = x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(host) for host in HOSTS],
        excluded_subtrees=[x509.IPAddress(network) for network in _NOWHERE],
    )
    return (
        _builder(
            "Cloud Drive emulator, throw-away authority", name, key.public_key(), now, now + AUTHORITY_LIFE
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(signs_only, critical=True)
        .add_extension(hosts_only, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - SLACK)
        .not_valid_after(end)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or path.stat().st_mode & 0o077:
        raise ValueError("not a key of ours, or not for us alone")
    return key


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file beside and rename it, so that a reader finds the old one or the new one whole."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.rename(path)
