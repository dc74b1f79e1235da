defmodule Conformance.Registry do
  @moduledoc "Runs the programs of registry/program.py on Elixir's Registry; see there for what the tuples mean."
  alias Conformance.{Main, Trace, Words}
  alias Conformance.Registry.{Holder, Listener}

  def run({:program, _seed, keys, partitions, listens, ops}) do
    segment("0", fn -> start(keys, partitions, listens) end)

    for {op, number} <- Enum.with_index(ops, 1) do
      segment("#{number}", fn -> perform(op) end)
    end

    segment("final", fn -> [query({:select}), query({:count}), ["alive" | Enum.map(Trace.alive(), &[" ", Trace.name(&1)])]] end)
    segment("stop", &stop/0)
    if listener = Process.whereis(:listener), do: Process.exit(listener, :kill)
  end

  # First who would come back.
  defp stop do
    if sup = Process.whereis(:holders), do: DynamicSupervisor.stop(sup, :shutdown)
    [Atom.to_string(Supervisor.stop(:reg, :shutdown))]
  end

  defp segment(label, do_it), do: Main.segment(label, do_it, &Trace.quiet/0)

  defp start(keys, partitions, listens) do
    listeners = if listens, do: [:listener], else: []
    if listens, do: Process.register(spawn(&Listener.listen/0), :listener)
    {:ok, _} = Registry.start_link(name: :reg, keys: keys, partitions: partitions, listeners: listeners)
    {:ok, sup} = DynamicSupervisor.start_link(name: :holders, max_restarts: 3, max_seconds: 3600)
    Trace.watch(:holders, sup)
    []
  end

  # --- operations; each returns the lines of its results

  # Without a pause between: who died in one is not yet cleaned up in the next.
  defp perform({:together, ops}), do: Enum.flat_map(ops, &perform/1)

  defp perform({:start, id, traps, key, value}) do
    name = if key == :"", do: [], else: [name: via(key, value)]
    [started(fn -> GenServer.start(Holder, {id, traps}, name) end)]
  end

  defp perform({:supervise, id, key}) do
    start = {GenServer, :start_link, [Holder, {id, false}, [name: via(key, :none)]]}
    [started(fn -> DynamicSupervisor.start_child(:holders, %{id: id, start: start}) end)]
  end

  defp perform({:order, who, action}) do
    [with_living(who, fn pid -> GenServer.call(pid, {:order, action}, :infinity) end)]
  end

  defp perform({:die, who, :signal, word}) do
    [
      with_living(who, fn pid ->
        Process.exit(pid, Words.from_word(word))

        # The ping comes behind it: one sender, one receiver, one order.
        try do
          GenServer.call(pid, :ping, :infinity)
          "survived"
        catch
          :exit, _ -> "done"
        end
      end)
    ]
  end

  defp perform({:die, who, :stop, word}) do
    [with_living(who, fn pid -> Atom.to_string(GenServer.stop(pid, Words.from_word(word))) end)]
  end

  defp perform({:call, key}) do
    [refusable(fn -> "pong " <> GenServer.call(via(key, :none), :ping, :infinity) end)]
  end

  defp perform({:cast, key}) do
    [refusable(fn -> Atom.to_string(GenServer.cast(via(key, :none), :note)) end)]
  end

  defp perform({:send, key}) do
    [
      refusable(fn ->
        Registry.send({:reg, key}, :note)
        "ok"
      end)
    ]
  end

  defp perform({:putmeta, key, value}), do: [Atom.to_string(Registry.put_meta(:reg, key, value))]
  defp perform({:deletemeta, key}), do: [Atom.to_string(Registry.delete_meta(:reg, key))]

  defp perform({:meta, key}) do
    case Registry.meta(:reg, key) do
      {:ok, value} -> ["ok #{value}"]
      :error -> ["error"]
    end
  end

  defp perform({:killpartition}) do
    [{_, pid, _, _}] = Supervisor.which_children(:reg)
    Process.exit(pid, :kill)
    [Words.reason(Trace.ended(pid))]
  end

  defp perform({:query, question}), do: [query(question)]

  # --- questions

  defp query({:lookup, key}), do: entries(Registry.lookup(:reg, key))
  defp query({:match, key, value}), do: entries(Registry.match(:reg, key, value))
  defp query({:countmatch, key, value}), do: "count #{Registry.count_match(:reg, key, value)}"
  defp query({:count}), do: "count #{Registry.count(:reg)}"

  defp query({:select}) do
    found = Registry.select(:reg, [{{:"$1", :"$2", :"$3"}, [], [{{:"$1", :"$2", :"$3"}}]}])
    ["entries" | for({key, pid, value} <- found, do: " #{key}:#{Trace.name(pid)}=#{value}")]
  end

  defp query({:countselect, value}) do
    "count #{Registry.count_select(:reg, [{{:_, :_, value}, [], [true]}])}"
  end

  defp query({:keys, who}) do
    of(who, fn pid -> ["entries" | Enum.map(Registry.keys(:reg, pid), &" #{&1}")] end)
  end

  defp query({:values, key, who}) do
    of(who, fn pid -> ["entries" | Enum.map(Registry.values(:reg, key, pid), &" #{&1}")] end)
  end

  defp query({:whereis, key}) do
    refusable(fn ->
      case GenServer.whereis(via(key, :none)) do
        nil -> "nobody"
        pid -> Trace.name(pid)
      end
    end)
  end

  # Each call is told; an empty list would be, too.
  defp query({:dispatch, key}) do
    me = self()
    :ok = Registry.dispatch(:reg, key, fn found -> send(me, {:dispatched, found}) end)
    dispatched([])
  end

  defp dispatched(all) do
    receive do
      {:dispatched, []} -> "called with nothing"
      {:dispatched, found} -> dispatched(found ++ all)
    after
      0 -> entries(all)
    end
  end

  # --- words

  defp via(key, :none), do: {:via, Registry, {:reg, key}}
  defp via(key, value), do: {:via, Registry, {:reg, key, value}}

  defp entries(found), do: ["entries" | for({pid, value} <- found, do: " #{Trace.name(pid)}=#{value}")]

  defp with_living(who, ask) do
    case Trace.living(who) do
      nil -> "absent"
      pid -> ask.(pid)
    end
  end

  defp of(who, ask) do
    case Trace.newest(who) do
      nil -> "absent"
      pid -> ask.(pid)
    end
  end

  defp started(start) do
    refusable(fn ->
      case start.() do
        {:ok, pid} -> ["ok ", Trace.name(pid)]
        {:error, {:already_started, pid}} -> ["already_started ", Trace.name(pid)]
        {:error, {%ArgumentError{}, _}} -> "refused"
        {:error, reason} -> ["failed ", Words.reason(reason)]
      end
    end)
  end

  defp refusable(ask) do
    ask.()
  rescue
    ArgumentError -> "refused"
  catch
    :exit, why -> "exit #{Words.reason(why)}"
  end
end

defmodule Conformance.Registry.Holder do
  @moduledoc "A server that registers itself, and does so as it is ordered to."
  use GenServer
  alias Conformance.{Trace, Words}

  @impl true
  def init({id, traps}) do
    Process.flag(:trap_exit, traps)
    {:ok, Trace.born(id, self(), "")}
  end

  @impl true
  def handle_call(:ping, _from, name), do: {:reply, name, name}
  def handle_call({:order, action}, _from, name), do: {:reply, act(action), name}

  @impl true
  def handle_cast(:note, name), do: noted(name, "cast")

  @impl true
  def handle_info(:note, name), do: noted(name, "message")

  def handle_info({:EXIT, from, reason}, name) do
    noted(name, ["exit ", Trace.get(from, "partition"), " ", Words.reason(reason)])
  end

  defp noted(name, what) do
    Trace.note(["say ", name, " ", what])
    {:noreply, name}
  end

  defp act({:register, key, value}) do
    case Registry.register(:reg, key, value) do
      {:ok, _partition} -> "ok"
      {:error, {:already_registered, pid}} -> "already_registered #{Trace.name(pid)}"
    end
  end

  defp act({:unregister, key}), do: Atom.to_string(Registry.unregister(:reg, key))
  defp act({:unregistermatch, key, value}), do: Atom.to_string(Registry.unregister_match(:reg, key, value))

  defp act({:update, key, value}) do
    case Registry.update_value(:reg, key, fn _old -> value end) do
      {new, old} -> "ok #{new} #{old}"
      :error -> "error"
    end
  rescue
    ArgumentError -> "refused"
  end
end

defmodule Conformance.Registry.Listener do
  @moduledoc "Writes what listeners are told."
  alias Conformance.Trace

  def listen do
    receive do
      {:register, :reg, key, pid, value} -> Trace.note("heard listener register #{key} #{Trace.name(pid)} #{text(value)}")
      {:unregister, :reg, key, pid} -> Trace.note("heard listener unregister #{key} #{Trace.name(pid)}")
    end

    listen()
  end

  defp text(nil), do: "none"
  defp text(value), do: Atom.to_string(value)
end
