%% The gen_server that is called: a counter, which may tell a watcher that it is up, and crashes when told to.
-module(bench_counter).
-behaviour(gen_server).
-export([start_link/0, start_link/1, start_armed/2, init/1, handle_call/3, handle_cast/2, handle_info/2]).

start_link() -> gen_server:start_link(?MODULE, none, []).
start_link(Watcher) -> gen_server:start_link(?MODULE, {watcher, Watcher}, []).
start_armed(Due, Tally) -> gen_server:start_link(?MODULE, {armed, Due, Tally}, []).

init(none) -> {ok, 0};
init({watcher, Watcher}) -> Watcher ! {up, self()}, {ok, 0};
init({armed, Due, Tally}) -> erlang:send_after(Due, self(), tick, [{abs, true}]), {ok, Tally}.

handle_call(increment, _From, Count) -> {reply, Count + 1, Count + 1}.

handle_cast(increment, Count) -> {noreply, Count + 1};
handle_cast(crash, _) -> error(crash).

handle_info(tick, Tally) -> Tally ! tick, {noreply, Tally}.
