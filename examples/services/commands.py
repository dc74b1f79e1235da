"""Commands: programs of the operating system that are allowed, bounded in time, and ended with all they started.

It prints:

    'hello there', exit code 0, kept: False
    'hello there', exit code 0, kept: True
    commands: name must be an allowed command; got 'prinft', did you mean 'printf'? Allow it with a CommandRule, if it is to be run at all.
    command 'printf': arguments must be at most 16, each like '[a-z ]+'; got ['$HOME']. Nothing was run. Change the command, or its CommandRule.
    ended after 0.2 s; nothing is left of it: True
"""

import asyncio

import suptree as st
from suptree.services import (
    ArgumentPatterns,
    ArgumentsNotAllowedError,
    CommandNotAllowedError,
    CommandRule,
    CommandTimeoutError,
    SystemCommandManager,
)

ALLOWED = {
    "printf": CommandRule(arguments=ArgumentPatterns("[a-z ]+")),
    "sleep": CommandRule(arguments=ArgumentPatterns("[0-9]+")),
}


async def main() -> None:
    run = SystemCommandManager.execute
    async with st.Runtime():
        await st.Supervisor.start_link([SystemCommandManager.child(allowed=ALLOWED)])

        result = await run("commands", "printf", ["hello there"])
        print(f"{result.text!r}, exit code {result.exit_code}, kept: {result.cached}")
        result = await run("commands", "printf", ["hello there"])
        print(f"{result.text!r}, exit code {result.exit_code}, kept: {result.cached}")

        for name, args in (("prinft", "hello"), ("printf", "$HOME")):
            try:
                await run("commands", name, [args])
            except (CommandNotAllowedError, ArgumentsNotAllowedError) as error:
                print(error)
        try:
            await run("commands", "sleep", ["1000"], timeout=0.2)
        except CommandTimeoutError as error:
            print("ended after", error.timeout, "s; nothing is left of it:", error.gone)


if __name__ == "__main__":
    asyncio.run(main())
