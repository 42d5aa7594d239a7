"""The little plain HTTP that stands beside the WebSocket: whole requests in, whole responses out, one per connection."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from io import BytesIO
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import orjson
from websockets.http11 import Request

_LARGEST: Final = 2**20


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request: header names are lower-case, a repeated one is joined by commas; ``problem`` says what is wrong."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    problem: str | None = None

    @classmethod
    def of_upgrade(cls, request: Request) -> "HttpRequest":
        """Read what the WebSocket library parsed: always a GET."""
        return _make("GET", request.path, request.headers.raw_items())


def read_request(data: bytes) -> HttpRequest | None:
    """Read a whole request; None while bytes are missing. What cannot be read has a ``problem``."""
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return _bad("The request's head is too long.") if len(data) > _LARGEST else None
    line, _, fields = head.partition(b"\r\n")
    try:
        method, target, version = line.decode("latin-1").split(" ")
        headers = parse_headers(BytesIO(fields + b"\r\n\r\n"))
        length = int(headers.get("Content-Length", 0))
    except (ValueError, HTTPException):
        return _bad("This is no HTTP request.")
    if not version.startswith("HTTP/1.") or length < 0:
        return _bad("This is no HTTP/1.1 request.")
    if "Transfer-Encoding" in headers or length > _LARGEST:
        return _bad("Send the body with a Content-Length of at most 1 MiB.")
    return None if len(body) < length else _make(method, target, headers.items(), body[:length])


def json_response(status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    """Write a response that carries JSON and ends the connection."""
    body = orjson.dumps(content)
    lines = {
        "Date": formatdate(usegmt=True),
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **(headers or {}),
    }
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    return head.encode("latin-1") + b"\r\n" + body


def error_response(status: int, type_: str, message: str, code: str | None = None, param: str | None = None) -> bytes:
    """Write an error as the API's REST side does."""
    return json_response(status, {"error": {"message": message, "type": type_, "param": param, "code": code}})


@lru_cache(maxsize=256)
def split_target(target: str) -> tuple[str, Mapping[str, str]]:
    """Return the path and the query of a request's target; nearly every client asks for the same one."""
    try:
        parts = urlsplit(target)
    except ValueError:  # such as an authority that begins with a bracket
        return target, {}
    return parts.path, MappingProxyType(dict(parse_qsl(parts.query, keep_blank_values=True)))


def _make(method: str, target: str, fields: Any, body: bytes = b"") -> HttpRequest:
    path, query = split_target(target)
    headers: dict[str, str] = {}
    for name, value in fields:
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return HttpRequest(method, path, query, headers, body)


def _bad(problem: str) -> HttpRequest:
    return HttpRequest("", "", {}, {}, problem=problem)
