%% The supervisors of the workloads.
-module(bench_sup).
-behaviour(supervisor).
-export([start_link/1, init/1]).

start_link(Children) -> supervisor:start_link(?MODULE, Children).

init({dynamic, Start}) ->
    {ok, {#{strategy => simple_one_for_one}, [#{id => child, start => Start}]}};
init({intensity, N, Period, Starts}) ->
    Specs = [#{id => I, start => Start} || {I, Start} <- lists:enumerate(Starts)],
    {ok, {#{intensity => N, period => Period}, Specs}}.
