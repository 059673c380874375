import pytest
from pydantic import ValidationError

from contracts.events import UserSignedUp, UserSignupRepeated
from contracts.ids import uuid7
from contracts.personal import Personal
from contracts.sealed_contents import Application
from tests.support.users import ADA, PASSWORD
from workers.signup.rules import decide


def test_a_free_address_gets_an_account_of_its_own() -> None:
    new_id = uuid7()
    application = Application(email=ADA, password=PASSWORD, display_name="Ada")
    assert decide(application, owner=None, new_id=new_id) == UserSignedUp(
        user_id=new_id, email=Personal(ADA), display_name=Personal("Ada")
    )


def test_an_address_with_an_owner_gets_none_and_the_event_is_the_owners() -> None:
    owner = uuid7()
    application = Application(email=ADA, password=PASSWORD, display_name="Eve")
    decided = decide(application, owner=owner, new_id=uuid7())
    assert decided == UserSignupRepeated(user_id=owner, email=Personal(ADA))


def test_address_is_kept_as_it_was_given() -> None:
    given = Application(email=" Ada@Example.COM ", password=PASSWORD)
    assert given.email == "Ada@example.com"


@pytest.mark.parametrize("content", [{"email": "nobody", "password": PASSWORD}, {"email": ADA}])
def test_what_is_not_valid_is_not_repeated_in_the_error(content: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as error:
        Application.model_validate(content)
    assert not {*content.values()} & {*str(error.value).split()}
    assert PASSWORD not in str(error.value)


def test_the_password_is_not_in_the_representation() -> None:
    assert PASSWORD not in repr(Application(email=ADA, password=PASSWORD))
