"""Prints the code points of the subset: ASCII, Latin-1, GB 2312, and signs that charts and names use."""

SIGNS = "…–—·•‘’“”→←↑↓×÷±≤≥≠≈∞°℃µμ²³¹⁰⁴⁵⁶⁷⁸⁹⁻√‰％□■○●△▲▽▼◆◇★☆①②③④⑤⑥⑦⑧⑨⑩↗↘ⅠⅡⅢ"

points = set(range(0x20, 0x7F)) | set(range(0xA0, 0x100)) | {ord(sign) for sign in SIGNS}
for high in range(0xA1, 0xF8):
    for low in range(0xA1, 0xFF):
        try:
            points.add(ord(bytes([high, low]).decode("gb2312")))
        except UnicodeDecodeError:
            pass
print(",".join(f"{point:X}" for point in sorted(points)))
