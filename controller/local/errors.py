"""What can go wrong outside the API: state, certificates, addresses. Each message names the remedy."""

from __future__ import annotations


class LocalError(Exception):
    """The control plane cannot start or a command cannot run; the message is for the person typing."""


class StateError(LocalError):
    """The state directory or its database cannot be used as it is."""


class CertificateError(LocalError):
    """A key or certificate file cannot be read, written or trusted."""
