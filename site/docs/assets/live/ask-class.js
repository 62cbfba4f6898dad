// Ask any of 1,000 classes where in the picture it is found. The network ends with a mean and a linear
// layer, so the map of a class is its weights times the last activation, with nothing left out.
live.define("ask-class", ["overlay.js"], (box) => {
  const STEPS = 50000, LOGITS = 1000 // prettier-ignore
  let stage

  const read = () =>
    live.read("ask_class", async (data) => {
      const [maps, steps, logits] = await Promise.all([
        live.unpack(data.maps, Int8Array),
        live.unpack(data.steps, Int16Array),
        live.unpack(data.logits, Int16Array),
      ])
      const weights = Array.from(logits, (logit) => Math.exp(logit / LOGITS))
      const total = weights.reduce((a, b) => a + b)
      const places = data.height * data.width
      const map = (number) =>
        Float32Array.from(maps.subarray(number * places, (number + 1) * places), (level) => level * (steps[number] / STEPS))
      const names = data.names.split("\n")
      const order = [...names.keys()].sort((a, b) => logits[b] - logits[a])
      const highest = Math.max(...names.map((_, number) => Math.max(...map(number))))
      const made = { ...data, names, map, order, highest, probability: weights.map((weight) => weight / total) }
      return Object.assign(made, { logit: (number) => logits[number] / LOGITS })
    })

  // The class that a text names, or the classes that it might mean.
  const meant = (names, text) => {
    const asked = text.trim().toLowerCase()
    const exact = names.findIndex((name) => name.toLowerCase() === asked)
    if (exact >= 0) return [exact]
    return [...names.keys()].filter((number) => names[number].toLowerCase().includes(asked))
  }

  const update = async ({ class: text, scale, fade, zoom }, say) => {
    const data = await open()
    const { names, map, order, highest, probability, height, width } = data
    if (!text.trim()) return say("Type a class, or take one of the network's own answers.")
    const found = meant(names, text)
    if (!found.length) return say(`No class is called “${text}”. Try a thing, an animal or a dish.`)
    if (found.length > 1) {
      const some = found.slice(0, 6).map((number) => names[number]).join(", ")
      return say(`${found.length} classes hold “${text}”: ${some}${found.length > 6 ? ", …" : "."}`)
    }
    const [number] = found
    const values = map(number)
    const largest = Math.max(...values)
    const place = values.indexOf(largest)
    const top = { own: largest, common: highest, signed: Math.max(...values.map(Math.abs)) }[scale]
    const across = live.number((100 * ((place % width) + 0.5)) / width)
    const down = live.number((100 * (Math.floor(place / width) + 0.5)) / height)
    const where = `strongest ${across} % from the left and ${down} % from the top, with ${live.number(largest, 1)}`
    const nothing = largest <= 0 ? "Nothing in the picture speaks for it." : `It is ${where}.`
    const rank = order.indexOf(number) + 1
    const share = 100 * probability[number]
    const sure = share >= 0.1 ? live.number(share, 1) : "less than 0.1"
    const scales = {
      own: "Its own scale makes every class look sure.",
      common: `On the scale of all classes, which ends at ${live.number(highest, 1)}.`,
      signed: "Orange speaks for it, purple against it.",
    }
    stage ??= live.stage(box, { ...data, width: 448, height: 224 })
    const alt = `The picture with the map of ${names[number]}: ${where}`
    stage.show(values, height, width, { top, fade, zoom, signed: scale === "signed", alt })
    box.dataset.shown = number
    say(`${names[number]}: ${sure} %, place ${live.number(rank)} of 1,000. ${nothing} ${scales[scale]}`)
  }

  const { form, changed } = live.controls(
    box,
    `<label>Where is <input name="class" list="live-classes" autocomplete="off" spellcheck="false"
      placeholder="tiger cat, teapot, rug …" size="24"></label><datalist id="live-classes"></datalist>
    <span class="live-answers"></span>
    <fieldset><legend>Scale</legend>
      <label><input type="radio" name="scale" value="own" checked>its own</label>
      <label><input type="radio" name="scale" value="common">one for all</label>
      <label><input type="radio" name="scale" value="signed">for and against</label></fieldset>
    ${live.faders(80)}`,
    update,
  )

  // Suggestions, and the network's own answers as buttons: at the first touch, as all of the data.
  let opened
  const open = () =>
    (opened ??= read().then((data) => {
      const option = (name) => Object.assign(document.createElement("option"), { value: name })
      form.querySelector("datalist").append(...data.names.map(option))
      const answers = data.order.slice(0, 5).map((number) => {
        const button = Object.assign(document.createElement("button"), { type: "button", value: data.names[number] })
        button.textContent = `${data.names[number]} ${live.number(100 * data.probability[number], 1)} %`
        button.onclick = () => ((form.elements.class.value = button.value), changed())
        return button
      })
      form.querySelector(".live-answers").replaceChildren("The network says ", ...answers)
      return data
    }))
  for (const first of ["focusin", "pointerenter"]) form.addEventListener(first, open, { once: true })
  box.live = { read } // for the tests
})
