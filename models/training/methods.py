"""The section ``[methods]`` of a fine-tuning run: techniques that may help, each off until it is named."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import ModelError

__all__ = ["Methods"]


@dataclass(frozen=True)
class Methods:
    """Which techniques a run uses beside plain fine-tuning; nought is off, and the docstring of each module says what it is.

    ``adversarial``: length of the step that makes a text harder, as a share of its states' own length (:mod:`models.training.adversarial`).
    ``contrastive``: factor of the contrastive loss, at ``contrastive_temperature``; ``translations``: factor of the loss that draws
    translations together, ``translation_pairs`` a batch (both :mod:`models.training.contrastive`). ``language_loss``: factor of the
    loss of an auxiliary head that names a text's language; ``language_embedding``: share of the lessons whose heads are told it (both
    :mod:`models.training.language_loss`). ``lora``: rank of adapters that are trained in place of the layers, and ``lora_scale`` their
    factor (:mod:`models.training.lora`). ``augmentation``: share of the lessons that are seen changed
    (:mod:`models.texts.augmentation`). ``precision``: that of the
    trained layers, ``fp32``, ``bf16``, ``fp16`` or ``auto``, which goes by the machine (:mod:`models.training.precision`).
    """

    adversarial: float = 0.0
    contrastive: float = 0.0
    contrastive_temperature: float = 0.1
    translations: float = 0.0
    translation_pairs: int = 16
    language_loss: float = 0.0
    language_embedding: float = 0.0
    lora: int = 0
    lora_scale: float = 2.0
    augmentation: float = 0.0
    precision: str = "auto"

    @property
    def hears_languages(self) -> bool:
        """Whether the network needs the parameters of :mod:`models.training.language_loss`."""
        return self.language_loss > 0 or self.language_embedding > 0

    def demand(self, place: str) -> None:
        """Refuse what no run can mean; ``place`` is named.

        Raises:
            ModelError: a factor is negative, a share is above 1, or the precision is unknown.
        """
        factors = ("adversarial", "contrastive", "translations", "language_loss", "language_embedding", "lora", "augmentation")
        for name in factors:
            if getattr(self, name) < 0:
                raise ModelError(f"{place}: {name} is {getattr(self, name)}", mend="give 0 to leave it off, or more")
        for name in ("adversarial", "language_embedding", "augmentation"):
            if getattr(self, name) > 1:
                raise ModelError(f"{place}: {name} is {getattr(self, name)}", mend="it is a share: give 0 to 1")
        for name in ("contrastive_temperature", "lora_scale", "translation_pairs"):
            if getattr(self, name) <= 0:
                raise ModelError(f"{place}: {name} is {getattr(self, name)}", mend="give more than 0, or leave it out")
        if self.precision not in ("auto", "fp32", "bf16", "fp16"):
            raise ModelError(f"{place}: precision is {self.precision!r}", mend="use auto, fp32, bf16 or fp16")
