"""Whose certificates are believed."""

import os
import ssl

import certifi


def trusted() -> ssl.SSLContext:
    """The public authorities, or those that SSL_CERT_FILE or SSL_CERT_DIR names; costs about 20 ms."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    context = (
        ssl.create_default_context(cafile=file, capath=folder)
        if file or folder
        else ssl.create_default_context(cafile=certifi.where())
    )
    context.set_alpn_protocols(["http/1.1"])
    return context
