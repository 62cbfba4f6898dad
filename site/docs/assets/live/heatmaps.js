// Fade the maps of a figure, put them on one scale, and look closer at one place in all of them.
live.define("heatmaps", ["overlay.js"], (box) => {
  const panels = [...box.querySelectorAll(".panel")]
  const title = (panel) => panel.querySelector("b")?.innerText.replace(/\s+/g, " ") ?? ""

  // A canvas over each photo, and the map as fine as that.
  const ready = async ({ alpha, size: [height, width], photos, maps }) => {
    const lay = async ({ panel, photo, levels, step, ...map }) => {
      const values = Float32Array.from(await live.unpack(levels, Int8Array), (level) => level * step)
      const image = panels[panel].querySelector("img")
      const canvas = Object.assign(document.createElement("canvas"), { width, height })
      canvas.setAttribute("aria-hidden", "true") // the sentence says what it shows
      image.src = photos[photo]
      image.after(canvas)
      const wide = live.enlarge(values, map.height, map.width, height, width)
      const [lowest, highest] = wide.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [0, 0])
      return { canvas, wide, lowest, highest, name: title(panels[panel]) || `panel ${panel + 1}` }
    }
    const laid = await Promise.all(maps.map(lay))
    const lowest = Math.min(...laid.map((map) => map.lowest))
    const highest = Math.max(...laid.map((map) => map.highest))
    return { alpha, height, width, laid, lowest, highest }
  }
  const read = () => live.read(box.dataset.of, ready)

  const inside = (share, size) => Math.min(size - 1, Math.floor((share / 100) * size))
  const plain = (value) => String(+value.toPrecision(3)).replace("-", "−")

  const update = async ({ scale, fade, zoom, across, down }, say) => {
    const { alpha, height, width, laid, ...all } = await read()
    const scales = {
      own: (map) => ({ low: map.lowest, top: map.highest - map.lowest }),
      common: () => ({ low: all.lowest, top: all.highest - all.lowest }),
    }
    for (const map of laid) live.paint(map.canvas, map.wide, { ...scales[scale](map), fade: alpha * fade })
    for (const part of box.querySelectorAll(".panel :is(img, canvas)")) {
      part.style.transform = `scale(${zoom})`
      part.style.transformOrigin = `${across}% ${down}%`
    }
    const place = inside(down, height) * width + inside(across, width)
    const there = laid.map((map) => `${plain(map.wide[place])} in “${map.name}”`)
    const meant = {
      own: "Each map has its own scale.",
      common: `One scale for all, which ends at ${plain(all.highest)}.`,
    }
    say(`${across} % from the left and ${down} % from the top: ${there.join(", ")}. ${meant[scale]}`)
  }

  const { form, changed, values, say } = live.controls(
    box,
    `<fieldset><legend>Scale</legend>
      <label><input type="radio" name="scale" value="own" checked>its own</label>
      <label><input type="radio" name="scale" value="common">one for all</label></fieldset>
    ${live.faders(100)}
    <label>across <input type="range" name="across" min="0" max="100" value="50"></label>
    <label>down <input type="range" name="down" min="0" max="100" value="50"></label>`,
    update,
  )

  // The pointer says where, in all panels at once.
  for (const panel of panels) {
    const image = panel.querySelector("img")
    image.parentElement.classList.add("live-lens")
    panel.addEventListener("pointermove", ({ clientX, clientY }) => {
      const { left, top, width, height } = image.parentElement.getBoundingClientRect()
      const share = (at, size) => Math.round(Math.min(100, Math.max(0, (100 * at) / size)))
      form.elements.across.value = share(clientX - left, width)
      form.elements.down.value = share(clientY - top, height)
      update(values(), say).catch((error) => say(error.message))
    })
    panel.addEventListener("pointerleave", changed) // the address need not follow every move
  }
  box.live = { read } // for the tests
})
