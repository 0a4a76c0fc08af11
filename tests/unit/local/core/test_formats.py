"""String formats, as the API server checks them."""

import pytest

from controller.local.core.formats import FORMATS, known

GOOD = {
    "date-time": ["2026-01-02T03:04:05Z", "2026-01-02t03:04:05.123+01:00"],
    "date": ["2026-02-28"],
    "duration": ["1h30m", "0", "1.5h", "-2s", "3 days", "22 ns"],
    "ipv4": ["10.0.0.1", "010.1.1.1"],
    "ipv6": ["::1", "fe80::1"],
    "cidr": ["10.0.0.0/8", "fd00::/64"],
    "uri": ["http://a/b", "/path", "urn:x:y"],
    "email": ["a@b.c", "A <a@b.c>"],
    "hostname": ["a", "a-b.example.org", "1a.com"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "123E4567E89B12D3A456426614174000"],
    "uuid4": ["123e4567-e89b-42d3-a456-426614174000"],
    "byte": ["aGk=", "YQ=="],
    "mac": ["01:23:45:67:89:ab"],
    "hexcolor": ["#fff", "a0B1c2"],
    "rgbcolor": ["rgb(1,2,255)"],
    "isbn13": ["978-0321751041"],
    "isbn10": ["0321751043"],
    "creditcard": ["4111 1111 1111 1111"],
    "ssn": ["111-22-3333"],
    "bsonobjectid": ["507f1f77bcf86cd799439011"],
    "password": ["", "anything"],
    "k8s-short-name": ["a-b"],
    "k8s-long-name": ["a-b.c"],
}
BAD = {
    "date-time": ["", "2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T24:04:05Z", "2026-01-02 03:04:05Z"],
    "date": ["2026-02-30", "26-02-03", "2026-2-3"],
    "duration": ["1x", "h", ""],
    "ipv4": ["1.2.3", "1.2.3.256", "::1"],
    "ipv6": ["1.2.3.4", "fe80::1%eth0", "x"],
    "cidr": ["10.0.0.0", "10.0.0.0/33", "x/8"],
    "uri": ["::", "no scheme", "http://a:port/"],
    "email": ["x", "a@", "a b@c"],
    "hostname": ["-a", "a..b", "a_b", "a.b.1"],
    "uuid": ["z", "123e4567-e89b-12d3-a456-42661417400"],
    "uuid4": ["123e4567-e89b-12d3-a456-426614174000"],
    "byte": ["***", "a"],
    "mac": ["01:23:45"],
    "hexcolor": ["#ff"],
    "rgbcolor": ["rgb(1,2,256)"],
    "isbn13": ["978-0321751042"],
    "isbn10": ["0321751044"],
    "creditcard": ["4111111111111112"],
    "ssn": ["11-22-3333"],
    "bsonobjectid": ["507f"],
    "k8s-short-name": ["A", "a.b", "a" * 64],
    "k8s-long-name": ["a..b", "-a"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in GOOD.items() for text in texts])
def test_passes(name: str, text: str) -> None:
    assert FORMATS[name.replace("-", "")](text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BAD.items() for text in texts])
def test_is_refused(name: str, text: str) -> None:
    assert not FORMATS[name.replace("-", "")](text)


def test_a_format_counts_only_for_the_type_it_is_of() -> None:
    assert known("string", "date-time") == "date-time"
    assert known("", "ipv4") == "ipv4"
    assert known("integer", "int32") == "int32"
    assert [
        known("string", "int32"),
        known("integer", "date"),
        known("object", "date"),
        known("string", "x"),
    ] == [""] * 4
