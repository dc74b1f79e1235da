"""A posted request: its reply comes as a message, and there is always one."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest

import suptree as st
from suptree.testing import wait_down, wait_until


class Oracle(st.GenServer):
    """Answers, refuses, dies, or thinks about it."""

    def __init__(self) -> None:
        self.held: list[st.ReplyTo] = []

    def handle_call(self, request: Any, sender: st.ReplyTo) -> Any:
        match request:
            case "die":
                raise RuntimeError("no")
            case "hold":
                self.held.append(sender)
                return st.NoReply()
        return request

    @st.cast
    def let_go(self, value: Any) -> None:
        for sender in self.held:
            st.reply(sender, value)
        self.held.clear()


class Broker(st.GenServer):
    """Posts what it is told to, and keeps the responses."""

    def __init__(self) -> None:
        self.responses: list[st.Response] = []

    @st.call
    def ask(self, server: Any, request: Any, tag: Any = None) -> Any:
        return st.post_request(server, request, tag=tag)

    @st.call
    def seen(self) -> list[st.Response]:
        return self.responses

    def handle_info(self, message: object) -> None:
        assert isinstance(message, st.Response)
        self.responses.append(message)


async def pair() -> tuple[st.Pid[Broker], st.Pid[Oracle]]:
    return await Broker.start_link(), await Oracle.start()


async def response_of(broker: st.Pid[Broker]) -> st.Response:
    server: Broker = broker._process.server
    await wait_until(lambda: server.responses)
    [response] = server.responses
    return response


async def test_the_reply_comes_as_a_message_with_the_tag(runtime):
    broker, oracle = await pair()

    posted = await Broker.ask(broker, oracle, 42, tag="answer")
    response = await response_of(broker)

    assert response is posted
    assert (response.tag, response.error, response.outcome()) == ("answer", None, 42)


async def test_a_server_that_posts_goes_on_meanwhile(runtime):
    broker, oracle = await pair()
    await Broker.ask(broker, oracle, "hold")

    assert await Broker.seen(broker) == []
    Oracle.let_go(oracle, "late")

    assert (await response_of(broker)).outcome() == "late"


async def test_the_end_of_who_was_asked_is_an_answer(runtime):
    broker, oracle = await pair()
    await Broker.ask(broker, oracle, "hold")

    st.exit(oracle, st.KILL)
    response = await response_of(broker)

    assert isinstance(response.error, st.ServerExitError)
    assert response.error.reason == st.KILLED
    with pytest.raises(st.ServerExitError):
        response.outcome()


async def test_a_crash_over_the_request_is_an_answer(runtime):
    broker, oracle = await pair()

    await Broker.ask(broker, oracle, "die")
    response = await response_of(broker)

    assert isinstance(response.error, st.ServerExitError)


@pytest.mark.parametrize("where", ["pid", "name"])
async def test_nobody_there_is_an_answer_too(runtime, where):
    broker, oracle = await pair()
    await Oracle.stop(oracle)

    await Broker.ask(broker, oracle if where == "pid" else "nobody", 1)

    assert isinstance((await response_of(broker)).error, st.NoProcessError)


async def test_an_error_that_is_the_reply_is_no_error(runtime):
    broker, oracle = await pair()

    await Broker.ask(broker, oracle, ValueError("a value like any other"))
    response = await response_of(broker)

    assert response.error is None
    assert isinstance(response.outcome(), ValueError)


async def test_a_second_reply_is_dropped(runtime):
    broker, oracle = await pair()
    response = await Broker.ask(broker, oracle, "hold")
    Oracle.let_go(oracle, 1)
    await response_of(broker)

    st.reply(response, 2)

    assert await Broker.seen(broker) == [response]
    assert response.outcome() == 1


async def test_a_response_to_the_dead_hurts_nobody(runtime):
    broker, oracle = await pair()
    await Broker.ask(broker, oracle, "hold")
    await Broker.stop(broker)
    await wait_down(broker)

    Oracle.let_go(oracle, 1)

    assert await st.GenServer.call(oracle, "still here") == "still here"


async def test_a_response_passes_the_bound_of_a_full_mailbox(runtime):
    bound = st.MailboxBound(1, overflow="drop_new")
    broker = await st.child(Broker).with_(bound=bound).start_link()
    oracle = await Oracle.start_link()
    await Broker.ask(broker, oracle, "hold")
    await st.sys.suspend(broker)
    Oracle.let_go(oracle, "answer")
    await st.GenServer.call(oracle, "it has let go")
    await st.sys.resume(broker)

    assert (await response_of(broker)).outcome() == "answer"


async def test_a_process_does_not_ask_itself(runtime):
    class Vain(st.GenServer):
        @st.call
        def ask(self) -> str:
            with pytest.raises(st.SelfCallError):
                st.post_request(self.pid, "me")
            return "refused"

    assert await Vain.ask(await Vain.start_link()) == "refused"


async def test_code_outside_every_process_has_no_mailbox_for_a_response():
    async with st.Runtime() as rt:
        oracle = await Oracle.start_link()
        seen: list[str] = []

        def outside() -> None:
            try:
                st.post_request(oracle, 1)
            except st.NotInProcessError as error:
                seen.append(str(error))

        contextvars.Context().run(rt.loop.call_soon, outside)
        await wait_until(lambda: seen)

    assert "outside every process" in seen[0]


async def test_plain_processes_receive_responses(runtime):
    oracle = await Oracle.start_link()

    st.post_request(oracle, 7, tag="t")
    response = await st.receive()

    assert (response.tag, response.outcome()) == ("t", 7)
