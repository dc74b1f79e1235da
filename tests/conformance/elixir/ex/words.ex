defmodule Conformance.Words do
  @moduledoc "The words of the trace format that words.py must match: exit reasons, and nothing that only the BEAM has."

  @doc "A reason as text. Stack traces and what a call was about are dropped: what was raised is kept."
  def reason({%RuntimeError{message: "reached the maximum" <> _}, _}), do: "crash(max_children)"
  def reason({%{__exception__: true} = error, stack}) when is_list(stack), do: "crash(#{Exception.message(error)})"
  def reason({{:nocatch, value}, stack}) when is_list(stack), do: "crash(#{reason(value)})"
  def reason({why, [{_, _, _, _} | _]}), do: "crash(#{reason(why)})"
  def reason({why, {Task, _, _}}), do: "await(#{reason(why)})"
  def reason({{:noproc, _}, {Task.Supervised, :stream, _}}), do: "noproc"
  def reason({why, {Task.Supervised, :stream, _}}), do: "await(#{reason(why)})"
  def reason({why, {module, _, _}}) when module in [GenServer, :gen_server, :sys], do: reason(why)
  def reason({:shutdown, why}), do: "{shutdown,#{reason(why)}}"
  def reason(atom) when is_atom(atom), do: Atom.to_string(atom)
  def reason(other), do: inspect(other)

  @doc "A reason word of a program as the term that it stands for."
  def from_word(:shutdown_why), do: {:shutdown, :why}
  def from_word(word), do: word
end
