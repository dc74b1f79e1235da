%% The BEAM's half of the trace comparison: reads scenarios as Erlang terms from standard input, runs each on OTP's
%% `supervisor`, prints its trace, and ends it with a line "end". See ../scenario.py for what the tuples mean.
%%
%% Run as: erl +S 1:1 -noshell -s suptree_trace main. One scheduler makes the order of deaths the order of causes.
%% After each operation the driver waits until nothing can move any more; it never sleeps (see settle/1).
-module(suptree_trace).
-export([main/0]).

-define(HANG, 20000).  % milliseconds; a scenario takes about one

main() ->
    logger:set_primary_config(level, none),
    loop().

loop() ->
    case io:read(standard_io, '') of
        {ok, {scenario, _Seed, Root, Ops}} ->
            {Pid, Ref} = spawn_monitor(fun() -> scenario(Root, Ops) end),
            receive {'DOWN', Ref, process, Pid, normal} -> ok;
                    {'DOWN', Ref, process, Pid, Why} -> io:format("driver failed: ~0p~n", [Why])
            after ?HANG -> exit(Pid, kill), io:format("hang~n") end,
            io:format("end~n"),
            loop();
        eof -> halt(0);
        Other -> io:format("unreadable scenario: ~0p~nend~n", [Other]), halt(1)
    end.

%% This process is the parent of the root supervisor, so it traps exits.
scenario(Root, Ops) ->
    process_flag(trap_exit, true),
    Rec = trace_recorder:start(self()),
    segment(Rec, 0, fun() -> start_root(Rec, Root) end),
    lists:foldl(fun(Op, K) -> segment(Rec, K, fun() -> perform(Rec, Op) end), K + 1 end, 1, Ops),
    segment(Rec, final, fun() -> final(Rec) end),
    segment(Rec, teardown, fun() -> perform(Rec, {stop, root, parent, shutdown}) end),
    trace_recorder:stop(Rec).

%% Do one thing, wait for quiet, print what happened and what it returned.
segment(Rec, Label, Do) ->
    Results = Do(),
    settle(Rec),
    io:format("op ~0p~n", [Label]),
    [io:format("~ts~n", [Line]) || Line <- trace_recorder:take(Rec)],
    [io:format("result ~ts~n", [Line]) || Line <- Results].

start_root(Rec, Root) ->
    [case trace_supervisor:start_link(Rec, self(), Root) of
         {ok, Pid} -> ["ok ", trace_recorder:name(Rec, Pid)];
         {error, Why} -> ["error ", trace_text:reason(Why)]
     end].

final(Rec) ->
    [["which_children ", atom_to_list(Id), " ", reply(Rec, which_children, catch supervisor:which_children(Pid))]
     || {Id, Pid} <- trace_recorder:supervisors(Rec)].

%% --- operations; each returns the lines of its results ---------------------------------------------------------------

perform(Rec, {stop, Sup, How, Word}) ->
    Reason = trace_text:from_word(Word),
    case trace_recorder:current(Rec, Sup) of
        undefined -> ["absent"];
        Pid when How =:= parent ->
            exit(Pid, Reason),
            [["gone ", trace_text:reason(await_down(Pid))]];
        Pid ->
            try gen_server:stop(Pid, Reason, infinity) of ok -> ["ok"]
            catch exit:Why -> [["exit ", trace_text:reason(Why)]] end
    end;
perform(Rec, {burst, Sup, Ops}) ->
    case trace_recorder:current(Rec, Sup) of
        undefined -> ["absent"];
        Pid ->
            sys:suspend(Pid, infinity),
            Waits = [begin_op(Rec, Op) || Op <- Ops],
            catch sys:resume(Pid, infinity),
            [end_op(Rec, Wait) || Wait <- Waits]
    end;
perform(Rec, Op) ->
    [end_op(Rec, begin_op(Rec, Op))].

%% The half of an operation that can be done while the supervisor is suspended: a death is awaited, a request sent.
begin_op(Rec, {die, Id, How, Word}) ->
    case trace_recorder:current(Rec, Id) of
        undefined -> {done, "absent"};
        Pid -> {done, die(Pid, kind(Id), How, trace_text:from_word(Word))}
    end;
begin_op(Rec, {ask, Sup, Request, ''}) -> request(Rec, Sup, Request, Request);
begin_op(Rec, {ask, Sup, Request, Child}) -> request(Rec, Sup, Request, {Request, Child});
begin_op(Rec, {startchild, Sup, Spec}) ->
    Pid = trace_recorder:current(Rec, Sup),
    request(Rec, Sup, start_child, {start_child, trace_supervisor:child_spec(Rec, Pid, Spec)}).

end_op(_Rec, {done, Text}) -> Text;
end_op(Rec, {asked, Request, Id}) ->
    case gen_server:receive_response(Id, infinity) of
        {reply, Reply} -> reply(Rec, Request, Reply);
        {error, {Why, _}} -> ["exit ", trace_text:reason(Why)]
    end.

%% What supervisor:start_child and the others do, but as a request that can wait: same message, same reply.
request(Rec, Sup, Request, Message) ->
    case trace_recorder:current(Rec, Sup) of
        undefined -> {done, "absent"};
        Pid -> {asked, Request, gen_server:send_request(Pid, Message)}
    end.

die(Pid, worker, stop, Reason) -> gen_server:cast(Pid, {stop, Reason}), await_down(Pid), "done";
die(Pid, worker, 'raise', Reason) -> gen_server:cast(Pid, {'raise', Reason}), await_down(Pid), "done";
die(Pid, worker, signal, Reason) ->
    exit(Pid, Reason),  % the ping comes behind it: one sender, one receiver, one order
    case catch gen_server:call(Pid, ping, infinity) of pong -> "survived"; {'EXIT', _} -> "done" end;
die(Pid, supervisor, signal, kill) -> exit(Pid, kill), await_down(Pid), "done";
die(Pid, supervisor, signal, Reason) -> stranger_exits(Pid, Reason), "survived".

%% The driver is the root's parent, whose signal ends it: a stranger is needed.
stranger_exits(Pid, Reason) ->
    {_, Ref} = spawn_monitor(fun() -> exit(Pid, Reason) end),
    receive {'DOWN', Ref, process, _, _} -> ok end.

await_down(Pid) ->
    Ref = monitor(process, Pid),
    receive {'DOWN', Ref, process, Pid, Reason} -> Reason end.

kind(Id) -> case atom_to_list(Id) of [$w | _] -> worker; _ -> supervisor end.

%% --- quiet -----------------------------------------------------------------------------------------------------------

%% Nothing can move when everyone doomed is down, and two rounds of which_children through all supervisors are the
%% same and show no child in restarting. A round trip alone is not enough: a failed restart tries again behind it.
settle(Rec) -> settle(Rec, none).

settle(Rec, Before) ->
    [await_down(Pid) || Pid <- trace_recorder:unsettled(Rec)],
    Now = [{Pid, catch supervisor:which_children(Pid)} || {_, Pid} <- trace_recorder:supervisors(Rec)],
    Moving = [Id || {_, Children} <- Now, is_list(Children), {Id, restarting, _, _} <- Children],
    case trace_recorder:unsettled(Rec) of
        [] when Now =:= Before, Moving =:= [] -> flush();
        _ -> settle(Rec, Now)
    end.

flush() -> receive {'EXIT', _, _} -> flush() after 0 -> ok end.

%% --- results ---------------------------------------------------------------------------------------------------------

reply(Rec, which_children, Children) when is_list(Children) ->
    Entry = fun({Id, Pid, Type, _}) -> [" ", atom_to_list(Id), $:, atom_to_list(Type), $=, place(Rec, Pid)] end,
    ["children", [Entry(Child) || Child <- Children]];
reply(_Rec, count_children, Counts) when is_list(Counts) ->
    ["counts", [io_lib:format(" ~s=~B", [K, proplists:get_value(K, Counts)]) || K <- [specs, active, supervisors, workers]]];
reply(_Rec, _, ok) -> "ok";
reply(Rec, _, {ok, Child}) -> ["ok ", place(Rec, Child)];
reply(Rec, _, {error, {already_started, Pid}}) -> ["error already_started ", place(Rec, Pid)];
reply(_Rec, _, {error, {bad_combination, _}}) -> "error bad_spec";
reply(_Rec, start_child, {error, {Why, Child}}) when element(1, Child) =:= child ->
    ["error start_failed ", trace_text:reason(Why)];
reply(_Rec, _, {error, Word}) when Word =:= not_found; Word =:= running; Word =:= restarting; Word =:= already_present ->
    ["error ", atom_to_list(Word)];
reply(_Rec, restart_child, {error, Why}) -> ["error start_failed ", trace_text:reason(Why)];
reply(_Rec, Request, Other) -> io_lib:format("unexpected ~p ~0p", [Request, Other]).

place(_Rec, Word) when is_atom(Word) -> atom_to_list(Word);
place(Rec, Pid) -> trace_recorder:name(Rec, Pid).
