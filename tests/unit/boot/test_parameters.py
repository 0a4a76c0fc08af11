"""The kernel command line: what a node finds on it is what was meant for it, however much that is."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.boot.document import Document, Interface
from controller.boot.parameters import X86_LIMIT, command_line
from controller.model.errors import UserError
from tests.unit.boot.documents import documents

URL = "http://10.0.2.100/v1/info/" + "t" * 43
CARD = Interface("52:54:00:4d:00:01", "10.0.2.15/24")
WORDS = st.lists(st.text("abz019_.=-", min_size=1, max_size=40), max_size=8)


def values(line: str) -> dict[str, str]:
    """As first boot reads it: words at spaces, the name before the first `=`."""
    return dict(word.partition("=")[::2] for word in line.split(" "))


@settings(max_examples=1000, deadline=None)
@given(document=documents, image=WORDS, user=WORDS)
def test_every_document_reaches_its_node(document: Document, image: list[str], user: list[str]) -> None:
    text = document.canonical()
    line = command_line(image, user, text, url=URL, card=CARD)

    assert len(line.text) <= X86_LIMIT
    assert line.text.split(" ")[: len(image) + len(user)] == [*image, *user]
    assert line.sha256 == hashlib.sha256(line.text.encode()).hexdigest()
    found = values(line.text)
    if line.inline:
        encoded = found["nxc.info"]
        got = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    else:
        # Inline would not have fitted: the limit is used up to the last byte
        inline = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
        assert len(" ".join([*image, *user, f"nxc.info={inline}"])) > X86_LIMIT
        assert found["nxc.url"] == URL
        assert found["nxc.net"] == "52:54:00:4d:00:01,10.0.2.15/24"
        assert found["nxc.sha256"] == hashlib.sha256(text).hexdigest()
        got = text
    assert Document.parse(got) == document
    assert Document.parse(got).canonical() == text


@pytest.mark.parametrize(("spare", "inline"), [(0, True), (-1, False)])
def test_2047_bytes_are_the_whole_line(spare: int, inline: bool) -> None:
    text = b"x" * 300
    empty = command_line([], [], text, url=URL)
    padding = "p" * (X86_LIMIT - len(empty.text) - 1 - spare)

    line = command_line([padding], [], text, url=URL)

    assert line.inline is inline
    assert len(line.text) == X86_LIMIT or not inline


def test_the_user_learns_whose_parameters_are_too_long() -> None:
    with pytest.raises(UserError, match=r"2000 are those of spec\.kernelParameters, 5 the image's") as raised:
        command_line(["quiet"], ["u" * 2000], b"{}" * 100, url=URL, card=CARD)
    assert raised.value.reason == "CommandLineTooLong"


def test_nobody_speaks_for_the_controller() -> None:
    with pytest.raises(UserError, match=r"nxc\.info=e30"):
        command_line([], ["nxc.info=e30"], b"{}", url=URL)


def test_something_else_is_no_document() -> None:
    for text in (b"{}", b"[]", b"null", b'{"version":2}', b"x", b'{"version":1,"hosts":[]}'):
        with pytest.raises(ValueError, match=r".+"):
            Document.parse(text)
