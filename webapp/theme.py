"""Look of Gradio's own components in the tokens of ``static/css/base.css``: neutral ink, one blue, flat."""

from __future__ import annotations

from gradio.themes import Base, Color, Font, sizes

_ACCENT = Color(
    c50="#eef3fe",
    c100="#dbe6fd",
    c200="#bfd2fb",
    c300="#93b3f7",
    c400="#608cf0",
    c500="#3b68e6",
    c600="#2850d2",
    c700="#2140ab",
    c800="#203889",
    c900="#1f346d",
    c950="#172143",
    name="accent",
)
_INK = Color(
    c50="#f4f5f7",
    c100="#eceef2",
    c200="#dde1e7",
    c300="#b9c0cb",
    c400="#a0a9b7",
    c500="#565f6d",
    c600="#4a5361",
    c700="#38404c",
    c800="#2a303b",
    c900="#161a21",
    c950="#0d1015",
    name="ink",
)
_FONTS = [Font("Inter Var"), Font("ui-sans-serif"), Font("system-ui"), Font("sans-serif")]


def make_theme() -> Base:
    """The theme to launch with. It names only fonts that the app serves itself or the system has."""
    return Base(
        primary_hue=_ACCENT,
        secondary_hue=_ACCENT,
        neutral_hue=_INK,
        text_size=sizes.text_sm,
        spacing_size=sizes.spacing_sm,
        radius_size=sizes.radius_sm,
        font=_FONTS,
        font_mono=[Font("ui-monospace"), Font("monospace")],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_shadow="none",
        input_background_fill="white",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_text_color="white",
        shadow_drop="none",
        shadow_drop_lg="none",
    )
