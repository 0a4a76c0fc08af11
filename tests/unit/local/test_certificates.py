"""Certificates say who is who, for which addresses, and are renewed in time."""

from __future__ import annotations

import ipaddress
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from controller.local.certificates import (
    AUTHORITY_LIFE,
    LEAF_LIFE,
    RENEW_WITHIN,
    Authority,
    ends_soon,
    server_names,
    signing_key,
)
from controller.local.errors import CertificateError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.load_or_create(tmp_path, NOW)


def certificate(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def test_keys_are_private(tmp_path: Path, authority: Authority) -> None:
    authority.server(tmp_path, server_names("127.0.0.1"), NOW)
    signing_key(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"ca.key", "ca.crt", "server.key", "server.crt", "sa.key"}
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_authority_stays_the_same(tmp_path: Path, authority: Authority) -> None:
    assert Authority.load_or_create(tmp_path, NOW + timedelta(days=365)).pem == authority.pem


def test_an_authority_that_ends_is_replaced(tmp_path: Path, authority: Authority) -> None:
    assert Authority.load_or_create(tmp_path, NOW + AUTHORITY_LIFE - timedelta(days=1)).pem != authority.pem


def test_a_client_certificate_names_user_and_groups(authority: Authority) -> None:
    made = certificate(authority.client("alice", ["lab", "system:masters"], NOW).certificate)
    assert [a.value for a in made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["alice"]
    assert [a.value for a in made.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == [
        "lab",
        "system:masters",
    ]
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert usage == x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
    assert authority.issued(authority.client("alice", [], NOW).certificate)


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_that_x509_cannot_hold_is_refused(authority: Authority, name: str) -> None:
    with pytest.raises(CertificateError, match="1 to 64 characters"):
        authority.client(name, [], NOW)


def test_somebody_elses_certificate_is_not_ours(tmp_path: Path, authority: Authority) -> None:
    other = Authority.load_or_create(tmp_path / "other", NOW)
    assert not authority.issued(other.client("alice", [], NOW).certificate)
    assert not authority.issued(b"rubbish")


def test_the_server_certificate_is_kept_until_it_ends_soon(tmp_path: Path, authority: Authority) -> None:
    names = server_names("127.0.0.1")
    assert authority.server(tmp_path, names, NOW)
    assert not authority.server(tmp_path, names, NOW + timedelta(days=100))
    assert authority.server(tmp_path, names, NOW + LEAF_LIFE - RENEW_WITHIN)


def test_a_new_address_makes_a_new_server_certificate(tmp_path: Path, authority: Authority) -> None:
    authority.server(tmp_path, server_names("127.0.0.1"), NOW)
    assert authority.server(tmp_path, server_names("192.0.2.7"), NOW)
    made = certificate((tmp_path / "server.crt").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("192.0.2.7") in names.get_values_for_type(x509.IPAddress)
    assert ipaddress.ip_address("127.0.0.1") in names.get_values_for_type(x509.IPAddress)
    assert "localhost" in names.get_values_for_type(x509.DNSName)


def test_a_new_authority_makes_a_new_server_certificate(tmp_path: Path, authority: Authority) -> None:
    names = server_names("127.0.0.1")
    authority.server(tmp_path, names, NOW)
    (tmp_path / "ca.key").unlink()
    assert Authority.load_or_create(tmp_path, NOW).server(tmp_path, names, NOW)


def test_no_certificate_outlives_its_authority(tmp_path: Path, authority: Authority) -> None:
    late = NOW + AUTHORITY_LIFE - timedelta(days=10)
    made = certificate(authority.client("alice", [], late).certificate)
    assert made.not_valid_after_utc == NOW + AUTHORITY_LIFE


def test_ends_soon(authority: Authority) -> None:
    pem = authority.client("alice", [], NOW).certificate
    assert not ends_soon(pem, NOW)
    assert ends_soon(pem, NOW + LEAF_LIFE - RENEW_WITHIN)
    assert ends_soon(b"rubbish", NOW)


@pytest.mark.parametrize("name", ["ca.key", "ca.crt", "sa.key"])
def test_a_file_of_rubbish_is_named(tmp_path: Path, authority: Authority, name: str) -> None:
    signing_key(tmp_path)
    (tmp_path / name).write_text("rubbish")
    load = signing_key if name == "sa.key" else Authority.load
    with pytest.raises(CertificateError, match=rf"{tmp_path / name}.*remove it and start again"):
        load(tmp_path)


def test_an_authority_that_was_never_made_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="nxc-controller up"):
        Authority.load(tmp_path)
