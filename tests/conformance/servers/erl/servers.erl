%% The BEAM's half of the comparison: reads programs as Erlang terms from standard input, runs each on OTP's
%% gen_server, prints its trace, and ends it with a line "end". See ../program.py for what the tuples mean.
%%
%% After each operation the driver waits until every process of the program waits: with one scheduler nothing is on
%% its way then. It never sleeps.
-module(servers).
-export([main/0]).

-define(HANG, 5000).  % milliseconds; a program takes about one

%% The loop begins when the system is up, so that nothing but the program comes and goes while one runs. Who loads a
%% module waits for the code server, which settle/0 does not look at: so what a program needs is loaded before.
main() ->
    logger:set_primary_config(level, none),
    spawn(fun Wait() ->
        case init:get_status() of {started, _} -> loop(); _ -> erlang:yield(), Wait() end
    end).

loop() ->
    case io:read(standard_io, '') of
        {ok, {program, _Seed, Ops}} ->
            Others = processes(),
            {Pid, Ref} = spawn_monitor(fun() -> program(Ops, Others) end),
            receive {'DOWN', Ref, process, Pid, normal} -> ok;
                    {'DOWN', Ref, process, Pid, Why} -> io:format("driver failed: ~0p~n", [Why])
            after ?HANG -> exit(Pid, kill), io:format("hang~n") end,
            [exit(Left, kill) || Left <- processes() -- Others],
            io:format("end~n"),
            loop();
        eof -> halt(0);
        Other -> io:format("unreadable program: ~0p~nend~n", [Other]), halt(1)
    end.

program(Ops, Others) ->
    process_flag(trap_exit, true),
    server_world:open(),
    put(others, [self() | Others]),
    put(requests, gen_server:reqids_new()),
    lists:foldl(fun(Op, K) -> segment(K, fun() -> perform(Op, K) end), K + 1 end, 1, Ops),
    segment(final, fun() -> final() end),
    segment(teardown, fun() -> teardown() end),
    server_world:close().

%% Do one thing, wait for quiet, print what each process saw.
segment(Label, Do) ->
    Do(),
    settle(),
    drain(),
    [erase(Pid) || {Pid, failed} <- get()],
    io:put_chars([io_lib:format("op ~0p~n", [Label]) | [[Who, " ", Text, "\n"] || {Who, Text} <- server_world:take()]]).

note(Format, Args) -> server_world:note("driver", io_lib:format(Format, Args)).

%% --- operations ------------------------------------------------------------------------------------------------------

perform({start, Server}, _) ->
    {server, Name, Link, _, Registered, _, _, _, _} = Server,
    Pid = server_world:pid(Name),
    case is_pid(Pid) andalso is_process_alive(Pid) andalso not (Registered andalso whereis(Name) =:= Pid) of
        true -> note("start ~s lives", [Name]);
        false -> note("start ~s ~s", [Name, started(server_actor:start(Server), Name, Link)])
    end;
perform({ask, To, By, Script}, K) ->
    client(K, To, By, fun(Target) -> server_world:reply(gen_server:call(Target, Script, infinity)) end);
perform({askbriefly, To, Script}, _) ->
    case suspended(server_world:pid(To)) of
        true ->
            try gen_server:call(server_world:pid(To), Script, 1) of Reply -> note("brief ~0p", [Reply])
            catch exit:Why -> note("brief exit ~s", [server_text:failure(Why)]) end;
        false -> note("brief not suspended", [])
    end;
perform({request, To, By, Script}, K) ->
    case target(To, By) of
        absent -> note("request ~B absent", [K]);
        Target -> put(requests, gen_server:send_request(Target, Script, {K, To}, get(requests)))
    end;
perform({collect}, _) -> collect();
perform({post, How, To, By, Script}, _) ->
    case target(To, By) of
        absent -> note("post absent", []);
        Target when How =:= cast -> gen_server:cast(Target, Script);
        Target -> try Target ! Script catch error:badarg -> note("post noname", []) end
    end;
perform({exit, To, Reason, driver}, _) ->
    with_pid(To, fun(Pid) -> exit(Pid, server_text:from_word(Reason)) end);
perform({exit, To, Reason, stranger}, _) ->
    with_pid(To, fun(Pid) -> spawn(fun() -> exit(Pid, server_text:from_word(Reason)) end) end);
perform({tie, To, true}, _) -> with_pid(To, fun(Pid) -> link(Pid) end);
perform({tie, To, false}, _) -> with_pid(To, fun(Pid) -> unlink(Pid) end);
perform({stop, To, Reason, How}, K) ->
    client(K, To, pid, fun(Pid) -> atom_to_list(stop(How, Pid, server_text:from_word(Reason))) end);
perform({system, To, What}, K) ->
    client(K, To, pid, fun(Pid) -> system(What, Pid) end).

stop(stop, Pid, Reason) -> gen_server:stop(Pid, Reason, infinity);
%% Answers before the end, and suptree's waits for it: only whether anybody was told is compared.
stop(terminate, Pid, Reason) ->
    try sys:terminate(Pid, Reason, infinity) of ok -> told
    catch exit:{Why, _} when Why =/= noproc -> told end.

system(suspend, Pid) -> atom_to_list(sys:suspend(Pid, infinity));
system(resume, Pid) -> atom_to_list(sys:resume(Pid, infinity));
system(get_state, Pid) -> state(sys:get_state(Pid, infinity));
system(replace, Pid) -> state(sys:replace_state(Pid, fun(S) -> setelement(4, S, element(4, S) + 100) end, infinity));
system(replace_raise, Pid) -> state(sys:replace_state(Pid, fun(_) -> erlang:error(boom) end, infinity));
system(code, Pid) -> changed(sys:change_code(Pid, server_actor, old, extra, infinity));
system(code_raise, Pid) -> changed(sys:change_code(Pid, server_actor, old, 'raise', infinity)).

changed(ok) -> "ok";
changed({error, {unknown_system_msg, _}}) -> "error not_suspended";
changed({error, _}) -> "error failed".

state(S) -> io_lib:format("n=~B kept=~B", [element(4, S), length(element(5, S))]).

started({ok, Pid}, _, _) -> server_world:name(Pid);
started({error, {already_started, Pid}}, _, _) -> ["already ", server_world:name(Pid)];
started(Failed, Name, Link) ->
    Link andalso put(server_world:pid(Name), failed),
    case Failed of
        ignore -> "ignore";
        {error, Why} -> ["error ", server_text:reason(Why)]
    end.

suspended(Pid) ->
    is_pid(Pid) andalso is_process_alive(Pid) andalso begin
        {status, _, _, [_, SysState | _]} = sys:get_status(Pid, infinity),
        SysState =:= suspended
    end.

%% Whatever waits is done by a process of its own, which writes what came of it.
client(K, To, By, Do) ->
    Who = "client " ++ integer_to_list(K),
    case target(To, By) of
        absent -> server_world:note(Who, "absent");
        Target ->
            spawn(fun() ->
                Text = try Do(Target) catch exit:Why -> ["exit ", server_text:failure(Why)];
                                            error:{callback_failed, _, _} -> "error callback_failed" end,
                server_world:note(Who, Text)
            end)
    end.

collect() ->
    case gen_server:wait_response(get(requests), 0, true) of
        {Answer, {K, To}, Left} ->
            put(requests, Left),
            note("response ~s", [answer(Answer, K, To)]),
            collect();
        _ -> ok
    end.

%% Led by who answered, which is not always who was asked.
answer({reply, Reply}, K, _) -> io_lib:format("~c ~B ~s", [hd(element(3, Reply)), K, server_world:reply(Reply)]);
answer({error, {Why, _}}, K, To) -> io_lib:format("~s ~B exit ~s", [To, K, server_text:reason(Why)]).

with_pid(To, Do) ->
    case server_world:pid(To) of absent -> note("absent", []); Pid -> Do(Pid) end.

target(To, name) -> To;
target(To, pid) -> server_world:pid(To).

%% --- the end ---------------------------------------------------------------------------------------------------------

servers() -> [a, b, c, d].

final() ->
    [note("~s ~s", [server_world:name(Pid), state(sys:get_state(Pid, infinity))])
     || Name <- servers(), Pid <- [server_world:pid(Name)], is_pid(Pid), is_process_alive(Pid)].

teardown() ->
    [begin exit(Pid, kill), settle() end || Name <- servers(), Pid <- [server_world:pid(Name)], is_pid(Pid)],
    collect(),
    Left = lists:filter(fun(Pid) -> is_process_alive(Pid) end, processes() -- get(others)) ,
    length(Left) > 1 andalso note("left ~B", [length(Left) - 1]).  % the watcher is left

%% --- quiet -----------------------------------------------------------------------------------------------------------

%% Three times in a row: to look at a process may let another one run (process_info/2 is a signal).
settle() -> settle(3).

settle(0) -> ok;
settle(Times) ->
    case lists:all(fun waits/1, processes() -- get(others)) of
        true -> settle(Times - 1);
        false -> erlang:yield(), settle(3)
    end.

%% A process that is exiting has no status any more but is listed, so its signals are still to come.
waits(Pid) -> process_info(Pid, status) =:= {status, waiting}.

%% What reached the driver itself. OTP 25 leaves an exit message of a start that failed; OTP 26 and suptree do not
%% (docs/explanation/semantics.md, S21).
drain() ->
    receive
        {'EXIT', Pid, Reason} ->
            erase(Pid) =:= failed orelse note("exit ~s ~s", [server_world:name(Pid), server_text:reason(Reason)]),
            drain()
    after 0 -> ok
    end.
