"""Hypothesis strategies: events, sends, and whole sessions as recordings.

```python
from hypothesis import given
from realtape.lab.strategies import sessions


@given(sessions(barge_ins=True))
def test_my_analysis(recording): ...
```

`docs/strategies.md` is the manual. Needs hypothesis (the extra `testing`). A state machine that drives an
application is `realtape.integrations.testing.SessionMachine`: it records, and needs the recorder.
"""

from __future__ import annotations

try:
    import hypothesis as hypothesis
except ImportError as error:
    from ...schema.errors import UsageError

    message = "realtape.lab.strategies needs hypothesis: pip install 'realtape[testing]'"
    raise UsageError(message) from error

from .events import EVENT_TYPES, SEND_TYPES, events, sends
from .json_schemas import fitting
from .plans import plans
from .sessions import sessions
from .variations import Variation, variations

__all__ = [
    "EVENT_TYPES",
    "SEND_TYPES",
    "Variation",
    "events",
    "fitting",
    "plans",
    "sends",
    "sessions",
    "variations",
]
