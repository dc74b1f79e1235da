%% The BEAM's half of the family "signals": reads programs as Erlang terms, see ../program.py, runs each with plain
%% processes, writes its trace, and ends it with a line "end".
%%
%% The driver traces all processes of a program, which is how it learns of each end without a monitor of its own.
%% After each operation it waits until nothing can move any more; it never sleeps (see settle/0).
-module(suptree_signals).
-export([main/0]).

-define(HANG, 20000).  % milliseconds; a program takes about one

main() ->
    logger:set_primary_config(level, none),
    loop().

loop() ->
    case io:read(standard_io, '') of
        {ok, {program, _Seed, First, Ops}} ->
            {Pid, Ref} = spawn_monitor(fun() -> program(First, Ops) end),
            receive {'DOWN', Ref, process, Pid, normal} -> ok;
                    {'DOWN', Ref, process, Pid, Why} -> io:format("driver failed: ~0p~n", [Why])
            after ?HANG -> exit(Pid, kill), io:format("hang~n") end,
            io:format("end~n"),
            loop();
        eof -> halt(0);
        Other -> io:format("unreadable program: ~0p~nend~n", [Other]), halt(1)
    end.

program(First, Ops) ->
    signals = ets:new(signals, [named_table, public]),
    Lines = [
        segment(0, fun() -> lists:foreach(fun begin_process/1, First), [] end),
        [segment(K, fun() -> perform(Op) end) || {K, Op} <- lists:zip(lists:seq(1, length(Ops)), Ops)],
        segment(drain, fun() -> [tell(Pid, eager) || {_, Pid} <- living()], [] end)
    ],
    io:put_chars([[Line, $\n] || Line <- lists:flatten(Lines, [])]),
    kill_the_rest().

%% Do one thing, wait for quiet; returns binaries, one a line: what happened, and how everyone stands.
segment(Label, Do) ->
    Results = Do(),
    Events = settle(),
    [line([op, Label])] ++ [line(Words) || Words <- Results ++ Events ++ view()].

begin_process(Id) ->
    Driver = self(),
    Pid = spawn(signals_process, start, [Id, Driver, []]),
    erlang:trace(Pid, true, [procs, set_on_spawn]),
    ets:insert(signals, {Id, Pid}).

perform({do, Id, Actions}) -> say(Id, {do, Actions});
perform({hold, Id}) -> say(Id, hold);
perform({release, Id}) -> say(Id, release).

say(Id, What) ->
    case lists:keyfind(Id, 1, living()) of
        {Id, Pid} -> tell(Pid, What), [];
        false -> [[absent, Id]]
    end.

tell(Pid, What) -> Pid ! {'$', What}.

living() ->
    lists:sort([Entry || {Id, Pid} = Entry <- ets:tab2list(signals), is_atom(Id), is_pid(Pid),
                         not ets:member(signals, {ended, Pid})]).

kill_the_rest() ->
    [exit(Pid, kill) || {_, Pid} <- living()],
    case living() of [] -> ok; _ -> settle(), kill_the_rest() end.

%% --- quiet -----------------------------------------------------------------------------------------------------------

%% Nothing can move when a round trip through all living processes brought no note and no end, and none of them is tied
%% to a dead one any more. Returns what happened.
settle() ->
    Pings = [{Pid, monitor(process, Pid)} || {_, Pid} <- living()],
    [tell(Pid, {ping, self(), Ref}) || {Pid, Ref} <- Pings],
    [receive {pong, Ref} -> demonitor(Ref, [flush]); {'DOWN', Ref, _, _, _} -> ok end || {_, Ref} <- Pings],
    case events() of
        [] -> case lists:any(fun is_tied/1, living()) of true -> erlang:yield(), settle(); false -> [] end;
        Events -> Events ++ settle()
    end.

events() ->
    receive
        {note, Id, Words} -> [[Id | Words] | events()];
        {trace, Pid, exit, Reason} ->
            ets:insert(signals, {{ended, Pid}, true}),
            [[Pid, ended, {reason, Reason}] | events()];
        {trace, _, _, _} -> events();
        {trace, _, _, _, _} -> events()
    after 0 -> []
    end.

%% The dead tell one after the other, with pauses: somebody may still wait for the last word of one.
is_tied({_, Pid}) ->
    [{_, Links}, {_, Monitors}] = process_info(Pid, [links, monitors]),
    lists:any(fun has_ended/1, Links ++ [Object || {process, Object} <- Monitors]).

has_ended({_Name, _Node}) -> false;
has_ended(Pid) -> ets:member(signals, {ended, Pid}).

%% --- how everyone stands ---------------------------------------------------------------------------------------------

view() -> [view(Id, Pid) || {Id, Pid} <- living()] ++ [[names, named(n1), named(n2)]].

view(Id, Pid) ->
    [{_, Traps}, {_, Links}, {_, Monitors}, {_, Watchers}, {_, Queue}] =
        process_info(Pid, [trap_exit, links, monitors, monitored_by, message_queue_len]),
    ["view", Id, case Traps of true -> traps; false -> plain end, some("links", Links),
     some("monitors", [case M of {process, {Name, _Node}} -> Name; {process, P} -> P end || M <- Monitors]),
     some("watchers", Watchers), {queue, Queue}].

some(What, Items) -> {What, lists:sort([iolist_to_binary(word(Item)) || Item <- Items])}.

named(Name) -> case whereis(Name) of undefined -> nobody; Pid -> Pid end.

%% --- text ------------------------------------------------------------------------------------------------------------

line(Words) -> iolist_to_binary(lists:join($\s, [word(Word) || Word <- Words])).

word({reason, Reason}) -> reason(Reason);
word({queue, Length}) -> ["queue=", integer_to_list(Length)];
word({What, Items}) -> [What, $=, lists:join($,, Items)];
word(Atom) when is_atom(Atom) -> atom_to_list(Atom);
word(Number) when is_integer(Number) -> integer_to_list(Number);
word(Pid) when is_pid(Pid) ->
    case [Id || {Id, P} <- ets:tab2list(signals), P =:= Pid] of [Id] -> atom_to_list(Id); [] -> "stranger" end;
word(Text) -> Text.

reason({shutdown, x}) -> "{shutdown,x}";
reason({Why, [{_, _, _, _} | _]}) -> ["crash(", reason(Why), ")"];
reason(Atom) when is_atom(Atom) -> atom_to_list(Atom);
reason(Other) -> io_lib:format("~0p", [Other]).
