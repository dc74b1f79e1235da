defmodule Conformance.Trace do
  @moduledoc """
  Writes the trace of one program: a process whose mailbox is the order of events.

  Processes tell it synchronously that they were born, so that it monitors them from their first step, and
  asynchronously what they do, so that telling changes nobody's turn. On one scheduler (`+S 1:1`) a process finishes
  dying before another runs, hence a DOWN is in this mailbox before anything that the death causes.

  It runs at high priority and is named `:trace`; what everybody may look up is in the table of that name.
  """
  use GenServer

  def start do
    {:ok, _} = GenServer.start(__MODULE__, self(), name: :trace)
    :ok
  end

  def stop, do: GenServer.stop(:trace)

  @doc "The process that called is the next one of `id`; returns its name, such as `w1#2`."
  def born(id, parent, line) do
    GenServer.call(:trace, {:born, id, parent, line, self()}, :infinity)
  end

  @doc "Note the end of `pid` under that name too."
  def watch(id, pid), do: GenServer.call(:trace, {:watch, id, pid}, :infinity)

  @doc "How often a process of `id` was born."
  def births(id), do: get({:births, id}, 0)

  def note(line), do: send(:trace, {:note, IO.chardata_to_string(line)})

  @doc "The newest process of `id`, dead or alive; nil if there was none."
  def newest(id), do: get({:newest, id}, nil)

  @doc "The newest process of `id` if it lives."
  def living(id) do
    pid = newest(id)
    if pid != nil and Process.alive?(pid), do: pid
  end

  @doc "The name of a process."
  def name(pid), do: get(pid, inspect(pid))

  @doc "All events since the last time."
  def take, do: GenServer.call(:trace, :take, :infinity)

  @doc "Those whose parent is gone, and those that said they would end."
  def doomed, do: GenServer.call(:trace, :doomed, :infinity)

  @doc "All that live."
  def alive, do: GenServer.call(:trace, :alive, :infinity)

  @doc "What programs keep for one another."
  def put(key, value), do: :ets.insert(:trace, {key, value})

  def get(key, default) do
    case :ets.lookup(:trace, key) do
      [{_, value}] -> value
      [] -> default
    end
  end

  @doc """
  Wait until nobody but us runs or is ready to. With one scheduler, that is all that can happen before time passes.

  Who waits for the file system (to look for a module that is not there, say) runs, if on another scheduler.
  """
  def quiet do
    :erlang.yield()
    if :erlang.statistics(:total_active_tasks_all) > 1, do: quiet(), else: :ok
  end

  @doc "Wait until `pid` is gone; its exit reason."
  def ended(pid) do
    ref = Process.monitor(pid)

    receive do
      {:DOWN, ^ref, :process, ^pid, reason} -> reason
    end
  end

  # --- the process

  @impl true
  def init(driver) do
    Process.flag(:priority, :high)
    :ets.new(:trace, [:named_table, :public])
    :ets.insert(:trace, {driver, "driver"})
    {:ok, %{driver: driver, lines: [], alive: %{}}}
  end

  @impl true
  def handle_call({:born, id, parent, line, pid}, _from, state) do
    attempt = births(id) + 1
    name = "#{id}##{attempt}"
    put({:births, id}, attempt)
    {:reply, name, log(["start ", name | line], follow(pid, id, name, parent, state))}
  end

  def handle_call({:watch, id, pid}, _from, state) do
    {:reply, :ok, follow(pid, id, Atom.to_string(id), state.driver, state)}
  end

  def handle_call(:take, _from, state) do
    {:reply, Enum.reverse(state.lines), %{state | lines: []}}
  end

  def handle_call(:doomed, _from, state) do
    gone = fn parent -> parent != state.driver and not is_map_key(state.alive, parent) end
    {:reply, for({pid, parent} <- state.alive, gone.(parent), do: pid), state}
  end

  def handle_call(:alive, _from, state), do: {:reply, Map.keys(state.alive), state}

  @impl true
  def handle_info({:note, line}, state), do: {:noreply, log(line, state)}

  def handle_info({:DOWN, _, :process, pid, reason}, state) do
    line = ["down ", name(pid), " ", Conformance.Words.reason(reason)]
    {:noreply, log(line, %{state | alive: Map.delete(state.alive, pid)})}
  end

  defp follow(pid, id, name, parent, state) do
    put({:newest, id}, pid)
    put(pid, name)
    Process.monitor(pid)
    put_in(state.alive[pid], parent)
  end

  defp log(line, state), do: %{state | lines: [IO.chardata_to_string(line) | state.lines]}
end
