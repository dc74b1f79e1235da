%% The words of the trace format that ../words.py must match: exit reasons and nothing that only the BEAM has.
-module(trace_text).
-export([reason/1, from_word/1]).

%% A reason as text. A stack trace is dropped: what was raised is kept.
reason({shutdown, {failed_to_start_child, Id, Why}}) ->
    ["{failed_to_start_child,", atom_to_list(Id), ",", reason(Why), "}"];
reason({start_spec, _}) -> "bad_spec";
reason({shutdown, Why}) -> ["{shutdown,", reason(Why), "}"];
reason({Why, [{_, _, _, _} | _]}) -> ["crash(", reason(Why), ")"];
reason({Why, {gen_server, call, _}}) -> reason(Why);
reason({Why, {sys, _, _}}) -> reason(Why);
reason(Atom) when is_atom(Atom) -> atom_to_list(Atom);
reason(Other) -> io_lib:format("~0p", [Other]).

%% A reason word of scenario.py as the term it stands for.
from_word(shutdown_why) -> {shutdown, why};
from_word(Reason) -> Reason.
