%% Runs scenarios of a state machine on gen_statem and prints what each machine was told.
%% A scenario is {Enters, StartActions, Events}; an event is {Id, Answers}, one answer for each
%% time it is seen, the last one from then on.
-module(trace_machine).
-behaviour(gen_statem).
-export([main/1]).
-export([init/1, callback_mode/0, handle_event/4]).

main([File]) ->
    logger:set_primary_config(level, none),
    {ok, Scenarios} = file:consult(File),
    lists:foreach(fun run/1, Scenarios),
    halt(0).

run({Enters, Start, Events}) ->
    {ok, Machine} = gen_statem:start(?MODULE, {maps:from_list(Enters), Start}, []),
    ok = sys:suspend(Machine),
    lists:foreach(fun(Event) -> Machine ! Event end, Events),
    ok = sys:resume(Machine),
    io:format("~0p~n", [gen_statem:call(Machine, story)]),
    exit(Machine, kill).

callback_mode() -> [handle_event_function, state_enter].

init({Enters, Start}) ->
    put(story, []),
    {ok, a, #{enters => Enters, seen => #{}}, Start}.

handle_event(enter, Old, State, #{enters := Enters}) ->
    note({enter, Old, State}),
    {keep_state_and_data, maps:get(State, Enters, [])};
handle_event({call, From}, story, _State, _Data) ->
    {keep_state_and_data, [{reply, From, lists:reverse(get(story))}]};
%% OTP 25 does not cancel a running timer that a timeout of 0 replaces: it arrives as a message.
handle_event(info, {timeout, Ref, _}, _State, _Data) when is_reference(Ref) ->
    keep_state_and_data;
handle_event(Type, {Id, Answers}, State, #{seen := Seen} = Data) ->
    note({Type, Id, State}),
    Times = maps:get(Id, Seen, 0) + 1,
    NewData = Data#{seen := Seen#{Id => Times}},
    case Answers of
        [] -> {keep_state, NewData};
        _ -> answer(lists:nth(min(Times, length(Answers)), Answers), NewData)
    end.

answer({next, State, Actions}, Data) -> {next_state, State, Data, Actions};
answer({keep, Actions}, Data) -> {keep_state, Data, Actions};
answer({repeat, Actions}, Data) -> {repeat_state, Data, Actions}.

note(What) -> put(story, [What | get(story)]).
