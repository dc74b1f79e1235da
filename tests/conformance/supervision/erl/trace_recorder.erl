%% Writes the trace of one scenario: one process, so its mailbox is the order of events.
%%
%% Workers and supervisors tell it synchronously when they start and when they say goodbye; it monitors each of
%% them, so it sees every end. On one scheduler (erl +S 1:1) a process finishes dying before another runs, hence
%% a DOWN is in this mailbox before anything that the death causes.
-module(trace_recorder).
-behaviour(gen_server).
-export([start/1, started/4, note/2, take/1, current/2, named/2, name/2, unsettled/1, supervisors/1, stop/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% proc is #{pid, id, n, parent, kind, outcome}; `alive` is keyed by pid, `names` keeps the dead ones too.
-record(state, {driver, events = [], attempts = #{}, alive = #{}, names = #{}, current = #{}}).

start(Driver) -> {ok, Pid} = gen_server:start(?MODULE, Driver, []), Pid.

%% Called in init of a child. Script is the list of outcomes, one per attempt, `ok` after its end.
started(Rec, Kind, Id, {Parent, Script}) ->
    gen_server:call(Rec, {started, Kind, Id, Parent, Script, self()}, infinity).

note(Rec, Text) -> gen_server:call(Rec, {note, Text, self()}, infinity).

%% All events since the last take, oldest first.
take(Rec) -> gen_server:call(Rec, take, infinity).

%% The newest live process of a child id, or undefined.
current(Rec, Id) -> gen_server:call(Rec, {current, Id}, infinity).

named(Rec, Pid) -> gen_server:call(Rec, {named, Pid}, infinity).
name({Id, N}) -> [Id, $#, integer_to_list(N)].
name(Rec, Pid) -> name(named(Rec, Pid)).

%% Processes that are certain to die by themselves soon: their start failed, or their supervisor is gone.
unsettled(Rec) -> gen_server:call(Rec, unsettled, infinity).

supervisors(Rec) -> gen_server:call(Rec, supervisors, infinity).

stop(Rec) -> gen_server:stop(Rec).

init(Driver) -> {ok, #state{driver = Driver}}.

handle_call({started, Kind, Id, Parent, Script, Pid}, _From, S) ->
    N = maps:get(Id, S#state.attempts, 0) + 1,
    Outcome = case length(Script) >= N of true -> lists:nth(N, Script); false -> ok end,
    erlang:monitor(process, Pid),
    Proc = #{kind => Kind, parent => Parent, outcome => Outcome, id => Id},
    Line = ["start ", name({id(Id), N}), " in ", where(Parent, S), " ", atom_to_list(Outcome)],
    {reply, Outcome, log(Line, S#state{
        attempts = (S#state.attempts)#{Id => N},
        alive = (S#state.alive)#{Pid => Proc},
        names = (S#state.names)#{Pid => {id(Id), N}},
        current = (S#state.current)#{Id => Pid}})};
handle_call({note, Text, Pid}, _From, S) ->
    {Verb, Rest} = Text,
    {reply, ok, log([Verb, " ", name(maps:get(Pid, S#state.names)), " ", Rest], S)};
handle_call(take, _From, S) ->
    {reply, lists:reverse(S#state.events), S#state{events = []}};
handle_call({current, Id}, _From, S) ->
    Pid = maps:get(Id, S#state.current, undefined),
    {reply, case maps:is_key(Pid, S#state.alive) of true -> Pid; false -> undefined end, S};
handle_call({named, Pid}, _From, S) ->
    {reply, maps:get(Pid, S#state.names, {"unknown", 0}), S};
handle_call(unsettled, _From, S) ->
    Doomed = fun(_, #{outcome := O}) when O =/= ok -> true;
                (_, #{parent := P}) -> P =/= S#state.driver andalso not maps:is_key(P, S#state.alive) end,
    {reply, maps:keys(maps:filter(Doomed, S#state.alive)), S};
handle_call(supervisors, _From, S) ->
    Sups = maps:filter(fun(_, #{kind := K}) -> K =:= supervisor end, S#state.alive),
    {reply, lists:sort([{Id, Pid} || {Pid, #{id := Id}} <- maps:to_list(Sups)]), S}.

handle_cast(_, S) -> {noreply, S}.

handle_info({'DOWN', _, process, Pid, Reason}, S) ->
    Line = ["down ", name(maps:get(Pid, S#state.names)), " ", trace_text:reason(Reason)],
    {noreply, log(Line, S#state{alive = maps:remove(Pid, S#state.alive)})}.

log(Line, S) -> S#state{events = [Line | S#state.events]}.

where(Pid, #state{driver = Pid}) -> "driver";
where(Pid, S) -> name(maps:get(Pid, S#state.names)).

id(Id) -> atom_to_list(Id).
