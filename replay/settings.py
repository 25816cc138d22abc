"""Settings of a connection, recorded and live, compared field by field."""

from __future__ import annotations

import json
from typing import Any, cast

from ..schema.codec import Codec
from ..schema.encoding import Reference
from ..schema.errors import EncodingError
from .divergence import Difference
from .explain import difference
from .matching import differences


def changes(codec: Codec, path: tuple[str, ...], recorded_payload: str, live: Any) -> list[Difference]:
    """What differs.

    Args:
        path: where in the recorded payload the settings stand.
    """
    recorded: Any = json.loads(recorded_payload)
    for name in path:
        recorded = cast("dict[str, Any]", recorded).get(name, {})
    return [difference(*found) for found in differences(recorded, _tree(codec, live), "settings")]


def _tree(codec: Codec, value: Any) -> Any:
    def put(data: bytes) -> Reference:
        return (0, 0, len(data))

    try:
        return json.loads(codec.encode(value, put).payload)
    except EncodingError as error:
        return str(error)
