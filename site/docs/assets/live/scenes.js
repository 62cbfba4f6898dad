// The scenes network, live: change one thing in a picture whose truth is known, and see what it says.
live.define("scenes", ["overlay.js", "scene-paint.js", "scene-drawing.js", "scene-picture.js", "scene-net.js", "scene-controls.js"], (box) => {
  const SIDE = 64, MAP = 8, SHOWN = 512 // prettier-ignore
  const { STORIES, CLASSES, html } = live.sceneControls
  let stage, rows, busy, again

  const percent = (share) => `${live.number(100 * share, share < 0.1 ? 1 : 0)} %`

  const build = () => {
    stage = live.stage(box, { width: SHOWN, height: SHOWN, picture: picture.canvas.toDataURL() })
    const bar = (name) => `<tr><th scope="row">${name}</th><td><meter max="1" aria-label="${name}"></meter></td><td></td></tr>`
    box.insertAdjacentHTML("afterbegin", `<div class="live-row"><table class="live-bars">${CLASSES.map(bar).join("")}</table></div>`)
    box.firstElementChild.prepend(picture.canvas, stage.whole)
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
    if (now.truth) stage.outline(scene.mask, SIDE)
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

  const controls = live.controls(box, html, update)
  const { form, changed } = controls
  const picture = live.scenePicture(form, changed)
  form.onclick = ({ target }) => {
    if (target.tagName !== "BUTTON") return
    form.elements.drawn.value = ""
    if (target.textContent in STORIES) {
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
