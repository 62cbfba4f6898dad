// A map of 600 digits that the reader steers while it is being made.
live.define("tsne", ["tsne-neighbours.js", "tsne-worker.js", "tsne-map.js"], (box) => {
  const STEPS = 500, EARLY = 125, MORE = 250, BATCH = 8 // prettier-ignore
  const calm = matchMedia("(prefers-reduced-motion: reduce)")
  let data, map, state, looping, heard, again, running = false, before = {}, goal = STEPS // prettier-ignore

  live.digits = () =>
    live.read("digits", async ({ pixels, labels, start }) => {
      const kinds = [live.unpack(pixels, Uint8Array), live.unpack(labels, Uint8Array), live.unpack(start, Float32Array)]
      const [inks, names, places] = await Promise.all(kinds)
      const ask = live.worker(live.tsneNeighbours, live.tsneWorker)
      await ask({ pixels: inks, start: places, perplexity: 30, seed: 0, from: "pca", steps: 0 })
      return { names, ask }
    })

  // The digit under the pointer is looked at; the field beside does the same from the keyboard.
  const look = (digit) => {
    if (form.elements.digit.value === String(digit)) return
    form.elements.digit.value = digit
    controls.changed()
  }

  const draw = () => {
    const chosen = Number(form.elements.digit.value)
    map.draw(state, data.names, chosen)
    const names = state.near[chosen].map((friend) => data.names[friend]).join(" ")
    box.querySelector(".live-number").textContent =
      `Step ${state.step}, divergence ${live.number(state.divergence, 2)}. ` +
      `Of each digit's ten nearest, ${live.number(100 * state.kept)} % are kept. Digit ${chosen} is ` +
      `a ${data.names[chosen]}; its true neighbours are ${names}, and ${state.there[chosen]} of them are near it here.`
  }

  // One loop asks the worker for some steps after another, and hears of the controls in between.
  const loop = async () => {
    if (looping) return
    looping = true
    while (running || heard) {
      heard = false
      const now = controls.values()
      const changed = (name) => now[name] !== before[name]
      const question = { until: EARLY, factor: Number(now.factor) }
      if (changed("perplexity")) Object.assign(question, { perplexity: Number(now.perplexity) })
      if (again || changed("seed") || changed("from")) {
        Object.assign(question, { seed: Number(now.seed), from: now.from })
        goal = STEPS
      } else if (question.perplexity) goal = Math.max(goal, state.step + MORE)
      running ||= "seed" in question || "perplexity" in question
      question.steps = running ? (calm.matches ? goal - ("seed" in question ? 0 : state.step) : BATCH) : 0
      again = false
      before = now
      state = await data.ask(question)
      running &&= state.step < goal
      draw()
      form.elements.run.textContent = running ? "Pause" : "Run"
    }
    looping = false
    controls.say(box.querySelector(".live-number").textContent)
  }

  const update = async () => {
    heard = true
    if (!data) {
      data = await live.digits()
      map = live.tsneMap(box, look)
    }
    await loop()
  }

  const controls = live.controls(
    box,
    `<button type="button" name="run">Run</button> <button type="button" name="again">Begin again</button>
    <label>Perplexity <input type="number" name="perplexity" min="2" max="150" value="30"></label>
    <label>Exaggeration, for ${EARLY} steps <input type="range" name="factor" min="1" max="24" value="12"></label>
    <label>Start <select name="from"><option value="pca">at PCA</option><option value="random">anywhere</option></select></label>
    <label>Seed <input type="number" name="seed" min="0" max="99" value="0"></label>
    <label>Look at digit <input type="number" name="digit" min="0" max="599" value="0"></label>
    <p class="live-number"></p>`,
    update,
  )
  const form = controls.form
  form.onclick = ({ target }) => {
    if (target.name === "run") running = !running && (goal = Math.max(goal, (state?.step ?? 0) + 1)) > 0
    else if (target.name === "again") again = true
    else return
    update()
  }
})
