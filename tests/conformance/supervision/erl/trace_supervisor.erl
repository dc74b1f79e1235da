%% A supervisor made from the `tree` tuple of scenario.py.
-module(trace_supervisor).
-behaviour(supervisor).
-export([start_link/3, child_spec/3]).
-export([init/1]).

start_link(Rec, Parent, Tree) -> supervisor:start_link(?MODULE, {Rec, Parent, Tree}).

init({Rec, Parent, {tree, Id, _, _, _, Strategy, Intensity, Period, AutoShutdown, Children, Starts}}) ->
    Flags = #{strategy => Strategy, intensity => Intensity, period => Period, auto_shutdown => AutoShutdown},
    case trace_recorder:started(Rec, supervisor, Id, {Parent, Starts}) of
        ok -> {ok, {Flags, [child_spec(Rec, self(), Child) || Child <- Children]}};
        ignore -> ignore;
        crash -> erlang:error(init_boom)
    end.

%% The child specification of a `worker` or `tree` tuple under supervisor Parent.
child_spec(Rec, Parent, {worker, Id, Restart, Significant, Shutdown, _, _, _} = Spec) ->
    #{id => Id, restart => Restart, significant => Significant, shutdown => Shutdown, type => worker,
      start => {trace_worker, start_link, [Rec, Parent, Spec]}};
child_spec(Rec, Parent, {tree, Id, Restart, Significant, Shutdown, _, _, _, _, _, _} = Spec) ->
    #{id => Id, restart => Restart, significant => Significant, shutdown => Shutdown, type => supervisor,
      start => {trace_supervisor, start_link, [Rec, Parent, Spec]}}.
