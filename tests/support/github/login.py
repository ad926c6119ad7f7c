"""GitHub's OAuth device flow: a program shows a code, a person enters it on the site.

Answers form-encoded unless JSON is asked for, and errors with status 200, as GitHub does. The
person is `authorize` or `deny`; there are no pages. Not in GitHub's description, so not validated.

Example::

    POST /login/device/code  client_id=…&scope=public_repo
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from tests.support.github.answers import Answer
from tests.support.github.state import User
from tests.support.github.world import World

_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER: Final = 5


@dataclass
class Device:
    """A code that waits for a person."""

    code: str
    user_code: str
    scope: str
    interval: float
    expires: float
    user: User | None = None
    denied: bool = False
    asked: float = field(default_factory=lambda: float("-inf"))


class Login:
    """The device flow of one OAuth app."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.client_id = "Iv1.0123456789abcdef"
        self.interval = 1
        self.seconds = 900.0
        self.devices: list[Device] = []

    def authorize(self, user_code: str, user: User) -> None:
        """Somebody enters a code and agrees."""
        self._of(user_code).user = user

    def deny(self, user_code: str) -> None:
        """Somebody enters a code and declines."""
        self._of(user_code).denied = True

    def _of(self, user_code: str) -> Device:
        return next(device for device in self.devices if device.user_code == user_code)

    def answer(self, path: str, fields: Mapping[str, str], accept: str) -> Answer:
        """What a request below /login gets."""
        if path == "/login/device/code":
            data = self._begin(fields)
        elif path == "/login/oauth/access_token":
            data = self._token(fields)
        else:
            return Answer(404, b"Not Found", {}, "text/plain")
        if "json" in accept:
            return Answer(200, data)
        kind = "application/x-www-form-urlencoded; charset=utf-8"
        return Answer(200, urlencode(data).encode(), {}, kind)

    def _begin(self, fields: Mapping[str, str]) -> dict[str, Any]:
        if fields.get("client_id") != self.client_id:
            return _error("incorrect_client_credentials")
        text = secrets.token_hex(4).upper()
        device = Device(
            secrets.token_hex(20), f"{text[:4]}-{text[4:]}", fields.get("scope", ""),
            self.interval, time.monotonic() + self.seconds,
        )  # fmt: skip
        self.devices.append(device)
        return {
            "device_code": device.code,
            "user_code": device.user_code,
            "verification_uri": f"{self._world.url}/login/device",
            "expires_in": int(self.seconds),
            "interval": self.interval,
        }

    def _token(self, fields: Mapping[str, str]) -> dict[str, Any]:
        if fields.get("client_id") != self.client_id:
            return _error("incorrect_client_credentials")
        if fields.get("grant_type") != _GRANT:
            return _error("unsupported_grant_type")
        device = next((d for d in self.devices if d.code == fields.get("device_code")), None)
        if device is None:
            return _error("incorrect_device_code")
        if time.monotonic() > device.expires:
            return _error("expired_token")
        return self._poll(device)

    def _poll(self, device: Device) -> dict[str, Any]:
        early = time.monotonic() - device.asked < device.interval
        device.asked = time.monotonic()
        if early:
            device.interval += _SLOWER
            return {**_error("slow_down"), "interval": device.interval}
        if device.denied:
            return _error("access_denied")
        if device.user is None:
            return _error("authorization_pending")
        self.devices.remove(device)
        token = device.user.token
        return {"access_token": token, "token_type": "bearer", "scope": device.scope}


def _error(code: str) -> dict[str, Any]:
    words = code.replace("_", " ").capitalize()
    return {"error": code, "error_description": f"{words}.", "error_uri": "https://docs.github.com"}
