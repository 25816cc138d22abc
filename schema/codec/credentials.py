"""Credentials that are known by their look: the shapes that vendors give to keys and tokens.

A table of our own, and no library. detect-secrets (1.5, of 2024) is made for files in a repository: it goes
through a text line by line and rule by rule, needs `requests` and PyYAML, and knows neither `ek_…` nor an
OpenAI key of today; what we seek must be sought in every event of a live call. Its rules for AWS, GitHub,
GitLab, Slack, SendGrid, Stripe, Twilio, Telegram and private keys were read, and agree with these.

A rule has words, of which one stands in every text that it finds something in: so a text without them, as
nearly all are, costs a few searches for a word. Most have a digit in them besides; `ALWAYS` are the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

REDACTED = "[redacted]"
"""What stands where a credential stood."""

MIN_CREDENTIAL_LENGTH = 13
"""No shape is shorter, the word before it included."""


class Shape(NamedTuple):
    """One vendor's, or one kind.

    Attributes:
        name: whose.
        words: of which one stands in all of them.
        pattern: a regular expression; it has no groups.
    """

    name: str
    words: tuple[str, ...]
    pattern: str


# Not within a word. Behind what JSON, Python and URLs escape, and what colours a terminal, a new one begins.
_BEGIN = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})"
    r"|(?<=[\[;][0-9]m)|(?<=[\[;][0-9]{2}m))"
)
_END = r"(?![A-Za-z0-9])"
_DIGIT_WITHIN = r"(?=[A-Za-z_-]*\d)"

SHAPES: tuple[Shape, ...] = (
    # OpenAI, Anthropic, DeepSeek, OpenRouter, Langfuse …; Cerebras. Then ephemeral keys for realtime models.
    Shape("sk-", ("sk-",), rf"{_BEGIN}c?sk-{_DIGIT_WITHIN}[A-Za-z0-9_-]{{10,}}"),
    Shape("ek_", ("ek_",), rf"{_BEGIN}ek_{_DIGIT_WITHIN}[A-Za-z0-9_-]{{10,}}"),
    Shape("OpenAI session", ("sess-",), rf"{_BEGIN}sess-{_DIGIT_WITHIN}[A-Za-z0-9]{{24,}}"),
    # Stripe, ElevenLabs, Clerk, Groq, Pinecone: `sk_live_…`, `sk_…`, `gsk_…`, `pcsk_…`
    Shape("sk_", ("sk_", "rk_"), rf"{_BEGIN}(?:g|pc)?[sr]k_{_DIGIT_WITHIN}[A-Za-z0-9_]{{16,}}"),
    Shape("Stripe webhook", ("whsec_",), rf"{_BEGIN}whsec_[A-Za-z0-9+/]{{16,}}"),
    Shape("xAI", ("xai-",), rf"{_BEGIN}xai-[A-Za-z0-9]{{20,}}"),
    Shape("NVIDIA", ("nvapi-",), rf"{_BEGIN}nvapi-[A-Za-z0-9_-]{{20,}}"),
    Shape("Perplexity", ("pplx-",), rf"{_BEGIN}pplx-[A-Za-z0-9]{{20,}}"),
    Shape("Tavily", ("tvly-",), rf"{_BEGIN}tvly-[A-Za-z0-9-]{{16,}}"),
    Shape("Hugging Face", ("hf_",), rf"{_BEGIN}hf_[A-Za-z0-9]{{24,}}"),
    Shape("Replicate", ("r8_",), rf"{_BEGIN}r8_[A-Za-z0-9]{{24,}}"),
    Shape("Google", ("AIza",), rf"{_BEGIN}AIza[A-Za-z0-9_-]{{30,}}"),
    Shape("Google OAuth", ("ya29.", "GOCSPX-"), rf"{_BEGIN}(?:ya29\.|GOCSPX-)[A-Za-z0-9_-]{{16,}}"),
    Shape("Azure", ("AccountKey=", "AccessKey="), r"(?<=AccountKey=|.AccessKey=)[A-Za-z0-9+/]{32,}={0,2}"),
    Shape(
        "the same in a URL",
        ("Key%3D", "Key%3d"),
        r"(?<=AccountKey%3[Dd]|.AccessKey%3[Dd])(?:[A-Za-z0-9]|%2[BFbf]){32,}(?:%3[Dd]){0,2}",
    ),
    Shape(
        "GitHub",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        rf"{_BEGIN}(?:gh[pousr]_[A-Za-z0-9]{{20,}}|github_pat_[A-Za-z0-9_]{{22,}})",
    ),
    Shape(
        "GitLab",
        ("glpat-", "glptt-", "gldt-", "glrt-", "glft-", "glcbt-", "gloas-", "glsoat-"),
        rf"{_BEGIN}gl(?:pat|ptt|dt|rt|ft|cbt|oas|soat)-[A-Za-z0-9_-]{{16,}}",
    ),
    Shape("Slack", ("xox", "xapp-"), rf"{_BEGIN}(?:xox[a-z]|xapp)-[A-Za-z0-9-]{{10,}}"),
    Shape("webhook", ("/services/", "/webhooks/"), r"(?<=/services/|/webhooks/)[A-Za-z0-9_/-]{20,}"),
    Shape(
        "the same in a URL",
        ("services%2", "webhooks%2"),
        r"(?<=%2[Ff]services%2[Ff]|%2[Ff]webhooks%2[Ff])(?:[A-Za-z0-9_-]|%2[Ff]){20,}",
    ),
    Shape("SendGrid", ("SG.",), rf"{_BEGIN}SG\.[A-Za-z0-9_-]{{16,}}\.[A-Za-z0-9_-]{{16,}}"),
    Shape("Twilio", ("SK",), rf"{_BEGIN}SK[0-9a-f]{{32}}{_END}"),
    Shape(
        "Telegram",
        (":AA", "%3AAA", "%3aAA"),
        rf"{_BEGIN}\d{{8,10}}(?::|%3[Aa])AA[A-Za-z0-9_-]{{32,}}",
    ),
    Shape("Azure AI", ("JQQJ9",), rf"{_BEGIN}[A-Za-z0-9]{{40,60}}JQQJ9[A-Za-z0-9]{{24,40}}{_END}"),
    Shape("Google refresh", ("1//0",), rf"{_BEGIN}1//0[A-Za-z0-9_-]{{24,}}"),
    Shape("Gemini ephemeral", ("auth_tokens/",), r"(?<=auth_tokens/)[A-Za-z0-9_-]{16,}"),
    Shape("Fireworks", ("fw_",), rf"{_BEGIN}fw_[A-Za-z0-9]{{20,}}"),
    Shape("Together", ("tgp_v1_",), rf"{_BEGIN}tgp_v1_[A-Za-z0-9_-]{{20,}}"),
    Shape(
        "Vapi, Retell",
        ("vapi_", "key_"),
        rf"{_BEGIN}(?:vapi_{_DIGIT_WITHIN}[A-Za-z0-9_-]{{20,}}|key_[0-9a-f]{{24,}}){_END}",
    ),
    Shape("LangSmith", ("lsv2_",), rf"{_BEGIN}lsv2_(?:pt|sk)_[A-Za-z0-9_]{{20,}}"),
    Shape("Airtable", ("pat",), rf"{_BEGIN}pat[A-Za-z0-9]{{14}}\.[0-9a-f]{{64}}"),
    Shape("Notion of old", ("secret_",), rf"{_BEGIN}secret_{_DIGIT_WITHIN}[A-Za-z0-9]{{24,}}"),
    Shape("Grafana", ("glsa_", "glc_"), rf"{_BEGIN}gl(?:sa|c)_[A-Za-z0-9+/_=]{{24,}}"),
    Shape("Sentry", ("sntrys_", "sntryu_"), rf"{_BEGIN}sntry[su]_[A-Za-z0-9+/_=]{{24,}}"),
    Shape("Docker", ("dckr_",), rf"{_BEGIN}dckr_(?:pat|oat)_[A-Za-z0-9_-]{{20,}}"),
    Shape("RubyGems", ("rubygems_",), rf"{_BEGIN}rubygems_[A-Za-z0-9]{{24,}}"),
    Shape("Supabase", ("sbp_", "sb_secret_"), rf"{_BEGIN}(?:sbp_|sb_secret_)[A-Za-z0-9_-]{{20,}}"),
    Shape("PostHog", ("phx_", "phc_"), rf"{_BEGIN}ph[xc]_[A-Za-z0-9]{{24,}}"),
    Shape("PlanetScale", ("pscale_",), rf"{_BEGIN}pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_.=-]{{20,}}"),
    Shape("Figma", ("figd_",), rf"{_BEGIN}figd_[A-Za-z0-9_-]{{20,}}"),
    Shape("Buildkite", ("bkua_",), rf"{_BEGIN}bkua_[0-9a-f]{{24,}}"),
    Shape("Fly.io", ("fm2_", "fm1a_", "fo1_"), rf"{_BEGIN}f(?:m2|m1a|o1)_[A-Za-z0-9+/=_-]{{24,}}"),
    Shape("Atlassian", ("ATATT3", "ATCTT3", "ATBB"), rf"{_BEGIN}AT(?:ATT3|CTT3|BB)[A-Za-z0-9=_-]{{24,}}"),
    Shape("Doppler", ("dp.",), rf"{_BEGIN}dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{{20,}}"),
    Shape("New Relic", ("NRAK-", "NRRA-"), rf"{_BEGIN}NR(?:AK|RA)-[A-Za-z0-9]{{20,}}"),
    Shape("Heroku", ("HRKU-",), rf"{_BEGIN}HRKU-[A-Za-z0-9_-]{{20,}}"),
    Shape("Brevo", ("xkeysib-",), rf"{_BEGIN}xkeysib-[A-Za-z0-9-]{{24,}}"),
    Shape("age", ("AGE-SECRET-KEY-1",), rf"{_BEGIN}AGE-SECRET-KEY-1[A-Z0-9]{{24,}}"),
    Shape("Pulumi", ("pul-",), rf"{_BEGIN}pul-[0-9a-f]{{32,}}"),
    Shape("npm", ("npm_",), rf"{_BEGIN}npm_[A-Za-z0-9]{{30,}}"),
    Shape("PyPI", ("pypi-Ag",), rf"{_BEGIN}pypi-Ag[A-Za-z0-9_-]{{30,}}"),
    Shape("DigitalOcean", ("_v1_",), rf"{_BEGIN}do[por]_v1_[0-9a-f]{{32,}}"),
    Shape("Shopify", ("shp",), rf"{_BEGIN}shp(?:at|ca|pa|ss)_[0-9a-fA-F]{{32}}"),
    Shape("Square", ("sq0",), rf"{_BEGIN}sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{{22,}}"),
    Shape("Linear", ("lin_api_",), rf"{_BEGIN}lin_api_[A-Za-z0-9]{{24,}}"),
    Shape("Notion", ("ntn_",), rf"{_BEGIN}ntn_[A-Za-z0-9]{{24,}}"),
    Shape("Databricks", ("dapi",), rf"{_BEGIN}dapi[0-9a-f]{{32}}{_END}"),
    Shape("Vault", ("hvs.", "hvb."), rf"{_BEGIN}hv[sb]\.[A-Za-z0-9_-]{{24,}}"),
    Shape("Mailgun", ("key-",), rf"{_BEGIN}key-[0-9a-f]{{32}}{_END}"),
    Shape("JWT", ("eyJ",), rf"{_BEGIN}eyJ[A-Za-z0-9_-]{{8,}}(?:\.[A-Za-z0-9_-]{{4,}}){{1,4}}"),
)
"""They have a digit in them, each of them; what has none is no such key."""

_SPACE = r"(?:[ \t+]|%20|\\t|\\u0020){1,4}"
_TOKEN = r"A-Za-z0-9._~+/=%-"
_PEM = r"(?:[A-Z0-9 +]|%20){1,26}PRIVATE(?: |%20|\+)KEY(?:(?: |%20|\+)BLOCK)?"

ALWAYS: tuple[Shape, ...] = (
    Shape(
        "AWS",
        ("AKIA", "ASIA", "ABIA", "ACCA", "A3T"),
        rf"{_BEGIN}(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{{16}}{_END}",
    ),
    Shape(
        "AWS session", ("IQoJb3JpZ2lu", "FwoGZXIvYXdz"), r"(?:IQoJb3JpZ2lu|FwoGZXIvYXdz)[A-Za-z0-9+/=]{16,}"
    ),
    # A digit, or so long that it is no word: "Bearer authentication", "a token-based bearer scheme".
    Shape(
        "Bearer",
        ("earer", "EARER"),
        rf"{_BEGIN}(?i:bearer){_SPACE}(?:(?=[A-Za-z._~+/=%-]*\d)[{_TOKEN}]{{6,}}|[{_TOKEN}]{{16,}})",
    ),
    Shape(
        "Basic",
        ("asic", "ASIC"),
        rf"{_BEGIN}(?i:basic){_SPACE}(?=[A-Za-z+/]*[0-9=])[A-Za-z0-9+/]{{8,}}(?:=|%3[dD]){{0,2}}",
    ),
    Shape(
        "account in a URL",
        ("://",),
        r"(?<=://)(?:[^\s/?#@:\"'\\<>]{0,128}:[^\s/?#@\"'\\<>]{1,256}"
        r"|(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{16,256})(?=@)",
    ),
    Shape(
        "the same in a URL",
        ("%3A%2F%2F", "%3a%2f%2f"),
        r"(?i:(?<=%3A%2F%2F)[A-Z0-9_.~+-]{0,128}%3A(?:[A-Z0-9_.~+!*-]|%(?!40)[0-9A-F]{2}){1,256}(?=%40))",
    ),
    Shape(
        "private key",
        ("PRIVATE KEY", "PRIVATE%20KEY", "PRIVATE+KEY"),
        rf"-----BEGIN{_PEM}-----(?:[\s\S]*?-----END{_PEM}-----|[\s\S]*)",
    ),
)
"""Those that may have no digit."""

NAMES = (
    r"(?:proxy[-_]?)?authorization|(?:set[-_]?)?cookie|(?:x[-_])?api[-_]?keys?|passw(?:or)?ds?|passphrase|credentials?"
    r"|(?:client|consumer|app|api|webhook|signing|shared)[-_]?secrets?|secret[-_]?(?:access[-_]?)?(?:key|value)"
    r"|(?:private|access|account|subscription|signing|encryption|ephemeral)[-_]?key"
    r"|(?:access|auth|refresh|id|session|security|bearer|api|bot|ephemeral)[-_]?token"
)
"""What stands before a credential: whole names, for `…_tokens` are counts."""

_VALUE = r"[^\s\"'\\,;&<>()\[\]{}]"
_IS = r"\\*[\"']?(?:\s|\\[nt]){0,3}(?:=>|[:=]|%3D)(?:\s|\\[nt]){0,3}"
_NAMED = re.compile(
    # By such a name; as an option of a command; by the name of a variable of the environment.
    rf"(?:(?i:(?<![A-Za-z0-9])(?:{NAMES}){_IS}|(?<!\S)--(?:{NAMES}|token|secret)[ =])"
    rf"|(?<![A-Za-z0-9])[A-Z][A-Z0-9]{{0,30}}(?:_[A-Z0-9]{{1,30}}){{0,6}}_(?:TOKEN|SECRET|PASS|PWD|KEY){_IS})"
    # `client_secret: {value: …}`
    r"(?:\{\s{0,3}\\*[\"']value\\*[\"']\s{0,3}:\s{0,3})?(?i:\\*[\"']?"
    rf"((?:bearer|basic|token|digest|apikey)[\s+]{{1,3}}{_VALUE}{{6,}}"
    rf"|(?=[^\s\"'\\,;&<>()\[\]{{}}\d]*\d){_VALUE}{{6,}}|{_VALUE}{{16,}}))"
)
_TOKEN_NAMED = re.compile(
    rf"(?i)(?<![A-Za-z0-9])token{_IS}\\*[\"']?((?=[A-Za-z._~+/=-]*\d)[{_TOKEN}]{{20,}})"
)
_COOKIES = re.compile(
    r"(?i)(?<![A-Za-z0-9])(?:set-)?cookie\\*[\"']?\s{0,3}:\s{0,3}\\*[\"']?"
    r"([^\s=;,\"'\\]{1,64}=[^\s;,\"'\\]{1,4096}(?:;\s?[^\s=;,\"'\\]{1,64}=[^\s;,\"'\\]{1,4096}){1,64})"
)
_IN_QUERY = re.compile(
    r"(?i)(?:[?&](?:amp;)?|%(?:25){0,2}(?:3F|26))"
    r"(?:[\w.-]{0,32}(?:token|secret|key|password|credential|signature)|sig|auth|jwt|pwd)(?:=|%(?:25){0,2}3D)"
    r"([^\s\"'\\&#<>]{6,})"
)


def _sign_of(word: str) -> str:
    return next((sign for sign in "-_.:=/" if sign in word), "")


def _any_of(shapes: Sequence[Shape]) -> re.Pattern[str]:
    """Where none of them can begin, that is found out once, and not for each."""
    begun = [one.pattern.removeprefix(_BEGIN) for one in shapes if one.pattern.startswith(_BEGIN)]
    others = [one.pattern for one in shapes if not one.pattern.startswith(_BEGIN)]
    return re.compile("|".join([rf"{_BEGIN}(?:{'|'.join(begun)})", *others]))


_PREFIXED = _any_of((*SHAPES, *ALWAYS))
_WITHOUT_DIGITS = _any_of(ALWAYS)
_WORDS_ALWAYS = tuple(word for shape in ALWAYS for word in shape.words)
_WORDS_NAMED = ("uthorization", "ookie", "key", "pass", "_pwd", "secret", "token", "credential")
_A_DIGIT = re.compile(r"\d", re.ASCII)

# Most words have a sign in them that most texts lack: it is sought ten times as fast as a word.
_SIGNS = {
    sign: tuple({word: None for shape in SHAPES for word in shape.words if _sign_of(word) == sign})
    for sign in ("-", "_", ".", ":", "=", "/", "")
}

_ID = "(?:event|resp|item|call|msg|conv|sess|rs|fc)_"
_SHAPED = "|".join(word for word in (*_SIGNS[""], *_WORDS_ALWAYS) if word.isalnum())
ID, UNSHAPED_ID = f"{_ID}[A-Za-z0-9]+", f"{_ID}(?!{_SHAPED})[A-Za-z0-9]+"
"""An id of the provider's; and one in which no shape can be found, where it stands in a longer text."""

is_id = re.compile(ID).fullmatch
"""Whether a text is an id of the provider's: no shape looks like one."""


def find_credentials(text: str, *, named: bool = True) -> Iterator[tuple[int, int]]:
    """Where credentials stand, by their shape: (start, end), in no order.

    Args:
        named: also what a name stands before, `password=…`, `api_key: …`, or in the query of a URL.
    """
    if is_id(text) is not None:
        return
    pattern = None
    if _A_DIGIT.search(text) is not None and _may_have_shape(text):
        pattern = _PREFIXED
    elif any(word in text for word in _WORDS_ALWAYS):
        pattern = _WITHOUT_DIGITS
    if pattern is not None:
        for found in pattern.finditer(text):
            yield found.span()
    if named:
        lower = text.lower()
        if any(word in lower for word in _WORDS_NAMED):
            for found in _NAMED.finditer(text):
                yield found.span(1)
            if "token" in lower:
                for found in _TOKEN_NAMED.finditer(text):
                    yield found.span(1)
            if "ookie" in lower:
                for found in _COOKIES.finditer(text):
                    yield found.span(1)
        if ("=" in text and ("?" in text or "&" in text)) or "%3D" in text or "%3d" in text or "%253" in text:
            for found in _IN_QUERY.finditer(text):
                yield found.span(1)


def _may_have_shape(text: str) -> bool:
    return any(word in text for sign, words in _SIGNS.items() if sign in text for word in words)
