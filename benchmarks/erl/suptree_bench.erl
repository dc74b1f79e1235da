%% The BEAM's side of the benchmark: the five rows of ../rows.py on OTP's own gen_server and supervisor.
%%
%% Reads {run, Row, N}. from standard input, prints the nanoseconds that Row took (for `restart`: the median of N
%% restarts), one line each. Run with erl +S 1:1, so that both sides have one core.
-module(suptree_bench).
-behaviour(gen_server).
-export([main/0]).
-export([start_link/0, start_child/1, init/1, handle_call/3, handle_cast/2]).

main() ->
    logger:set_primary_config(level, none),  % crash reports are off on every side
    loop().

loop() ->
    case io:read(standard_io, '') of
        {ok, {run, Row, N}} ->
            {Pid, Ref} = spawn_monitor(fun() -> exit({took, run(Row, N)}) end),  % a fresh heap for each
            receive {'DOWN', Ref, process, Pid, {took, T}} -> io:format("~B~n", [T]);
                    {'DOWN', Ref, process, Pid, Why} -> io:format("failed ~0p~n", [Why]), halt(1) end,
            loop();
        eof -> halt(0)
    end.

run(call, N) ->
    {ok, Server} = start_link(),
    Took = timed(fun() -> calls(Server, N) end),
    ok = gen_server:stop(Server),
    Took;
run(cast, N) ->
    {ok, Server} = start_link(),
    Took = timed(fun() -> casts(Server, N), gen_server:call(Server, increment, infinity) end),
    ok = gen_server:stop(Server),
    Took;
run(spawn_stop, N) ->
    timed(fun() -> spawn_stops(N) end);
run(restart, N) ->
    process_flag(trap_exit, true),
    {ok, Sup} = supervisor:start_link(?MODULE, {supervisor, self()}),
    Server = receive {up, Pid} -> Pid end,
    Took = restarts(Server, N, []),
    exit(Sup, shutdown),
    receive {'EXIT', Sup, _} -> ok end,
    lists:nth(max(1, N div 2), lists:sort(Took)).

calls(_, 0) -> ok;
calls(Server, N) -> gen_server:call(Server, increment), calls(Server, N - 1).

casts(_, 0) -> ok;
casts(Server, N) -> gen_server:cast(Server, increment), casts(Server, N - 1).

spawn_stops(0) -> ok;
spawn_stops(N) ->
    {ok, Server} = start_link(),
    ok = gen_server:stop(Server),
    spawn_stops(N - 1).

%% From the crash to the first answer of the next process.
restarts(_, 0, Took) -> Took;
restarts(Server, N, Took) ->
    T0 = erlang:monotonic_time(nanosecond),
    gen_server:cast(Server, crash),
    New = receive {up, Pid} -> Pid end,
    1 = gen_server:call(New, increment),
    restarts(New, N - 1, [erlang:monotonic_time(nanosecond) - T0 | Took]).

timed(Do) ->
    T0 = erlang:monotonic_time(nanosecond),
    Do(),
    erlang:monotonic_time(nanosecond) - T0.

start_link() -> gen_server:start_link(?MODULE, none, []).
start_child(Watcher) -> gen_server:start_link(?MODULE, Watcher, []).

init({supervisor, Watcher}) ->
    {ok, {#{intensity => 1000000, period => 1},
          [#{id => server, start => {?MODULE, start_child, [Watcher]}}]}};
init(none) -> {ok, 0};
init(Watcher) -> Watcher ! {up, self()}, {ok, 0}.

handle_call(increment, _From, Count) -> {reply, Count + 1, Count + 1}.

handle_cast(increment, Count) -> {noreply, Count + 1};
handle_cast(crash, _) -> error(crash).
