"""Signatures with a private key. The only door to cryptography on this side, which an extra brings."""

from collections.abc import Callable

from runner.model.errors import LoginNeeded
from runner.model.secret import Secret


def rs256(pem: Secret, whose: str, extra: str) -> Callable[[bytes], bytes]:
    """What signs with an RSA key in PEM: RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017 section 8.2.

    whose: for messages; extra: the name of the one that brings the package. Raises LoginNeeded.
    """
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError:
        raise LoginNeeded(
            f"{whose} has to sign, and the package for that is not installed",
            hint=f"pip install 'acdrun[{extra}]'",
        ) from None
    try:
        private = serialization.load_pem_private_key(pem.reveal().encode(), password=None)
    except (ValueError, TypeError, UnicodeEncodeError):
        private = None  # the error may carry parts of the key
    if not isinstance(private, rsa.RSAPrivateKey):
        raise LoginNeeded(f"the private key of {whose} is no RSA key in PEM")
    key = private
    return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())
