"""Documents of every kind, for properties."""

from __future__ import annotations

from base64 import b64encode
from ipaddress import IPv4Address

from hypothesis import strategies as st

from controller.boot.document import Document, Interface, Neighbour

hosts = st.text("abcxyz019-", min_size=1, max_size=20)
addresses = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
keys = st.binary(min_size=51, max_size=51).map(lambda key: f"ssh-ed25519 {b64encode(key).decode()} somebody")
macs = st.integers(0, 2**16 - 1).map(lambda number: f"52:54:00:4d:{number >> 8:02x}:{number & 255:02x}")

documents = st.builds(
    Document,
    deployment=hosts,
    namespace=hosts,
    node=st.uuids().map(str),
    host=hosts,
    role=hosts,
    hosts=st.dictionaries(
        hosts, st.builds(Neighbour, addresses, st.lists(hosts, max_size=3).map(tuple)), max_size=40
    ),
    authorized_keys=st.lists(keys, max_size=6).map(tuple),
    interfaces=st.lists(
        st.builds(Interface, macs, addresses.map("{}/24".format), st.none() | addresses), max_size=3
    ).map(tuple),
    parameters=st.dictionaries(hosts, st.text(max_size=30), max_size=4),
    report=st.just("") | st.just("http://10.0.2.100/v1/report/token"),
)
