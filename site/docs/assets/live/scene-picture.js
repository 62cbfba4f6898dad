// The picture of a scene: what is painted from the controls, the reader's own strokes, and a pointer or
// the arrow keys that move the object, the patch or the brush.
{
  const SIDE = 64, GREY = 0.5, MARGIN = 3, STEP = 2 // prettier-ignore
  const KEYS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }
  const places = [...Array(SIDE ** 2).keys()]

  live.sceneRead = () =>
    live.read("backgrounds", async (data) => {
      const strip = new Image()
      strip.src = data.strip
      await strip.decode()
      const canvas = Object.assign(document.createElement("canvas"), { width: strip.width, height: SIDE })
      const pen = canvas.getContext("2d", { willReadFrequently: true })
      pen.drawImage(strip, 0, 0)
      const photos = data.names.map((name, at) => [name, pen.getImageData(at * SIDE, 0, SIDE, SIDE).data])
      const paper = (level) => new Uint8ClampedArray(4 * SIDE ** 2).fill(level)
      return { ...data, photos: new Map([...photos, ["grey", paper(128)], ["white", paper(255)]]) }
    })

  // Background, object, badge, strokes, and the patch on top of all.
  const compose = ({ photos, badge, lime, ink }, now) => {
    const strokes = live.strokes(now.drawn)
    const [x, y, size, turn, px, py, patch] = ["x", "y", "size", "turn", "px", "py", "patch"].map((key) => Number(now[key]))
    const { pixels, mask } = live.paintScene(photos.get(now.background), { ...now, x, y, size, turn })
    const stamp = new Uint8Array(SIDE ** 2)
    const put = (place, colour) => pixels.set(colour, 4 * place)
    const corner = (at) => (at < SIDE / 2 ? SIDE - badge.length - MARGIN : MARGIN)
    const draw = (mark, row, column) => {
      const place = (corner(y) + row) * SIDE + corner(x) + column
      put(place, mark === "#" ? ink : lime)
      stamp[place] = 1
      mask[place] = 0
    }
    if (now.badge) badge.forEach((line, row) => [...line].forEach((mark, column) => draw(mark, row, column)))
    for (const place of places) {
      if (strokes[place]) put(place, strokes[place])
      const away = Math.max(Math.abs((place % SIDE) + 0.5 - px), Math.abs(Math.floor(place / SIDE) + 0.5 - py))
      if (away < patch / 2) put(place, [GREY, GREY, GREY])
    }
    // As the network takes it: three planes from -1 to 1.
    const planes = Float32Array.from([0, 1, 2].flatMap((part) => places.map((place) => 2 * pixels[4 * place + part] - 1)))
    return { pixels, mask, stamp, planes }
  }

  // The canvas to work on. `form` holds the controls, `changed` is called after each move.
  live.scenePicture = (form, changed) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE, tabIndex: 0 })
    canvas.setAttribute("role", "application")
    canvas.setAttribute("aria-label", "The scene. Arrow keys move what the tool holds; with the brush, space paints.")
    const pen = canvas.getContext("2d")
    const brush = { x: SIDE / 2, y: SIDE / 2 }
    const field = { object: ["x", "y"], patch: ["px", "py"] }
    const tool = () => form.elements.tool.value

    const dab = () => {
      const { drawn, ink, brush: width } = form.elements
      drawn.value = live.withDab(drawn.value, ink.value, width.value, brush)
    }
    const move = (x, y) => {
      if (tool() === "brush") Object.assign(brush, { x, y })
      else {
        field[tool()].forEach((name, axis) => (form.elements[name].value = [x, y][axis]))
        if (tool() === "patch" && form.elements.patch.value === "0") form.elements.patch.value = 16
      }
    }
    const at = (event) => [event.offsetX, event.offsetY].map((place) => (place * SIDE) / canvas.clientWidth)
    const drag = (event) => {
      if (!event.buttons) return
      move(...at(event))
      if (tool() === "brush") dab()
      changed()
    }
    canvas.onpointerdown = (event) => (canvas.setPointerCapture(event.pointerId), drag(event))
    canvas.onpointermove = drag
    canvas.onkeydown = (event) => {
      if (event.key === " " && tool() === "brush") dab()
      else if (KEYS[event.key]) {
        const now = tool() === "brush" ? [brush.x, brush.y] : field[tool()].map((name) => Number(form.elements[name].value))
        move(...now.map((place, axis) => Math.min(SIDE, Math.max(0, place + KEYS[event.key][axis]))))
      } else return
      event.preventDefault()
      changed()
    }
    const paint = async (now) => {
      const scene = compose(await live.sceneRead(), now)
      pen.putImageData(new ImageData(Uint8ClampedArray.from(scene.pixels, (value, at) => (at % 4 === 3 ? 255 : 255 * value)), SIDE), 0, 0)
      return scene
    }
    return { canvas, paint }
  }
}
