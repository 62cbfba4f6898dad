// The reader's strokes as a text for the address: a colour and a width in pixels, then a letter across and
// one down for each dab, as in "c0301c8.gggh". A space begins another colour or width.
{
  const SIDE = 64
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  const letter = (at) => LETTERS[Math.min(SIDE - 1, Math.max(0, Math.floor(at)))]

  live.withDab = (text, ink, width, { x, y }) => {
    const pen = `${ink.slice(1)}${width}.`
    const place = letter(x) + letter(y)
    const last = text.slice(text.lastIndexOf(" ") + 1)
    if (!last.startsWith(pen)) return `${text} ${pen}${place}`.trim()
    return last.endsWith(place) ? text : text + place
  }

  // The colour of each place that is drawn on.
  live.strokes = (text) => {
    const strokes = []
    for (const [, hex, width, dabs] of text.matchAll(/([0-9a-f]{6})(\d+)\.([\w-]+)/g)) {
      const colour = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      for (let dab = 0; dab + 1 < dabs.length; dab += 2) {
        const [x, y] = [dabs[dab], dabs[dab + 1]].map((at) => LETTERS.indexOf(at) + 0.5)
        for (let place = 0; place < SIDE ** 2; place++)
          if (Math.hypot((place % SIDE) + 0.5 - x, Math.floor(place / SIDE) + 0.5 - y) < width / 2) strokes[place] = colour
      }
    }
    return strokes
  }
}
