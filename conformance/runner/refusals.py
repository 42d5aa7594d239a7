"""What the real API refuses: a handshake, or a session in its first event. Neither says anything about the subject."""

from collections.abc import Mapping

from conformance.real.api import RealApi
from conformance.runner.attempt import Attempt
from conformance.runner.failures import RefusedError, explain_status
from conformance.wire.error_codes import ACCOUNT, is_among
from conformance.wire.frames import Direction, Frame, Kind, Leg


class Refusals:
    """Listens to an attempt and breaks it off when the API refuses it."""

    def __init__(self, attempt: Attempt, api: RealApi) -> None:
        """Take the attempt and what it drives."""
        self._attempt = attempt
        self._api = api

    def __call__(self, frame: Frame) -> None:
        """Hear a frame of the upstream leg."""
        if frame.leg is not Leg.UPSTREAM:
            return
        if frame.kind is Kind.OPEN and isinstance(status := frame.data.get("status"), int):
            sentence = str(frame.data.get("message") or explain_status(status, self._api.url))
            self._attempt.break_off(RefusedError(sentence, status, frame.data.get("retry_after")))
        elif frame.type == "error" and frame.dir is Direction.DOWN:
            self._hear_error(frame)

    def _hear_error(self, frame: Frame) -> None:
        error = frame.data.get("error")
        error = error if isinstance(error, Mapping) else {}
        earlier = self._attempt.recorder.frames[: frame.seq]
        is_first = not any(
            each.is_event and each.dir is Direction.DOWN and each.leg is frame.leg and each.conn == frame.conn
            for each in earlier
        )
        if is_first or is_among(error.get("code"), ACCOUNT):
            reason = self._api.scrub(str(error.get("message", "no reason given")))
            self._attempt.fail(f"{self._api.shown} refused the session: {reason}")
