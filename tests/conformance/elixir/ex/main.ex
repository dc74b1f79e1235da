defmodule Conformance.Main do
  @moduledoc """
  The BEAM's half of the families that Elixir judges: reads programs as Erlang terms from standard input, each with the
  family that it belongs to, runs it, prints its trace and ends it with a line `end`.

  Run as: elixir --erl "+S 1:1" -pa EBIN -e Conformance.Main.run. One scheduler makes the order of deaths the order of
  causes. After each operation the driver waits until nothing can move any more; it never sleeps.
  """
  alias Conformance.Trace

  # Milliseconds; a program takes a few.
  @hang 20_000

  @families %{dynamic: Conformance.Dynamic, tasks: Conformance.Tasks, registry: Conformance.Registry}

  def run do
    :logger.set_primary_config(:level, :none)
    load_everything()
    loop()
  end

  # What happens once, when it is first needed, makes somebody wait who is not ready meanwhile: all would look quiet.
  # So modules are loaded now; and the logger notes now that it has nothing to write for any of them.
  defp load_everything do
    for application <- [:kernel, :stdlib, :elixir],
        {:ok, modules} = :application.get_key(application, :modules) do
      :ok = :code.ensure_modules_loaded(modules)
      Enum.each(modules, &:logger.allow(:error, &1))
    end

    ours = Path.wildcard(Path.join(Path.dirname(:code.which(__MODULE__)), "*.beam"))
    :ok = :code.ensure_modules_loaded(for file <- ours, do: String.to_atom(Path.basename(file, ".beam")))
    consolidate()
  end

  # As in a released program. Without it every `inspect` of a struct, which the text of some errors is made of, looks on
  # the disk for a module that is not there, and who waits for the disk is at times counted nowhere.
  defp consolidate do
    path = :code.get_path()

    for protocol <- Protocol.extract_protocols([:code.lib_dir(:elixir, :ebin)]) do
      {:ok, binary} = Protocol.consolidate(protocol, Protocol.extract_impls(protocol, path))
      :code.purge(protocol)
      {:module, ^protocol} = :code.load_binary(protocol, :code.which(protocol), binary)
    end
  end

  defp loop do
    case :io.read(:standard_io, '') do
      {:ok, {family, program}} ->
        IO.write([program(Map.fetch!(@families, family), program), "end\n"])
        loop()

      :eof ->
        System.halt(0)

      other ->
        IO.puts("unreadable program: #{inspect(other)}\nend")
        System.halt(1)
    end
  end

  # The trace, as far as it went if the driver failed.
  defp program(family, program) do
    {pid, ref} =
      spawn_monitor(fn ->
        Process.flag(:trap_exit, true)
        Trace.start()
        family.run(program)
      end)

    why =
      receive do
        {:DOWN, ^ref, :process, ^pid, :normal} -> []
        {:DOWN, ^ref, :process, ^pid, why} -> "driver failed: #{inspect(why, limit: :infinity)}\n"
      after
        @hang ->
          Process.exit(pid, :kill)
          "hang\n"
      end

    lines = Trace.get(:printed, [])

    kill_all()
    Trace.stop()
    [Enum.map(Enum.reverse(lines), &[&1, ?\n]), why]
  end

  @doc "Do one thing, wait for quiet by `settle`, print what happened and what it returned."
  def segment(label, do_it, settle) do
    results = do_it.()
    settle.()
    lines = ["op #{label}" | Trace.take()] ++ Enum.map(results, &IO.chardata_to_string(["result ", &1]))
    Trace.put(:printed, Enum.reverse(lines) ++ Trace.get(:printed, []))
    flush()
  end

  # What a program left behind; a supervisor among them may start somebody meanwhile.
  defp kill_all do
    for pid <- Trace.alive() do
      Process.exit(pid, :kill)
      Trace.ended(pid)
      kill_all()
    end
  end

  # The driver traps exits, and is linked to what it starts.
  defp flush do
    receive do
      {:EXIT, _, _} -> flush()
    after
      0 -> :ok
    end
  end
end
