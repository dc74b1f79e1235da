# Elixir as a contestant, for what only Elixir has: Registry with its via names, and streams of supervised tasks.
# Reads asks, prints answers, as ../protocol.py says.

defmodule Bench.Counter do
  use GenServer

  def start_link(name), do: GenServer.start_link(__MODULE__, 0, name: name)

  @impl true
  def init(count), do: {:ok, count}

  @impl true
  def handle_call(:increment, _from, count), do: {:reply, count + 1, count + 1}

  @impl true
  def handle_cast(:increment, count), do: {:noreply, count + 1}
end

defmodule Bench.Workloads do
  @keys 1_000
  @clients 100
  @at_a_time 100

  def via(n) do
    with_registry(fn ->
      seconds =
        timed(fn ->
          for i <- 0..(n - 1), do: GenServer.call(name(rem(i, @keys)), :increment)
        end)

      [seconds: seconds]
    end)
  end

  def stream(n) do
    {:ok, tasks} = Task.Supervisor.start_link()

    seconds =
      timed(fn ->
        total =
          tasks
          |> Task.Supervisor.async_stream(0..(n - 1), fn item -> item + 1 end, max_concurrency: @at_a_time)
          |> Enum.reduce(0, fn {:ok, value}, total -> total + value end)

        ^total = div(n * (n + 1), 2)
      end)

    Supervisor.stop(tasks)
    [seconds: seconds]
  end

  # Clients look up and call, cast, and set timers, all at once.
  def service(n) do
    with_registry(fn ->
      parent = self()

      seconds_and_latency =
        :timer.tc(fn ->
          for c <- 0..(@clients - 1) do
            spawn_link(fn -> send(parent, {:done, client(7 * c, div(n, @clients))}) end)
          end

          for _ <- 1..@clients do
            receive do
              {:done, latency} -> latency
            end
          end
        end)

      {micros, latency} = seconds_and_latency
      [seconds: micros / 1.0e6, latency: List.flatten(latency)]
    end)
  end

  defp client(first, steps) do
    for i <- 0..(steps - 1) do
      start = now()
      GenServer.call(name(rem(first + i, @keys)), :increment)
      took = now() - start
      if rem(i, 2) == 0, do: GenServer.cast(name(rem(first + i + 1, @keys)), :increment)
      if rem(i, 4) == 0, do: Process.cancel_timer(Process.send_after(self(), :late, 60_000))
      took
    end
  end

  defp with_registry(work) do
    {:ok, registry} = Registry.start_link(keys: :unique, name: Bench.Registry)
    children = for key <- 0..(@keys - 1), do: Supervisor.child_spec({Bench.Counter, name(key)}, id: key)
    {:ok, servers} = Supervisor.start_link(children, strategy: :one_for_one)
    metrics = work.()
    Supervisor.stop(servers)
    Supervisor.stop(registry)
    metrics
  end

  defp name(key), do: {:via, Registry, {Bench.Registry, key}}

  defp timed(work) do
    start = now()
    work.()
    now() - start
  end

  defp now, do: :erlang.monotonic_time(:nanosecond) / 1.0e9
end

defmodule Bench do
  def main do
    Logger.configure(level: :none)
    IO.puts("Elixir #{System.version()}, OTP #{System.otp_release()}")
    loop()
  end

  defp loop do
    case IO.gets("") do
      :eof ->
        :ok

      line ->
        [workload, n | _] = String.split(line)
        IO.puts(sample(String.to_atom(workload), String.to_integer(n)))
        loop()
    end
  end

  # A fresh process for each sample, so that its heap is fresh too.
  defp sample(workload, n) do
    if function_exported?(Bench.Workloads, workload, 1) do
      {pid, ref} = spawn_monitor(fn -> exit({:done, apply(Bench.Workloads, workload, [n])}) end)

      receive do
        {:DOWN, ^ref, :process, ^pid, {:done, metrics}} -> Enum.map_join(metrics, " ", &metric/1)
        {:DOWN, ^ref, :process, ^pid, why} -> "failed #{inspect(why, width: :infinity, limit: 20)}"
      end
    else
      "cannot"
    end
  end

  defp metric({name, values}) when is_list(values), do: "#{name}=#{Enum.map_join(values, ",", &float/1)}"
  defp metric({name, value}), do: "#{name}=#{float(value)}"

  defp float(value), do: :erlang.float_to_binary(value * 1.0, [:compact, decimals: 9])
end

Bench.main()
