"""Live settings: a whole system goes by a changed file at once, or refuses all of it.

It prints:

      ann may call
      bob is one too many for max_keys = 1
      new_router: off
    changed: limits.max_keys flags
      ann may call
      bob may call
      new_router: on
    refused, as it cannot change live: agents.max_children
    refused, as it is wrong: flags.nwe_router
"""

import asyncio
import tempfile
from pathlib import Path

import suptree as st
from suptree.services import (
    ConfigurationFixedError,
    ConfigurationInvalidError,
    FeatureFlags,
    Flag,
    RateLimiter,
    SlidingWindow,
    TooManyKeysError,
    load_configuration,
)
from suptree.system import Declarations, System, SystemSettings

DECLARED = Declarations(
    limits={"api": SlidingWindow(limit=100, per=60.0)},
    flags=[Flag("new_router", default=False)],
)


async def use(system: System) -> None:
    """Two callers, and a look at the flag."""
    for who in ("ann", "bob"):
        try:
            await RateLimiter.check(system.path_of("limits"), "api", who)
            print(" ", who, "may call")
        except TooManyKeysError as error:
            print(f"  {who} is one too many for max_keys = {error.max_keys}")
    print("  new_router:", "on" if FeatureFlags.enabled("new_router") else "off")


async def reload(system: System) -> None:
    """Have the system read its file again; it says what changed."""
    try:
        print("changed:", *(change.path for change in await system.reload()))
    except ConfigurationFixedError as error:
        print("refused, as it cannot change live:", *(change.path for change in error.changes))
    except ConfigurationInvalidError as error:
        print("refused, as it is wrong:", *(problem.path for problem in error.problems))


async def main(file: Path) -> None:
    file.write_text("[limits]\nmax_keys = 1\n")
    settings = load_configuration(SystemSettings, file=file, environ={})  # the file alone
    system = System(settings, declared=DECLARED)
    async with st.Runtime() as rt:
        await rt.start(system)
        await use(system)
        file.write_text("[limits]\nmax_keys = 2\n[flags]\nnew_router = true\n")
        await reload(system)
        await use(system)
        file.write_text("[limits]\nmax_keys = 3\n[agents]\nmax_children = 5\n")
        await reload(system)
        file.write_text("[limits]\nmax_keys = 3\n[flags]\nnwe_router = true\n")
        await reload(system)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder, "shop.toml")))
