from __future__ import annotations

import re

import pytest

from controller import shipped
from controller.model.address import parted
from controller.model.errors import TestbedError
from controller.model.kinds import NODE

(CRD,) = (crd for crd in shipped.crds() if crd["spec"]["names"]["kind"] == NODE.kind)
STATUS = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
ALLOWED = re.compile(STATUS["address"]["pattern"])


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("10.1.0.7", "10.1.0.7", 22),
        ("127.0.0.1:2201", "127.0.0.1", 2201),
        ("dahu-12.grenoble", "dahu-12.grenoble", 22),
        ("fd00::7", "fd00::7", 22),
        ("[fd00::7]:2201", "fd00::7", 2201),
        ("[::1]", "::1", 22),
    ],
)
def test_what_the_schema_lets_in_is_understood(address: str, host: str, port: int) -> None:
    assert ALLOWED.search(address)
    assert parted(address) == (host, port)


@pytest.mark.parametrize(
    "address",
    ["", "-oProxyCommand=evil", "a b", "a b:22", "10.1.0.7:", "10.1.0.7:ssh", "[fd00::7", "a/b", "a\n"],
)
def test_what_is_no_address_is_refused_by_both(address: str) -> None:
    assert re.fullmatch(ALLOWED, address) is None
    with pytest.raises(TestbedError, match="is no address"):
        parted(address)
