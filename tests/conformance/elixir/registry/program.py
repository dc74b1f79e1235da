"""Programs for registries: holders that register themselves, what is asked, who dies, and a seeded generator.

Holders are servers, some of them started under a key as their name, some of these supervised, so that they come back
under their key. Names of processes are those of the program: `h2#3` is the third process of holder `h2`.

What it refuses: to look at a process that died in the same moment, which Elixir may still show and suptree never does;
in a `Together` there are only questions that look whether it lives. And to send or cast to a key of a duplicate
registry: such a name is refused by both, but Elixir's send looks for one holder first, and its cast hides any failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.conformance.elixir.draws import Draws
from tests.conformance.plain import Plain

Reason: TypeAlias = Literal["normal", "shutdown", "shutdown_why", "boom", "kill"]
KEYS = ("k1", "k2", "k3")
VALUES = ("a", "b", "c")


@dataclass(frozen=True, slots=True)
class Start:
    """Start holder `id`; with a key, under that name, and with the value if that is not `none`."""

    id: str
    traps: bool
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Supervise:
    """Start holder `id` under a supervisor, permanent, with a key as its name."""

    id: str
    key: str


@dataclass(frozen=True, slots=True)
class Register:
    """Register yourself."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Unregister:
    """Take your entries under the key away."""

    key: str


@dataclass(frozen=True, slots=True)
class UnregisterMatch:
    """Take those with that value away."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Update:
    """Change the value of yours."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Order:
    """Tell a holder to do it."""

    who: str
    action: Register | Unregister | UnregisterMatch | Update


@dataclass(frozen=True, slots=True)
class Die:
    """Make a holder end: by an exit signal (which it may survive), or stopped."""

    who: str
    how: Literal["signal", "stop"]
    reason: Reason


@dataclass(frozen=True, slots=True)
class Call:
    """Call whoever has the key."""

    key: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Cast to whoever has the key."""

    key: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send to whoever has the key."""

    key: str


@dataclass(frozen=True, slots=True)
class PutMeta:
    """Keep something with the registry."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Meta:
    """Ask what is kept."""

    key: str


@dataclass(frozen=True, slots=True)
class DeleteMeta:
    """Forget it."""

    key: str


@dataclass(frozen=True, slots=True)
class KillPartition:
    """Kill the process that owns the table; only where there is one."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Who is under the key?"""

    key: str


@dataclass(frozen=True, slots=True)
class Match:
    """Who is under the key with that value?"""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class CountMatch:
    """How many are?"""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many entries are there?"""


@dataclass(frozen=True, slots=True)
class Select:
    """Which?"""


@dataclass(frozen=True, slots=True)
class CountSelect:
    """How many have that value?"""

    value: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Which keys has that holder?"""

    who: str


@dataclass(frozen=True, slots=True)
class Values:
    """Which values has it under the key?"""

    key: str
    who: str


@dataclass(frozen=True, slots=True)
class Whereis:
    """Who is named by the key?"""

    key: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Call a function with the entries under the key."""

    key: str


Question: TypeAlias = (
    Lookup | Match | CountMatch | Count | Select | CountSelect | Keys | Values | Whereis | Dispatch
)


@dataclass(frozen=True, slots=True)
class Query:
    """Ask."""

    question: Question


Simple: TypeAlias = (
    Start
    | Supervise
    | Order
    | Die
    | Call
    | Cast
    | Send
    | PutMeta
    | Meta
    | DeleteMeta
    | KillPartition
    | Query
)


@dataclass(frozen=True, slots=True)
class Together:
    """Do all of `ops` without a pause between."""

    ops: tuple[Simple, ...]


Op: TypeAlias = Simple | Together


@dataclass(frozen=True, slots=True)
class Program:
    """A registry and what happens to it, in order."""

    seed: int
    keys: Literal["unique", "duplicate"]
    partitions: int
    listens: bool
    ops: tuple[Op, ...]


PLAIN = Plain(
    Start,
    Supervise,
    Register,
    Unregister,
    UnregisterMatch,
    Update,
    Order,
    Die,
    Call,
    Cast,
    Send,
    PutMeta,
    Meta,
    DeleteMeta,
    KillPartition,
    Lookup,
    Match,
    CountMatch,
    Count,
    Select,
    CountSelect,
    Keys,
    Values,
    Whereis,
    Dispatch,
    Query,
    Together,
    Program,
)


def generate(seed: int) -> Program:
    """Make the program that belongs to *seed*."""
    return _Generator(seed).program()


class _Generator(Draws):
    """Draws one program."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seed = seed
        self.holders: list[str] = []
        self.keys: Literal["unique", "duplicate"] = self.pick({"unique": 3, "duplicate": 2})
        self.partitions = self.pick({1: 3, 2: 1, 3: 1})
        self.supervised: list[str] = []
        self.registered: list[tuple[str, str, str]] = []  # who, key and value
        # As many as a registry survives, and only where nobody else comes back: which is first, the name or the table
        # that it is to stand in, would be open.
        self.crashes_left = 3 if self.partitions == 1 and self.chance(0.5) else None

    def program(self) -> Program:
        ops: list[Op] = [self.start() for _ in self.up_to(2, 4)]
        ops += [self.op() for _ in self.up_to(6, 20)]
        return Program(self.seed, self.keys, self.partitions, self.chance(0.5), tuple(ops))

    def op(self) -> Op:
        weights = {"register": 10, "unregister": 3, "match": 2, "update": 3, "query": 10, "die": 3}
        weights |= {"start": 3, "message": 3, "meta": 2, "together": 2}
        weights |= {"supervise": 2} if self.crashes_left is None else {}
        weights |= {"partition": 1} if self.crashes_left else {}
        match self.pick(weights):
            case "register":
                return self.register()
            case "unregister":
                who, key, _ = self.entry()
                return Order(who, Unregister(key))
            case "match":
                who, key, value = self.entry()
                return Order(who, UnregisterMatch(key, value))
            case "update":
                who, key, _ = self.entry()
                return Order(who, Update(key, self.value()))
            case "query":
                return Query(self.question())
            case "die":
                return self.die(self.holder())
            case "start":
                return self.start()
            case "supervise":
                self.supervised.append(self.fresh())
                return Supervise(self.supervised[-1], self.key())
            case "message":
                return self.message()
            case "meta":
                return self.meta()
            case "together":
                return self.together()
            case _:
                assert self.crashes_left is not None
                self.crashes_left -= 1
                return KillPartition()

    def start(self) -> Start:
        id = self.one_of(self.holders) if self.holders and self.chance(0.2) else self.fresh()
        named = self.chance(0.35 if self.keys == "unique" else 0.05)
        value = self.pick({"none": 1, "a": 1, "b": 1}) if named else "none"
        return Start(id, self.chance(0.4), self.key() if named else "", value)

    def register(self) -> Order:
        who, key, value = self.holder(), self.key(), self.value()
        if self.registered and self.chance(0.3):  # once more
            who, key, _ = self.entry()
        self.registered.append((who, key, value))
        return Order(who, Register(key, value))

    def die(self, who: str) -> Die:
        how: Literal["signal", "stop"] = self.pick({"signal": 3, "stop": 1})
        reasons: dict[Reason, int] = {"normal": 1, "shutdown": 1, "shutdown_why": 1, "boom": 2}
        if how == "signal":
            reasons["kill"] = 3
        return Die(who, how, self.pick(reasons))

    def message(self) -> Op:
        key = self.key()
        if self.keys == "duplicate":
            return Call(key)
        messages: tuple[Op, ...] = (Call(key), Cast(key), Send(key))
        return self.one_of(messages)

    def meta(self) -> Op:
        key = self.key()
        match self.pick({"put": 2, "get": 2, "delete": 1}):
            case "put":
                return PutMeta(key, self.value())
            case "get":
                return Meta(key)
            case _:
                return DeleteMeta(key)

    def together(self) -> Together:
        """A death, and at once what looks whether the dead lives; of one that does not come back meanwhile."""
        key = self.key()
        alone = [id for id in self.holders if id not in self.supervised]
        after: list[Simple] = [self.die(self.one_of(alone))]
        for _ in self.up_to(1, 3):
            match self.pick({"register": 3, "start": 2, "whereis": 1, "call": 1}):
                case "register":
                    after.append(Order(self.holder(), Register(key, self.value())))
                case "start":
                    after.append(Start(self.fresh(), False, key, "none"))
                case "whereis":
                    after.append(Query(Whereis(key)))
                case _:
                    after.append(Call(key))
        return Together(tuple(after))

    def question(self) -> Question:
        key, value, who = self.key(), self.value(), self.holder()
        questions: dict[Question, int] = {
            Lookup(key): 4,
            Match(key, value): 1,
            CountMatch(key, value): 1,
            Count(): 1,
            Select(): 2,
            CountSelect(value): 1,
            Keys(who): 3,
            Values(key, who): 2,
            Whereis(key): 2,
            Dispatch(key): 2,
        }
        return self.pick(questions)

    def entry(self) -> tuple[str, str, str]:
        """Something that was registered, mostly."""
        if self.registered and self.chance(0.8):
            return self.one_of(self.registered)
        return self.holder(), self.key(), self.value()

    def fresh(self) -> str:
        self.holders.append(f"h{len(self.holders) + 1}")
        return self.holders[-1]

    def holder(self) -> str:
        return self.one_of(self.holders)

    def key(self) -> str:
        return self.one_of(KEYS)

    def value(self) -> str:
        return self.one_of(VALUES)
