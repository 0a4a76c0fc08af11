"""placeholder"""

from typing import Any


def decode(data: bytes) -> dict[str, Any]:
    raise NotImplementedError
