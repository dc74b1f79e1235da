defmodule Conformance.Tasks do
  @moduledoc "Runs the programs of tasks/program.py on Elixir's Task and Task.Supervisor; see there for the tuples."
  alias Conformance.{Main, Trace, Words}
  alias Conformance.Tasks.Actor

  def run({:program, _seed, traps, max_restarts, max_children, ops}) do
    segment("0", fn -> start(traps, max_restarts, max_children) end)

    for {op, number} <- Enum.with_index(ops, 1) do
      segment("#{number}", fn -> perform(op) end)
    end

    segment("final", fn -> [["alive" | for(pid <- Trace.alive(), do: [" ", Trace.name(pid)])]] end)
  end

  defp segment(label, do_it), do: Main.segment(label, do_it, &settle/0)

  # A supervisor that waits for a child to stop waits for time as well: its answer, or its end, comes after that.
  defp settle do
    Trace.quiet()
    if sup = Trace.living(:sup), do: asked(sup)
    Trace.quiet()
    if kill_what_streams_left() != [], do: settle()  # they may have had streams of their own
  end

  # Tasks without a link outlive a consumer that was ended by a signal; with suptree they do not (semantics: a stream
  # whose consumer ends).
  defp kill_what_streams_left do
    for pid <- Trace.alive(),
        consumer = Trace.get({:consumer, pid}, nil),
        not Process.alive?(consumer) do
      Process.exit(pid, :kill)
      Trace.ended(pid)
    end
  end

  defp asked(sup) do
    Supervisor.count_children(sup)
  catch
    :exit, _ -> :gone
  end

  defp start(traps, max_restarts, max_children) do
    options = [max_restarts: max_restarts, max_seconds: 3600, max_children: max_children]
    {:ok, sup} = Task.Supervisor.start_link(options)
    Trace.watch(:sup, sup)
    spawn(fn -> Actor.live(:owner, {:obey, traps}) end)
    Trace.quiet()
    []
  end

  # --- operations; each returns the lines of its results

  defp perform({:order, who, action}) do
    case Trace.living(who) do
      nil ->
        ["absent"]

      pid ->
        cond do
          not Trace.get({:idle, pid}, false) ->
            ["busy"]

          takes_time?(action) ->
            order_and_wait(pid, action)
            []

          true ->
            send(pid, {:order, action, {self(), nil}})
            []
        end
    end
  end

  defp perform({:signal, who, word}) do
    case Trace.living(who) do
      nil ->
        ["absent"]

      pid ->
        Process.exit(pid, Words.from_word(word))
        []
    end
  end

  defp perform({:children}) do
    with_sup(fn sup -> ["children" | Enum.map(Task.Supervisor.children(sup), &[" ", Trace.name(&1)])] end)
  end

  defp perform({:terminate, who}) do
    case Trace.newest(who) do
      nil ->
        ["absent"]

      pid ->
        with_sup(fn sup ->
          case Task.Supervisor.terminate_child(sup, pid) do
            :ok -> "ok"
            {:error, :not_found} -> "error not_found"
          end
        end)
    end
  end

  defp perform({:stop, :kill}) do
    with_sup(fn sup ->
      Process.exit(sup, :kill)
      Words.reason(Trace.ended(sup))
    end)
  end

  defp perform({:stop, word}) do
    with_sup(fn sup -> Atom.to_string(Supervisor.stop(sup, Words.from_word(word))) end)
  end

  defp with_sup(ask) do
    case Trace.living(:sup) do
      nil -> ["absent"]
      sup -> [ask.(sup)]
    end
  end

  # What ends by a timer: the driver waits, for time is all that is missing.
  defp takes_time?({:shutdown, _, how}), do: is_integer(how)
  defp takes_time?({:awaitmany, _, timeout, _}), do: is_integer(timeout)
  defp takes_time?({:yieldmany, _, timeout}), do: is_integer(timeout)
  defp takes_time?({:stream, _, _, _, _, _, timeout, _, _, _, _}), do: is_integer(timeout)
  defp takes_time?(_), do: false

  defp order_and_wait(pid, action) do
    ref = Process.monitor(pid)
    send(pid, {:order, action, {self(), ref}})

    receive do
      {:done, ^ref} -> Process.demonitor(ref, [:flush])
      {:DOWN, ^ref, _, _, _} -> :ok
    end
  end
end

defmodule Conformance.Tasks.Actor do
  @moduledoc "A process that does what it is ordered to: the owner, and every task that hangs until it is told."
  alias Conformance.{Trace, Words}

  @doc "Be the next process of `id`, with what `body` says; what it returns is the value of the task."
  def live(id, body) do
    callers = Enum.map(Process.get(:"$callers", []), &Trace.name/1)
    name = Trace.born(id, self(), [" callers=", Enum.join(callers, ",")])

    case body do
      {:obey, traps} ->
        Process.flag(:trap_exit, traps)
        obey(name)

      finish ->
        finish(finish)
    end
  end

  defp obey(name) do
    case next_order() do
      {{:finish, _, _} = finish, _} ->
        finish(finish)

      {action, from} ->
        carry_out(action, from, name)
        obey(name)
    end
  end

  # The driver sees whether we wait for it, or for somebody else.
  defp next_order do
    Trace.put({:idle, self()}, true)

    receive do
      {:order, action, from} ->
        Trace.put({:idle, self()}, false)
        {action, from}
    end
  end

  # Done is what fails, too: an error of a stream inside another may be caught by that.
  defp carry_out(action, from, name) do
    act(action, name)
  after
    done(from)
  end

  defp done({_, nil}), do: :ok
  defp done({driver, ref}), do: send(driver, {:done, ref})

  defp finish({:finish, :return, word}) do
    Trace.put({:returned, self()}, true)
    word
  end

  defp finish({:finish, :raise, word}), do: raise(Atom.to_string(word))
  defp finish({:finish, :throw, word}), do: throw(word)
  defp finish({:finish, :exit, word}), do: exit(Words.from_word(word))

  # --- actions

  defp act({:start, id, how, body, restart, shutdown}, name) do
    text =
      guarded(fn ->
        case start(how, fn -> live(id, body) end, restart, shutdown) do
          %Task{} = task ->
            Trace.put({:task, id}, task)
            if how in [:async, :sup_async], do: Trace.put({:valued, task.pid}, true)
            "ok"

          {:ok, _pid} ->
            "ok"

          {:error, :max_children} ->
            "error max_children"
        end
      end)

    say(name, ["start #{id} ", text])
  end

  defp act({:await, id, timeout, caught}, name) do
    with_tasks([id], name, "await #{id}", fn [task] ->
      taken(id)
      call(caught, fn -> ["ok ", word(Task.await(task, timeout))] end)
    end)
  end

  defp act({:awaitmany, ids, timeout, caught}, name) do
    with_tasks(ids, name, "await_many #{join(ids)}", fn tasks ->
      Enum.each(ids, &taken/1)
      call(caught, fn -> ["ok ", join(Enum.map(Task.await_many(tasks, timeout), &word/1))] end)
    end)
  end

  defp act({:yield, id, timeout}, name) do
    with_tasks([id], name, "yield #{id}", fn [task] -> told(id, Task.yield(task, timeout)) end)
  end

  defp act({:yieldmany, ids, timeout}, name) do
    with_tasks(ids, name, "yield_many #{join(ids)}", fn tasks ->
      results = Task.yield_many(tasks, timeout)
      join(for {id, {_task, result}} <- Enum.zip(ids, results), do: told(id, result))
    end)
  end

  defp act({:shutdown, id, how}, name) do
    with_tasks([id], name, "shutdown #{id}", fn [task] ->
      taken(id)
      told(id, Task.shutdown(task, how))
    end)
  end

  defp act({:ignore, id}, name) do
    with_tasks([id], name, "ignore #{id}", fn [task] ->
      taken(id)
      told(id, Task.ignore(task))
    end)
  end

  defp act({:stream, id, how, items, max, ordered, timeout, on_timeout, zip, manual, caught}, name) do
    options = [max_concurrency: max, ordered: ordered, timeout: timeout, on_timeout: on_timeout, zip_input_on_exit: zip]
    numbers = 0..(length(items) - 1)//1
    consumer = self()

    function = fn k ->
      if how == :nolink, do: Trace.put({:consumer, self()}, consumer)
      live(:"#{id}.#{k}", Enum.at(items, k))
    end

    text =
      call(caught, fn ->
        results = stream(how, numbers, function, options)
        Atom.to_string(Enum.reduce_while(results, :over, &consume(&1, &2, id, name, manual)))
      end)

    say(name, ["stream #{id} ", text])
  end

  defp act({:take}, name), do: say(name, "no stream")
  defp act({:halt}, name), do: say(name, "no stream")

  defp act({:trap, flag}, name) do
    Process.flag(:trap_exit, flag)
    say(name, "trap #{flag}")
  end

  defp act({:mail}, name) do
    receive do
      {:EXIT, from, reason} ->
        kept = if Trace.get({:returned, from}, false) and Trace.get({:valued, from}, false), do: " (returned)", else: ""
        say(name, ["mail exit ", Trace.name(from), " ", Words.reason(reason), kept])
        act({:mail}, name)
    after
      0 -> say(name, "mail over")
    end
  end

  # --- starting

  defp start(:async, function, _, _), do: Task.async(function)
  defp start(:start, function, _, _), do: Task.start(function)
  defp start(:start_link, function, _, _), do: Task.start_link(function)
  defp start(:sup_async, function, _, _), do: Task.Supervisor.async(sup(), function)
  defp start(:nolink, function, _, _), do: Task.Supervisor.async_nolink(sup(), function)

  defp start(:child, function, restart, shutdown) do
    Task.Supervisor.start_child(sup(), function, restart: restart, shutdown: shutdown)
  end

  defp stream(:async, items, function, options), do: Task.async_stream(items, function, options)
  defp stream(:sup_async, items, function, options), do: Task.Supervisor.async_stream(sup(), items, function, options)
  defp stream(:nolink, items, function, options), do: Task.Supervisor.async_stream_nolink(sup(), items, function, options)

  defp sup, do: Trace.newest(:sup)

  # --- what a stream gives

  defp consume(result, _, id, name, manual) do
    say(name, ["got #{id} ", got(result)])
    if manual, do: goes_on(name), else: {:cont, :over}
  end

  # Obey until told to take the next result, or not to.
  defp goes_on(name) do
    case next_order() do
      {{:take}, _} ->
        {:cont, :over}

      {{:halt}, _} ->
        {:halt, :halted}

      {{:finish, :return, _}, _} ->
        {:halt, :halted}

      {{:finish, _, _} = finish, _} ->
        finish(finish)

      {action, from} ->
        carry_out(action, from, name)
        goes_on(name)
    end
  end

  defp got({:exit, {item, reason}}) when is_integer(item), do: "exit #{Words.reason(reason)} of #{item}"
  defp got(result), do: result(result)

  # --- words

  defp with_tasks(ids, name, doing, ask) do
    tasks = for id <- ids, do: Trace.get({:task, id}, nil)

    text =
      cond do
        nil in tasks -> "unknown"
        Enum.any?(ids, &Trace.get({:taken, &1}, false)) -> "taken"
        true -> owned(tasks, ask)
      end

    say(name, [doing, " ", text])
  end

  # What only the owner may do is refused to others, who have not taken it then.
  defp owned(tasks, ask) do
    if Enum.all?(tasks, &(&1.owner == self())), do: ask.(tasks), else: refused(tasks)
  end

  defp refused([task]) do
    Task.await(task, 0)
    "accepted"
  rescue
    ArgumentError -> "not owner"
  end

  defp refused(tasks) do
    Task.await_many(tasks, 0)
    "accepted"
  rescue
    ArgumentError -> "not owner"
  end

  defp taken(id), do: Trace.put({:taken, id}, true)

  defp told(id, result) do
    if result != nil, do: taken(id)
    result(result)
  end

  defp result(nil), do: "nothing"
  defp result({:ok, value}), do: "ok #{word(value)}"
  defp result({:exit, reason}), do: "exit #{Words.reason(reason)}"

  defp call(true, ask), do: guarded(ask)
  defp call(false, ask), do: ask.()

  defp guarded(ask) do
    ask.()
  rescue
    error in RuntimeError ->
      case error.message do
        "reached the maximum" <> _ -> "error max_children"
        _ -> reraise error, __STACKTRACE__
      end
  catch
    :exit, {why, {GenServer, :call, _}} -> "exit #{Words.reason(why)}"
    :exit, {_, {module, _, _}} = why when module in [Task, Task.Supervised] -> "exit #{Words.reason(why)}"
  end

  defp word(value), do: Atom.to_string(value)
  defp join(words), do: Enum.join(words, ",")
  defp say(name, text), do: Trace.note(["say ", name, " ", text])
end
