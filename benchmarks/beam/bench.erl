%% Erlang as a contestant: reads asks, prints answers, as ../protocol.py says. The workloads are those of ../rows.py on
%% OTP's own gen_server and supervisor. Run with erl +S 1:1, so that both sides have one core.
-module(bench).
-export([main/0, timed/1, now_s/0, no_reports/0]).

main() ->
    no_reports(),
    io:format("OTP ~s, erts ~s~n", [erlang:system_info(otp_release), erlang:system_info(version)]),
    loop().

loop() ->
    case io:get_line("") of
        eof -> halt(0);
        Line ->
            [Workload, N | _] = string:lexemes(Line, " \n"),
            io:format("~s~n", [sample(list_to_atom(Workload), list_to_integer(N))]),
            loop()
    end.

%% A fresh process for each sample, so that its heap is fresh too.
sample(Workload, N) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({done, run(Workload, N)}) end),
    receive
        {'DOWN', Ref, process, Pid, {done, cannot}} -> "cannot";
        {'DOWN', Ref, process, Pid, {done, Metrics}} -> lists:join(" ", [metric(M) || M <- Metrics]);
        {'DOWN', Ref, process, Pid, Why} ->
            ["failed ", [C || C <- lists:flatten(io_lib:format("~0p", [Why])), C =/= $\n]]
    end.

run(Workload, N) ->
    Modules = [bench_messages, bench_lives, bench_times],
    case [M || M <- Modules, {module, M} =:= code:ensure_loaded(M), erlang:function_exported(M, Workload, 1)] of
        [Module] -> Module:Workload(N);
        [] -> cannot
    end.

metric({Name, Values}) when is_list(Values) ->
    [atom_to_list(Name), "=", lists:join(",", [float_to_list(float(V), [{decimals, 9}, compact]) || V <- Values])];
metric({Name, Value}) -> metric({Name, [Value]}).

%% Seconds that Do() takes.
timed(Do) ->
    T0 = now_s(),
    Do(),
    now_s() - T0.

now_s() -> erlang:monotonic_time(nanosecond) / 1.0e9.

%% Crash reports are off on every side; `restart` has them built.
no_reports() -> logger:set_primary_config(level, none).
