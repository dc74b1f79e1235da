%% The machine that does what its events say; see ../program.py. It notes to the driver what it sees.
-module(scripted_machine).
-behaviour(gen_statem).
-export([start/2, reason/1, from_word/1]).
-export([init/1, callback_mode/0, handle_event/4, a/3, b/3, c/3, terminate/3]).

start(Driver, Machine) when element(5, Machine) -> gen_statem:start_link(?MODULE, {Driver, Machine}, []);
start(Driver, Machine) -> gen_statem:start(?MODULE, {Driver, Machine}, []).

init({Driver, {machine, Functions, EnterCalls, Traps, _Linked, Goodbye, {init, Answer, State, Actions}, Enters}}) ->
    put(driver, Driver),
    put(mode, {Functions, EnterCalls}),
    put(goodbye, Goodbye),
    put(enters, maps:from_list([{Of, Answers} || {enter, Of, Answers} <- Enters])),
    put(open, []),
    process_flag(trap_exit, Traps),
    watched(Driver),
    note("init"),
    case Answer of
        ok -> {ok, State, data, actions(Actions, none)};
        ignore -> ignore;
        stop -> {stop, boom};
        crash -> erlang:error(oops);
        exit -> exit(boom);
        bad -> bad
    end.

callback_mode() ->
    {Functions, EnterCalls} = get(mode),
    Mode = case Functions of true -> state_functions; false -> handle_event_function end,
    case EnterCalls of true -> [Mode, state_enter]; false -> Mode end.

a(Type, Content, _Data) -> seen(Type, Content, a).
b(Type, Content, _Data) -> seen(Type, Content, b).
c(Type, Content, _Data) -> seen(Type, Content, c).
handle_event(Type, Content, State, _Data) -> seen(Type, Content, State).

terminate(Reason, State, _Data) ->
    note(["terminate ", reason(Reason), " in ", atom_to_list(State)]),
    case get(goodbye) of
        ok -> ok;
        exit -> exit(changed);
        crash -> erlang:error(oops)
    end.

%% --- events -----------------------------------------------------------------------------------------------------------

seen(enter, Old, State) ->
    note(["enter ", atom_to_list(State), " from ", atom_to_list(Old)]),
    answer(entered(State, maps:get(State, get(enters), [])), none);
seen(Type, {event, Id, Answers}, State) ->
    Call = case Type of {call, From} -> opened(From), From; _ -> none end,
    note(["see ", kind(Type), " ", integer_to_list(Id), " in ", atom_to_list(State)]),
    answer(turn(Id, Answers), Call);
seen(info, {'EXIT', _, Reason}, State) ->
    note(["see exit ", reason(Reason), " in ", atom_to_list(State)]),
    keep_state_and_data.

kind({call, _}) -> "call";
kind({timeout, Name}) -> atom_to_list(Name);
kind(timeout) -> "event_timeout";
kind(Type) -> atom_to_list(Type).

%% As turn/2, but the last answer does not repeat the call: that would go on for ever.
entered(State, Answers) ->
    Answer = turn({enter, State}, Answers),
    case {get({times, {enter, State}}) >= length(Answers), Answer} of  % undefined is more than any number
        {true, {repeat, _}} -> {keep, []};
        _ -> Answer
    end.

%% The answer of this time; the last one from then on.
turn(_, []) -> {keep, []};
turn(Key, Answers) ->
    Times = case get({times, Key}) of undefined -> 1; N -> N + 1 end,
    put({times, Key}, Times),
    lists:nth(min(Times, length(Answers)), Answers).

answer({next, State, Actions}, Call) -> {next_state, State, data, actions(Actions, Call)};
answer({keep, Actions}, Call) -> {keep_state, data, actions(Actions, Call)};
answer({repeat, Actions}, Call) -> {repeat_state, data, actions(Actions, Call)};
answer({halt, Word, []}, _) -> {stop, from_word(Word)};
answer({halt, Word, Replies}, Call) -> {stop_and_reply, from_word(Word), actions(Replies, Call)};
answer({crash}, _) -> erlang:error(oops);
answer({leave, Word}, _) -> exit(from_word(Word));
answer({bad}, _) -> bad.

actions(Actions, Call) -> lists:flatmap(fun(Action) -> action(Action, Call) end, Actions).

action({postpone}, _) -> [postpone];
action({hibernate}, _) -> [hibernate];
action({insert, call, Event}, none) -> [{next_event, internal, Event}];
action({insert, call, Event}, Call) -> [{next_event, {call, Call}, Event}];
action({insert, Kind, Event}, _) -> [{next_event, Kind, Event}];
action({timeout, state, Time, Event}, _) -> [{state_timeout, Time, Event}];
action({timeout, event, Time, Event}, _) -> [{timeout, Time, Event}];
action({timeout, Name, Time, Event}, _) -> [{{timeout, Name}, Time, Event}];
action({reply, _}, none) -> [];
action({reply, Value}, Call) -> put(open, lists:delete(Call, get(open))), [{reply, Call, Value}];
action({replyall, Value}, _) ->
    Open = get(open),
    put(open, []),
    [{reply, From, Value} || From <- Open].

opened(From) ->
    case get({known, From}) of
        true -> ok;
        undefined -> put({known, From}, true), put(open, get(open) ++ [From])
    end.

%% --- words ------------------------------------------------------------------------------------------------------------

%% A reason as text, in the words of ../words.py. A stack trace is dropped: what was raised is kept.
reason({bad_return_from_init, _}) -> "bad";
reason({bad_return_from_state_function, _}) -> "bad";
reason({bad_action_from_state_function, _}) -> "bad";
reason({bad_state_enter_action_from_state_function, _}) -> "bad";
reason({bad_state_enter_return_from_state_function, _}) -> "bad";
reason({shutdown, Why}) -> ["{shutdown,", reason(Why), "}"];
reason({Why, [{_, _, _, _} | _]}) -> reason(Why);
reason(oops) -> "crash(oops)";  % with or without a stack: init and terminate are told none
reason({Why, {sys, _, _}}) -> reason(Why);
reason(Atom) when is_atom(Atom) -> atom_to_list(Atom);
reason(Other) -> io_lib:format("~0p", [Other]).

from_word(shutdown_why) -> {shutdown, why};
from_word(Word) -> Word.

%% Have the driver told of our end. Its own monitor might come too late: a machine may be gone when its start returns.
watched(Driver) ->
    Self = self(),
    Watcher = spawn(fun() ->
        Ref = monitor(process, Self),
        Self ! watched,
        receive {'DOWN', Ref, process, Self, Reason} -> Driver ! {ended, Self, Reason} end
    end),
    receive watched -> Watcher end.

note(Text) -> get(driver) ! {note, Text}.
