"""Keys and certificates: an authority of our own, the server's certificate, and one for each user.

Everything is ECDSA on P-256. A client certificate's common name is the user and its organisations are the
groups, as in Kubernetes (https://kubernetes.io/docs/reference/access-authn-authz/authentication/).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.local.errors import CertificateError
from controller.local.files import write_private

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_WITHIN = timedelta(days=30)
"""A certificate that ends sooner than this is made anew."""

_BACKDATE = timedelta(minutes=5)
"""Clocks of two machines differ a little."""


@dataclass(frozen=True)
class Identity:
    """A private key and its certificate, both in PEM."""

    key: bytes
    certificate: bytes


class Authority:
    """The certificate authority of one state directory."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @property
    def pem(self) -> bytes:
        return _pem(self._certificate)

    @classmethod
    def load(cls, directory: Path) -> Authority:
        """The authority that `up` made in `directory`; raises `CertificateError` where there is none."""
        if not (directory / "ca.key").exists():
            raise CertificateError(
                f"{directory} holds no authority; start `nxc-controller up` with this --state first"
            )
        return cls(_load_key(directory / "ca.key"), _load_certificate(directory / "ca.crt"))

    @classmethod
    def load_or_create(cls, directory: Path, now: datetime) -> Authority:
        """The authority in `directory` (ca.key, ca.crt); a new one where there is none or it ends soon.

        A new authority makes every older kubeconfig useless, which is why it lives ten years.
        """
        key_file, certificate_file = directory / "ca.key", directory / "ca.crt"
        if key_file.exists() and certificate_file.exists():
            authority = cls(_load_key(key_file), _load_certificate(certificate_file))
            if authority._certificate.not_valid_after_utc > now + LEAF_LIFE:
                return authority
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nxc-controller local authority")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATE)
            .not_valid_after(now + AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(key_cert_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _store(key_file, _key_pem(key))
        _store(certificate_file, _pem(certificate))
        return cls(key, certificate)

    def server(self, directory: Path, names: Sequence[str], now: datetime) -> bool:
        """See to server.key and server.crt for these names and addresses; True when they were made anew."""
        key_file, certificate_file = directory / "server.key", directory / "server.crt"
        if key_file.exists() and certificate_file.exists():
            certificate = _load_certificate(certificate_file)
            if (
                self._issued(certificate)
                and _names(certificate) >= set(names)
                and not ends_soon(certificate, now)
            ):
                return False
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nxc-controller")])
        certificate = self._sign(
            key,
            subject,
            now,
            LEAF_LIFE,
            ExtendedKeyUsageOID.SERVER_AUTH,
            x509.SubjectAlternativeName([_general_name(name) for name in names]),
        )
        _store(key_file, _key_pem(key))
        _store(certificate_file, _pem(certificate))
        return True

    def client(
        self, user: str, groups: Sequence[str], now: datetime, life: timedelta = LEAF_LIFE
    ) -> Identity:
        """A fresh key and a certificate that says: this is `user`, of these groups.

        Raises `CertificateError` for a name that X.509 cannot hold (empty, or over 64 characters).
        """
        for name in (user, *groups):
            if not 1 <= len(name) <= 64:
                raise CertificateError(
                    f"{name!r} cannot be a user or group name: it must have 1 to 64 characters"
                )
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
            + [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        )
        certificate = self._sign(key, subject, now, life, ExtendedKeyUsageOID.CLIENT_AUTH, None)
        return Identity(_key_pem(key), _pem(certificate))

    def issued(self, certificate_pem: bytes) -> bool:
        """Whether this certificate is one of ours (signature only, not dates)."""
        try:
            return self._issued(x509.load_pem_x509_certificate(certificate_pem))
        except ValueError:
            return False

    def _issued(self, certificate: x509.Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True

    def _sign(
        self,
        key: ec.EllipticCurvePrivateKey,
        subject: x509.Name,
        now: datetime,
        life: timedelta,
        purpose: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATE)
            .not_valid_after(min(now + life, self._certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def signing_key(directory: Path) -> ec.EllipticCurvePrivateKey:
    """The key that signs ServiceAccount tokens (sa.key), made on first use."""
    path = directory / "sa.key"
    if path.exists():
        return _load_key(path)
    key = ec.generate_private_key(ec.SECP256R1())
    _store(path, _key_pem(key))
    return key


def ends_soon(certificate: x509.Certificate | bytes, now: datetime) -> bool:
    """Whether a certificate (PEM or parsed) ends within `RENEW_WITHIN`, or is unreadable."""
    if isinstance(certificate, bytes):
        try:
            certificate = x509.load_pem_x509_certificate(certificate)
        except ValueError:
            return True
    return certificate.not_valid_after_utc <= now + RENEW_WITHIN


def server_names(bind: str) -> list[str]:
    """What the server's certificate is valid for: loopback always, and the address it listens on."""
    names = ["localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    if is_unspecified(bind):
        node = os.uname().nodename
        return [*names, node] if node not in names else names
    return names if bind in names else [*names, bind]


def is_unspecified(bind: str) -> bool:
    """Whether an address means every one that this machine has (0.0.0.0, ::)."""
    try:
        return ipaddress.ip_address(bind).is_unspecified
    except ValueError:
        return False


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def valid_for(directory: Path) -> set[str]:
    """The names and addresses that the server's certificate in `directory` is valid for."""
    return _names(_load_certificate(directory / "server.crt"))


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in extension}


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(f"{path} cannot be read as a private key ({error}); {_REMEDY}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{path} is not an elliptic curve key; {_REMEDY}")
    return key


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CertificateError(f"{path} cannot be read as a certificate ({error}); {_REMEDY}") from error


_REMEDY = "remove it and start again: keys and certificates are made anew, and so must users' kubeconfigs be"


def _store(path: Path, data: bytes) -> None:
    try:
        write_private(path, data)
    except OSError as error:
        raise CertificateError(f"{path} cannot be written: {error.strerror}") from error


def now() -> datetime:
    return datetime.now(UTC)
