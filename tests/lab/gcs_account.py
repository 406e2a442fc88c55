"""A service account of the strict server: a key of its own, made anew for each test."""

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.lab.gcs_service import Service


def key_file(service: Service, path: Path) -> Path:
    """Make a key, which is the only good one from now on, and the file in which its owner gets it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    service.public = key.public_key()
    said = {
        "type": "service_account", "private_key_id": "k1", "private_key": pem.decode(),
        "client_email": "robot@project.iam.gserviceaccount.com", "token_uri": f"{service.url}/token",
    }  # fmt: skip
    path.write_text(json.dumps(said))
    path.chmod(0o600)
    return path
