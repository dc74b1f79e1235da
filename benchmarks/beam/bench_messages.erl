%% Calls, casts, fan-in and the ring.
-module(bench_messages).
-behaviour(gen_server).
-export([call/1, cast/1, fan_in/1, ring/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(SENDERS, 100).
-define(NODES, 1000).

call(N) ->
    {ok, Server} = bench_counter:start_link(),
    [{seconds, bench:timed(fun() -> calls(Server, N) end)}].

calls(_, 0) -> ok;
calls(Server, N) -> gen_server:call(Server, increment), calls(Server, N - 1).

cast(N) ->
    {ok, Server} = bench_counter:start_link(),
    [{seconds, bench:timed(fun() -> casts(Server, N), gen_server:call(Server, increment, infinity) end)}].

casts(_, 0) -> ok;
casts(Server, N) -> gen_server:cast(Server, increment), casts(Server, N - 1).

fan_in(N) ->
    Each = N div ?SENDERS,
    {ok, Sink} = gen_server:start_link(?MODULE, {sink, Each * ?SENDERS}, []),
    Senders = [element(2, gen_server:start_link(?MODULE, sender, [])) || _ <- lists:seq(1, ?SENDERS)],
    [{seconds, bench:timed(fun() ->
        [gen_server:cast(Sender, {flood, Sink, Each}) || Sender <- Senders],
        gen_server:call(Sink, reached, infinity)
    end)}].

ring(N) ->
    Nodes = [element(2, gen_server:start_link(?MODULE, node, [])) || _ <- lists:seq(1, ?NODES)],
    [ok = gen_server:call(Node, {follow, Next}) || {Node, Next} <- lists:zip(Nodes, tl(Nodes) ++ [hd(Nodes)])],
    [{seconds, bench:timed(fun() -> gen_server:call(hd(Nodes), {start, N}, infinity) end)}].

init({sink, Goal}) -> {ok, {sink, Goal, 0, none}};
init(sender) -> {ok, sender};
init(node) -> {ok, none}.

handle_call(reached, _From, {sink, Goal, Goal, none}) -> {reply, Goal, {sink, Goal, Goal, none}};
handle_call(reached, From, {sink, Goal, Count, none}) -> {noreply, {sink, Goal, Count, From}};
handle_call({follow, Next}, _From, _) -> {reply, ok, Next};
handle_call({start, Hops}, From, Next) -> gen_server:cast(Next, {token, Hops - 1, From}), {noreply, Next}.

handle_cast(increment, {sink, Goal, Count, From}) when Count + 1 =:= Goal, From =/= none ->
    gen_server:reply(From, Goal),
    {noreply, {sink, Goal, Goal, none}};
handle_cast(increment, {sink, Goal, Count, From}) -> {noreply, {sink, Goal, Count + 1, From}};
handle_cast({flood, Sink, N}, sender) -> casts(Sink, N), {noreply, sender};
handle_cast({token, 0, From}, Next) -> gen_server:reply(From, ok), {noreply, Next};
handle_cast({token, Left, From}, Next) -> gen_server:cast(Next, {token, Left - 1, From}), {noreply, Next}.
