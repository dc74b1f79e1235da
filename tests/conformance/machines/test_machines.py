"""S61 to S66, S70: the order of events of a state machine, as OTP's gen_statem has it."""

from __future__ import annotations

from random import Random

import pytest

from tests.conformance.beam import missing
from tests.conformance.machines.machine import ours, random_script, script_term, theirs


@pytest.mark.otp("S61", "S62", "S63", "S64", "S65", "S66", "S70")
@pytest.mark.suptree_loop("real")
async def test_a_machine_tells_the_same_story_as_gen_statem(runtime_options):
    if missing():
        pytest.skip(missing())
    scripts = [random_script(Random(seed)) for seed in range(300)]

    stories = await ours(scripts, **runtime_options)

    assert max(len(story) for story in stories) > 300
    for seed, (our, their) in enumerate(zip(stories, theirs(scripts), strict=True)):
        assert our == their, f"script of seed {seed}: {script_term(scripts[seed])}"
