"""Calls of Login with Amazon: consent, tokens, profile. Source: acd-api §2."""

from runner.emulator import consent
from runner.emulator.answers import Answer, json_answer
from runner.emulator.call import Call
from runner.emulator.oauth import Grant, oauth_error
from runner.emulator.routing import Route


async def ask(call: Call) -> Answer:
    """Show the consent page, or go straight back when consent is automatic."""
    if call.emulator.consent == "auto":
        return await consent.allow(call.params, call.emulator.tokens, None)
    return consent.ask(call.params, call.emulator.database.secret)


async def allow(call: Call) -> Answer:
    """Take the press of the consent page's button."""
    return await consent.allow(await call.form(), call.emulator.tokens, call.emulator.database.secret)


async def token(call: Call) -> Answer:
    """Exchange a code or a refresh token."""
    made = await call.emulator.tokens.exchange(await call.form(), call.request.headers.get("Authorization"))
    answer = json_answer(200, made)
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def token_info(call: Call) -> Answer:
    """Tell what an access token is good for."""
    grant = _grant(call, call.params.get("access_token", ""))
    now, life = call.emulator.database.clock(), call.emulator.tokens.life_s
    body = {
        "iss": "https://www.amazon.com",
        "user_id": call.emulator.database.settings["account"],
        "aud": grant.client,
        "app_id": grant.client,
        "exp": (grant.expires_ms - now) // 1000,
        "iat": grant.expires_ms // 1000 - life,
    }
    return json_answer(200, body)


async def profile(call: Call) -> Answer:
    """Tell whose drive this is."""
    scheme, _, bearer = call.request.headers.get("Authorization", "").partition(" ")
    _grant(call, bearer.strip() if scheme.lower() == "bearer" else call.params.get("access_token", ""))
    user = call.emulator.database.settings["account"]
    return json_answer(200, {"user_id": user, "email": "drive@example.com", "name": "Drive Owner"})


def _grant(call: Call, text: str) -> Grant:
    grant = call.emulator.tokens.grant(text)
    if grant is None:
        raise oauth_error(400, "invalid_token", "The access token is not valid or has expired")
    return grant


ROUTES = [
    Route("GET", "/ap/oa", "open", ask),
    Route("POST", "/ap/oa", "open", allow),
    Route("POST", "/auth/o2/token", "open", token),
    Route("GET", "/auth/o2/tokeninfo", "open", token_info),
    Route("GET", "/user/profile", "open", profile),
]
