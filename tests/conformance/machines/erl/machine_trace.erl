%% The BEAM's half of the machine programs: reads programs as Erlang terms from standard input, runs each on OTP's
%% `gen_statem`, prints its trace, and ends it with a line "end". See ../program.py for what the tuples mean.
%%
%% The driver is the parent of the machine and every caller in one: what the machine notes, replies and dies of comes to
%% its mailbox in the order in which the machine did it. After each operation it waits for one round trip, behind which
%% nothing is left to do: inserted events, retried ones and timeouts of 0 all come before the mailbox.
-module(machine_trace).
-export([main/0]).

-define(HANG, 20000).  % milliseconds; a program takes about one

-record(s, {pid, linked, lives = 0, calls = #{}, errors = #{}}).

main() ->
    logger:set_primary_config(level, none),
    loop().

loop() ->
    case io:read(standard_io, '') of
        {ok, {program, _Seed, Ops}} ->
            {Pid, Ref} = spawn_monitor(fun() -> program(Ops) end),
            receive {'DOWN', Ref, process, Pid, normal} -> ok;
                    {'DOWN', Ref, process, Pid, Why} -> io:format("driver failed: ~0p~n", [Why])
            after ?HANG -> exit(Pid, kill), io:format("hang~n") end,
            io:format("end~n"),
            loop();
        eof -> halt(0);
        Other -> io:format("unreadable program: ~0p~nend~n", [Other]), halt(1)
    end.

program(Ops) ->
    process_flag(trap_exit, true),
    Numbered = lists:zip(lists:seq(1, length(Ops)) ++ [final, teardown], Ops ++ [{look}, {stop, shutdown}]),
    lists:foldl(fun({Label, Op}, S) -> segment(Label, Op, S) end, #s{}, Numbered).

segment(Label, Op, S) ->
    io:format("op ~0p~n", [Label]),
    {Results, After} = perform(Op, S),
    Done = settle(After),
    [io:format("result ~ts~n", [Result]) || Result <- Results],
    Done.

%% --- operations; each returns its results and the new state --------------------------------------------------------------

perform({start, _}, S = #s{pid = Pid}) when is_pid(Pid) -> {["alive"], S};
perform({start, Machine}, S) ->
    N = S#s.lives + 1,
    case scripted_machine:start(self(), Machine) of
        {ok, Pid} -> {[["ok m#", integer_to_list(N)]], S#s{pid = Pid, linked = element(5, Machine), lives = N}};
        ignore -> {["ignore"], S#s{lives = N}};
        {error, Why} -> {[["error ", scripted_machine:reason(Why)]], S#s{lives = N}}
    end;
perform(_, S = #s{pid = undefined}) -> {["absent"], S};
perform({burst, Ops}, S = #s{pid = Pid}) ->
    ok = sys:suspend(Pid, infinity),
    {Results, After} = lists:foldl(fun(Op, {Rs, Sn}) -> {R, Sm} = part(Op, Sn), {Rs ++ R, Sm} end, {[], S}, Ops),
    catch sys:resume(Pid, infinity),
    {Results, After};
perform(Op, S) -> part(Op, S).

part({tell, call, Event = {event, Id, _}}, S) ->
    Request = gen_statem:send_request(S#s.pid, Event),
    {[], S#s{calls = (S#s.calls)#{Id => Request}}};
part({tell, cast, Event}, S) -> gen_statem:cast(S#s.pid, Event), {[], S};
part({tell, info, Event}, S) -> S#s.pid ! Event, {[], S};
part({signal, Sender, Word}, S) ->
    signal(Sender, S#s.pid, scripted_machine:from_word(Word)),
    catch sys:get_state(S#s.pid, infinity),  % it is handled, suspended or not
    {[], S};
part({stop, Word}, S) ->
    try gen_statem:stop(S#s.pid, scripted_machine:from_word(Word), infinity) of ok -> {["ok"], S}
    catch exit:Why -> {[["exit ", scripted_machine:reason(Why)]], S} end;
part({look}, S) ->
    {[try look(sys:get_status(S#s.pid, infinity)) catch exit:_ -> "gone" end], S};
part({replace, State}, S) ->
    {[try sys:replace_state(S#s.pid, fun({_, Data}) -> {State, Data} end, infinity) of _ -> "ok"
      catch exit:_ -> "gone" end], S}.

signal(driver, Pid, Reason) -> exit(Pid, Reason);
signal(stranger, Pid, Reason) ->
    {_, Ref} = spawn_monitor(fun() -> exit(Pid, Reason) end),
    receive {'DOWN', Ref, process, _, _} -> ok end.

look({status, _, _, [_, _, _, _, [_, {data, Data}, {data, [{"State", {State, _}}]}]]}) ->
    {_, Postponed} = lists:keyfind("Postponed", 1, Data),
    Times = case lists:keyfind("Time-outs", 1, Data) of {_, {_, List}} -> List; _ -> [] end,
    ["look ", atom_to_list(State),
     " postponed", [[" ", integer_to_list(Id)] || {_, {event, Id, _}} <- lists:reverse(Postponed)],
     " timeouts", [[" ", Line] || Line <- lists:sort([timer(Time) || Time <- Times])]].

timer({{timeout, Name}, {event, Id, _}}) -> lists:flatten(io_lib:format("~p:~p", [Name, Id]));
timer({state_timeout, {event, Id, _}}) -> lists:flatten(io_lib:format("state:~p", [Id]));
timer({timeout, {event, Id, _}}) -> lists:flatten(io_lib:format("event:~p", [Id])).

%% --- quiet ---------------------------------------------------------------------------------------------------------------

settle(S = #s{pid = undefined}) -> listen(S);
settle(S = #s{pid = Pid}) ->
    catch sys:get_state(Pid, infinity),
    case is_process_alive(Pid) of
        true -> listen(S);
        false -> buried(S)
    end.

%% Write what has come, in its order: notes, and replies to our calls.
listen(S) -> receive Message -> listen(heard(Message, S)) after 0 -> S end.

%% Its end is told to whoever is linked, watches or waits in no order of its own: how it ended, then the calls that failed.
buried(S = #s{pid = Pid, linked = Linked}) ->
    Down = receive {ended, Pid, Why} -> Why end,
    Exit = case Linked of true -> receive {'EXIT', Pid, Signal} -> [Signal] end; false -> [] end,
    After = listen(S),
    [io:format("~s m#~B ~ts~n", [Verb, S#s.lives, scripted_machine:reason(R)])
     || {Verb, R} <- [{down, Down} | [{exit, E} || E <- Exit]]],
    Late = maps:map(fun(_, Request) -> gen_statem:receive_response(Request, infinity) end, After#s.calls),
    Failed = lists:sort(maps:to_list(maps:merge(After#s.errors, Late))),
    [io:format("failed ~B ~ts~n", [Id, scripted_machine:reason(Of)]) || {Id, {error, {Of, _}}} <- Failed],
    After#s{pid = undefined, calls = #{}, errors = #{}}.

heard({ended, _, _}, S) -> S;  % of a start that failed
heard({note, Text}, S) -> io:format("~ts~n", [Text]), S;
heard({'EXIT', _, _}, S) -> S;  % of a start that failed: since OTP 26 it is taken back (S21)
heard(Message, S) ->
    Check = fun(Id, Request, Sn) -> answered(gen_statem:check_response(Message, Request), Id, Sn) end,
    maps:fold(Check, S, S#s.calls).

answered(no_reply, _, S) -> S;
answered({reply, Value}, Id, S) ->
    io:format("reply ~B to ~B~n", [Value, Id]),
    S#s{calls = maps:remove(Id, S#s.calls)};
answered(Error, Id, S) ->
    S#s{calls = maps:remove(Id, S#s.calls), errors = (S#s.errors)#{Id => Error}}.
