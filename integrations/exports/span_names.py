"""The names that spans have: in one table, for conventions change."""

from __future__ import annotations

from collections.abc import Mapping

Names = Mapping[str, str]
"""What it is → the attribute's name. What has no name there is left out."""

_GEN_AI: Names = {
    "operation": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "conversation": "gen_ai.conversation.id",
    "model": "gen_ai.request.model",
    "output_type": "gen_ai.output.type",
    "response": "gen_ai.response.id",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "tool_name": "gen_ai.tool.name",
    "tool_type": "gen_ai.tool.type",
    "tool_call": "gen_ai.tool.call.id",
    "tool_arguments": "gen_ai.tool.call.arguments",
    "tool_result": "gen_ai.tool.call.result",
    "input_messages": "gen_ai.input.messages",
    "output_messages": "gen_ai.output.messages",
}

SEMCONVS: Mapping[str, Names] = {
    "1.37": _GEN_AI,
    "1.28": {
        **{name: said for name, said in _GEN_AI.items() if name in ("operation", "model", "response")},
        "provider": "gen_ai.system",
        "finish_reasons": "gen_ai.response.finish_reasons",
        "input_tokens": "gen_ai.usage.input_tokens",
        "output_tokens": "gen_ai.usage.output_tokens",
        "tool_call": "gen_ai.tool.call.id",
        "tool_name": "gen_ai.tool.name",
    },
}
"""OpenTelemetry's semantic conventions for generative AI, by their version; the first is what we write if
nobody says another."""

_OPENINFERENCE: Names = {
    "kind": "openinference.span.kind",
    "conversation": "session.id",
    "model": "llm.model_name",
    "provider": "llm.provider",
    "input_tokens": "llm.token_count.prompt",
    "output_tokens": "llm.token_count.completion",
    "total_tokens": "llm.token_count.total",
    "cached_tokens": "llm.token_count.prompt_details.cache_read",
    "input_audio_tokens": "llm.token_count.prompt_details.audio",
    "output_audio_tokens": "llm.token_count.completion_details.audio",
    "tool_name": "tool.name",
    "tool_call": "tool_call.id",
    "tool_arguments": "input.value",
    "tool_result": "output.value",
    "input_value": "input.value",
    "output_value": "output.value",
    "input_audio": "input.audio.url",
    "input_transcript": "input.audio.transcript",
    "output_audio": "output.audio.url",
    "output_transcript": "output.audio.transcript",
}

PROFILES: Mapping[str, Names] = {"openinference": _OPENINFERENCE}
"""Names of others, in the place of OpenTelemetry's."""

SCHEMA_URL = "https://opentelemetry.io/schemas/{}.0"
