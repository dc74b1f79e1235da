"""Programs for tasks: an owner that starts tasks, waits for them and streams over them, and a seeded generator.

The owner, and every task that hangs, does what it is ordered to, one order at a time: so a program decides when
a task returns, raises or exits, who waits for whom meanwhile, and when a stream's consumer takes its next result.
Names of processes are those of the program: `t3` is a task, `x4.0` the task of the first item of stream `x4`.

What it refuses: anything whose outcome the BEAM leaves to the scheduler or the clock. Time limits are 0, infinity, or
run out for certain; an unordered stream has one task at a time, or tasks that end one by one. A value is asked for once:
here it is with the handle, and may be asked for again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tests.conformance.elixir.draws import Draws
from tests.conformance.plain import Plain

Reason: TypeAlias = Literal["normal", "shutdown", "shutdown_why", "boom", "kill"]
HowStarted: TypeAlias = Literal["async", "sup_async", "nolink", "start", "start_link", "child"]
HowStreamed: TypeAlias = Literal["async", "sup_async", "nolink"]
HowFinished: TypeAlias = Literal["return", "raise", "exit", "throw"]
Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
ChildShutdown: TypeAlias = int | Literal["brutal_kill", "infinity"]
Timeout: TypeAlias = int | Literal["infinity"]
"""Milliseconds."""


@dataclass(frozen=True, slots=True)
class Obey:
    """Hang, and do what is ordered."""

    traps: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """End: with a value, an exception, an exit reason, or (an exception here) a throw."""

    how: HowFinished
    word: str


Body: TypeAlias = Obey | Finish


@dataclass(frozen=True, slots=True)
class Start:
    """Start `task`; the last two are for `child` alone."""

    task: str
    how: HowStarted
    body: Body
    restart: Restart = "temporary"
    shutdown: ChildShutdown = 5000


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for a value; `caught` says whether the failure is survived."""

    task: str
    timeout: Timeout
    caught: bool


@dataclass(frozen=True, slots=True)
class AwaitMany:
    """Wait for all values."""

    tasks: tuple[str, ...]
    timeout: Timeout
    caught: bool


@dataclass(frozen=True, slots=True)
class Yield:
    """Look after a task."""

    task: str
    timeout: Timeout


@dataclass(frozen=True, slots=True)
class YieldMany:
    """Look after several."""

    tasks: tuple[str, ...]
    timeout: Timeout


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End a task; a number of milliseconds only for one that will not stop in them, or stops at once."""

    task: str
    how: int | Literal["brutal_kill", "infinity"]


@dataclass(frozen=True, slots=True)
class Ignore:
    """Let a task go."""

    task: str


@dataclass(frozen=True, slots=True)
class Stream:
    """Stream over `items`, each told what its task does. `manual`: the consumer stops after each result until `Take`."""

    id: str
    how: HowStreamed
    items: tuple[Body, ...]
    max: int
    ordered: bool
    timeout: Timeout
    on_timeout: Literal["exit", "kill_task"]
    zip: bool
    manual: bool
    caught: bool


@dataclass(frozen=True, slots=True)
class Take:
    """To a consumer: go on."""


@dataclass(frozen=True, slots=True)
class Halt:
    """To a consumer: take no more."""


@dataclass(frozen=True, slots=True)
class Trap:
    """Trap exits from now on, or no more."""

    flag: bool


@dataclass(frozen=True, slots=True)
class Mail:
    """Tell the exits in the mailbox."""


Action: TypeAlias = (
    Start
    | Await
    | AwaitMany
    | Yield
    | YieldMany
    | Shutdown
    | Ignore
    | Stream
    | Take
    | Halt
    | Trap
    | Mail
    | Finish
)


@dataclass(frozen=True, slots=True)
class Order:
    """Tell `who` to do `action`, once it has done what it does."""

    who: str
    action: Action


@dataclass(frozen=True, slots=True)
class Signal:
    """An exit signal from a stranger."""

    who: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Children:
    """Ask the task supervisor for its children."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask the task supervisor to terminate a task."""

    who: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the task supervisor, or kill it."""

    reason: Reason


Op: TypeAlias = Order | Signal | Children | Terminate | Stop


@dataclass(frozen=True, slots=True)
class Program:
    """`traps` is the owner's; the two limits are the task supervisor's."""

    seed: int
    traps: bool
    max_restarts: int
    max_children: int | Literal["infinity"]
    ops: tuple[Op, ...]


PLAIN = Plain(
    Obey,
    Finish,
    Start,
    Await,
    AwaitMany,
    Yield,
    YieldMany,
    Shutdown,
    Ignore,
    Stream,
    Take,
    Halt,
    Trap,
    Mail,
    Order,
    Signal,
    Children,
    Terminate,
    Stop,
    Program,
)


def generate(seed: int) -> Program:
    """Make the program that belongs to *seed*."""
    return _Generator(seed).program()


class _Generator(Draws):
    """Draws one program, and keeps in mind roughly who hangs and who waits for whom, so that orders make sense."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seed = seed
        self.count = 0
        self.hanging: list[str] = ["owner"]
        self.valued: list[str] = []  # tasks whose value nobody has asked for
        self.starter: dict[str, str] = {}
        self.stubborn: set[str] = set()
        self.waiting: dict[str, tuple[str, ...]] = {}  # on whom somebody waits
        self.consumers: list[str] = []  # of manual streams
        self.streams = self.unordered = False
        self.traps = False
        self.max_children: int | Literal["infinity"] = "infinity"

    def program(self) -> Program:
        self.traps = self.chance(0.5)
        self.streams = self.chance(0.6)
        self.unordered = self.chance(0.35)
        self.max_children = self.pick({"infinity": 8, 1: 1, 2: 1, 3: 1})
        ops = [self.op() for _ in self.up_to(5, 16)]
        return Program(
            seed=self.seed,
            traps=self.traps,
            max_restarts=self.pick({0: 1, 1: 2, 3: 3}),
            max_children=self.max_children,
            ops=tuple(ops),
        )

    def op(self) -> Op:
        if self.consumers and self.chance(0.45):
            return self.to_consumer()
        if self.waiting and self.chance(0.4):
            return self.for_waiting()
        weights = {"start": 8, "wait": 8, "tell": 5, "signal": 3}
        weights |= {"mail": 4 if self.traps else 1}
        weights |= {"children": 2, "terminate": 1}
        # A supervisor that ends ends all tasks at once: what a stream makes of them is open.
        # And whether its consumer traps exits, Elixir asks once for each stream.
        weights |= {"stream": 8} if self.streams else {"stop": 1, "trap": 2}
        match self.pick(weights):
            case "start":
                return self.start()
            case "stream":
                return self.stream()
            case "wait":
                return self.wait()
            case "tell":
                return Order(self.some_hanging(), self.finish())
            case "signal":
                return Signal(self.somebody(), self.reason())
            case "mail":
                return Order("owner", Mail())
            case "trap":
                return Order("owner", Trap(self.chance(0.6)))
            case "children":
                return Children()
            case "terminate":
                return Terminate(self.one_of([*self.valued, "owner"]))
            case _:
                return Stop(self.reason())

    # -- tasks

    def start(self) -> Order:
        who = self.starter_of()
        task = self.fresh("t")
        how: HowStarted = self.pick(
            {"async": 4, "sup_async": 4, "nolink": 4, "start": 1, "start_link": 1, "child": 3}
        )
        start = Start(task, how, self.body())
        if how == "child":
            start = self.as_child(start)
        elif how in ("sup_async", "nolink"):
            start = replace(
                start,
                body=replace(start.body, traps=False)
                if isinstance(start.body, Obey)
                else start.body,
            )
        if isinstance(start.body, Obey):
            self.hanging.append(task)
            if start.body.traps:
                self.stubborn.add(task)
        if how in ("async", "sup_async", "nolink"):
            self.valued.append(task)
            self.starter[task] = who
        return Order(who, start)

    def as_child(self, start: Start) -> Start:
        restart: Restart = "temporary"
        if not self.streams:  # too many restarts end the supervisor
            restart = self.pick({"temporary": 3, "transient": 2, "permanent": 2})
        stubborn = isinstance(start.body, Obey) and start.body.traps
        shutdown: ChildShutdown = self.pick({5000: 3, "infinity": 1, "brutal_kill": 1})
        if stubborn:
            shutdown = self.pick({20: 1, "brutal_kill": 2})
        return replace(start, restart=restart, shutdown=shutdown)

    def body(self) -> Body:
        if self.chance(0.65):
            return Obey(traps=self.chance(0.15))
        return self.finish()

    def finish(self) -> Finish:
        how: HowFinished = self.pick({"return": 6, "raise": 3, "exit": 4, "throw": 1})
        if how == "exit":
            return Finish(how, self.reason())
        return Finish(how, self.one_of(("a", "b", "c")))

    def reason(self) -> Reason:
        return self.pick({"normal": 2, "shutdown": 2, "shutdown_why": 1, "boom": 3, "kill": 2})

    # -- waiting

    def wait(self) -> Order:
        if not self.valued or self.chance(0.05):
            return Order(self.some_hanging(), Yield(self.somebody(), 0))
        task = self.one_of(self.valued)
        owner = self.starter[task] if self.chance(0.95) else self.some_hanging()
        many = tuple(
            self.random.sample(self.valued, min(len(self.valued), self.random.randint(1, 3)))
        )
        kind = self.pick(
            {"await": 5, "yield": 4, "shutdown": 4, "ignore": 1, "await_many": 2, "yield_many": 2}
        )
        timeout: Timeout = self.pick({0: 2, "infinity": 3})
        if kind in ("await", "await_many", "shutdown", "ignore"):
            self.valued = [
                t for t in self.valued if t not in (many if kind == "await_many" else (task,))
            ]
        if timeout == "infinity" and kind in ("await", "yield"):
            self.waiting[owner] = (task,)
        elif timeout == "infinity" and kind in ("await_many", "yield_many"):
            self.waiting[owner] = many
        match kind:
            case "await":
                return Order(owner, Await(task, timeout, self.chance(0.6)))
            case "await_many":
                return Order(owner, AwaitMany(many, timeout, self.chance(0.6)))
            case "yield":
                return Order(owner, Yield(task, timeout))
            case "yield_many":
                return Order(owner, YieldMany(many, timeout))
            case "ignore":
                return Order(owner, Ignore(task))
            case _:
                return Order(
                    owner, Shutdown(task, self.pick({"brutal_kill": 2, "infinity": 3, 20: 1}))
                )

    def for_waiting(self) -> Op:
        """End, in one way or another, what somebody waits for."""
        owner = self.one_of(list(self.waiting))
        task = self.one_of(self.waiting[owner])
        rest = tuple(t for t in self.waiting[owner] if t != task)
        if rest:
            self.waiting[owner] = rest
        else:
            del self.waiting[owner]
        if self.chance(0.2):
            return Signal(task, self.reason())
        return Order(task, self.finish())

    # -- streams

    def stream(self) -> Order:
        id = self.fresh("x")
        timed = self.chance(0.12)
        ordered = not self.unordered or self.chance(0.2)
        on_timeout: Literal["exit", "kill_task"] = self.pick({"exit": 1, "kill_task": 2})
        # What Elixir leaves running when a late task ends the stream is left out.
        max = 1 if timed and on_timeout == "exit" else self.random.randint(1, 4)
        items: list[Body] = []
        how: HowStreamed = self.pick({"async": 2, "sup_async": 2, "nolink": 3})
        for k in self.up_to(0, 6):
            end = self.finish()
            obey = self.chance(0.55) or (not ordered and max > 1)
            if max > 1 and (
                self.max_children != "infinity" or (how != "nolink" and end.how != "return")
            ):
                obey = True  # it, or the limit, may end the stream: which tasks have had a turn then is open
            items.append(Obey() if obey else end)
            if obey and not timed:
                self.hanging.append(f"{id}.{k}")
        manual = not timed and self.chance(0.7)
        who = self.starter_of()
        if manual:
            self.consumers.append(who)
        return Order(
            who,
            Stream(
                id=id,
                how=how,
                items=tuple(items),
                max=max,
                ordered=ordered or timed,
                timeout=50 if timed else "infinity",
                on_timeout=on_timeout,
                zip=self.chance(0.5),
                manual=manual,
                caught=self.chance(0.6),
            ),
        )

    def to_consumer(self) -> Op:
        who = self.one_of(self.consumers)
        match self.pick({"take": 6, "item": 6, "halt": 1, "finish": 1}):
            case "take":
                return Order(who, Take())
            case "item":
                items = [name for name in self.hanging if name[0] == "x"]
                return Order(
                    self.one_of(items) if items else who, self.finish() if items else Take()
                )
            case "halt":
                self.consumers.remove(who)
                return Order(who, Halt())
            case _:
                self.consumers.remove(who)
                return Order(who, self.finish())

    # -- who

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def starter_of(self) -> str:
        return "owner" if self.chance(0.8) else self.some_hanging()

    def some_hanging(self) -> str:
        """Seldom the owner: without it the rest of a run is dull."""
        others = self.hanging[1:]
        return self.one_of(others) if others and self.chance(0.93) else "owner"

    def somebody(self) -> str:
        others = [*self.hanging[1:], *self.valued]
        return self.one_of(others) if others and self.chance(0.9) else "owner"
