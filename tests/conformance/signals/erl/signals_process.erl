%% One process of a program: obeys what the driver tells it, and notes what it receives beside that.
%%
%% What the driver says is wrapped as {'$', What}, so that a process may leave everything else in its mailbox. What it
%% knows (its id, its monitors and timers) is in its process dictionary. A note is a list of words; a pid and a reason
%% in it become text in the driver, so that writing it costs this process next to nothing and no time slice ends in
%% the middle of a list of actions.
-module(signals_process).
-export([start/3]).

start(Id, Driver, Script) ->
    put(id, Id),
    put(driver, Driver),
    put(attention, eager),
    try obey(Script), loop() catch throw:return -> ok end.

loop() ->
    Message = case get(attention) of
        eager -> receive Any -> Any end;
        picky -> receive {'$', _} = Said -> Said end
    end,
    case Message of
        {'$', {do, Actions}} -> obey(Actions);
        {'$', hold} -> held();
        {'$', release} -> ok;
        {'$', eager} -> put(attention, eager);
        {'$', {ping, From, Ref}} -> From ! {pong, Ref};
        _ -> note([got | words(Message)])
    end,
    loop().

held() ->
    receive
        {'$', release} -> ok;
        {'$', {ping, From, Ref}} -> From ! {pong, Ref}, held()
    end.

obey(Actions) -> lists:foreach(fun act/1, Actions).

%% --- actions ---------------------------------------------------------------------------------------------------------

act({bare, Action}) ->
    note([bare | noun(Action)]),
    carry_out(Action);
act({exit, Target, Word}) ->
    note([exits, Target, Word]),
    carry_out({exit, Target, Word});
act({quit, How, Word}) ->
    note([quit, How, Word]),
    carry_out({quit, How, Word});
act({take, all, _}) ->
    note([take, all]),
    take_all();
act(Action) ->
    Result = try carry_out(Action) catch error:Why -> [Why] end,
    note(noun(Action) ++ Result).

%% What is done, as words.
noun({spawn, How, Child, _Ref, _Script}) -> [How, Child];
noun(Action) -> [Word || Word <- tuple_to_list(Action), Word =/= ''].

%% Returns the result as words.
carry_out({spawn, How, Child, Slot, Script}) ->
    Driver = get(driver),
    Start = fun() -> start(Child, Driver, Script) end,
    Pid = case How of
        spawn -> spawn(Start);
        spawn_link -> spawn_link(Start);
        spawn_monitor -> {New, Ref} = spawn_monitor(Start), keep(Slot, Ref), New
    end,
    ets:insert(signals, {Child, Pid}),
    [ok];
carry_out({link, Target}) -> with(Target, fun(Pid) -> [link(Pid)] end);
carry_out({unlink, Target}) -> with(Target, fun(Pid) -> [unlink(Pid)] end);
carry_out({monitor, Slot, Target}) ->
    with(Target, fun(Object) -> keep(Slot, monitor(process, Object)), [ok] end);
carry_out({demonitor, Slot, Flush}) ->
    with({ref, Slot}, fun(Ref) -> [demonitor(Ref, [flush || Flush] ++ [info])] end);
carry_out({trap, On}) -> [process_flag(trap_exit, On)];
carry_out({exit, Target, Word}) -> with(Target, fun(Pid) -> [exit(Pid, reason(Word))] end);
carry_out({quit, return, normal}) -> throw(return);
carry_out({quit, exit, Word}) -> exit(reason(Word));
carry_out({quit, error, Word}) -> error(reason(Word));
carry_out({send, Target, Tag}) -> with(Target, fun(To) -> To ! {message, Tag}, [ok] end);
carry_out({register, Name, Target}) -> with(Target, fun(Pid) -> [register(Name, Pid)] end);
carry_out({unregister, Name}) -> [unregister(Name)];
carry_out({whereis, Name}) -> [case whereis(Name) of undefined -> nobody; Pid -> Pid end];
carry_out({alive, Target}) -> with(Target, fun(Pid) -> [is_process_alive(Pid)] end);
carry_out({take, Kind, Of}) -> take(Kind, Of);
carry_out({attend, How}) -> put(attention, How), [ok];
carry_out({timer, Slot}) -> keep(Slot, erlang:send_after(3600000, self(), {message, Slot})), [ok];
carry_out({cancel, Slot}) -> with({ref, Slot}, fun(Timer) -> [was_left(erlang:cancel_timer(Timer))] end);
carry_out({soon, Tag}) ->
    Timer = erlang:send_after(0, self(), {message, Tag}),
    receive {message, Tag} -> [was_left(erlang:cancel_timer(Timer))] end.

take_all() ->
    receive
        {'EXIT', _, _} = M -> note([got | words(M)]), take_all();
        {'DOWN', _, _, _, _} = M -> note([got | words(M)]), take_all();
        {message, _} = M -> note([got | words(M)]), take_all()
    after 0 -> ok
    end.

take(exit, Of) -> with(Of, fun(Pid) -> receive {'EXIT', Pid, _} = M -> words(M) after 0 -> [nothing] end end);
take(down, Of) ->
    with({ref, Of}, fun(Ref) -> receive {'DOWN', Ref, _, _, _} = M -> words(M) after 0 -> [nothing] end end);
take(message, '') -> receive {message, _} = M -> words(M) after 0 -> [nothing] end;
take(message, Of) -> receive {message, Of} = M -> words(M) after 0 -> [nothing] end.

%% A received message as words. Of a Down it is told whether its process is still there, which it must not be (S14).
words({'EXIT', Pid, Reason}) -> [exit, Pid, {reason, Reason}];
words({'DOWN', Ref, process, {Name, _Node}, Reason}) -> [down, get({slot, Ref}), Name, {reason, Reason}];
words({'DOWN', Ref, process, Pid, Reason}) ->
    Alive = [alive || is_process_alive(Pid)],
    Named = [Name || Name <- [n1, n2], whereis(Name) =:= Pid],
    [down, get({slot, Ref}), Pid, {reason, Reason}] ++ Alive ++ Named;
words({message, Tag}) -> [message, Tag];
words(Other) -> [strange, {reason, Other}].

%% --- what it knows ---------------------------------------------------------------------------------------------------

keep(Slot, Ref) -> put({ref, Slot}, Ref), put({slot, Ref}, Slot).

%% Do something with what an id stands for; a process that was never started and a monitor never made are absent.
with({ref, _} = Key, Do) -> case get(Key) of undefined -> [absent]; Ref -> Do(Ref) end;
with(Name, Do) when Name =:= n1; Name =:= n2 -> Do(Name);
with(Id, Do) -> case ets:lookup(signals, Id) of [] -> [absent]; [{_, Pid}] -> Do(Pid) end.

was_left(false) -> gone;
was_left(Milliseconds) when is_integer(Milliseconds) -> left.

reason(shutdown_x) -> {shutdown, x};
reason(Word) -> Word.

note(Words) -> get(driver) ! {note, get(id), Words}.
