%% Starts a judge that does nothing only once: `erl ... -s warm_judge main MODULE` runs MODULE:main/0.
%%
%% What happens once, when it is first needed, makes somebody wait in whose place another one runs. The first process
%% that crashed, say, had the code of its report loaded, and an exit signal that should have come too late ended it
%% meanwhile. So all modules are loaded first; and the logger notes now that it has nothing to write for any of them.
-module(warm_judge).
-export([main/1]).

main([Module]) ->
    logger:set_primary_config(level, none),
    Ours = [list_to_atom(filename:rootname(File)) || File <- filelib:wildcard("*.beam", filename:dirname(code:which(?MODULE)))],
    lists:foreach(fun load/1, [modules(kernel), modules(stdlib), Ours]),
    Module:main().

load(Modules) ->
    ok = code:ensure_modules_loaded(Modules),
    lists:foreach(fun(Module) -> logger:allow(error, Module) end, Modules).

modules(Application) ->
    _ = application:load(Application),
    {ok, Modules} = application:get_key(Application, modules),
    Modules.
