"""Signatures: the service's own example, and another implementation that was written apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.s3.sign import EMPTY, Keys, encoded, signed

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
FRIDAY_S = 1369353600  # 2013-05-24, the day of the documentation's examples


def authorization(headers: list[tuple[str, str]]) -> str:
    """The one that counts."""
    return dict(headers)["Authorization"]


def test_the_documented_example_is_signed_as_documented() -> None:
    headers = signed(
        "GET", "examplebucket.s3.amazonaws.com", "/test.txt", "", [("range", "bytes=0-9")], EMPTY,
        keys=KEYS, region="us-east-1", now_s=FRIDAY_S,
    )  # fmt: skip

    assert authorization(headers).endswith(
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(max_size=5), st.booleans())
def test_any_key_is_signed_as_botocore_signs_it(key: str, prefix: str, token: bool) -> None:
    auth = pytest.importorskip("botocore.auth")
    request_of = pytest.importorskip("botocore.awsrequest").AWSRequest
    credentials = pytest.importorskip("botocore.credentials").Credentials
    try:
        prefix.encode()
    except UnicodeEncodeError:
        return
    keys = KEYS._replace(token="session" if token else "")
    path, query = "/bucket/" + encoded(key, safe="/"), f"list-type=2&prefix={encoded(prefix)}"

    ours = signed("PUT", "host:9", path, query, [("x-amz-meta-mtime", "1.5")], EMPTY, keys=keys,
                  region="eu-west-1", now_s=FRIDAY_S)  # fmt: skip

    request = request_of("PUT", f"http://host:9{path}?{query}")
    for name, value in ours:
        if name != "Authorization":
            request.headers[name] = value
    theirs = auth.S3SigV4Auth(credentials(keys.id, keys.secret, keys.token or None), "s3", "eu-west-1")
    request.context["timestamp"] = "20130524T000000Z"
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    assert authorization(ours).endswith("Signature=" + theirs.signature(text, request))
