%% What the processes of one program know in common: who is who, and what each of them has seen.
%%
%% Writing is a single insert, so a handler is not interrupted by it. A watcher monitors every server from within
%% its init, so each end is seen with its reason, init's own failures included.
-module(server_world).
-export([open/0, close/0, arrive/1, note/2, take/0]).
-export([pid/1, name/1, goodbye/1, reply/1]).

open() ->
    ets:new(?MODULE, [named_table, public, ordered_set]),
    ets:insert(?MODULE, [{watcher, spawn(fun watcher/0)}, {{name, self()}, "driver"}]).

close() -> exit(ets:lookup_element(?MODULE, watcher, 2), kill), ets:delete(?MODULE).

%% Called in init: gives the process its number, and returns the name that traces use.
arrive(Server) ->
    N = ets:update_counter(?MODULE, {count, Server}, 1, {{count, Server}, 0}),
    Name = atom_to_list(Server) ++ "#" ++ integer_to_list(N),
    ets:insert(?MODULE, [{{pid, Server}, self()}, {{name, self()}, Name}]),
    ets:lookup_element(?MODULE, watcher, 2) ! {watch, self(), Name},
    receive watched -> Name end.

note(Who, Text) ->
    ets:insert(?MODULE, {{line, erlang:unique_integer([monotonic])}, Who, lists:flatten(Text)}).

%% All lines since the last take, each process's in its own order, the processes by name.
take() ->
    Lines = ets:select(?MODULE, [{{{line, '_'}, '$1', '$2'}, [], [{{'$1', '$2'}}]}]),
    ets:match_delete(?MODULE, {{line, '_'}, '_', '_'}),
    lists:keysort(1, Lines).

%% The newest process that was started under that name, dead or alive.
pid(Server) ->
    case ets:lookup(?MODULE, {pid, Server}) of [{_, Pid}] -> Pid; [] -> absent end.

name(Pid) when is_pid(Pid) ->
    case ets:lookup(?MODULE, {name, Pid}) of [{_, Name}] -> Name; [] -> "somebody" end;
name(_) -> "nobody".

goodbye(Name) -> ets:insert(?MODULE, {{goodbye, Name}}).

%% A reply in the words of the trace: to which message, by whom, and for a last one whether terminate has run.
reply({ok, Id, Name}) -> io_lib:format("ok ~B ~s", [Id, Name]);
reply({stopped, Id, Name}) ->
    io_lib:format("stopped ~B ~s goodbye=~s", [Id, Name, ets:member(?MODULE, {goodbye, Name})]).

watcher() ->
    receive
        {watch, Pid, Name} ->
            put(Pid, Name),
            monitor(process, Pid),
            Pid ! watched;
        {'DOWN', _, process, Pid, Reason} ->
            note("ended", [get(Pid), " ", server_text:reason(Reason)])
    end,
    watcher().
