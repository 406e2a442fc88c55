"""What logging in to Amazon Cloud Drive needs. Source: acd-api §2."""

from runner.backends.acd.config import AcdConfig
from runner.backends.acd.servers import ANY_CLIENT, server
from runner.remote.login import Provider

SCOPE = "clouddrive:read_all clouddrive:write"
_AMAZON = "https://www.amazon.com/ap/oa"


def provider(config: AcdConfig) -> Provider | None:
    """Where this remote's tokens come from; None for the embedded server, which issues its own."""
    if config.server == "embedded":
        return None
    auth, place = config.auth, server(config.server)
    return Provider(
        auth_url=auth.auth_url or (config.server.rstrip("/") + "/ap/oa" if place.own else _AMAZON),
        token_url=auth.token_url or place.token_url,
        scope=SCOPE,
        pkce=auth.pkce,
        client_id=auth.client_id,
        client_secret=auth.client_secret,
        any_client=ANY_CLIENT if place.own else "",
        token=auth.token,
    )
