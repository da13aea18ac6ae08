# SPDX-License-Identifier: MIT
"""plot.py - SVG without help: bars of ratios, and curves over growing work"""
import math
from html import escape

WIDTH, LEFT, RIGHT, TOP = 860, 150, 90, 46
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777", "#997700",
           "#004488", "#bb5566", "#117733", "#ddaa33")
STYLE = ("<style>text{font:12px sans-serif;fill:#222}.title{font-size:15px}.faint{fill:#666;font-size:11px}"
         ".grid{stroke:#ddd}.mark{stroke:#222;stroke-dasharray:4 3}svg{background:#fff}</style>")


def document(height, title, parts):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
                      f"<title>{escape(title)}</title>", STYLE,
                      f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
                      text(LEFT, 22, title, "title"), *parts, "</svg>", ""])


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(str(words))}</text>'


def line(x1, y1, x2, y2, kind, colour=""):
    stroke = f' stroke="{colour}"' if colour else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"{stroke}/>'


def short(value, binary=False):
    """With a unit: of 1000, or of 1024 where bytes are counted."""
    step = 1024 if binary else 1000
    for power, unit in ((3, "G"), (2, "M"), (1, "k")):
        if abs(value) >= step ** power:
            return f"{value / step ** power:.3g}{unit}"
    return f"{value:.3g}"


def bars(title, rows, note="x glibc; below 1 is better"):
    """@rows: (name, middle, least, most, ours or not); a whisker is the spread."""
    top = max([1.0, *(min(row[3], row[1] * 2) for row in rows)]) * 1.05
    scale = (WIDTH - LEFT - RIGHT) / top
    parts, y = [text(LEFT, 38, note, "faint")], TOP + 6
    for name, middle, least, most, ours in rows:
        parts.append(text(LEFT - 8, y + 13, name, anchor="end"))
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{middle * scale:.1f}" height="16" '
                     f'fill="{COLOURS[1] if ours else COLOURS[0]}"/>')
        parts.append(line(LEFT + least * scale, y + 8, LEFT + min(most, top) * scale, y + 8, "", "#222"))
        parts.append(text(LEFT + min(max(middle, most), top) * scale + 6, y + 13, f"{middle:.3f}"))
        y += 22
    parts.append(line(LEFT + scale, TOP, LEFT + scale, y, "mark"))
    return document(y + 16, title, parts)


def ticks(least, most):
    """Of 1, 2, 5, 10, 20...: those about the range and the two outside it."""
    every = [m * 10.0 ** e for e in range(math.floor(math.log10(least)) - 1, math.ceil(math.log10(most)) + 2)
             for m in (1, 2, 5)]
    low, high = max(v for v in every if v <= least), min(v for v in every if v >= most * 1.0001)
    return [v for v in every if low <= v <= high]


def curves(title, lines, across, up):
    """@lines: name -> [(x, y)], all above 0. Both axes are logarithmic: linear growth is a slope of 1."""
    points = [p for line_ in lines.values() for p in line_]
    height, bottom = 420, 370
    marks_x = sorted({x for x, _ in points})
    marks_y = ticks(min(y for _, y in points), max(y for _, y in points))

    def at(x, y):
        wide = math.log(marks_x[-1] / marks_x[0]) or 1
        high = math.log(marks_y[-1] / marks_y[0])
        return (LEFT + math.log(x / marks_x[0]) / wide * (WIDTH - LEFT - RIGHT - 70),
                bottom - math.log(y / marks_y[0]) / high * (bottom - TOP - 10))

    parts = [text(LEFT, 38, f"{up}, over {across}; both axes logarithmic", "faint")]
    for x in marks_x:
        parts += [line(at(x, marks_y[0])[0], TOP + 10, at(x, marks_y[0])[0], bottom, "grid"),
                  text(at(x, marks_y[0])[0], bottom + 18, short(x, across == "bytes"), anchor="middle")]
    for y in marks_y:
        parts += [line(LEFT, at(marks_x[0], y)[1], at(marks_x[-1], y)[0], at(marks_x[0], y)[1], "grid"),
                  text(LEFT - 8, at(marks_x[0], y)[1] + 4, short(y), anchor="end")]
    ends = []
    for number, (name, line_) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*p) for p in sorted(line_)))
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" '
                     f'stroke-width="{3 if name.startswith("ours") else 1.6}"/>')
        ends.append([at(*max(line_)), name, colour])
    parts += names_at(ends)
    return document(height, title, parts)


def names_at(ends):
    """The lines' names beside their ends, moved apart where they would cover each other."""
    parts, below = [], -1e9
    for (x, y), name, colour in sorted(ends, key=lambda e: e[0][1]):
        y = max(y, below + 13)
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" style="fill:{colour}">{escape(name)}</text>')
        below = y
    return parts
