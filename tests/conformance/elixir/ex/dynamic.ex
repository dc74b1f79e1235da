defmodule Conformance.Dynamic do
  @moduledoc "Runs the programs of dynamic/program.py on Elixir's DynamicSupervisor; see there for what the tuples mean."
  alias Conformance.{Main, Trace, Words}
  alias Conformance.Dynamic.{Keeper, Worker}

  def run({:program, _seed, root, ops}) do
    segment("0", fn -> [started(Keeper.start_link(root, self()))] end)

    for {op, number} <- Enum.with_index(ops, 1) do
      segment("#{number}", fn -> perform(op) end)
    end

    segment("final", fn -> for {id, pid} <- supervisors(), do: [id, " ", answer(fn -> which(pid) end)] end)
    segment("teardown", fn -> perform({:stop, :root, :parent, :shutdown}) end)
  end

  defp segment(label, do_it), do: Main.segment(label, do_it, fn -> settle(nil) end)

  # --- operations; each returns the lines of its results

  defp perform({:stop, sup, how, word}) do
    reason = Words.from_word(word)

    case {Trace.living(sup), how} do
      {nil, _} ->
        ["absent"]

      {pid, :parent} ->
        Process.exit(pid, reason)
        [["gone ", Words.reason(Trace.ended(pid))]]

      {pid, :stop} ->
        [answer(fn -> Atom.to_string(DynamicSupervisor.stop(pid, reason)) end)]
    end
  end

  defp perform({:burst, sup, ops}) do
    case Trace.living(sup) do
      nil ->
        ["absent"]

      pid ->
        :sys.suspend(pid)
        waiting = Enum.map(ops, &begin/1)

        # A signal in the burst may have ended it.
        try do
          :sys.resume(pid)
        catch
          :exit, _ -> :ok
        end

        Enum.map(waiting, & &1.())
    end
  end

  defp perform(op), do: [begin(op).()]

  # The half of an operation that can be done while the supervisor is suspended: a death is awaited, a request sent.
  defp begin({:die, id, how, word}) do
    pid = Trace.living(id)
    text = if pid == nil, do: "absent", else: die(pid, hd(Atom.to_charlist(id)), how, Words.from_word(word))
    fn -> text end
  end

  defp begin({:ask, sup, :which_children}), do: request(sup, &which/1)
  defp begin({:ask, sup, :count_children}), do: request(sup, &count/1)

  defp begin({:terminate, sup, target}) do
    request(sup, fn pid -> done(DynamicSupervisor.terminate_child(pid, target(target))) end)
  end

  defp begin({:startchild, sup, spec}) do
    request(sup, fn pid -> started(DynamicSupervisor.start_child(pid, child_spec(pid, spec))) end)
  end

  # A process of its own asks, so that the driver is free meanwhile; it has asked when all is quiet.
  defp request(sup, ask) do
    case Trace.living(sup) do
      nil ->
        fn -> "absent" end

      pid ->
        driver = self()
        asking = spawn(fn -> send(driver, {self(), answer(fn -> ask.(pid) end)}) end)
        Trace.quiet()

        fn ->
          receive do
            {^asking, text} -> text
          end
        end
    end
  end

  defp die(pid, ?w, :signal, reason) do
    Process.exit(pid, reason)

    # The ping comes behind it: one sender, one receiver, one order.
    try do
      GenServer.call(pid, :ping, :infinity)
      "survived"
    catch
      :exit, _ -> "done"
    end
  end

  defp die(pid, ?w, how, reason) do
    GenServer.cast(pid, {how, reason})
    Trace.ended(pid)
    "done"
  end

  defp die(pid, _supervisor, :signal, :kill) do
    Process.exit(pid, :kill)
    Trace.ended(pid)
    "done"
  end

  # The driver is the root's parent, whose signal ends it: a stranger is needed.
  defp die(pid, _supervisor, :signal, reason) do
    Trace.ended(spawn(fn -> Process.exit(pid, reason) end))
    "survived"
  end

  # The process that came up last under that id; somebody who is nobody's child, if none did.
  defp target(id), do: Trace.get({:up, id}, self())

  @doc "The child specification of a `worker` or `sup` tuple under supervisor `parent`."
  def child_spec(parent, {:worker, id, restart, shutdown, type, _, _, _} = spec) do
    %{id: id, start: {Worker, :start_link, [spec, parent]}, restart: restart, shutdown: shutdown, type: type}
  end

  def child_spec(parent, {:sup, id, restart, shutdown, _, _, _} = spec) do
    %{id: id, start: {Keeper, :start_link, [spec, parent]}, restart: restart, shutdown: shutdown, type: :supervisor}
  end

  # --- results

  defp which(pid) do
    entry = fn {:undefined, child, type, _} -> " #{type}=#{place(child)}" end
    ["children" | Enum.map(DynamicSupervisor.which_children(pid), entry)]
  end

  defp count(pid) do
    counts = DynamicSupervisor.count_children(pid)
    ["counts" | for(key <- [:specs, :active, :supervisors, :workers], do: " #{key}=#{counts[key]}")]
  end

  defp place(:restarting), do: "restarting"
  defp place(pid), do: Trace.name(pid)

  defp started({:ok, pid}), do: ["ok ", Trace.name(pid)]
  defp started(:ignore), do: "ignore"
  defp started({:error, :max_children}), do: "error max_children"
  defp started({:error, reason}), do: ["error start_failed ", Words.reason(reason)]

  defp done(:ok), do: "ok"
  defp done({:error, :not_found}), do: "error not_found"

  defp answer(ask) do
    ask.()
  catch
    :exit, why -> ["exit ", Words.reason(why)]
  end

  # --- quiet

  # Nothing can move when everyone doomed is down, and two rounds of which_children through all supervisors are the
  # same and show no child in restarting. A round trip alone is not enough: a failed restart tries again behind it.
  defp settle(before) do
    Enum.each(Trace.doomed(), &Trace.ended/1)
    now = for {_, pid} <- supervisors(), do: {pid, IO.chardata_to_string(answer(fn -> which(pid) end))}
    moving = Enum.any?(now, fn {_, view} -> String.contains?(view, "restarting") end)

    if now == before and not moving and Trace.doomed() == [] do
      Trace.quiet()
    else
      settle(now)
    end
  end

  defp supervisors do
    for(pid <- Trace.alive(), name = Trace.name(pid), hd(to_charlist(name)) in [?r, ?s], do: {name, pid})
    |> Enum.sort()
  end
end

defmodule Conformance.Dynamic.Keeper do
  @moduledoc "The supervisor made from a `sup` tuple."
  use DynamicSupervisor
  alias Conformance.Trace

  def start_link(spec, parent), do: DynamicSupervisor.start_link(__MODULE__, {[], spec, parent})

  # The extra argument of the supervisor above.
  def start_link(extra, spec, parent), do: DynamicSupervisor.start_link(__MODULE__, {[extra], spec, parent})

  @impl true
  def init({given, {:sup, id, _restart, _shutdown, max_restarts, max_children, extra}, parent}) do
    Trace.born(id, parent, [" in ", Trace.name(parent), " ok", Enum.map(given, &" #{&1}")])
    Trace.put({:up, id}, self())
    DynamicSupervisor.init(max_restarts: max_restarts, max_seconds: 3600, max_children: max_children, extra_arguments: extra)
  end
end

defmodule Conformance.Dynamic.Worker do
  @moduledoc "The scripted child: its start, its death and its goodbye are told by the `worker` tuple."
  use GenServer
  alias Conformance.{Trace, Words}

  def start_link(spec, parent), do: GenServer.start_link(__MODULE__, {[], spec, parent})
  def start_link(extra, spec, parent), do: GenServer.start_link(__MODULE__, {[extra], spec, parent})

  @impl true
  def init({given, {:worker, id, _, _, _, traps, goodbye, starts}, parent}) do
    Process.flag(:trap_exit, traps)
    outcome = Enum.at(starts, Trace.births(id), :ok)
    name = Trace.born(id, parent, [" in ", Trace.name(parent), " #{outcome}", Enum.map(given, &" #{&1}")])

    case outcome do
      :ok ->
        Trace.put({:up, id}, self())
        {:ok, %{name: name, goodbye: goodbye, asked: false}}

      :error ->
        {:stop, :no_start}

      :ignore ->
        :ignore

      :crash ->
        :erlang.error(:init_boom)
    end
  end

  @impl true
  def handle_call(:ping, _from, state), do: {:reply, :pong, state}

  @impl true
  def handle_cast({:stop, reason}, state), do: {:stop, reason, %{state | asked: true}}
  def handle_cast({:raise, reason}, _state), do: :erlang.error(reason)

  @impl true
  def handle_info({:EXIT, _from, reason}, state) do
    Trace.note(["info ", state.name, " exit ", Words.reason(reason)])
    {:noreply, state}
  end

  @impl true
  def terminate(reason, state) do
    Trace.note(["terminate ", state.name, " ", Words.reason(reason)])

    case state do
      %{goodbye: :exit} -> exit(:changed)
      %{goodbye: :stubborn, asked: false} when reason == :shutdown -> Process.sleep(:infinity)
      _ -> :ok
    end
  end
end
