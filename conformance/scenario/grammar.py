"""The grammar: every key of a scenario file, its type and what it means. Loader, JSON Schema and grammar page follow it.

``${x}`` may stand wherever a value may below `client`, `upstream`, `expect`, `forbid` and `mutants`; the loader fills the
references in before it reads these classes, the schema generator adds them as an alternative.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from conformance.scenario.values import (
    DURATION_SHAPE,
    Anchor,
    Count,
    Duration,
    Event,
    Message,
    Name,
    Number,
    Pattern,
    Probability,
    Shape,
    Span,
    Text,
    Times,
    Truth,
    Values,
    refuse_unfilled,
)

VERBS: Final = ("connect", "send", "audio", "wait", "hold", "close", "run")
SOUNDS: Final = ("silence", "tone")


class Part(BaseModel):
    """A mapping of the file; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StepPart(Part):
    """What every step may have."""

    id: Name | None = Field(None, description="names the instant at which the step takes effect")
    after: Anchor | None = Field(None, description="count from this anchor instead of the previous step")
    at: Duration | None = Field(None, description="absolute offset from the previous step's instant, or from `after`")


class ConnectOptions(Part):
    """What a request for a connection may carry."""

    headers: dict[str, Text] = Field(default_factory=dict, description="added to the request")
    query: dict[str, Text] = Field(default_factory=dict, description="added to the URL")


class ConnectStep(StepPart):
    """Open a connection; a second one is a reconnect."""

    connect: ConnectOptions | None = Field(description="nothing, or `headers` and `query` of the request")


class SendStep(StepPart):
    """Send one frame."""

    send: Message = Field(
        description="a message, text sent as it is, or a binary frame: `$binary: text`, `$hex: 7b7d`, `$bytes: 16MiB`"
    )


class AudioStep(StepPart):
    """Send audio in the background."""

    audio: Annotated[
        Any,
        Shape(
            {
                "anyOf": [
                    {"type": "string", "minLength": 1},
                    *(
                        {
                            "type": "object",
                            "properties": {sound: DURATION_SHAPE},
                            "required": [sound],
                            "additionalProperties": False,
                        }
                        for sound in SOUNDS
                    ),
                ]
            }
        ),
    ] = Field(description="a WAV file below the scenario root, `silence: 1s` or `tone: 1s`")
    chunk: Span = Field(20_000, description="the audio in one frame; 20ms unless said")
    pace: Literal["realtime", "burst"] = Field("realtime", description="`realtime`, or `burst`: all frames at once")


class WaitStep(StepPart):
    """Wait for an event received after the previous `wait` matched."""

    wait: Pattern = Field(description="a pattern on the client leg, or with `upstream:` before it on the other")
    within: Span = Field(description="how long to wait at most")
    save: dict[str, Text] | None = Field(None, description="variable: dotted path in the event, such as `functions.0.id`")


class HoldStep(StepPart):
    """Let time pass."""

    hold: Span = Field(description="how long")


class CloseOptions(Part):
    """How to close."""

    code: Number = Field(1000, description="the close code")
    reason: str = Field("", description="the close reason")
    late: Duration | None = Field(None, description="bounds the late window, 5 s unless said")
    abort: Truth = Field(False, description="true: drop the connection without a closing handshake")


def _closing(value: Any) -> Any:
    if value is None:
        return {}
    refuse_unfilled(value)
    return {"code": value} if isinstance(value, int) and not isinstance(value, bool) else value


class CloseStep(StepPart):
    """Close the connection."""

    close: Annotated[
        CloseOptions, BeforeValidator(_closing), Shape({"type": ["integer", "null"], "minimum": 0}, beside=True)
    ] = Field(description="a close code (1000), or `code`, `reason`, `late`, `abort`")


class RunOptions(Part):
    """Which Python step, with what."""

    name: Text = Field(description="the registered name")
    args: dict[str, Any] = Field(default_factory=dict, description="keyword arguments")


class RunStep(StepPart):
    """Run a registered Python step."""

    run: Annotated[
        RunOptions,
        BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value),
        Shape({"type": "string", "minLength": 1}, beside=True),
    ] = Field(description="a registered name, or `name` and `args`")


STEPS: Final[Mapping[str, type[StepPart]]] = {
    "connect": ConnectStep,
    "send": SendStep,
    "audio": AudioStep,
    "wait": WaitStep,
    "hold": HoldStep,
    "close": CloseStep,
    "run": RunStep,
}
"""The class of each verb."""


def verbs_of(step: Any) -> list[str]:
    """Return the verbs a step has; one is right."""
    return [verb for verb in VERBS if verb in step] if isinstance(step, Mapping) else []


def _verb_tag(step: Any) -> str | None:
    verbs = verbs_of(step)
    return f":{verbs[0]}" if len(verbs) == 1 else None


Step = Annotated[
    Annotated[ConnectStep, Tag(":connect")]
    | Annotated[SendStep, Tag(":send")]
    | Annotated[AudioStep, Tag(":audio")]
    | Annotated[WaitStep, Tag(":wait")]
    | Annotated[HoldStep, Tag(":hold")]
    | Annotated[CloseStep, Tag(":close")]
    | Annotated[RunStep, Tag(":run")],
    Discriminator(_verb_tag, custom_error_type="verb", custom_error_message="verb"),
]


def _fault(value: Any) -> Any:
    """Take ``close,code=1000``, the command line's way to write a fault, apart; what is wrong in it is found later."""
    if not isinstance(value, str):
        return value
    name, *pairs = value.split(",")
    params = {key: int(text) if text.isdigit() else text for key, _, text in (pair.partition("=") for pair in pairs)}
    return {**params, "name": name}


class FaultPart(BaseModel):
    """A named fault and its parameters, which stand beside the name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Text = Field(description="a fault of the table")


class RulePart(Part):
    """One exception to the faithful mock."""

    id: Name | None = Field(None, description="names the rule in recordings")
    when: Pattern | None = Field(None, description="a client event received, or a server event about to be sent")
    at: Duration | None = Field(None, description="offset from the opening of the connection")
    delay: Duration = Field(0, description="wait this long before the answer")
    times: Times | None = Field(None, description="spent after this many matches; unlimited unless said")
    reply: list[Event] | None = Field(
        None, description="events that replace the answer; what they lack is filled in, unless `raw: true`"
    )
    fault: Annotated[FaultPart | None, BeforeValidator(_fault), Shape({"type": "string", "minLength": 1}, beside=True)] = (
        Field(None, description="a fault's name, or `name` and its parameters")
    )
    probability: Probability = Field(1.0, description="how likely the rule acts, by the attempt's seed")
    conn: Number | None = Field(None, description="only on this connection of the attempt: 0, 1, …")


class CheckPart(Part):
    """What must, or must not, be seen."""

    id: Name = Field(description="names the check")
    client: Pattern | None = Field(None, description="the pattern, on the client leg")
    upstream: Pattern | None = Field(None, description="the pattern, on the upstream leg")
    after: Anchor | None = Field(None, description="from this anchor on")
    before: Anchor | None = Field(None, description="up to this anchor")
    within: Span | None = Field(None, description="no later than this after `after`, or after the first client frame")
    count: Count | None = Field(None, description="how many: a number, or `$gt` and `$lt`; at least one unless said")
    level: Literal["must", "should", "info"] = Field("must", description="a broken should warns, an info is only shown")
    ref: Text | None = Field(None, description="the rule the check rests on")


class MutantPart(Part):
    """A deviation under which checks must fail."""

    id: Name = Field(description="names the mutant")
    rules: list[RulePart] = Field(min_length=1, description="go before the script's own rules")
    fails: list[Text] = Field(min_length=1, description="checks that must fail")
    also: list[Text] = Field(default_factory=list, description="checks that may fail, too")


class UpstreamPart(BaseModel):
    """How the mock behaves; the mock's own settings stand beside these keys."""

    model_config = ConfigDict(extra="allow", frozen=True)

    profile: Text = Field("realtime-ga", description="whose defaults: a profile of the mock")
    rules: list[RulePart] = Field(default_factory=list, description="exceptions, tried in order: the first live match wins")
    replay: Text | None = Field(
        None,
        description="a recording (.jsonl) or cassette (.yaml) to serve instead, relative to this file; "
        "`strict: true` beside it ends the session at what the recording has not",
    )


class ScenarioPart(Part):
    """One scenario: what the client does, how the mock deviates, what must and must not be seen."""

    scenario: Text = Field(description="its path below the scenario root, without .yaml")
    title: str = Field("", description="one sentence: what it proves")
    flow: Name = Field(description="what it exercises; the report compares flows")
    refs: list[Text] = Field(default_factory=list, description="rules it is about; a policy rule named here is on")
    tags: list[Text] = Field(
        default_factory=list,
        description="words to select by; `scripted`: says nothing without its script, so never tried on the real API",
    )
    speaks: Literal["voice-agent", "realtime"] = Field("voice-agent", description="the protocol of the client leg")
    vars: dict[str, Any] = Field(default_factory=dict, description="constants, used as `${name}`")
    matrix: dict[str, Values] = Field(
        default_factory=dict, description="values to combine into cells: a list, or a mapping of label to value"
    )
    client: list[Step] = Field(min_length=1, description="the steps")
    upstream: UpstreamPart = Field(UpstreamPart.model_validate({}), description="the mock's script; `--real` ignores it")
    expect: list[CheckPart] = Field(default_factory=list, description="what must be seen")
    forbid: list[CheckPart] = Field(default_factory=list, description="what must not be seen")
    mutants: list[MutantPart] = Field(default_factory=list, description="deviations that the checks must catch")


FILLED: Final = ("client", "upstream", "expect", "forbid", "mutants")
"""The keys below which ``${x}`` may stand."""
