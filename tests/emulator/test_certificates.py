"""Claims about the throw-away authority: it lasts, it is private, and it is useless elsewhere."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="the intercept needs acdrun[intercept]")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runner.emulator.certificates import Certificates
from tests.emulator.conftest import Launch


def test_the_authority_outlives_the_process_and_its_key_is_private(launch: Launch) -> None:
    first = launch("--intercept")
    ca = Path(first.ready["intercept"]["ca"])
    before = ca.read_bytes()
    first.stop()

    second = launch("--intercept")

    assert Path(second.ready["intercept"]["ca"]).read_bytes() == before
    assert (ca.parent / "ca.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in ca.parent.iterdir()) == ["ca.key", "ca.pem"]


def test_the_authority_is_good_for_amazons_hosts_only(tmp_path: Path) -> None:
    made = Certificates(tmp_path)
    key = serialization.load_pem_private_key((tmp_path / "intercept" / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)

    forged = [_forged(made, key, tmp_path, name) for name in ("example.com", "127.0.0.1", "api.amazon.com")]

    assert ["permitted subtree" in forged[0], "excluded subtree" in forged[1], forged[2]] == [True, True, ""]


def test_certificates_end_soon_and_a_late_authority_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.emulator.certificates.AUTHORITY_LIFE", timedelta(days=20))
    old = Certificates(tmp_path).path.read_bytes()
    monkeypatch.undo()

    new = x509.load_pem_x509_certificate(Certificates(tmp_path).path.read_bytes())

    assert new.public_bytes(serialization.Encoding.PEM) != old
    assert new.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=90)


def test_a_key_that_others_can_read_is_thrown_away(tmp_path: Path) -> None:
    old = Certificates(tmp_path).path.read_bytes()
    (tmp_path / "intercept" / "ca.key").chmod(0o644)

    new = Certificates(tmp_path).path.read_bytes()

    assert new != old
    assert (tmp_path / "intercept" / "ca.key").stat().st_mode & 0o777 == 0o600


def _forged(made: Certificates, key: ec.EllipticCurvePrivateKey, folder: Path, name: str) -> str:
    """Sign a certificate with the authority's stolen key; return why a client refuses it, or nothing."""
    authority = x509.load_pem_x509_certificate(made.path.read_bytes())
    try:
        told: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        told = x509.DNSName(name)
    mine = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.subject)
        .public_key(mine.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(minutes=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([told]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = mine.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "forged.pem").write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(folder / "forged.pem")
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context(cafile=made.path)
    client_side = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    server_side = served.wrap_bio(to_server, to_client, server_side=True)
    for side in (client_side, server_side, client_side, server_side):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return ""
