"""The family of links, monitors and exit signals is strong: it asks for everything, and it notices faults.

`tests/conformance/test_random_programs.py` runs some programs in every mode, as for all families. Here more are run in the
plain mode, what must occur in their traces is listed, and faults of one line are planted in suptree's signals.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from suptree.core import EXITING, KILL, NOPROC, NORMAL, Pid, api, signals
from suptree.core.lifecycle import LateLink, LateMonitor, Monitor
from suptree.core.messages import DOWN, EXIT, Exit
from suptree.core.names import Names
from suptree.core.pid import Ref
from suptree.core.process import Process
from suptree.core.reaper import Reaper
from suptree.core.runtime import Runtime
from suptree.core.signals import Signals
from tests.conformance.family import Normaliser, Trace
from tests.conformance.signals import FAMILY
from tests.conformance.signals.fairness import Burst, is_fair
from tests.conformance.signals.program import (
    Do,
    Hold,
    Link,
    Program,
    Send,
    Trap,
)
from tests.conformance.signals.program import (
    Exit as ExitSignal,
)
from tests.conformance.signals.rules import from_side_to_side, no_last_words, threads_apart

FIRST_SEED, COUNT = 30_000, 400

suptree = FAMILY.modes["plain"]


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return [FAMILY.generate(seed) for seed in range(FIRST_SEED, FIRST_SEED + COUNT)]


@pytest.fixture(scope="module")
def judged(judge_of, programs: list[Program]) -> list[Trace]:
    judge, rules = judge_of(FAMILY), Normaliser(FAMILY.rules)
    return [rules.apply(judge(program)) for program in programs]


def first_divergence(programs: list[Program], judged: list[Trace]) -> Program | None:
    rules = Normaliser(FAMILY.rules)
    pairs = zip(programs, judged, strict=True)
    return next((p for p, trace in pairs if rules.apply(suptree(p)) != trace), None)


def test_suptree_leaves_the_trace_of_erlang_on_many_programs(programs, judged):
    found = first_divergence(programs, judged)

    assert found is None, FAMILY.to_json(found)


# --- what the generator asks for -------------------------------------------------------------------------------------

FEATURES = {
    "a link to the dead is refused": r"^p\d+ link p\d+ noproc$",
    "a link to the dead is an exit to one that traps": r"^p\d+ got exit p\d+ noproc$",
    "a link to oneself": r"^(p\d+) link \1 true$",
    "a second link": r"^(p\d+) link (p\d+) true\n\1 link \2 true$",
    "an unlink": r"^p\d+ unlink p\d+ true$",
    "an unlink from one that was just told to die": r"^(p\d+) exits (p\d+) \w+\n\1 unlink \2 true$",
    "a monitor of oneself": r"^(p\d+) monitor m\d+ \1 ok$",
    "a monitor of a name": r"^p\d+ got down m\d+ n\d (?!noproc)",
    "a monitor of an unknown name": r"^p\d+ got down m\d+ n\d noproc$",
    "a monitor of the dead": r"^p\d+ got down m\d+ p\d+ noproc$",
    "several monitors of one": r"monitors=[pn\d,]*\b(p\d+),\1",
    "an end of a monitor in time": r"^p\d+ demonitor m\d+ false true$",
    "an end of a monitor too late": r"^p\d+ demonitor m\d+ false false$",
    "a flush in time": r"^p\d+ demonitor m\d+ true true$",
    "a flush too late": r"^p\d+ demonitor m\d+ true false$",
    "an exit and a down of one death": r"^(p\d+) got exit (p\d+) (\w+)\n\1 got down m\d+ \2 \3$",
    "trapping begins": r"^p\d+ trap true false$",
    "trapping ends": r"^p\d+ trap false true$",
    "a normal signal to another": r"^(p\d+) exits (?!\1)p\d+ normal$",
    "a normal signal to oneself is the end": r"^(p\d+) exits \1 normal\n\1 ended normal$",
    "a normal signal to oneself is trapped": r"^(p\d+) got exit \1 normal$",
    "a kill": r"^p\d+ ended killed$",
    "a kill of oneself": r"^(p\d+) exits \1 kill\n\1 ended killed$",
    "an exit with kill": r"^(p\d+) quit exit kill\n\1 ended kill$",
    "kill as an ordinary reason": r"^p\d+ got exit p\d+ kill$",
    "killed as an ordinary reason": r"^p\d+ exits p\d+ killed$",
    "a kill, trapped by a linked process": r"^p\d+ got exit p\d+ killed$",
    "a shutdown with a detail": r"^p\d+ got (exit|down m\d+) p\d+ \{shutdown,x\}$",
    "a crash": r"^p\d+ ended crash\(boom\)$",
    "an error whose reason is normal": r"^p\d+ ended crash\(normal\)$",
    "a crash in link": r"^(p\d+) bare link p\d+\n\1 ended crash\(noproc\)$",
    "a crash in send": r"^(p\d+) bare send n\d t\d+\n\1 ended crash\(badarg\)$",
    "a return": r"^(p\d+) quit return normal\n\1 ended normal$",
    "a normal end that is trapped": r"^(p\d+) got exit (?!\1)p\d+ normal$",
    "a death of three or more": r"^p\d+ ended(?:.*\n(?!op )){1,9}p\d+ ended(?:.*\n(?!op )){1,9}p\d+ ended",
    "three links": r"links=p\d+,p\d+,p\d+",
    "a name": r"^p\d+ register n\d p\d+ true$",
    "a name that is refused": r"^p\d+ register n\d p\d+ badarg$",
    "a name given back": r"^p\d+ unregister n\d true$",
    "a name that nobody has to give back": r"^p\d+ unregister n\d badarg$",
    "a name looked up": r"^p\d+ whereis n\d p\d+$",
    "a name freed by death": r"^names (?!nobody).*\n(?:.*\n){0,9}?names nobody",
    "a message to a name": r"^p\d+ send n\d t\d+ ok$",
    "a message to an unknown name": r"^p\d+ send n\d t\d+ badarg$",
    "one that lives": r"^p\d+ alive p\d+ true$",
    "one that does not": r"^p\d+ alive p\d+ false$",
    "a child that ends before its parent goes on": r"^p\d+ spawn_link (p\d+) ok\n(?:.*\n){0,9}?\1 ended",
    "a monitored child": r"^p\d+ spawn_monitor p\d+ ok$",
    "a child of a child": r"^(p\d+) spawn\w* (p\d+) ok\n(?:.*\n)*?\2 spawn",
    "a full mailbox": r"queue=[4-9]",
    "all that is there": r"^(p\d+) take all\n\1 got ",
    "a message from behind others": r"^p\d+ take message (t\d+) message \1$",
    "an exit from behind others": r"^p\d+ take exit (p\d+) exit \1 ",
    "a down from behind others": r"^p\d+ take down (m\d+) down \1 ",
    "nothing": r"^p\d+ take message t\d+ nothing$",
    "a timer stopped": r"^p\d+ cancel t\d+ left$",
    "a timer stopped twice": r"^p\d+ cancel t\d+ gone$",
    "a timer of no time": r"^p\d+ soon t\d+ gone$",
    "an operation on the dead": r"^absent p\d+$",
}


@pytest.fixture(scope="module")
def many_traces() -> str:
    rules = Normaliser(FAMILY.rules)
    return "\n".join("\n".join(rules.apply(suptree(FAMILY.generate(k)))) for k in range(1000))


@pytest.mark.parametrize("feature", FEATURES)
def test_programs_ask_for(feature, many_traces):
    assert re.search(FEATURES[feature], many_traces, re.MULTILINE)


def test_all_programs_are_fair_and_small_ones_stay_so(programs):
    assert all(map(is_fair, programs))
    assert all(is_fair(smaller) for smaller in FAMILY.smaller(programs[0]))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (ExitSignal("p2", "boom"), ExitSignal("p3", "shutdown")),
        (ExitSignal("p2", "boom"), Send("p3", "t1")),
        (ExitSignal("p2", "boom"), Link("p2")),
        (ExitSignal("p1", "boom"), Trap(False)),
    ],
)
def test_what_the_scheduler_decides_is_refused(first, then):
    burst = Burst("p1")

    assert burst.take(first)
    assert not burst.take(then)


def test_what_a_held_process_was_told_is_one_burst():
    do = [Do("p1", (ExitSignal("p2", "boom"),)), Do("p1", (ExitSignal("p3", "shutdown"),))]

    assert is_fair(Program(0, ("p1", "p2", "p3"), tuple(do)))
    assert not is_fair(Program(0, ("p1", "p2", "p3"), (Hold("p1"), *do)))


# --- what the rules forgive ------------------------------------------------------------------------------------------


def trace(*events: str, links: str = "") -> Trace:
    """One operation in which *events* happened to processes that were linked as *links* says, such as `p1-p2 p2-p3`."""
    made = [
        f"{one} link {other} true" for one, other in (pair.split("-") for pair in links.split())
    ]
    return ["op 0", *made, *events, "names nobody nobody"]


def test_events_of_several_processes_are_put_together_in_their_order():
    mixed = [
        "op 1",
        "p2 ended boom",
        "p1 got message t2",
        "p2 x",
        "p1 got message t1",
        "view p1 x",
        "names",
    ]

    assert threads_apart(mixed) == [
        *(
            "op 1",
            "p1 got message t2",
            "p1 got message t1",
            "p2 ended boom",
            "p2 x",
            "view p1 x",
            "names",
        )
    ]


VICTIMS = ("p9 exits p2 boom", "p9 exits p3 boom", "p2 ended boom", "p3 ended boom")


def test_deaths_beside_one_another_are_told_in_any_order():
    one, two = "p1 got exit p3 boom", "p1 got down m1 p2 boom"

    assert from_side_to_side(trace(*VICTIMS, one, two)) == from_side_to_side(
        trace(*VICTIMS, two, one)
    )


def test_a_death_is_told_before_the_death_that_it_caused():
    caused = ("p9 exits p2 boom", "p2 ended boom", "p3 ended boom", "p1 got exit p3 boom")

    wrong = trace(*caused, "p1 got exit p2 boom", links="p2-p3")

    assert from_side_to_side(wrong) == wrong


@pytest.mark.parametrize(
    "received",
    [
        ("p1 got exit p2 boom", "p1 got down m1 p2 boom"),
        ("p1 got message t1", "p1 got exit p2 boom"),
        ("p1 got message t1", "p1 got message t2"),
    ],
)
def test_what_one_sender_sent_and_messages_keep_their_order(received):
    for order in (received, received[::-1]):
        assert from_side_to_side(trace(*VICTIMS, *order)) == trace(*VICTIMS, *order)


def test_noproc_has_no_place_among_what_came_with_it():
    asked = ("p1 monitor m1 p2 ok", "p1 send p1 t1 ok")
    one, two = "p1 got down m1 p2 noproc", "p1 got message t1"

    assert from_side_to_side(trace(*asked, one, two)) == from_side_to_side(trace(*asked, two, one))


def test_the_last_words_of_one_that_dies_of_a_signal_are_left_out():
    assert no_last_words(["p1 got message t1", "p1 ended boom"]) == ["p1 ended boom"]


def test_what_one_received_that_ends_by_itself_is_kept():
    by_itself = ["p1 got message t1", "p1 quit exit boom", "p1 ended boom"]

    assert no_last_words(by_itself) == by_itself


# --- planted faults --------------------------------------------------------------------------------------------------

Fault = Callable[[pytest.MonkeyPatch], None]
FAULTS: dict[str, Fault] = {}


def fault(plant: Fault) -> Fault:
    """Add to `FAULTS`, under the words of its name."""
    FAULTS[plant.__name__.replace("_", " ")] = plant
    return plant


@fault
def a_kill_is_seen_as_kill(patch):
    patch.setattr(signals, "KILLED", KILL)


@fault
def a_kill_can_be_trapped(patch):
    signal = Signals._exit_signal
    patch.setattr(
        Signals,
        "_exit",
        lambda self, p, sender, reason: signal(self, p, sender, reason, asked=True),
    )


@fault
def kill_from_a_link_cannot_be_trapped(patch):
    def exit_from_link(self, dead, process, reason):
        if reason is KILL:
            process.doom(reason)
        else:
            self._exit_signal(process, dead, reason, asked=False)

    patch.setattr(Signals, "exit_from_link", exit_from_link)


@fault
def a_normal_signal_kills(patch):
    def signal(self, process, sender, reason, *, asked):
        if process.trap_exit:
            process.deliver((EXIT, Exit(process.pid if sender is None else sender.pid, reason)))
        else:
            process.doom(reason)

    patch.setattr(Signals, "_exit_signal", signal)


@fault
def an_exit_message_names_its_receiver(patch):
    deliver = Process.deliver

    def wrong(self, envelope):
        deliver(
            self, (EXIT, Exit(self.pid, envelope[1].reason)) if envelope[0] == EXIT else envelope
        )

    patch.setattr(Process, "deliver", wrong)


@fault
def unlink_does_nothing(patch):
    patch.setattr(Signals, "unlink", lambda self, process, target: None)


@fault
def unlink_forgets_those_who_unwind(patch):
    patch.setattr(signals, "_dying", lambda target: None)


@fault
def unlink_removes_one_half(patch):
    def unlink_processes(self, one, other):
        if one.links is not None:
            one.links.pop(other, None)

    patch.setattr(Signals, "unlink_processes", unlink_processes)


@fault
def a_link_has_one_half(patch):
    def tie(one, other):
        one.links = one.links or {}
        one.links[other] = None

    patch.setattr(signals, "tie", tie)


@fault
def a_link_to_one_that_unwinds_is_answered_at_once(patch):
    watch = signals._watch

    def watch_or_tell(monitor):
        watch(monitor)
        if isinstance(monitor, LateLink):
            monitor.tell(NOPROC)

    patch.setattr(signals, "_watch", watch_or_tell)


@fault
def a_monitor_of_one_that_unwinds_is_a_monitor_of_the_living(patch):
    patch.setattr(LateMonitor, "tell", Monitor.tell)


@fault
def a_link_to_the_dead_is_made_in_silence(patch):
    link = Signals.link

    def silent(self, process, target):
        if self.find(target) is not None:
            link(self, process, target)

    patch.setattr(Signals, "link", silent)


@fault
def a_link_to_the_dead_is_refused_to_one_that_traps(patch):
    link = Signals.link

    def refusing(self, process, target):
        traps, process.trap_exit = process.trap_exit, False
        try:
            link(self, process, target)
        finally:
            process.trap_exit = traps

    patch.setattr(Signals, "link", refusing)


@fault
def spawn_link_forgets_the_link(patch):
    spawn = Runtime.spawn
    patch.setattr(
        Runtime,
        "spawn",
        lambda self, f, *args, link=False, **options: spawn(self, f, *args, **options),
    )


@fault
def a_link_tells_no_normal_end(patch):
    exit_from_link = Signals.exit_from_link

    def quiet(self, dead, process, reason):
        if reason is not NORMAL:
            exit_from_link(self, dead, process, reason)

    patch.setattr(Signals, "exit_from_link", quiet)


@fault
def the_down_comes_before_the_exit(patch):
    tell_links, tell_monitors = Reaper._tell_links, Reaper._tell_monitors
    patch.setattr(Reaper, "_tell_links", lambda self, process, reason: None)

    def first(self, process, reason):
        tell_monitors(self, process, reason)
        if process.links:
            tell_links(self, process, reason)

    patch.setattr(Reaper, "_tell_monitors", first)


@fault
def a_monitor_of_the_dead_tells_nothing(patch):
    deliver = Process.deliver

    def dropping(self, envelope):
        if envelope[0] != DOWN or envelope[1].reason is not NOPROC:
            deliver(self, envelope)

    patch.setattr(Process, "deliver", dropping)


@fault
def a_monitor_of_a_name_tells_the_pid(patch):
    init = Monitor.__init__

    def by_pid(self, ref, watcher, target, object, slot):
        init(self, ref, watcher, target, target.pid, slot)

    patch.setattr(Monitor, "__init__", by_pid)


@fault
def a_second_monitor_replaces_the_first(patch):
    monitor = Signals.monitor

    def single(self, watcher, target):
        for old in list((watcher.watching or {}).values()):
            if old.target is self.find(target):
                self.demonitor(watcher, old.ref)
        return monitor(self, watcher, target)

    patch.setattr(Signals, "monitor", single)


@fault
def a_monitor_is_a_link(patch):
    monitor = Signals.monitor

    def tying(self, watcher, target):
        process = self.find(target)
        if process is not None and process is not watcher:
            signals.tie(watcher, process)
        return monitor(self, watcher, target)

    patch.setattr(Signals, "monitor", tying)


@fault
def oneself_can_be_monitored(patch):
    monitor = Signals.monitor

    def any_monitor(self, watcher, target):
        if self.find(target) is not watcher:
            return monitor(self, watcher, target)
        ref = Ref(self.next_id())
        watcher.watching = {
            **(watcher.watching or {}),
            ref: Monitor(ref, watcher, watcher, target, None),
        }
        return ref

    patch.setattr(Signals, "monitor", any_monitor)


@fault
def every_demonitor_flushes(patch):
    demonitor = Signals.demonitor
    patch.setattr(
        Signals,
        "demonitor",
        lambda self, watcher, ref, flush=False: demonitor(self, watcher, ref, flush=True),
    )


@fault
def no_demonitor_flushes(patch):
    demonitor = Signals.demonitor
    patch.setattr(
        Signals, "demonitor", lambda self, watcher, ref, flush=False: demonitor(self, watcher, ref)
    )


@fault
def a_flush_takes_all_downs(patch):
    demonitor = Signals.demonitor

    def greedy(self, watcher, ref, *, flush=False):
        if flush:
            watcher.mailbox.take_all(lambda e: e[0] == DOWN)
        return demonitor(self, watcher, ref, flush=flush)

    patch.setattr(Signals, "demonitor", greedy)


@fault
def demonitor_always_says_that_it_was_there(patch):
    demonitor = Signals.demonitor

    def boasting(self, watcher, ref, *, flush=False):
        demonitor(self, watcher, ref, flush=flush)
        return True

    patch.setattr(Signals, "demonitor", boasting)


@fault
def trap_exit_answers_with_the_new_setting(patch):
    trap_exit = api.trap_exit

    def forgetful(flag=True):
        trap_exit(flag)
        return flag

    patch.setattr("suptree.trap_exit", forgetful)


@fault
def a_name_outlives_its_process(patch):
    patch.setattr(Names, "free", lambda self, process: None)


@fault
def a_process_may_have_two_names(patch):
    register = Names.register

    def generous(self, name, process):
        process.name = None
        register(self, name, process)

    patch.setattr(Names, "register", generous)


@fault
def a_name_can_be_taken_away_by_registering(patch):
    register = Names.register

    def grabbing(self, name, process):
        self._table.pop(name, None)
        register(self, name, process)

    patch.setattr(Names, "register", grabbing)


@fault
def unregister_does_nothing(patch):
    patch.setattr("suptree.unregister", lambda name: None)


@fault
def a_message_to_nobody_is_dropped(patch):
    send = Runtime.send

    def dropping(self, target, message):
        if self.find(target) is not None:
            send(self, target, message)

    patch.setattr(Runtime, "send", dropping)


@fault
def one_on_the_way_out_still_lives(patch):
    patch.setattr(
        "suptree.is_alive", lambda target: isinstance(target, Pid) and target._process is not None
    )


@fault
def a_message_passed_over_goes_to_the_end(patch):
    scan = api._scan

    def turning(process, match, scanned):
        found = scan(process, match, scanned)
        if found[0] is not None and found[1] > 0:
            process.mailbox.rotate(-1)
        return found

    patch.setattr(api, "_scan", turning)


@fault
def a_death_stops_at_the_first_linked_process(patch):
    def tell_one(self, process, reason):
        links, process.links = process.links, None
        other = next(iter(links))
        for each in links:
            if each.links is not None:
                each.links.pop(process, None)
        if other.state < EXITING:
            self._runtime.exit_from_link(process, other, reason)

    patch.setattr(Reaper, "_tell_links", tell_one)


@fault
def a_down_tells_that_a_kill_was_asked(patch):
    patch.setattr(
        Reaper,
        "_tell_monitors",
        _with_reason(Reaper._tell_monitors),
    )


def _with_reason(tell):
    return lambda self, process, reason: tell(
        self, process, KILL if str(reason) == "KILLED" else reason
    )


@pytest.mark.suptree_leaks(allow=("name",))  # some of the faults are just that
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_noticed(name, programs, judged, monkeypatch):
    FAULTS[name](monkeypatch)

    assert first_divergence(programs, judged) is not None
