"""The base of the bodies that entries have as their facts, and the types that their fields are of.

Invariant: no body has a field that is Personal, unmarked or of an open type, by the very rule of what crosses a border in clear
(residency/crossing.py); such a body cannot be defined.
"""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from residency.crossing import check_clear

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:=~-]{1,512}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Rail = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{0,64}$")]
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
# A scheme's own code or reference, in its own letters: what the readers of its messages let in.
OfScheme = Annotated[str, StringConstraints(pattern=r"^[^\x00]{0,140}$")]


class Body(BaseModel):
    """Base of the bodies; each is checked as it is defined. Raises UnfitForBorder.

    `repeats`: fields that say again what the first entry said, so that who reads this one alone knows it.
    """

    repeats: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        check_clear(cls, cls.__name__)
