"""Named training recipes: configurations that were measured, with what they are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reid_core.data.published_augment import PublishedAugment
from reid_core.data.transforms import AugmentConfig
from reid_core.errors import InputError
from reid_core.synthetic.attributes import CATEGORICAL_ATTRIBUTES, REAL_ATTRIBUTES
from reid_core.training.config import HEADS, CorrectionTerms, Stage, Thaw, TrainConfig


def demo_start() -> TrainConfig:
    """First part of the demo weights, from scratch on small crops: many steps for little time.

    SGD at the paper's rate learned about three times faster than AdamW here (Rank-1 8.3% against 3.7% to 6.8%
    after 60 CPU seconds), and the attribute losses pull the net off the plateau at ln(identities).
    """
    return TrainConfig(
        recipe="demo-start",
        licence="Apache-2.0; trained on rendered people only",
        stages=(
            Stage(share=0.6, height=64, width=32, by_identity=False),
            Stage(share=0.4, height=64, width=32, by_identity=True),
        ),
        steps=3_000,
        final_rate_share=0.5,
        triplet_weight=0.5,
        category_weight=3.0,
        real_weight=2.0,
        category_columns=tuple(attribute.name for attribute in CATEGORICAL_ATTRIBUTES),
        real_columns=tuple(attribute.name for attribute in REAL_ATTRIBUTES),
        full_strength_at=1.0,
        checkpoint_steps=250,
    )


def demo() -> TrainConfig:
    """Second part of the demo weights: go on from ``demo-start`` with larger crops and full augmentation."""
    return replace(
        demo_start(),
        recipe="demo",
        stages=(
            Stage(share=0.67, height=96, width=48, by_identity=True),
            Stage(share=0.33, height=128, width=64, by_identity=True),
        ),
        steps=5_500,
        learning_rate=0.05,
        final_rate_share=0.002,
        contrastive_weight=0.5,
        category_weight=1.5,
        real_weight=1.0,
        mixstyle_probability=0.2,
        first_strength=0.8,
        full_strength_at=1.0,
    )


def demo_finish() -> TrainConfig:
    """Last part of the demo weights: the shipped input size, boxes framed as variously as detectors do."""
    return replace(
        demo(),
        recipe="demo-finish",
        stages=(Stage(share=1.0, height=128, width=64, by_identity=True),),
        steps=4_200,
        learning_rate=0.02,
        warmup_steps=50,
        augment=AugmentConfig(
            zoom_sigma=0.09, aspect_sigma=0.14, shift=0.07, partial_probability=0.10, lighting_sigma=0.25
        ),
        first_strength=1.0,
    )


_PAPER_SIZE = (256, 128)
_TERMS_OF_DATA = "as the training data allow"


def osnet_scratch() -> TrainConfig:
    """From random weights (OSNet, ICCV 2019, section 4.1; deep-person-reid issue 217): 350 epochs of SGD."""
    return TrainConfig(
        recipe="osnet-scratch",
        licence=_TERMS_OF_DATA,
        stages=(Stage(1.0, *_PAPER_SIZE, by_identity=False),),
        variant="osnet_x1_0",
        epochs=350,
        batch_size=64,
        optimizer="sgd",
        learning_rate=0.065,
        momentum=0.9,
        is_nesterov=False,
        weight_decay=5e-4,
        decays_all=True,
        schedule="steps",
        rate_drops=(150 / 350, 225 / 350, 300 / 350),
        warmup_steps=0,
        gradient_clip=0.0,
        has_cosine_head=False,
        has_neck=False,
        published_augment=PublishedAugment(flip=0.5, crop=0.5, patch=0.5),
        average_decay=0.0,
        validation_identities=0,
    )


def osnet_finetune() -> TrainConfig:
    """From ImageNet weights (OSNet, arXiv version 6): AMSGrad, 250 epochs of cosine, the classifier alone
    first."""
    return replace(
        osnet_scratch(),
        recipe="osnet-finetune",
        epochs=250,
        optimizer="amsgrad",
        learning_rate=0.0015,
        schedule="cosine",
        rate_drops=(),
        final_rate_share=0.0,
        thaws=(Thaw(10 / 250, (HEADS,)),),
        published_augment=PublishedAugment(flip=0.5, erase=0.5),
    )


def osnet_finetune_small() -> TrainConfig:
    """The widths x0.5 and x0.25 of the published weights: twice the batch and rate, 180 epochs, drops every
    80."""
    return replace(
        osnet_finetune(),
        recipe="osnet-finetune-small",
        variant="osnet_x0_25",
        epochs=180,
        batch_size=128,
        learning_rate=0.003,
        schedule="steps",
        rate_drops=(80 / 180, 160 / 180),
        thaws=(Thaw(10 / 180, (HEADS,)),),
        published_augment=PublishedAugment(flip=0.5),
    )


def osnet_cross_domain() -> TrainConfig:
    """OSNet-AIN for cameras never seen (TPAMI 2021): colour jitter, and no erasing, which hurts there."""
    return replace(
        osnet_finetune(),
        recipe="osnet-cross-domain",
        variant="osnet_ain_x1_0",
        epochs=100,
        thaws=(Thaw(10 / 100, (HEADS,)),),
        published_augment=PublishedAugment(flip=0.5, jitter=1.0),
    )


def osnet_triplet() -> TrainConfig:
    """Softmax and batch-hard triplet together (OSNet, arXiv version 6, supplement): margin 0.3, 16 x 4
    crops."""
    return replace(
        osnet_finetune(),
        recipe="osnet-triplet",
        stages=(Stage(1.0, *_PAPER_SIZE, by_identity=True),),
        triplet_weight=1.0,
        triplet_margin=0.3,
    )


def osnet_demo_scale() -> TrainConfig:
    """The paper's recipe from scratch at the size of the demo city: x0.25, 64 x 32, fewer epochs.

    The rate, its drops (at 3/7, 9/14 and 6/7 of the run), the loss and the augmentation are those of
    ``osnet-scratch``; width, input and number of epochs are what a CPU finishes in minutes.
    """
    return replace(
        osnet_scratch(),
        recipe="osnet-demo-scale",
        variant="osnet_x0_25",
        stages=(Stage(1.0, 64, 32, by_identity=False),),
        epochs=70,
        validation_identities=10,
        checkpoint_steps=50,
    )


def from_corrections() -> TrainConfig:
    """A served net learns from an exported retraining set; see ``CorrectionTerms`` for what it adds.

    A step takes about one CPU second for x0.25 at 128 x 64 when everything trains. The rate is what frozen
    batch-norm statistics bear: at 0.04 the trained net was below the served one on people held out.
    ``benchmarks/learning_loop.py`` measures it; see ``docs/training.md``.
    """
    return TrainConfig(
        recipe="from-corrections",
        stages=(Stage(1.0, 128, 64, by_identity=True),),
        steps=600,
        batch_size=64,
        crops_per_identity=4,
        learning_rate=0.015,
        warmup_steps=20,
        thaws=(Thaw(0.04, (HEADS,)),),
        freezes_statistics=True,
        triplet_weight=1.0,
        contrastive_weight=1.0,
        augment=AugmentConfig(
            zoom_sigma=0.04,
            aspect_sigma=0.04,
            shift=0.04,
            rotation_degrees=2.0,
            partial_probability=0.05,
            gain_sigma=0.08,
            channel_gain_sigma=0.03,
            contrast_sigma=0.1,
            saturation_sigma=0.15,
            hue_degrees=4.0,
            gamma_sigma=0.08,
            strong_color_probability=0.0,
            gray_probability=0.0,
            channel_mix_probability=0.0,
            lighting_sigma=0.1,
            blur_probability=0.15,
            sharpen_probability=0.1,
            low_resolution_probability=0.1,
            jpeg_probability=0.1,
            noise_probability=0.15,
            noise_sigma=0.03,
            patch_probability=0.3,
            erase_probability=0.3,
            side_probability=0.1,
        ),
        first_strength=1.0,
        full_strength_at=0.0,
        average_decay=0.98,
        corrections=CorrectionTerms(),
        validation_identities=16,
        checkpoint_steps=100,
    )


RECIPES: dict[str, Callable[[], TrainConfig]] = {
    make().recipe: make
    for make in (
        demo_start,
        demo,
        demo_finish,
        osnet_scratch,
        osnet_finetune,
        osnet_finetune_small,
        osnet_cross_domain,
        osnet_triplet,
        osnet_demo_scale,
        from_corrections,
    )
}


def get_recipe(
    name: str, *, seed: int = 0, steps: int | None = None, epochs: float | None = None
) -> TrainConfig:
    """A recipe by name, with a seed and, if asked, another length; shares of a run move along.

    Args:
        name: One of ``RECIPES``.
        seed: Of weights, batches and augmentation.
        steps: Length in optimiser steps, in place of the recipe's own.
        epochs: Length in passes over the training crops.

    Raises:
        InputError: There is no such recipe, or two lengths were given.
    """
    if name not in RECIPES:
        raise InputError(f"There is no recipe {name!r}; expected one of {', '.join(RECIPES)}.")
    if steps is not None and epochs is not None:
        raise InputError(f"Both {steps} steps and {epochs} epochs were asked for; give one of them.")
    config = replace(RECIPES[name](), seed=seed)
    if steps is not None:
        return replace(config, steps=steps, epochs=0.0)
    return config if epochs is None else replace(config, epochs=epochs)
