%% Starting, stopping, crashing and memory.
-module(bench_lives).
-export([spawn_stop/1, crowd/1, memory/1, memory_supervised/1, restart/1, storm/1]).
-export([log/2]).

spawn_stop(N) -> [{seconds, bench:timed(fun() -> spawn_stops(N) end)}].

spawn_stops(0) -> ok;
spawn_stops(N) ->
    {ok, Server} = bench_counter:start_link(),
    ok = gen_server:stop(Server),
    spawn_stops(N - 1).

crowd(N) ->
    [{seconds, bench:timed(fun() ->
        Servers = [element(2, bench_counter:start_link()) || _ <- lists:seq(1, N)],
        [ok = gen_server:stop(Server) || Server <- Servers]
    end)}].

memory(N) -> memory(N, fun() -> {ok, Server} = bench_counter:start_link(), Server end).

memory_supervised(N) ->
    {ok, Sup} = bench_sup:start_link({dynamic, {bench_counter, start_link, []}}),
    memory(N, fun() -> {ok, Server} = supervisor:start_child(Sup, []), monitor(process, Server), Server end).

memory(N, Spawn) ->
    1 = gen_server:call(Spawn(), increment),
    garbage_collect(),
    Before = resident_bytes(),
    Servers = [Spawn() || _ <- lists:seq(1, N)],
    [1 = gen_server:call(Server, increment) || Server <- Servers],
    [{bytes, (resident_bytes() - Before) / N}].

resident_bytes() ->
    {ok, Statm} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:lexemes(binary_to_list(Statm), " "),
    list_to_integer(Pages) * 4096.

%% From sending the crash to the first answer of the next process; each report is formatted, by a handler that drops it.
restart(N) ->
    ok = logger:remove_handler(default),
    ok = logger:add_handler(null, ?MODULE, #{}),
    logger:set_primary_config(level, error),
    {ok, Sup} = bench_sup:start_link({intensity, 1000000, 1, [{bench_counter, start_link, [self()]}]}),
    Server = receive {up, Pid} -> Pid end,
    Latency = restarts(Server, N, []),
    bench:no_reports(),
    ok = logger:remove_handler(null),
    ok = logger:add_handler(default, logger_std_h, #{}),
    stop(Sup),
    [{latency, Latency}].

log(Event, _Config) -> logger_formatter:format(Event, #{}).

restarts(_, 0, Latency) -> Latency;
restarts(Server, N, Latency) ->
    T0 = bench:now_s(),
    gen_server:cast(Server, crash),
    Next = receive {up, Pid} -> Pid end,
    1 = gen_server:call(Next, increment),
    restarts(Next, N - 1, [bench:now_s() - T0 | Latency]).

storm(N) ->
    {ok, Sup} = bench_sup:start_link({intensity, N, 600, lists:duplicate(N, {bench_counter, start_link, [self()]})}),
    First = [receive {up, Pid} -> Pid end || _ <- lists:seq(1, N)],
    Took = bench:timed(fun() ->
        [gen_server:cast(Server, crash) || Server <- First],
        [receive {up, _} -> ok end || _ <- First]
    end),
    stop(Sup),
    [{seconds, Took}].

stop(Sup) ->
    unlink(Sup),
    Ref = monitor(process, Sup),
    exit(Sup, shutdown),
    receive {'DOWN', Ref, process, Sup, _} -> ok end.
