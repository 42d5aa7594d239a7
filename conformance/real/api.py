"""Where the real API is and with which key: read from the environment, checked before anything is spent."""

import os
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from conformance.targets.urls import check_websocket_url
from mock_upstream.auth import public_query

DEFAULT_URL: Final = "wss://api.openai.com/v1/realtime"
DEFAULT_MODEL: Final = "gpt-realtime"
_MODEL: Final = re.compile(r"[\w.:/@+-]+")
"""Names of other services are paths, or have a tag."""
_PLACEHOLDER: Final = re.compile(
    r".*(?:\.\.\.|…).*|(?:sk-)?(?:proj-)?(?:(?:your|my|the|insert|paste|replace|change)[-_].{0,24}|x{3,}|\*{3,})",
    re.IGNORECASE,
)
"""What documentation writes in a key's place. A real key is longer and random: none matches by chance."""
_KEY_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + string.punctuation) - frozenset("\"'{}$<>")


@dataclass(frozen=True, slots=True)
class RealApi:
    """A Realtime server that costs money: its address without the query, the model, and the key (never shown)."""

    url: str
    model: str
    key: str = field(repr=False)

    @property
    def address(self) -> str:
        """The address with the model in its query, as the API wants it."""
        parts = urlsplit(self.url)
        query = dict(parse_qsl(parts.query))
        query.setdefault("model", self.model)
        return urlunsplit(parts._replace(query=urlencode(query)))

    @property
    def shown(self) -> str:
        """The address as people may see it: without its query, which may hold a secret."""
        return urlunsplit(urlsplit(self.url)._replace(query="", fragment=""))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key, and what the address's query says that may be secret."""
        query = dict(parse_qsl(urlsplit(self.url).query))
        return self.key, *(value for name, value in query.items() if name not in public_query(query))

    def scrub(self, text: str) -> str:
        """Blot the secrets out of a text that somebody else wrote."""
        for secret in self.secrets:
            text = text.replace(secret, "[secret]")
        return text

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry the key."""
        return {"Authorization": f"Bearer {self.key}"}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "RealApi":
        """Read ``OPENAI_API_KEY``, ``OPENAI_REALTIME_URL`` and ``OPENAI_REALTIME_MODEL``.

        Raises:
            ValueError: one is missing or unusable; the message says which, and what to do.
        """
        key = environment.get("OPENAI_API_KEY", "").strip()
        if not key:
            raise ValueError("the real API needs a key: export OPENAI_API_KEY=… (nothing was run)")
        if key.lower().startswith("bearer"):
            raise ValueError("OPENAI_API_KEY begins with Bearer; export the key alone (nothing was run)")
        if not _KEY_CHARACTERS.issuperset(key) or _PLACEHOLDER.fullmatch(key):
            raise ValueError(
                "OPENAI_API_KEY does not look like a key (it holds spaces, quotes, braces or a placeholder); "
                "export the key itself (nothing was run)"
            )
        url = environment.get("OPENAI_REALTIME_URL") or DEFAULT_URL
        model = environment.get("OPENAI_REALTIME_MODEL") or DEFAULT_MODEL
        if not _MODEL.fullmatch(model):
            raise ValueError(f"OPENAI_REALTIME_MODEL: {model!r} is no model's name; export one, such as {DEFAULT_MODEL}")
        return cls(check_websocket_url(url, "OPENAI_REALTIME_URL"), model, key)
