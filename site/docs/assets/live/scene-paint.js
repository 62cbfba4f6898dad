// Painted scenes: a fish or a butterfly on a photo, and the exact pixels of it. The shapes and the
// order of painting are those of lessons/toolkit/scenes.py.
{
  const SIDE = 64
  const { hypot, abs, min, max, cos, sin, exp, round } = Math
  const clamp = (value) => min(1, max(0, value))
  const coverage = (distance) => clamp(0.5 - distance)
  const sigmoid = (x) => 1 / (1 + exp(-x))
  const mix = (below, above, share) => below + (above - below) * share
  const wrap = (x, period) => x - period * round(x / period)
  const HUES = { red: 0.01, blue: 0.6 }
  const INK = [0.95, 0.92, 0.84] // cream
  const [SATURATION, VALUE, PERIOD, LIGHT] = [0.8, 0.75, 6.5, -2] // the middle of what training saw

  // Signed distances to the silhouette and to its dark detail, eye or body, in half extents.
  const outlines = {
    fish: (u, v) => {
      const w = abs(v)
      const body = hypot(u - 0.2, w + 0.39) - 0.89
      const tail = max((w - 0.95 * (-0.38 - u)) / 1.38, (-0.85 - 0.3 * w - u) / 1.04)
      return [min(body, tail), hypot(u - 0.62, v - 0.08) - 0.09]
    },
    butterfly: (u, v) => {
      const w = abs(v)
      const body = ellipse(u, w, 0.62, 0.09)
      const [across, along] = [u - 0.3, w - 0.48]
      const [c, s] = [cos(0.95), sin(0.95)]
      const wing = ellipse(c * across + s * along, c * along - s * across, 0.56, 0.34)
      return [min(body, wing, hypot(u + 0.34, w - 0.4) - 0.36), body]
    },
  }
  const ellipse = (u, v, a, b) => {
    const scaled = hypot(u / a, v / b)
    return (scaled * (scaled - 1)) / max(1e-6, hypot(u / a ** 2, v / b ** 2))
  }
  const textures = {
    striped: (u) => coverage((abs((((u / PERIOD) % 1) + 1) % 1 - 0.5) - 0.25) * PERIOD), // prettier-ignore
    spotted: (u, v) => {
      const spot = (shift) => hypot(wrap(u / PERIOD + shift, 1), wrap(v / PERIOD + shift * 3 ** 0.5, 3 ** 0.5))
      return coverage((min(spot(0), spot(0.5)) - 0.32) * PERIOD)
    },
  }
  const colour = (hue) =>
    [5, 3, 1].map((n) => {
      const step = (n + 6 * hue) % 6
      return VALUE * (1 - SATURATION * clamp(min(step, 4 - step)))
    })

  // Paint an object on a copy of `background`, RGBA of 64 x 64 pixels, in the order of Python's.
  // Returns the picture and which pixels are the object's.
  live.paintScene = (background, { colour: name, texture, shape, x, y, size, turn }) => {
    const pixels = Float32Array.from(background, (value) => value / 255)
    const mask = new Uint8Array(SIDE ** 2)
    if (!outlines[shape]) return { pixels, mask }
    const frame = (column, row, angle) => {
      const [dx, dy] = [column + 0.5 - x, row + 0.5 - y]
      return [(cos(angle) * dx + sin(angle) * dy) / size, (cos(angle) * dy - sin(angle) * dx) / size]
    }
    const angle = (turn * Math.PI) / 180
    const plain = colour(HUES[name])
    for (let row = 0; row < SIDE; row++)
      for (let column = 0; column < SIDE; column++) {
        const [u, v] = frame(column, row, angle)
        const [outline, detail] = outlines[shape](u, v)
        const distance = outline * size
        const [su, sv] = frame((column + 62) % SIDE, (row + 62) % SIDE, angle)
        const shadow = 0.45 * sigmoid((1 - outlines[shape](su, sv)[0] * size) / 1.5)
        const ink = textures[texture](u * size, v * size)
        const dark = coverage(detail * size)
        const slope = max(-1, min(1, frame(column, row, LIGHT)[0]))
        const shade = (1 - 0.35 * sigmoid((distance + 1.5) / 0.7)) * (1 + 0.22 * slope)
        const place = row * SIDE + column
        for (let part = 0; part < 3; part++) {
          const below = mix(pixels[4 * place + part], pixels[4 * place + part] * 0.25, shadow)
          const paint = mix(mix(plain[part], INK[part], ink), 0.08, dark) * shade
          pixels[4 * place + part] = clamp(mix(below, paint, coverage(distance)))
        }
        mask[place] = +(distance <= 0)
      }
    return { pixels, mask }
  }
}
