from __future__ import annotations

from controller.local.core.swagger import DOCUMENT


def test_the_document_is_protobuf_with_a_version_an_info_and_no_definitions() -> None:
    fields: dict[int, bytes] = {}
    rest = DOCUMENT
    while rest:
        number, length = rest[0] >> 3, rest[1]
        fields[number], rest = rest[2 : 2 + length], rest[2 + length :]
    assert sorted(fields) == [1, 2, 8, 9]
    assert fields[1] == b"2.0"
    assert b"Kubernetes" in fields[2]
    assert (fields[8], fields[9]) == (b"", b"")
