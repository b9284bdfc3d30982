"""Configuration of the search for personal data and secrets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from corpus.config import Config
from corpus.pii.kinds import KINDS

Policy = Literal["count", "mask", "drop", "off"]


def _off(value: Any) -> Any:
    return "off" if value is False else value  # YAML 1.1 reads `off` as false


def _domains(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not value or value != value.strip() or value.startswith("@"):
            raise ValueError("hold domains (`example.com`) and whole values (`info@example.com`, `8.8.8.8`)")
    return values


def _known(texts: dict[str, str]) -> dict[str, str]:
    for kind in texts:
        if kind not in KINDS:
            raise ValueError(f"{kind} is none of {', '.join(KINDS)}")
    return texts


_Policy = Annotated[Policy, BeforeValidator(_off)]


class _Policies(Config):
    default: _Policy = "count"
    """What becomes of each kind without a policy of its own: count, mask, drop (the document) or off."""
    placeholder: str = "<{KIND}>"
    """What a masked value is replaced by; `{KIND}` stands for `EMAIL`, `PHONE` and so on."""
    placeholders: Annotated[dict[str, str], AfterValidator(_known)] = Field(default={})
    """Another text for single kinds: `{email: user@example.com}`."""
    allow: Annotated[tuple[str, ...], AfterValidator(_domains)] = ()
    """What is not personal: values (`info@example.org`, `8.8.8.8`), and domains with all addresses at them."""


_fields: dict[str, Any] = {
    kind: (_Policy | None, Field(None, description=f"Policy of `{kind}`; null: that of `default`.")) for kind in KINDS
}
_Kinds: Any = create_model("_Kinds", __base__=_Policies, __module__=__name__, **_fields)


class PiiConfig(_Kinds):
    """What becomes of personal data and secrets, by kind."""

    def policy(self, kind: str) -> Policy:
        """The policy that holds for a kind."""
        own: Policy | None = getattr(self, kind)
        default: Policy = self.default
        return own or default

    def kinds(self, policy: Policy) -> tuple[str, ...]:
        """The kinds of a policy, in the order of KINDS."""
        return tuple(kind for kind in KINDS if self.policy(kind) == policy)

    def text(self, kind: str) -> str:
        """What a masked value of a kind is replaced by."""
        own: str | None = self.placeholders.get(kind)
        template: str = self.placeholder
        return template.replace("{KIND}", kind.upper()) if own is None else own
