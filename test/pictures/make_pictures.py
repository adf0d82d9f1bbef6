# SPDX-License-Identifier: Apache-2.0
"""Makes the test pictures of this folder and `pictures.json`, the text that stands in them.

Needs Pillow, numpy and the DejaVu fonts (Debian: fonts-dejavu-core). The pictures are committed, so this runs only
when one is to be added: python3 make_pictures.py
"""

import json
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

HERE = Path(__file__).parent
FONTS = Path("/usr/share/fonts/truetype/dejavu")
SANS, BOLD, SERIF, MONO = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf"
CONDENSED = "DejaVuSansCondensed-Bold.ttf"
RANDOM = np.random.default_rng(20260101)


def font(name, size):
    return ImageFont.truetype(str(FONTS / name), size)


def gradient(size, top, bottom):
    """A vertical gradient, as a sky or a wall in uneven light."""
    width, height = size
    t = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(top) * (1 - t) + np.array(bottom) * t
    return Image.fromarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))


def blobs(image, count, colours, radius, box):
    """Blurred blobs: leaves, cars, people far away."""
    layer = image.copy()
    draw = ImageDraw.Draw(layer)
    left, top, right, bottom = box
    for _ in range(count):
        x, y = RANDOM.uniform(left, right), RANDOM.uniform(top, bottom)
        r = RANDOM.uniform(radius / 3, radius)
        draw.ellipse([x - r, y - r, x + r, y + r], fill=colours[RANDOM.integers(len(colours))])
    return layer.filter(ImageFilter.GaussianBlur(4))


def perspective(image, corners, size):
    """Maps the whole of `image` (RGBA) to four corners (clockwise from the top left) of a picture of `size`."""
    w, h = image.size
    source = [(0, 0), (w, 0), (w, h), (0, h)]
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, source):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return image.transform(size, Image.PERSPECTIVE, np.linalg.solve(rows, values), Image.BICUBIC)


def photograph(image, blur=0.8, noise=6.0, shade=0.25):
    """What a camera adds: a soft lens, darker corners, sensor noise."""
    pixels = np.asarray(image.convert("RGB").filter(ImageFilter.GaussianBlur(blur))).astype(np.float64)
    height, width = pixels.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    pixels *= (1 - shade * (x**2 + y**2) / 2)[..., None]
    grain = RANDOM.normal(0, noise, (height, width, 1)) + RANDOM.normal(0, noise / 2, (height, width, 3))
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def octagon(centre, radius):
    return [(centre + radius * math.cos(a), centre + radius * math.sin(a))
            for a in (math.pi / 8 + i * math.pi / 4 for i in range(8))]


def stop_plate(side=600):
    plate = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(plate)
    draw.polygon(octagon(side / 2, side * 0.5), fill=(245, 244, 240, 255))
    draw.polygon(octagon(side / 2, side * 0.47), fill=(178, 24, 32, 255))
    draw.text((side / 2, side / 2), "STOP", font=font(CONDENSED, int(side * 0.32)), fill=(246, 246, 242), anchor="mm")
    return plate


def street(size):
    width, height = size
    image = gradient(size, (150, 185, 220), (214, 222, 226))
    image = blobs(image, 160, [(52, 84, 40), (74, 108, 52), (96, 124, 70), (40, 66, 36)], 46,
                  (0, height * 0.35, width, height * 0.72))
    draw = ImageDraw.Draw(image)
    draw.polygon([(0, height), (width, height), (width, height * 0.78), (0, height * 0.7)], fill=(104, 104, 108))
    return image


def stop_sign(corners, size=(640, 480), pole=None, **camera):
    image = street(size).filter(ImageFilter.GaussianBlur(2))
    draw = ImageDraw.Draw(image)
    x = sum(c[0] for c in corners) / 4
    bottom = max(c[1] for c in corners)
    draw.polygon([(x - 7, bottom - 20), (x + 7, bottom - 20), (x + 9, size[1]), (x - 5, size[1])], fill=(120, 122, 124))
    plate = perspective(stop_plate(), corners, size)
    image.paste(plate, (0, 0), plate)
    return photograph(image, **camera), ["STOP"]


def shop_sign():
    size = (800, 560)
    image = gradient(size, (150, 92, 70), (122, 74, 58))
    draw = ImageDraw.Draw(image)
    for row in range(0, size[1], 22):
        draw.line([(0, row), (size[0], row)], fill=(168, 128, 108), width=2)
        for x in range((row // 22 % 2) * 30, size[0], 60):
            draw.line([(x, row), (x, row + 22)], fill=(168, 128, 108), width=2)
    board = Image.new("RGBA", (700, 220), (24, 58, 46, 255))
    pen = ImageDraw.Draw(board)
    pen.rectangle([8, 8, 691, 211], outline=(214, 186, 120), width=4)
    pen.text((350, 82), "Harbour Bakery", font=font("DejaVuSerif-Bold.ttf", 74), fill=(240, 222, 170), anchor="mm")
    pen.text((350, 166), "Fresh bread since 1924", font=font(SERIF, 38), fill=(240, 232, 210), anchor="mm")
    board = perspective(board, [(70, 70), (735, 118), (728, 318), (66, 300)], size)
    image.paste(board, (0, 0), board)
    card = Image.new("RGBA", (260, 150), (246, 242, 230, 255))
    pen = ImageDraw.Draw(card)
    pen.text((130, 48), "OPEN", font=font(BOLD, 56), fill=(30, 110, 50), anchor="mm")
    pen.text((130, 112), "Mon-Sat 7:00-18:30", font=font(SANS, 24), fill=(40, 40, 44), anchor="mm")
    card = perspective(card, [(300, 372), (520, 382), (516, 508), (296, 496)], size)
    image.paste(card, (0, 0), card)
    return photograph(image), ["Harbour Bakery", "Fresh bread since 1924", "OPEN", "Mon-Sat 7:00-18:30"]


def text_block(lines, name, size, width, height, paper, ink, margin=40, leading=1.7):
    block = Image.new("RGBA", (width, height), paper + (255,))
    draw = ImageDraw.Draw(block)
    for i, line in enumerate(lines):
        draw.text((margin, margin + i * size * leading), line, font=font(name, size), fill=ink)
    return block


def several_lines():
    lines = ["Platform 9 closes at 22:45", "Please keep your ticket ready", "Bicycles: coaches 3 and 4 only",
             "Lost property: +49 30 1234567"]
    image = gradient((900, 520), (70, 76, 88), (48, 52, 62))
    block = text_block(lines, SANS, 40, 780, 350, (22, 42, 92), (238, 240, 246), leading=1.75)
    block = perspective(block, [(60, 80), (830, 60), (845, 430), (75, 440)], image.size)
    image.paste(block, (0, 0), block)
    return photograph(image, blur=1.0, noise=7), lines


PAGE = """The lighthouse keeper rose before the sun and climbed the
one hundred and forty steps to the lantern room. The wind had
turned to the north-west during the night, and the glass was
covered with fine salt. He cleaned each pane with fresh water,
checked the lamp, and wrote down the height of the barometer.
At half past six a small steamer came round the cape. She was
low in the water and burned coal of poor quality, so that a
long brown cloud lay behind her over the whole bay. He raised
the signal flags and waited for an answer, but none came.
By noon the fog had returned. The horn sounded twice every
minute, and the keeper's dog slept on through all of it.
In the evening his daughter rowed across with letters, bread,
two newspapers and a tin of paint. They sat on the steps and
spoke about the winter, the price of oil, and her new school.
When she left, the tide had already begun to fall."""


def page():
    lines = PAGE.split("\n")
    sheet = text_block(["Chapter 7"] + [""] + lines, SERIF, 25, 960, 900, (250, 248, 242), (24, 24, 28), 60, 1.75)
    image = gradient((1000, 940), (96, 74, 54), (78, 58, 42))
    sheet = perspective(sheet, [(22, 14), (980, 20), (986, 928), (16, 924)], image.size)
    image.paste(sheet, (0, 0), sheet)
    return photograph(image, blur=0.5, noise=4, shade=0.12), ["Chapter 7"] + lines


def empty():
    image = blobs(gradient((640, 420), (120, 168, 214), (226, 232, 236)), 26, [(250, 250, 252), (236, 240, 244)], 70,
                  (0, 40, 640, 200))
    return photograph(image), []


def rotated():
    lines = ["FRAGILE", "This side up", "Handle with care"]
    label = Image.new("RGBA", (560, 300), (244, 240, 226, 255))
    draw = ImageDraw.Draw(label)
    draw.rectangle([10, 10, 549, 289], outline=(190, 40, 30), width=6)
    draw.text((280, 78), lines[0], font=font(BOLD, 76), fill=(190, 40, 30), anchor="mm")
    draw.text((280, 168), lines[1], font=font(SANS, 46), fill=(40, 36, 34), anchor="mm")
    draw.text((280, 240), lines[2], font=font(SANS, 40), fill=(40, 36, 34), anchor="mm")
    label = label.rotate(17, expand=True, resample=Image.BICUBIC)
    image = gradient((760, 600), (186, 150, 104), (160, 124, 84))
    image.paste(label, (70, 60), label)
    return photograph(image), lines


def upside_down():
    lines = ["Conference room B", "Reserved until 16:00"]
    block = text_block(lines, SANS, 52, 680, 240, (236, 238, 240), (28, 34, 60), 50, 1.6)
    image = gradient((800, 380), (120, 128, 124), (96, 102, 100))
    image.paste(block, (60, 70), block)
    # Read from the top of the turned picture, the last line comes first.
    return photograph(image.rotate(180)), lines[::-1]


def vertical():
    image = gradient((420, 640), (214, 204, 190), (196, 186, 172))
    spine = Image.new("RGBA", (560, 96), (38, 60, 120, 255))
    ImageDraw.Draw(spine).text((280, 48), "Atlas of the Night Sky", font=font(SERIF, 44), fill=(244, 226, 150), anchor="mm")
    # Readable from the top down, as on the spine of a book; the cut out line is turned upright again.
    image.paste(spine.rotate(-90, expand=True), (60, 40))
    second = Image.new("RGBA", (560, 110), (110, 30, 40, 255))
    ImageDraw.Draw(second).text((280, 55), "Collected Letters", font=font(BOLD, 48), fill=(250, 246, 240), anchor="mm")
    image.paste(second.rotate(90, expand=True), (230, 40))
    return photograph(image, noise=5), ["Atlas of the Night Sky", "Collected Letters"]


def receipt():
    rows = [("CORNER MARKET", None), ("12 Mill Lane, Oxbridge", None), ("Milk 1.5%  2 x 0.89", "1.78"), ("Rye bread", "2.45"),
            ("Apples 1.240 kg", "3.10"), ("Cheddar 300 g", "4.29"), ("TOTAL", "11.62"), ("Paid in cash", "20.00"),
            ("Change", "8.38"), ("Thank you!", None)]
    paper = Image.new("RGBA", (460, 640), (250, 250, 246, 255))
    draw = ImageDraw.Draw(paper)
    words = []
    for i, (left, right) in enumerate(rows):
        y = 40 + i * 58
        name = font(BOLD if left in ("CORNER MARKET", "TOTAL") else MONO, 26)
        draw.text((30, y), left, font=name, fill=(44, 44, 48))
        words.append(left)
        if right:
            draw.text((430, y), right, font=name, fill=(44, 44, 48), anchor="ra")
            words.append(right)
    image = gradient((560, 760), (60, 70, 66), (44, 52, 50))
    paper = perspective(paper, [(52, 60), (508, 50), (516, 700), (44, 708)], image.size)
    image.paste(paper, (0, 0), paper)
    return photograph(image, blur=0.7, noise=5), words


def strip():
    image = Image.new("RGB", (900, 64), (252, 252, 250))
    ImageDraw.Draw(image).text((24, 32), "One very long and narrow strip with a single line of text on it",
                               font=font(SANS, 26), fill=(20, 20, 20), anchor="lm")
    return image, ["One very long and narrow strip with a single line of text on it"]


def main():
    pictures = {
        "stop_sign.jpg": stop_sign([(190, 60), (440, 84), (432, 330), (182, 318)]),
        "stop_sign_far.jpg": stop_sign([(300, 120), (392, 108), (398, 204), (306, 210)], blur=1.1, noise=8),
        "stop_sign_night.jpg": None,
        "shop_sign.jpg": shop_sign(),
        "several_lines.jpg": several_lines(),
        "page.jpg": page(),
        "rotated.jpg": rotated(),
        "upside_down.jpg": upside_down(),
        "vertical.jpg": vertical(),
        "receipt.jpg": receipt(),
        "strip.png": strip(),
        "empty.jpg": empty(),
    }
    sign, text = stop_sign([(236, 70), (424, 40), (448, 262), (250, 270)], blur=2.2, noise=4)
    dark = Image.fromarray((np.asarray(sign).astype(np.float64) * 0.3).astype(np.uint8))
    pictures["stop_sign_night.jpg"] = (photograph(dark, blur=0.6, noise=7), text)

    truth = {}
    for name, (image, lines) in pictures.items():
        image = image.convert("RGB")
        image.save(HERE / name, **({"quality": 70} if name.endswith("jpg") else {"optimize": True}))
        truth[name] = {"width": image.width, "height": image.height, "lines": lines}
        print(name, image.size, (HERE / name).stat().st_size)
    (HERE / "pictures.json").write_text(json.dumps(truth, indent=2) + "\n")


if __name__ == "__main__":
    main()
