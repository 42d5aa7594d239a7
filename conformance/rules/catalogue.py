"""The catalogue: every rule's id, in the order in which people read them."""

from typing import Final

from conformance.rules.model import RULES

CATALOGUE: Final = (
    "RT-UPDATE-FIRST",
    "RT-UPDATE-ONCE",
    "RT-UPDATE-SENT",
    "RT-AFTER-CREATED",
    "RT-READY-AUDIO",
    "RT-READY-ITEM",
    "RT-READY-RESPONSE",
    "RT-UPDATE-IDLE",
    "RT-ONE-RESPONSE",
    "RT-ITEM-CONFIRMED",
    "RT-ONE-CREATE",
    "RT-TURN-ANSWERED",
    "RT-TOOL-ORDER",
    "RT-TOOL-ALL-OUTPUTS",
    "RT-TOOL-CONTINUES",
    "RT-TOOL-UNSTICKS",
    "RT-TOOL-OUTPUT-WHOLE",
    "RT-COMMIT-MIN",
    "RT-COMMIT-OWNER",
    "RT-COMMIT-COMES",
    "RT-COMMIT-STREAM",
    "RT-COMMIT-AFTER-RESPONSE",
    "RT-COMMIT-TAIL",
    "RT-COMMIT-FIRST",
    "RT-CLOSE-COMMITS",
    "RT-CLOSE-QUIET",
    "RT-APPEND-MAX",
    "RT-AUDIO-WHOLE",
    "RT-FORMAT-DECLARED",
    "RT-TEXT-FRAMES",
    "RT-KNOWN-EVENTS",
    "RT-VALID-EVENTS",
    "RT-ASSISTANT-CONTENT",
    "RT-GREETING-QUIET",
    "RT-CONTEXT-KEPT",
    "RT-CONTEXT-NO-ITEMS",
    "RT-AUDIO-ANSWERED",
    "GW-TRANSPARENT",
    "VA-READY-AFTER-UPDATED",
    "VA-READY",
    "VA-READY-TIMEOUT",
    "VA-BINARY-IS-AUDIO",
    "VA-AUDIO-WHOLE",
    "VA-FRAME-TYPE",
    "VA-TEXT-IS-PROTOCOL",
    "VA-ERROR-FORWARDED",
    "VA-ACTIVE-ERROR-QUIET",
    "VA-ERROR-CODE",
    "VA-ERROR-HONEST",
    "VA-CLOSE-SEEN",
    "VA-CLOSE-EXPLAINED",
    "VA-TEXT-ONCE",
    "VA-TEXT-REAL",
    "VA-USER-ECHO",
    "VA-HISTORY-QUIET",
    "VA-GREETING",
    "VA-GREETING-DONE",
    "VA-GREETING-NOT-AGAIN",
    "VA-SPEAKING-FIRST",
    "VA-SPEAKING-ONCE",
    "VA-DONE-LAST",
    "VA-DONE-ONCE",
    "VA-DONE-COMES",
    "VA-TEXT-BEFORE-IDLE-ERROR",
    "VA-TOOL-ONCE",
    "VA-VAD-MAPPED",
    "VA-VAD-VALUES",
    "VA-TRANSCRIPT",
    "VA-TRANSCRIPT-VALUES",
    "VA-REJECTS-UNKNOWN",
    "VA-REJECTS-MALFORMED",
    "VA-SURVIVES-CLIENT",
    "CL-READY",
    "CL-CONNECTS",
    "CL-SURVIVES-EVENT",
    "CL-STAYS-CONNECTED",
    "CL-READY-PROMPT",
    "UP-CREATED-FIRST",
    "UP-VALID-EVENTS",
    "UP-RESPONSE-ORDER",
    "UP-ITEM-LIFECYCLE",
    "UP-RESPONSE-ENDS",
    "UP-NO-ERROR",
    "UP-STAYS-OPEN",
    "UP-ANSWERS",
    "UP-AUDIO-SPEAKS",
    "UP-VAD-PAIRS",
)


def put_in_order() -> None:
    """Sort the registered rules as the catalogue lists them.

    Raises:
        ValueError: a rule is registered that the catalogue lacks, or the other way round.
    """
    strange = set(RULES) ^ set(CATALOGUE)
    if strange:
        raise ValueError(f"the catalogue and the rules differ: {', '.join(sorted(strange))}")
    ordered = {id_: RULES[id_] for id_ in CATALOGUE}
    RULES.clear()
    RULES.update(ordered)
