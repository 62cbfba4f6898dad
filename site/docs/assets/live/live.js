// What a reader can touch. A page says where, with a static picture inside that stays without script:
// <div class="live" data-live="NAME">. Then NAME.js is loaded when the place comes into sight, and its
// data at the first use. Scripts carry the data too: from disk a page may load them, and fetch nothing.
window.live = (() => {
  const here = new URL(".", document.currentScript.src).href
  const [data, starts, once] = [{}, {}, {}] // data/*.js fill the first

  const load = (path) =>
    (once[path] ??= new Promise((done, failed) => {
      const how = { charset: "utf-8", async: false, src: here + path, onload: done } // in the order asked for
      const script = Object.assign(document.createElement("script"), how)
      script.onerror = () => failed(new Error(`${path} could not be loaded. Reload the page.`))
      document.head.append(script)
    }))

  // Data by name, loaded and made ready once for the page.
  const read = (name, ready) =>
    (once["data of " + name] ??= load(`data/${name}.js`).then(() => ready(data[name])))

  // The numbers that autograder/build/site/live/pack.py has packed.
  const unpack = async (text, Numbers) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))
    return new Numbers(await new Response(stream).arrayBuffer())
  }

  // Ask a worker made of functions' text, one question after another. From disk no other would start.
  const worker = (...mains) => {
    const running = new Worker(URL.createObjectURL(new Blob(mains.map((main) => `(${main})();`))))
    let before = Promise.resolve()
    const ask = (question) => (answered, failed) => {
      running.onmessage = ({ data }) => answered(data)
      running.onerror = ({ message }) => failed(new Error(`This browser stopped: ${message}`))
      running.postMessage(question)
    }
    return (question) => (before = before.catch(() => {}).then(() => new Promise(ask(question))))
  }

  // Native controls whose state is in the address: what differs from the start stands there.
  const controls = (box, html, update) => {
    const prefix = (box.dataset.of ?? box.dataset.live) + "." // a page may hold several of one kind
    box.insertAdjacentHTML("beforeend", `<form>${html}<output></output></form>`)
    const form = box.lastElementChild
    const values = () => Object.fromEntries(new FormData(form))
    const plain = values()
    const say = (text) => (form.querySelector("output").textContent = text)
    const note = () => {
      const [url, now] = [new URL(location.href), values()]
      for (const key of Object.keys({ ...plain, ...now }))
        if (now[key] === plain[key]) url.searchParams.delete(prefix + key)
        else url.searchParams.set(prefix + key, now[key] ?? "")
      if (url.href !== location.href) history.replaceState(history.state, "", url)
    }
    let [waiting, noting] = [0, 0]
    const changed = async () => {
      clearTimeout(noting)
      noting = setTimeout(note, 200) // a browser takes so many addresses a second, and no more
      form.ariaBusy = String(++waiting > 0)
      await Promise.resolve(update(values(), say)).catch((error) => say(error.message))
      form.ariaBusy = String(--waiting > 0)
    }
    let asked = false
    for (const [key, value] of new URL(location.href).searchParams) {
      const field = key.startsWith(prefix) && form.elements[key.slice(prefix.length)]
      if (!field) continue
      asked = true
      if (field.type === "checkbox") field.checked = value === field.value
      else field.value = value
    }
    form.addEventListener("input", changed)
    form.addEventListener("reset", () => setTimeout(changed))
    form.addEventListener("submit", (event) => (event.preventDefault(), changed()))
    if (asked) setTimeout(changed)
    return { form, changed, values, say }
  }

  // Numbers as they are read: 1,000 and 12.3.
  const number = (value, digits = 0) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })

  // NAME.js calls this: what else it needs, and what it makes of a box.
  const define = (name, needs, start) => {
    starts[name] = async (box) => (await Promise.all(needs.map(load)), start(box))
  }

  const begin = async (box) => {
    await load(`${box.dataset.live}.js`)
    await starts[box.dataset.live](box)
    box.dataset.ready = ""
  }
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue
      seen.unobserve(target)
      begin(target).catch((error) => console.warn(error)) // the static picture stays
    }
  }, { rootMargin: "300px" }) // prettier-ignore
  for (const box of document.querySelectorAll(".live")) seen.observe(box)
  return { data, read, unpack, worker, controls, number, define, load }
})()
