"""Configuration: a typed schema, a file and the environment over its defaults, and a reload while it runs.

It prints:

    shop.toml:2: mail.per_minit is not a setting, did you mean 'per_minute'?
    shop.toml:3: mail.per_minute must be `int` >= 1; got -1.
    Mail(per_minute=10, host='localhost', password=Secret('***'))
    mail.per_minute is now 20
    refused, as these are fixed: mail.host
    still 20
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec

import suptree as st
from suptree.services import (
    ConfigChanged,
    ConfigServer,
    ConfigurationFixedError,
    Fixed,
    Secret,
    check_configuration,
    load_configuration,
)


class Mail(msgspec.Struct, frozen=True):
    """How mail goes out."""

    per_minute: Annotated[int, msgspec.Meta(gt=0)] = 60
    host: Fixed[str] = "localhost"
    password: Secret[str] = Secret("")


class Settings(msgspec.Struct, frozen=True):
    """Everything that can be set."""

    mail: Mail = Mail()


async def main(file: Path) -> None:
    environ = {"SHOP_MAIL__PASSWORD": "hunter2"}  # leave it out for that of the program
    file.write_text("[mail]\nper_minit = 10\nper_minute = -1\n")
    for problem in check_configuration(Settings, file=file, environ=environ, prefix="SHOP"):
        print(str(problem).removeprefix(f"{file.parent}/"))

    file.write_text("[mail]\nper_minute = 10\n")
    configuration = load_configuration(Settings, file=file, environ=environ, prefix="SHOP")
    print(configuration.value.mail)

    async with st.Runtime():
        server = st.child(ConfigServer, configuration).with_(name="configuration")
        await st.Supervisor.start_link([server])
        await ConfigServer.subscribe("configuration", "mail")

        file.write_text("[mail]\nper_minute = 20\n")
        await ConfigServer.reload("configuration")
        changed = await st.receive(ConfigChanged)
        print(*changed.changed_paths, "is now", changed.new.per_minute)

        file.write_text("[mail]\nper_minute = 30\nhost = 'example.org'\n")
        try:
            await ConfigServer.reload("configuration")
        except ConfigurationFixedError as error:
            print("refused, as these are fixed:", *(change.path for change in error.changes))
        print("still", ConfigServer.current(Settings).value.mail.per_minute)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder, "shop.toml")))
