// The canvas on which 600 digits move.
live.tsneMap = (box, look) => {
  const WIDTH = 720, HEIGHT = 540, MARGIN = 40, REACH = 14 // prettier-ignore
  box.querySelector("form").insertAdjacentHTML(
    "beforebegin",
    `<canvas class="live-map" width="${WIDTH}" height="${HEIGHT}" role="img"
      aria-label="Map of 600 digits; the sentences below say what is on it"></canvas>`,
  )
  box.querySelector("figure").hidden = true
  const canvas = box.querySelector("canvas")
  const pen = canvas.getContext("2d")
  let points = []
  let again = () => {}

  // Both axes have the same unit, and the whole map is in sight.
  const place = (y) => {
    const [across, up] = [0, 1].map((axis) => y.filter((_, at) => at % 2 === axis))
    const ends = [across, up].map((axis) => [Math.min(...axis), Math.max(...axis)])
    const unit = Math.min(...ends.map(([low, high], axis) => ([WIDTH, HEIGHT][axis] - MARGIN) / (high - low)))
    const middles = ends.map(([low, high]) => (low + high) / 2)
    return Array.from(across, (x, i) => [WIDTH / 2 + (x - middles[0]) * unit, HEIGHT / 2 - (up[i] - middles[1]) * unit])
  }

  // Each point is its digit; the chosen one has a line to each of its true neighbours.
  const draw = ({ y, near }, names, chosen) => {
    again = () => draw({ y, near }, names, chosen)
    const night = document.body.dataset.mdColorScheme === "slate"
    points = place(y)
    const size = 11 * Math.max(1.4, WIDTH / canvas.clientWidth) // small screens need larger digits
    pen.clearRect(0, 0, WIDTH, HEIGHT)
    pen.strokeStyle = night ? "#fff" : "#000"
    pen.textAlign = "center"
    pen.textBaseline = "middle"
    pen.beginPath()
    for (const friend of near[chosen]) {
      pen.moveTo(...points[chosen])
      pen.lineTo(...points[friend])
    }
    pen.stroke()
    points.forEach((point, at) => {
      const bold = at === chosen || near[chosen].includes(at)
      pen.font = bold ? `bold ${1.5 * size}px sans-serif` : `${size}px sans-serif`
      pen.fillStyle = `hsl(${36 * names[at]} ${bold ? 90 : 60}% ${night ? 72 : 36}%)`
      pen.fillText(names[at], ...point)
    })
  }

  canvas.onpointermove = ({ offsetX, offsetY }) => {
    const scale = WIDTH / canvas.clientWidth
    const away = points.map(([x, y]) => Math.hypot(x - offsetX * scale, y - offsetY * scale))
    const nearest = away.indexOf(Math.min(...away))
    if (away[nearest] < REACH * scale) look(nearest)
  }
  new MutationObserver(() => again()).observe(document.body, { attributeFilter: ["data-md-color-scheme"] })
  return { draw }
}
