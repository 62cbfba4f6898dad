// Who is near to whom, for the worker that draws a map: distances, nearest others, P of t-SNE.
live.tsneNeighbours = () => {
  self.squared = (points, width) => {
    const n = points.length / width
    const found = new Float64Array(n * n)
    for (let i = 0; i < n; i++)
      for (let j = 0; j < i; j++) {
        let sum = 0
        for (let d = 0; d < width; d++) sum += (points[i * width + d] - points[j * width + d]) ** 2
        found[i * n + j] = found[j * n + i] = sum
      }
    return found
  }

  // The k nearest others of each point, the nearest first.
  self.nearest = (all, k, n = Math.sqrt(all.length)) =>
    Array.from({ length: n }, (_, i) => {
      const row = all.subarray(i * n, (i + 1) * n)
      const kept = []
      for (let j = 0; j < n; j++) {
        if (j === i || (kept.length === k && row[j] >= row[kept[k - 1]])) continue
        let at = kept.length
        while (at && row[kept[at - 1]] > row[j]) at--
        kept.splice(at, 0, j)
        kept.length = Math.min(kept.length, k)
      }
      return kept
    })

  // Each row's precision by halving, until its entropy is log(perplexity); then both directions.
  self.joint = (distances, near, perplexity, n = near.length) => {
    const rows = new Float64Array(n * n)
    for (let i = 0; i < n; i++) {
      const row = distances.subarray(i * n, (i + 1) * n)
      const shift = row[near[i][0]]
      let low = 0, high = Infinity, precision = n / row.reduce((a, b) => a + b) // prettier-ignore
      for (let round = 0; round < 64; round++) {
        let total = 0, mean = 0 // prettier-ignore
        for (let j = 0; j < n; j++) {
          const share = j === i ? 0 : Math.exp(-precision * (row[j] - shift))
          rows[i * n + j] = share
          total += share
          mean += share * (row[j] - shift)
        }
        for (let j = 0; j < n; j++) rows[i * n + j] /= total
        const entropy = Math.log(total) + (precision * mean) / total
        if (Math.abs(entropy - Math.log(perplexity)) < 5e-6) break
        if (entropy > Math.log(perplexity)) low = precision
        else high = precision
        precision = high === Infinity ? 2 * precision : (low + high) / 2
      }
    }
    return rows.map((share, at) => (share + rows[(at % n) * n + Math.floor(at / n)]) / (2 * n))
  }
}
