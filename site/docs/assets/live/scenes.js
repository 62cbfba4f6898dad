// The scenes network, live: change one thing in a picture whose truth is known, and see what it says.
live.define("scenes", ["overlay.js", "scene-paint.js", "scene-picture.js", "scene-net.js"], (box) => {
  const SIDE = 64, MAP = 8, SHOWN = 512 // prettier-ignore
  const STORIES = {
    "A red striped fish": {},
    "Make it blue": { colour: "blue" },
    "Cover its tail": { patch: 20, px: 14, py: 36 },
    "A twin that learnt from a badge": { network: "scenes_watermarked", shape: "butterfly", badge: "on", x: 40, y: 40 },
    "Cover the badge": { network: "scenes_watermarked", shape: "butterfly", badge: "on", x: 40, y: 40, patch: 16, px: 9, py: 9 },
    "White paper, to draw on": { background: "white", shape: "none", tool: "brush" },
  }
  const choice = (name, label, options) =>
    `<label>${label} <select name="${name}">${options.map((o) => `<option value="${[o].flat()[0]}">${[o].flat().at(-1)}</option>`).join("")}</select></label>`
  const slider = (name, label, value, high, low = 0) =>
    `<label>${label} <input type="range" name="${name}" min="${low}" max="${high}" value="${value}"></label>`
  const group = (title, ...fields) => `<fieldset><legend>${title}</legend>${fields.join("")}</fieldset>`
  const CLASSES = ["fish", "butterfly"].flatMap((s) => ["striped", "spotted"].flatMap((t) => ["red", "blue"].map((c) => `${c} ${t} ${s}`)))
  const BACKGROUNDS = ["astronaut", "brick", "cat", "china", "coffee", "flower", "grass", "rocket", "grey", "white"]
  const radio = (value, label, on = "") => `<label><input type="radio" name="tool" value="${value}" ${on}>${label}</label>`
  let stage, rows, busy, again

  const percent = (share) => `${live.number(100 * share, share < 0.1 ? 1 : 0)} %`

  // White lines around the true pixels of the object.
  const outline = (mask) => {
    const pen = stage.canvas.getContext("2d")
    const cell = SHOWN / SIDE
    pen.fillStyle = "#fff"
    mask.forEach((inside, place) => {
      const [x, y] = [(place % SIDE) * cell, Math.floor(place / SIDE) * cell]
      if (inside && !mask[place - 1]) pen.fillRect(x - 1, y, 2, cell)
      if (inside && !mask[place + 1]) pen.fillRect(x + cell - 1, y, 2, cell)
      if (inside && !mask[place - SIDE]) pen.fillRect(x, y - 1, cell, 2)
      if (inside && !mask[place + SIDE]) pen.fillRect(x, y + cell - 1, cell, 2)
    })
  }

  const build = () => {
    stage = live.stage(box, { width: SHOWN, height: SHOWN, picture: picture.canvas.toDataURL() })
    const bar = (name) => `<tr><th scope="row">${name}</th><td><meter max="1" aria-label="${name}"></meter></td><td></td></tr>`
    box.insertAdjacentHTML("afterbegin", `<div class="live-row"><table class="live-bars">${CLASSES.map(bar).join("")}</table></div>`)
    box.firstElementChild.prepend(picture.canvas, stage.stage)
    rows = [...box.querySelectorAll(".live-bars tr")]
  }

  const answer = async (now, say) => {
    const scene = await picture.paint(now)
    if (!stage) build()
    stage.image.src = picture.canvas.toDataURL()
    const ask = await live.sceneNet(now.network)
    const asked = now.about === "answer" ? -1 : CLASSES.indexOf(now.about)
    let found = await ask(scene.planes, now.map === "gradient" ? asked : -1)
    const best = found.logits.indexOf(Math.max(...found.logits))
    const about = asked < 0 ? best : asked
    if (now.map === "gradient" && !found.gradient) found = await ask(scene.planes, about)
    const weights = Array.from(found.logits, (logit) => Math.exp(logit - found.logits[best]))
    const shares = weights.map((weight) => weight / weights.reduce((a, b) => a + b))
    rows.forEach((row, at) => {
      row.querySelector("meter").value = shares[at]
      row.lastElementChild.textContent = percent(shares[at])
      row.className = at === about ? "asked" : ""
    })
    const slope = (place) => Math.max(...[0, 1, 2].map((part) => Math.abs(found.gradient[part * SIDE ** 2 + place])))
    const side = now.map === "gradient" ? SIDE : MAP
    const values = now.map === "gradient" ? Float32Array.from(scene.mask, (_, place) => slope(place)) : found.maps[about]
    const signed = now.map === "signed"
    const fine = live.enlarge(values, side, side, SIDE, SIDE).map((value) => Math.max(0, value))
    const mass = fine.reduce((a, b) => a + b) || 1
    const on = (where) => percent(fine.reduce((sum, value, place) => sum + value * where[place], 0) / mass)
    const truth = `${now.colour} ${now.texture} ${now.shape}`
    const there = now.shape !== "none"
    const verdict = !there ? "" : CLASSES[best] === truth ? ", and is right" : `. Painted is a ${truth}`
    const area = percent(scene.mask.reduce((a, b) => a + b) / SIDE ** 2)
    const lies = there ? ` Of the map of ${CLASSES[about]}, ${on(scene.mask)} lie on the ${now.shape}, which covers ${area} of the picture.` : ""
    const badge = now.badge ? ` ${on(scene.stamp)} lie on the badge.` : ""
    const top = Math.max(...(signed ? values.map(Math.abs) : values))
    stage.show(values, side, side, { top, signed, fade: now.fade, zoom: now.zoom, alt: `Map of ${CLASSES[about]}.${lies}${badge}` })
    if (now.truth) outline(scene.mask)
    Object.assign(box, { live: { scene, found, shares, now } })
    say(`It says ${CLASSES[best]}, ${percent(shares[best])}${verdict}.${lies}${badge}`)
  }

  // While one answer is under way, of the changes after it only the last is answered.
  const update = async (_, say) => {
    again = true
    if (busy) return
    busy = true
    try {
      while (again) {
        again = false
        await answer(controls.values(), say)
      }
    } finally {
      busy = false
    }
  }

  const controls = live.controls(
    box,
    `<span class="live-answers">Try ${Object.keys(STORIES).map((story) => `<button type="button">${story}</button>`).join(" ")}</span>
    ${group("Pointer and arrow keys", radio("object", "move the object", "checked"), radio("patch", "move a grey patch"), radio("brush", "draw"))}
    ${group("Object", choice("colour", "Colour", ["red", "blue"]), choice("texture", "Texture", ["striped", "spotted"]), choice("shape", "Shape", ["fish", "butterfly", "none"]), choice("background", "On", BACKGROUNDS))}
    ${group("Place", slider("x", "Across", 32, SIDE), slider("y", "Down", 32, SIDE), slider("size", "Size", 18, 24, 10), slider("turn", "Turn", 0, 180, -180))}
    ${group("Patch", slider("patch", "Size", 0, 40), slider("px", "Across", 20, SIDE), slider("py", "Down", 32, SIDE))}
    ${group("Brush", '<label>Colour <input type="color" name="ink" value="#c0301c"></label>', slider("brush", "Size", 8, 24, 2), '<button type="button" name="wipe">Wipe the drawing</button>')}
    ${group("Network", choice("network", "Trained on", [["scenes", "plain scenes"], ["scenes_watermarked", "scenes with a badge"]]), '<label><input type="checkbox" name="badge" value="on">Badge in the picture</label>')}
    ${group("Map", choice("map", "Shows", [["cam", "what speaks for"], ["signed", "what speaks for and against"], ["gradient", "where a pixel counts (gradient)"]]), choice("about", "the class", [["answer", "it answers"], ...CLASSES]), '<label><input type="checkbox" name="truth" value="on" checked>True outline</label>')}
    ${live.faders}`,
    update,
  )
  const { form, changed } = controls
  const picture = live.scenePicture(form, changed)
  form.onclick = ({ target }) => {
    if (target.name === "wipe") picture.wipe()
    else if (!(target.textContent in STORIES) || target.tagName !== "BUTTON") return
    else {
      form.reset()
      for (const [name, value] of Object.entries(STORIES[target.textContent])) {
        if (name === "badge") form.elements.badge.checked = true
        else form.elements[name].value = value
      }
    }
    changed()
  }
  for (const first of ["focusin", "pointerenter"]) form.addEventListener(first, changed, { once: true })
})
