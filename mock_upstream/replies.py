"""Scripted replies: each partial event of a script becomes a valid one that fits the session.

Only the events the script lists are sent, in its order. What an event lacks is filled in: ids, indices, the response or
session object, the trigger's item, the words said so far; what the script says wins. What an event means for the session
comes true with it: items become known to the conversation, a response becomes active or ends, a configuration comes into
force. ``raw`` events go out as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any

from conformance.wire.events import ga_name
from conformance.wire.script import Reply, ScriptRule
from mock_upstream import beta
from mock_upstream.completion import COMPLETERS
from mock_upstream.outbox import Outgoing
from mock_upstream.scene import Scene, item_type
from mock_upstream.state import State


def play(
    state: State, rule: ScriptRule, trigger: Mapping[str, Any] | None = None, replaced: Outgoing | None = None
) -> None:
    """Send a rule's reply: to a client event (``trigger``), in place of a server event (``replaced``), or unasked."""
    scene = Scene(state, trigger, replaced)
    for reply in rule.reply or ():
        event, sent = _complete(scene, reply)
        state.tell_scripted(event, rule.id or None, sent)


def merged(completed: Any, given: Any) -> Any:
    """Return what was completed, overridden by what was given; lists of objects are merged one by one."""
    if isinstance(completed, Mapping) and isinstance(given, Mapping):
        return {**completed, **{key: merged(completed.get(key), value) for key, value in given.items()}}
    if isinstance(given, list) and isinstance(completed, list) and len(given) == len(completed):
        return [merged(ours, theirs) for ours, theirs in zip(completed, given, strict=True)]
    return given


def _is_like(given: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Tell whether a script's event is of the same type as another, and about the same kind of item."""
    item, other = given.get("item") or {}, event.get("item") or {}
    same = item_type(item) in (None, other.get("type")) and item.get("role", other.get("role")) == other.get("role")
    return given.get("type") == event.get("type") and same


def _complete(scene: Scene, reply: Reply) -> tuple[Mapping[str, Any], Callable[[], None] | None]:
    given = reply.event
    if reply.raw:
        return given, None
    type_ = given.get("type")
    replaced = scene.replaced
    if replaced is not None and _is_like(given, replaced.event):
        scene.replaced = None  # its effect comes true once
        event_id = {"event_id": scene.state.new_id("event")}
        return merged({**replaced.event, **event_id}, given), replaced.sent
    ga_type = ga_name(str(type_)) if scene.state.beta else str(type_)
    complete = COMPLETERS.get(ga_type)
    if complete is None:
        return merged(scene.state.event(str(type_)), given), None
    event, sent = complete(scene, ga_type, given)
    if scene.state.beta:
        event = beta.outbound(event, scene.state.knobs, scene.state.config) or event
    return merged(event, given), sent
