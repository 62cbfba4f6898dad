// The scenes network in a worker: its answer, the class activation maps of all eight classes, and the
// gradient of one class at the pixels. lessons/toolkit/scene_net.py is the same network in PyTorch.
{
  // Its text becomes the worker, so all that it needs stands inside.
  const main = () => {
    const CLASSES = 8
    let layers, classifier

    // One loop for both ways: forward it fills `output` from `input`, backward `input` from `output`.
    const convolve = ({ outputs, inputs, kernel, stride, weights, inside, outside }, input, output, back) => {
      const padding = (kernel - stride) / 2
      const first = (shift) => Math.max(0, Math.ceil((padding - shift) / stride))
      const last = (shift) => Math.min(outside - 1, Math.floor((inside - 1 + padding - shift) / stride))
      let at = 0
      for (let o = 0; o < outputs; o++)
        for (let i = 0; i < inputs; i++)
          for (let down = 0; down < kernel; down++)
            for (let across = 0; across < kernel; across++) {
              const weight = weights[at++]
              for (let row = first(down); row <= last(down); row++) {
                const to = (o * outside + row) * outside
                const from = (i * inside + row * stride + down - padding) * inside + across - padding
                const end = last(across)
                if (back) for (let x = first(across); x <= end; x++) input[from + x * stride] += weight * output[to + x]
                else for (let x = first(across); x <= end; x++) output[to + x] += weight * input[from + x * stride]
              }
            }
    }

    // Five blocks of convolution and ReLU, a mean over the places, a linear layer.
    const forward = (pixels) => {
      const outputs = []
      for (const layer of layers) {
        const places = layer.outside ** 2
        const output = new Float32Array(layer.outputs * places)
        layer.biases.forEach((bias, o) => output.fill(bias, o * places, (o + 1) * places))
        convolve(layer, outputs.at(-1) ?? pixels, output, false)
        outputs.push(output.map((value) => Math.max(0, value)))
      }
      return outputs
    }

    // The classifier's weight for the channel that a place of the last layer belongs to.
    const weight = (chosen, at, places, channels) => classifier[chosen * channels + Math.floor(at / places)]

    const answer = (features, channels, places) => {
      const logits = new Float32Array(CLASSES)
      const maps = Array.from({ length: CLASSES }, (_, chosen) => {
        const map = new Float32Array(places)
        features.forEach((value, at) => (map[at % places] += weight(chosen, at, places, channels) * value))
        logits[chosen] = map.reduce((a, b) => a + b) / places + classifier[CLASSES * channels + chosen]
        return map
      })
      return { logits, maps }
    }

    const gradient = (outputs, chosen, channels, places) => {
      let flowing = outputs.at(-1).map((_, at) => weight(chosen, at, places, channels) / places)
      for (const [number, layer] of [...layers.entries()].reverse()) {
        const through = flowing.map((value, at) => (outputs[number][at] > 0 ? value : 0))
        flowing = new Float32Array(layer.inputs * layer.inside ** 2)
        convolve(layer, flowing, through, true)
      }
      return flowing
    }

    onmessage = ({ data }) => {
      if (data.layers) return postMessage(({ layers, classifier } = data))
      const outputs = forward(data.pixels)
      const sizes = [layers.at(-1).outputs, layers.at(-1).outside ** 2]
      const slopes = data.gradient >= 0 ? gradient(outputs, data.gradient, ...sizes) : null
      postMessage({ ...answer(outputs.at(-1), ...sizes), gradient: slopes })
    }
  }

  // ask(pixels, number of the class whose gradient is wanted or -1).
  live.sceneNet = (name) =>
    live.read(name, async ({ shapes, shift, low, high, exact }) => {
      const kinds = [[low, Uint8Array], [high, Int8Array], [exact, Float32Array]] // prettier-ignore
      const [lows, highs, exacts] = await Promise.all(kinds.map(([text, Kind]) => live.unpack(text, Kind)))
      let at = 0, done = 0, inside = 64 // prettier-ignore
      const take = (count) => exacts.subarray(at, (at += count))
      const layers = shapes.map(([outputs, inputs, kernel, stride]) => {
        const [steps, biases, each] = [take(outputs), take(outputs), inputs * kernel ** 2]
        const whole = (place) => lows[done + place] + 256 * highs[done + place] - shift
        const weights = Float32Array.from({ length: outputs * each }, (_, place) => whole(place) * steps[Math.floor(place / each)])
        done += outputs * each
        return { outputs, inputs, kernel, stride, weights, biases, inside, outside: (inside /= stride) }
      })
      const ask = live.worker(main)
      await ask({ layers, classifier: take(exacts.length - at) })
      return (pixels, gradient = -1) => ask({ pixels, gradient })
    })
}
