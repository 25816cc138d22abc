"""What a type checker makes of the pytest plugin: checked by `make types`, never run."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.realtime import OpenAIRealtimeWebSocketModel, RealtimeAgent, RealtimeRunner
    from realtape.integrations.pytest_plugin import Realtape
    from realtape.replay import ReplayReport

    async def test_booking(realtape: Realtape, agent: RealtimeAgent[None]) -> None:
        model = realtape.model(OpenAIRealtimeWebSocketModel, expect="all")
        RealtimeRunner(agent, model=model)
        realtape.model(lambda: OpenAIRealtimeWebSocketModel(), name="waiter")
        realtape.model("a model")  # type: ignore[arg-type]
        assert_type(realtape.replaying, bool)
        assert_type(realtape.reports, Sequence[ReplayReport])

    async def main() -> int:
        return 1

    def test_plain(realtape: Realtape) -> None:
        assert_type(realtape.run(main()), int)
