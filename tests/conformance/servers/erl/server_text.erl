%% The words of the trace that ../words.py must match: exit reasons and results.
-module(server_text).
-export([reason/1, failure/1, from_word/1]).

%% An exit reason. A stack trace is dropped; a call that failed and was not caught is told as such.
reason({shutdown, [{_, _, _, _} | _]}) -> "crash(shutdown)";
reason({shutdown, {gen_server, call, _}}) -> "uncaught(shutdown)";
reason({shutdown, Why}) -> ["{shutdown,", reason(Why), "}"];
reason({bad_return_value, _}) -> "bad_return";
reason({Why, {gen_server, call, _}}) -> ["uncaught(", reason(Why), ")"];
reason({Why, [{_, _, _, _} | _]}) -> ["crash(", reason(Why), ")"];
reason(Atom) when is_atom(Atom) -> atom_to_list(Atom);
reason(Other) -> io_lib:format("~0p", [Other]).

%% What the client of a request exits with: the reason, without the request that the client knows.
failure({Why, {Module, _, _}}) when Module =:= gen_server; Module =:= sys -> reason(Why);
failure(Why) -> reason(Why).

%% A reason word of ../program.py as the term it stands for.
from_word(shutdown_why) -> {shutdown, why};
from_word(Word) -> Word.
