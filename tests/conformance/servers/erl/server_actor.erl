%% The scripted server: does what each message says and writes down what it sees. See ../program.py for the tuples.
-module(server_actor).
-behaviour(gen_server).
-export([start/1, init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2, code_change/3]).

%% n counts the messages that were handled to their end; `kept` are calls to answer later, oldest first;
%% `watched` are {Ref, Server}, oldest first; `idle` is what the newest idle timeout runs.
-record(s, {me, server, n = 0, kept = [], watched = [], idle, from}).

start({server, Name, Link, _, Registered, _, _, _, _} = Server) ->
    Function = case Link of true -> start_link; false -> start end,
    case Registered of
        true -> gen_server:Function({local, Name}, ?MODULE, Server, []);
        false -> gen_server:Function(?MODULE, Server, [])
    end.

init({server, Name, _, Traps, _, Script, _, _, _} = Server) ->
    process_flag(trap_exit, Traps),
    Me = server_world:arrive(Name),
    handle(init, Script, #s{me = Me, server = Server}).

handle_call(Script, From, S) -> handle(call, Script, S#s{from = From}).

handle_cast({forwarded, Id, From}, S) ->
    note(S, "forwarded ~B n=~B", [Id, S#s.n]),
    gen_server:reply(From, {ok, Id, S#s.me}),
    {noreply, S#s{n = S#s.n + 1}};
handle_cast(Script, S) -> handle(cast, Script, S).

handle_continue(Script, S) -> handle(continue, Script, S).

handle_info(timeout, S) -> handle(timeout, S#s.idle, S);
handle_info({'DOWN', Ref, process, Object, Reason}, S) ->
    Who = case lists:keyfind(Ref, 1, S#s.watched) of {_, Server} -> Server; false -> stale end,
    How = case Object of {Name, Node} when Node =:= node() -> Name; Pid -> server_world:name(Pid) end,
    note(S, "down ~s ~s ~s", [Who, How, server_text:reason(Reason)]),
    look(Who, S),
    Left = lists:keydelete(Ref, 1, S#s.watched),
    return(info, down, on_down(S), S#s{watched = Left, n = S#s.n + 1});
handle_info({'EXIT', Pid, Reason}, S) ->
    note(S, "exit ~s ~s", [server_world:name(Pid), server_text:reason(Reason)]),
    return(info, exit, on_exit(S), S#s{n = S#s.n + 1});
handle_info({script, _, _, _} = Script, S) -> handle(info, Script, S);
handle_info(Other, S) -> note(S, "stray ~0p", [Other]), {noreply, S}.

terminate(Reason, #s{server = {server, Name, _, _, _, _, _, _, Goodbye}} = S) ->
    note(S, "terminate ~s n=~B named=~s", [server_text:reason(Reason), S#s.n, whereis(Name) =:= self()]),
    server_world:goodbye(S#s.me),
    case Goodbye of
        ok -> ok;
        answer -> lists:foldl(fun(_, Left) -> act({answer, false}, Left) end, S, S#s.kept);
        'raise' -> erlang:error(bye);
        leave -> exit(bye)
    end.

code_change(_, _, 'raise') -> erlang:error(boom);
code_change(Old, S, Extra) -> note(S, "code ~0p ~0p", [Old, Extra]), {ok, S#s{n = S#s.n + 1000}}.

%% --- one message ---------------------------------------------------------------------------------------------------

handle(Kind, {script, Id, Acts, Returned}, S) ->
    note(S, "~s ~B n=~B", [Kind, Id, S#s.n]),
    Done = lists:foldl(fun act/2, S#s{from = {Id, S#s.from}}, Acts),
    return(Kind, Id, Returned, Done#s{n = S#s.n + 1}).

return(init, _, {quit, Reason, _}, _) -> {stop, server_text:from_word(Reason)};
return(call, Id, {quit, Reason, true}, S) ->
    {stop, Why, New} = stop(Reason, S),
    {stop, Why, {stopped, Id, S#s.me}, New};
return(_, _, {quit, Reason, _}, S) -> stop(Reason, S);
return(_, _, {'raise', Reason}, _) -> erlang:error(server_text:from_word(Reason));
return(_, _, {leave, Reason}, _) -> exit(server_text:from_word(Reason));
return(init, _, {ignore}, _) -> ignore;
return(_, _, {bad}, _) -> wrong;
return(_, _, {default}, S) -> {noreply, S};
return(call, Id, {keep, Then}, #s{from = {_, From}} = S) ->
    then({noreply, S#s{kept = S#s.kept ++ [{Id, From}]}}, Then);
return(call, _, {given, Then}, S) -> then({noreply, S}, Then);
return(call, Id, {go, Then}, S) -> then({reply, {ok, Id, S#s.me}, S}, Then);
return(init, _, {_, Then}, S) -> then({ok, S}, Then);
return(_, _, {_, Then}, S) -> then({noreply, S}, Then).

stop(Reason, S) -> {stop, server_text:from_word(Reason), S}.

then(Result, {rest}) -> Result;
then(Result, {hibernate}) -> append(Result, hibernate);
then(Result, {continue, Script}) -> append(Result, {continue, Script});
then(Result, {idle, Time, Script}) ->
    S = element(tuple_size(Result), Result),
    append(setelement(tuple_size(Result), Result, S#s{idle = Script}), Time).

append(Tuple, Last) -> erlang:append_element(Tuple, Last).

%% --- acts ------------------------------------------------------------------------------------------------------------

act({call, To, By, Script, Caught}, S) ->
    case target(To, By) of
        absent -> note(S, "call ~s absent", [To]);
        Target ->
            try gen_server:call(Target, Script, infinity) of
                Reply -> note(S, "called ~s ~s", [To, server_world:reply(Reply)])
            catch exit:Why when Caught -> note(S, "called ~s exit ~s", [To, server_text:failure(Why)])
            end
    end, S;
act({cast, To, By, Script}, S) ->
    case target(To, By) of
        absent -> note(S, "cast ~s absent", [To]);
        Target -> gen_server:cast(Target, Script)
    end, S;
act({send, To, By, Script}, S) ->
    case target(To, By) of
        absent -> note(S, "send ~s absent", [To]);
        Target -> try Target ! Script catch error:badarg -> note(S, "send ~s noname", [To]) end
    end, S;
act({forward, To}, #s{from = {Id, From}} = S) ->
    Pid = server_world:pid(To),
    case lives(Pid) of
        true -> gen_server:cast(Pid, {forwarded, Id, From});
        false -> note(S, "forward ~s dead", [To]), gen_server:reply(From, {ok, Id, S#s.me})
    end, S;
act({answer, _}, #s{kept = []} = S) -> note(S, "answer nobody", []), S;
act({answer, Newest}, #s{kept = Kept} = S) ->
    {Id, From} = case Newest of true -> lists:last(Kept); false -> hd(Kept) end,
    note(S, "answer ~B", [Id]),
    gen_server:reply(From, {ok, Id, S#s.me}),
    S#s{kept = lists:delete({Id, From}, Kept)};
act({link, To, true}, S) ->
    case lives(server_world:pid(To)) of
        true -> act({link, To, false}, S);
        false -> note(S, "link ~s dead", [To]), S
    end;
act({link, To, false}, S) ->
    with_pid(S, "link", To, fun(Pid) -> try link(Pid), "ok" catch error:noproc -> "noproc" end end), S;
act({unlink, To}, S) ->
    with_pid(S, "unlink", To, fun(Pid) -> unlink(Pid), "ok" end), S;
act({watch, To, By, true}, S) ->
    case lives(case By of name -> whereis(To); pid -> server_world:pid(To) end) of
        true -> act({watch, To, By, false}, S);
        false -> note(S, "watch ~s dead", [To]), S
    end;
act({watch, To, By, false}, S) ->
    case target(To, By) of
        absent -> note(S, "watch ~s absent", [To]), S;
        Target -> S#s{watched = S#s.watched ++ [{monitor(process, Target), To}]}
    end;
act({unwatch, To, Flush}, S) ->
    case lists:keyfind(To, 2, S#s.watched) of
        false -> note(S, "unwatch ~s none", [To]), S;
        {Ref, _} ->
            Was = demonitor(Ref, [info | [flush || Flush]]),
            note(S, "unwatch ~s ~s", [To, Was]),
            S#s{watched = lists:keydelete(Ref, 1, S#s.watched)}
    end;
act({trap, On}, S) -> note(S, "trap was ~s", [process_flag(trap_exit, On)]), S;
act({signal, To, Reason}, S) ->
    with_pid(S, "signal", To, fun(Pid) -> exit(Pid, server_text:from_word(Reason)), "sent" end), S;
act({look, To}, S) -> look(To, S), S;
act({inspect, To}, S) ->
    Nobody = {spawn(fun() -> ok end), make_ref()},
    Pid = server_world:pid(To),
    lives(Pid) andalso (Pid ! {system, Nobody, get_state}),
    S;
act({register, On}, #s{server = Server} = S) ->
    Name = element(2, Server),
    Done = try On andalso register(Name, self()) orelse unregister(Name) of true -> "ok"
           catch error:badarg -> "refused" end,
    note(S, "register ~s ~s", [On, Done]), S.

with_pid(S, Verb, To, Do) ->
    case server_world:pid(To) of
        absent -> note(S, "~s ~s absent", [Verb, To]);
        Pid -> note(S, "~s ~s ~s", [Verb, To, Do(Pid)])
    end.

look(stale, _) -> ok;
look(To, S) ->
    Pid = server_world:pid(To),
    note(S, "look ~s alive=~s name=~s", [To, lives(Pid), server_world:name(whereis(To))]).

lives(Pid) -> is_pid(Pid) andalso is_process_alive(Pid).

target(To, name) -> To;
target(To, pid) -> server_world:pid(To).

on_exit(#s{server = Server}) -> element(7, Server).
on_down(#s{server = Server}) -> element(8, Server).

note(#s{me = Me}, Format, Args) -> server_world:note(Me, io_lib:format(Format, Args)).
