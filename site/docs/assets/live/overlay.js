// A map over a picture, in the colours of the course's figures, with a fader and a magnifier.
{
  const VIRIDIS = "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725" // prettier-ignore
  const PURPLE_ORANGE = "2d004b 451871 5f3a91 7b6aa8 9990bf b7b1d5 cfcfe5 e4e5f0 f7f7f6 fce8cd fed59f fdbc6b ee9b39 d97b12 bd6109 9e4c07 7f3b08" // prettier-ignore
  const COVER = 0.7 // as in lessons/toolkit/plots.py
  const stops = (text) => text.split(" ").map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)))
  const palettes = [stops(VIRIDIS), stops(PURPLE_ORANGE)]

  // The colour of a value from 0 to 1.
  live.colour = (unit, signed) => {
    const place = 16 * Math.min(1, Math.max(0, unit))
    const [a, b] = [Math.floor(place), Math.ceil(place)].map((at) => palettes[+signed][at])
    return a.map((start, part) => start + (b[part] - start) * (place % 1))
  }

  // Bilinear, with each value in the middle of its cell, as align_corners=False has it.
  live.enlarge = (values, h, w, H, W) => {
    const along = (size, small) =>
      Array.from({ length: size }, (_, i) => {
        const at = Math.max(0, ((i + 0.5) * small) / size - 0.5)
        const low = Math.floor(at)
        return [low, Math.min(low + 1, small - 1), at - low]
      })
    const wide = new Float32Array(H * W)
    const columns = along(W, w)
    along(H, h).forEach(([top, bottom, down], row) =>
      columns.forEach(([left, right, across], column) => {
        const upper = values[top * w + left] * (1 - across) + values[top * w + right] * across
        const lower = values[bottom * w + left] * (1 - across) + values[bottom * w + right] * across
        wide[row * W + column] = upper * (1 - down) + lower * down
      }),
    )
    return wide
  }

  // Paint a map as fine as the canvas; `low` is no colour, `low + top` the end of the scale.
  live.paint = (canvas, wide, { low = 0, top, signed = false, fade }) => {
    const pen = canvas.getContext("2d")
    const pixels = pen.createImageData(canvas.width, canvas.height)
    wide.forEach((value, place) => {
      const share = top > 0 ? (value - low) / top : 0
      const unit = Math.min(1, signed ? Math.abs(share) : Math.max(0, share))
      pixels.data.set(live.colour(signed ? 0.5 + share / 2 : unit, signed), 4 * place)
      pixels.data[4 * place + 3] = 2.55 * fade * unit ** COVER
    })
    pen.putImageData(pixels, 0, 0)
  }

  live.faders = (fade) =>
    `<label>Fade the map <input type="range" name="fade" min="0" max="100" value="${fade}"></label>` +
    '<label>Magnify <input type="range" name="zoom" min="1" max="4" step="0.5" value="1"></label>'

  // A stage before the controls; it takes the place of the static picture.
  live.stage = (box, { width, height, picture = "" }) => {
    const figure = box.querySelector("figure")
    box.querySelector("form").insertAdjacentHTML(
      "beforebegin",
      `<div class="live-mapped"><div class="live-stage" tabindex="0" role="group" aria-label="Picture; scrolls when magnified">
        <div style="aspect-ratio:${width}/${height}"><img alt="" width="${width}" height="${height}">
        <canvas width="${width}" height="${height}" role="img"></canvas></div></div>
        <p class="live-legend"><span></span><i></i><span></span></p></div>`,
    )
    const [whole, stage, legend] = box.querySelectorAll(".live-mapped, .live-stage, .live-legend")
    const [image, canvas] = stage.querySelectorAll("img, canvas")
    if (picture) image.src = picture
    else image.remove()
    if (figure) figure.hidden = true
    const pen = canvas.getContext("2d")

    // The map `values` (h by w); `top` is what the end of the scale stands for.
    const show = (values, h, w, { top, signed = false, fade = 80, zoom = 1, alt }) => {
      live.paint(canvas, live.enlarge(values, h, w, height, width), { top, signed, fade })
      canvas.setAttribute("aria-label", alt)
      const colours = palettes[+signed].map((parts) => `rgb(${parts})`)
      legend.children[1].style.background = `linear-gradient(to right, ${colours})`
      const ends = [signed ? -top : 0, top].map((end) => live.number(end, Math.abs(end) < 1 && end ? 3 : 1))
      ends.forEach((end, at) => (legend.children[2 * at].textContent = end.replace("-", "−")))
      stage.firstElementChild.style.width = `${100 * zoom}%`
    }

    // White lines around the pixels of a square mask.
    const outline = (mask, side) => {
      const [cell, line] = [width / side, width / 170]
      pen.fillStyle = "#fff"
      for (const [place, inside] of mask.entries()) {
        const [x, y] = [(place % side) * cell, Math.floor(place / side) * cell]
        if (!inside) continue
        if (!mask[place - 1]) pen.fillRect(x - line / 2, y, line, cell)
        if (!mask[place + 1]) pen.fillRect(x + cell - line / 2, y, line, cell)
        if (!mask[place - side]) pen.fillRect(x, y - line / 2, cell, line)
        if (!mask[place + side]) pen.fillRect(x, y + cell - line / 2, cell, line)
      }
    }
    return { show, outline, whole, image }
  }
}
