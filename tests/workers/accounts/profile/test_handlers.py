from contracts.events import UserProfileUpdated
from contracts.outcomes import Succeeded
from tests.support.outbox import events, revealed
from tests.support.workers.password_slice import GuardedSlice


async def test_update_profile_changes_only_fields_that_are_given(guarded: GuardedSlice) -> None:
    ada = await guarded.user(display_name="Ada")
    for profile, name in (
        ({}, "Ada"),
        ({"display_name": "Ada"}, "Ada"),
        ({"display_name": "Ada King"}, "Ada King"),
        ({"display_name": None}, None),
    ):
        assert await guarded.update_profile(ada, **profile) == Succeeded()
        assert (await guarded.row(ada))["display_name"] == name
    changed, taken_away = await events(guarded.database)
    assert isinstance(changed, UserProfileUpdated)
    assert await revealed(guarded.database, changed.display_name) == "Ada King"
    assert taken_away == UserProfileUpdated(user_id=ada, client=taken_away.client)
    inbox = str(await guarded.database.fetch("SELECT outcome FROM inbox"))
    assert "King" not in inbox
