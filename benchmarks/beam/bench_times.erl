%% Timers.
-module(bench_times).
-export([timer/1, timer_late/1, armed/1]).

timer(N) -> [{seconds, bench:timed(fun() -> pairs(N) end)}].

pairs(0) -> ok;
pairs(N) ->
    erlang:cancel_timer(erlang:send_after(60000, self(), late)),
    pairs(N - 1).

%% N timers, ten for each millisecond; how late each one is.
timer_late(N) ->
    T0 = erlang:monotonic_time(millisecond) + 300,
    [begin
        Due = T0 + I div 10,
        erlang:send_after(Due, self(), {due, Due}, [{abs, true}])
    end || I <- lists:seq(0, N - 1)],
    [{late, [receive {due, Due} -> bench:now_s() - Due / 1000 end || _ <- lists:seq(1, N)]}].

%% N processes with a timer each, all due at one moment.
armed(N) ->
    T0 = erlang:monotonic_time(millisecond),
    Due = T0 + 200 + round(N * 0.06),
    Self = self(),
    Arm = bench:timed(fun() -> [{ok, _} = bench_counter:start_armed(Due, Self) || _ <- lists:seq(1, N)] end),
    Began = max(Due / 1000, bench:now_s()),
    [receive tick -> ok end || _ <- lists:seq(1, N)],
    [{arm, Arm}, {fire, bench:now_s() - Began}].
