"""Certificates and tokens name the user, or say why they do not."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from controller.local.authn import ANONYMOUS, ISSUER, Tokens, authenticate, certificate_user, token_review
from controller.local.core.errors import ApiError


class World:
    """A clock and the ServiceAccounts that exist."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.accounts: dict[tuple[str, str], str] = {("lab", "robot"): "uid-1"}
        self.secrets: dict[tuple[str, str], str] = {}
        self.tokens = Tokens(
            ec.generate_private_key(ec.SECP256R1()),
            clock=lambda: self.now,
            account_uid=lambda namespace, name: self.accounts.get((namespace, name)),
            object_uid=lambda _, namespace, name: self.secrets.get((namespace, name)),
        )

    def issue(self, **more: Any) -> str:
        return self.tokens.issue("lab", "robot", "uid-1", **{"seconds": 600, **more})[0]


@pytest.fixture
def world() -> World:
    return World()


def refused(world: World, token: str) -> str:
    with pytest.raises(ApiError) as refusal:
        world.tokens.check(token)
    assert refusal.value.code == 401
    return refusal.value.message


def peer(
    subject: list[tuple[str, str]],
    starts: str = "Jan  1 00:00:00 2020 GMT",
    ends: str = "Jan  1 00:00:00 2050 GMT",
) -> dict[str, Any]:
    return {"subject": tuple((pair,) for pair in subject), "notBefore": starts, "notAfter": ends}


def test_a_token_speaks_for_its_service_account(world: World) -> None:
    claims = world.tokens.check(world.issue())
    assert claims.user.name == "system:serviceaccount:lab:robot"
    assert claims.user.uid == "uid-1"
    assert set(claims.user.groups) == {
        "system:serviceaccounts",
        "system:serviceaccounts:lab",
        "system:authenticated",
    }
    assert claims.audiences == (ISSUER,)


def test_a_token_ends(world: World) -> None:
    token = world.issue()
    world.now += 599
    world.tokens.check(token)
    world.now += 1
    assert "expired" in refused(world, token)


def test_a_token_ends_with_its_service_account(world: World) -> None:
    token = world.issue()
    world.tokens.check(token)
    world.accounts[("lab", "robot")] = "uid-2"
    assert "gone" in refused(world, token)
    world.accounts.clear()
    assert "gone" in refused(world, token)


def test_a_token_ends_with_the_secret_it_is_bound_to(world: World) -> None:
    world.secrets[("lab", "s")] = "uid-9"
    token = world.issue(bound={"kind": "Secret", "name": "s", "uid": "uid-9"})
    world.tokens.check(token)
    world.secrets.clear()
    assert "gone" in refused(world, token)


def test_another_servers_token_is_refused(world: World) -> None:
    assert "not" in refused(World(), world.issue())


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "....", "e30.e30.e30", "é.ö.ü"])
def test_rubbish_is_refused(world: World, token: str) -> None:
    refused(world, token)


def test_a_changed_claim_is_refused(world: World) -> None:
    head, body, tail = world.issue().split(".")
    claims = orjson.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "system:admin"
    forged = base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=").decode()
    refused(world, f"{head}.{forged}.{tail}")


def test_a_token_without_signature_is_refused(world: World) -> None:
    _, body, _ = world.issue().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    refused(world, f"{none}.{body}.")


def test_a_certificate_names_user_and_groups() -> None:
    user = certificate_user(peer([("organizationName", "lab"), ("commonName", "alice")]), 1.8e9)
    assert (user.name, user.groups) == ("alice", ("lab", "system:authenticated"))


@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        (
            peer([("commonName", "alice")], ends="Jan  1 00:00:00 2021 GMT"),
            "alice expired at Jan  1 00:00:00 2021 GMT",
        ),
        (peer([("commonName", "alice")], starts="Jan  1 00:00:00 2049 GMT"), "valid only from"),
        (peer([("organizationName", "lab")]), "no common name"),
    ],
)
def test_a_certificate_that_does_not_count_says_why(certificate: dict[str, Any], says: str) -> None:
    with pytest.raises(ApiError, match=says) as refusal:
        certificate_user(certificate, 1.8e9)
    assert refusal.value.code == 401


def test_nothing_at_all_is_anonymous(world: World) -> None:
    assert authenticate(None, None, world.tokens, world.now) == ANONYMOUS
    assert authenticate(None, {}, world.tokens, world.now) == ANONYMOUS


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "rubbish"])
def test_other_schemes_are_refused(world: World, header: str) -> None:
    with pytest.raises(ApiError) as refusal:
        authenticate(header, None, world.tokens, world.now)
    assert refusal.value.code == 401


def test_a_bearer_token_is_read_from_the_header(world: World) -> None:
    user = authenticate(f"bearer {world.issue()}", None, world.tokens, world.now)
    assert user.name == "system:serviceaccount:lab:robot"


def test_a_token_review_says_who(world: World) -> None:
    review = token_review({"spec": {"token": world.issue()}}, world.tokens)
    assert review["status"]["authenticated"] is True
    assert review["status"]["user"]["username"] == "system:serviceaccount:lab:robot"


def test_a_token_review_for_another_audience_says_no(world: World) -> None:
    review = token_review({"spec": {"token": world.issue(), "audiences": ["vault"]}}, world.tokens)
    assert review["status"]["authenticated"] is False
    vault = world.issue(audiences=["vault"])
    review = token_review({"spec": {"token": vault, "audiences": ["vault"]}}, world.tokens)
    assert review["status"]["audiences"] == ["vault"]


def test_a_token_review_of_rubbish_says_no(world: World) -> None:
    review = token_review({"spec": {"token": "rubbish"}}, world.tokens)
    assert review["status"]["authenticated"] is False
    assert review["status"]["error"]
