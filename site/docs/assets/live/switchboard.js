// Switch channels of the head off. After it come a mean and a linear layer: a logit is the sum of what
// the channels that are on add to it, and its bias.
live.define("switchboard", ["overlay.js"], (box) => {
  const SIDE = 7, SHOWN = 24, PLACES = SIDE ** 2 // prettier-ignore
  const CLASSES = ["tiger cat", "Egyptian cat", "tabby", "lynx", "tiger", "Persian cat", "Siamese cat", "red fox", "hamster", "washer", "paper towel", "espresso"] // prettier-ignore
  const options = CLASSES.map((name, at) => `<option value="${at}">${name}</option>`).join("")
  let data, stage

  const read = () =>
    live.read("switchboard", async (packed) => {
      const kinds = [[packed.said, Int16Array], [packed.maps, Uint8Array], [packed.scales, Float32Array]] // prettier-ignore
      const [said, maps, scales] = await Promise.all(kinds.map(([text, Kind]) => live.unpack(text, Kind)))
      const count = scales.length
      const adds = CLASSES.map((_, row) => Float32Array.from({ length: count }, (_, at) => said[row * count + at] * packed.steps[row]))
      const map = (channel) => Float32Array.from(maps.subarray(channel * PLACES, (channel + 1) * PLACES), (level) => level * scales[channel])
      const speaks = (channel) => maps.subarray(channel * PLACES, (channel + 1) * PLACES).some((level) => level > 0)
      return { ...packed, adds, map, channels: [...scales.keys()].filter(speaks) }
    })

  // Channels that speak, those first that add most to one class, or to its lead over another.
  const order = ({ most, over }) => {
    const [plus, minus] = [data.adds[Number(most)], data.adds[Number(over)]]
    const gain = (channel) => plus[channel] - (minus?.[channel] ?? 0)
    return data.channels.toSorted((a, b) => gain(b) - gain(a))
  }

  const update = async (now, say) => {
    if (!data) build(await read())
    const ordered = order(now)
    const off = new Set(now.off.split(" ").filter(Boolean).map(Number))
    for (const channel of ordered.slice(0, Number(now.first))) off.add(channel)
    const silent = (channel) => off.has(channel)
    const logits = data.adds.map((adds, row) => adds.reduce((sum, value, channel) => sum + (silent(channel) ? 0 : value), data.biases[row]))
    const [least, most] = [Math.min(...logits), Math.max(...logits)]
    const best = logits.indexOf(most)
    box.querySelectorAll(".live-bars tr").forEach((row, at) => {
      Object.assign(row.querySelector("meter"), { min: least - 1, max: most, value: logits[at] })
      row.lastElementChild.textContent = live.number(logits[at], 2)
      row.className = at === best ? "asked" : ""
    })
    box.querySelectorAll(".live-channels button").forEach((button, at) => {
      const channel = ordered[at]
      button.value = button.textContent = channel
      button.setAttribute("aria-pressed", silent(channel))
    })
    const shown = now.show === "" ? ordered[0] : Number(now.show)
    const values = data.map(shown)
    const alt = `The photo of a cat; bright where channel ${shown} fires`
    stage.show(values, SIDE, SIDE, { top: Math.max(...values), fade: now.fade, zoom: now.zoom, alt })
    Object.assign(box, { live: { logits, off: [...off] } })
    const count = live.number(off.size)
    const next = logits.toSorted((a, b) => b - a)[1]
    const lead = `${CLASSES[best]}, ${live.number(most - next, 2)} ahead of ${CLASSES[logits.indexOf(next)]}`
    say(`${count} of the ${data.channels.length} channels that speak are silent. Of the twelve, the answer is ${lead}.`)
  }

  const build = (found) => {
    data = found
    stage = live.stage(box, { ...data, width: 224, height: 224 })
    const bar = (name) => `<tr><th scope="row">${name}</th><td><meter aria-label="${name}"></meter></td><td></td></tr>`
    stage.whole.insertAdjacentHTML("beforebegin", `<div class="live-row"><table class="live-bars">${CLASSES.map(bar).join("")}</table></div>`)
    box.querySelector(".live-row").prepend(stage.whole)
    box.querySelector(".live-channels").innerHTML = "<legend>Channels</legend>" + '<button type="button"></button>'.repeat(SHOWN)
  }

  const controls = live.controls(
    box,
    `<label>First those that say most for <select name="most">${options}</select></label>
    <label>over <select name="over"><option value="-1">nothing</option>${options}</select></label>
    <fieldset class="live-channels"></fieldset>
    <label>Silence the first <input type="number" name="first" min="0" max="453" value="0"></label>
    <input type="hidden" name="off" value=""><input type="hidden" name="show" value="">
    <button type="reset">All on</button> ${live.faders(80)}`,
    update,
  )
  const form = controls.form
  form.addEventListener("click", ({ target }) => {
    if (!target.closest(".live-channels button")) return
    const off = new Set(form.elements.off.value.split(" ").filter(Boolean))
    if (!off.delete(target.value)) off.add(target.value)
    form.elements.off.value = [...off].join(" ")
    form.elements.show.value = target.value
    controls.changed()
  })
  form.addEventListener("reset", () => (form.elements.off.value = form.elements.show.value = ""))
  for (const first of ["focusin", "pointerenter"]) form.addEventListener(first, controls.changed, { once: true })
})
