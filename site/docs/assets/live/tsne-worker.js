// t-SNE with its exact gradient, in a worker: the descent of lesson 5, in double precision.
live.tsneWorker = () => {
  const K = 10 // neighbours that are to be kept
  let n, distances, near, start, p, y, velocity, gains, step

  const random = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0 // mulberry32
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  // The gradient of KL(P || Q), with P times `factor`, and the divergence for P itself.
  const slopes = (factor) => {
    const [pull, push] = [new Float64Array(2 * n), new Float64Array(2 * n)]
    let total = 0, crossed = 0 // prettier-ignore
    for (let i = 0; i < n; i++)
      for (let j = 0; j < i; j++) {
        const [right, up, share] = [y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1], p[i * n + j]]
        const affinity = 1 / (1 + right * right + up * up)
        const [together, apart] = [4 * factor * share * affinity, 4 * affinity * affinity]
        total += 2 * affinity
        if (share > 0) crossed += 2 * share * Math.log(share / affinity)
        pull[2 * i] += together * right
        pull[2 * i + 1] += together * up
        pull[2 * j] -= together * right
        pull[2 * j + 1] -= together * up
        push[2 * i] += apart * right
        push[2 * i + 1] += apart * up
        push[2 * j] -= apart * right
        push[2 * j + 1] -= apart * up
      }
    return { gradient: pull.map((value, at) => value - push[at] / total), divergence: crossed + Math.log(total) }
  }

  // A coordinate whose last step still leads downhill takes longer steps, others shorter.
  const descend = (early, factor) => {
    const { gradient } = slopes(early ? factor : 1)
    gradient.forEach((slope, at) => {
      gains[at] = Math.max(0.01, slope * velocity[at] < 0 ? gains[at] + 0.2 : gains[at] * 0.8)
      velocity[at] = (early ? 0.5 : 0.8) * velocity[at] - (n / 12) * gains[at] * slope
      y[at] += velocity[at]
    })
    step++
  }

  const begin = ({ seed, from }) => {
    const uniform = random(seed)
    const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
    y = Float64Array.from(start, (place) => 1e-4 * (from === "pca" ? place + 0.01 * normal() : normal()))
    velocity = new Float64Array(2 * n)
    gains = new Float64Array(2 * n).fill(1)
    step = 0
  }

  onmessage = ({ data }) => {
    if (data.pixels) {
      n = data.pixels.length / 64
      start = data.start
      distances = squared(data.pixels, 64)
      near = nearest(distances, K)
    }
    if (data.perplexity) p = joint(distances, near, data.perplexity)
    if (data.seed !== undefined) begin(data)
    for (let done = 0; done < data.steps; done++) descend(step < data.until, data.factor)
    const there = nearest(squared(y, 2), K).map((row, i) => row.filter((j) => near[i].includes(j)).length)
    const kept = there.reduce((a, b) => a + b) / (n * K)
    postMessage({ y, step, near, there, kept, ...slopes(1) })
  }
}
