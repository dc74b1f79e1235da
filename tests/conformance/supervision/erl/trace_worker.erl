%% The scripted worker: its start, its death and its goodbye are told by the `worker` tuple of scenario.py.
-module(trace_worker).
-behaviour(gen_server).
-export([start_link/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-record(state, {rec, goodbye, asked = false}).

start_link(Rec, Parent, Spec) -> gen_server:start_link(?MODULE, {Rec, Parent, Spec}, []).

init({Rec, Parent, {worker, Id, _Restart, _Significant, _Shutdown, Traps, Goodbye, Starts}}) ->
    process_flag(trap_exit, Traps),
    case trace_recorder:started(Rec, worker, Id, {Parent, Starts}) of
        ok -> {ok, #state{rec = Rec, goodbye = Goodbye}};
        error -> {stop, no_start};
        ignore -> ignore;
        crash -> erlang:error(init_boom)
    end.

handle_call(ping, _From, S) -> {reply, pong, S}.

handle_cast({stop, Reason}, S) -> {stop, Reason, S#state{asked = true}};
handle_cast({raise, Reason}, _) -> erlang:error(Reason).

handle_info({'EXIT', _From, Reason}, S) ->
    trace_recorder:note(S#state.rec, {"info", ["exit ", trace_text:reason(Reason)]}),
    {noreply, S}.

terminate(Reason, S) ->
    trace_recorder:note(S#state.rec, {"terminate", trace_text:reason(Reason)}),
    case S of
        #state{goodbye = exit} -> exit(changed);
        #state{goodbye = stubborn, asked = false} when Reason =:= shutdown -> receive after infinity -> ok end;
        _ -> ok
    end.
